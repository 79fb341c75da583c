"""A handle of what runs in the background: its result, its end, and what it says of itself."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gateway_nb.errors import GatewayError, GatewayTimeoutError
from gateway_nb.sync import handle as module
from gateway_nb.sync.handle import RequestHandle

Future = concurrent.futures.Future[Any]


def ended(result: object) -> Future:
    """Return a future that has ended with a result, an error, or, for ``...``, by being cancelled."""
    future = Future()
    if result is ...:
        future.cancel()
        future.set_running_or_notify_cancel()
    elif isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


@pytest.mark.parametrize(
    ("future", "text", "done", "cancelled"),
    [
        (Future(), "running", False, False),
        (ended(7), "done", True, False),
        (ended(...), "cancelled", True, True),
        (ended(GatewayError("no")), "failed: no", True, False),
    ],
)
def test_its_state(future: Future, text: str, done: bool, cancelled: bool) -> None:
    """A handle says whether its work runs, has ended, was cancelled or failed, without waiting."""
    handle = RequestHandle(future, "m")
    assert repr(handle) == f"<RequestHandle m: {text}>"
    assert (handle.done(), handle.cancelled()) == (done, cancelled)
    assert handle.cancel() is (not done or cancelled)


@pytest.mark.parametrize("timeout", [None, 0.0, 5.0])
@pytest.mark.parametrize("kind", [GatewayError, TimeoutError, ValueError])
def test_an_error(kind: type[Exception], timeout: float | None) -> None:
    """The work's own error is raised, its own timeout too; one that users meet comes without the frames behind it."""

    def fail() -> None:
        raise kind("no")

    with pytest.raises(kind) as failed:
        fail()
    handle = RequestHandle(ended(failed.value), "m")
    assert handle.exception(timeout) is failed.value
    with pytest.raises(kind) as raised:
        handle.result(timeout)
    assert raised.value is failed.value
    assert ("fail" in [entry.name for entry in raised.traceback]) is (kind is not GatewayError)


@pytest.mark.parametrize("wait", [RequestHandle.result, RequestHandle.exception])
def test_not_yet(wait: Callable[..., object]) -> None:
    """Who waits for so many seconds learns that the work goes on."""
    future = Future()
    with pytest.raises(
        GatewayTimeoutError, match=r"m: no result within 0 s; it continues, and can be waited for again"
    ):
        wait(RequestHandle(future, "m"), timeout=0.0)
    future.set_result(7)
    assert wait(RequestHandle(future, "m"), timeout=0.0) in (7, None)


def test_cancelled_work() -> None:
    """Of work that was cancelled there is no result."""
    with pytest.raises(concurrent.futures.CancelledError):
        RequestHandle(ended(...), "m").result()


@pytest.mark.parametrize("limited", [True, False])
def test_waiting_in_another_thread(limited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread that no signal wakes waiting looks up four times a second, unless it has a limit of its own."""
    looked: list[float | None] = []
    future = Future()

    def wait(futures: list[Future], timeout: float | None = None) -> None:
        assert futures == [future]
        looked.append(timeout)
        if len(looked) == 3:
            future.set_result(7)

    monkeypatch.setattr(module.concurrent.futures, "wait", wait)
    if limited:
        future.set_result(7)
    results: list[int] = []
    other = threading.Thread(target=lambda: results.append(RequestHandle(future, "m").result(5.0 if limited else None)))
    other.start()
    other.join()
    assert (results, looked) == ([7], [] if limited else [0.25] * 3)


def test_awaiting() -> None:
    """A handle is awaited on any loop, and tells at its end whoever asked for that."""
    future = Future()
    handle = RequestHandle(future, "m")
    called: list[object] = []
    handle.add_done_callback(called.append)

    async def wait() -> int:
        asyncio.get_running_loop().call_soon(future.set_result, 7)
        return await handle

    assert asyncio.run(wait()) == 7
    assert called == [handle]
