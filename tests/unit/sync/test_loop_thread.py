"""The loop's thread: what runs there is waited for from any other, and ends with it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_nb.sync import loop_thread as module
from gateway_nb.sync.loop_thread import loop_thread, stop_loop_thread
from tests.helpers.support import until


@pytest.mark.long
@pytest.mark.parametrize("main", [True, False], ids=["in the main thread", "in another"])
def test_waiting_for_a_handle(main: bool) -> None:
    """A handle's result is waited for in any thread, at no cost; whoever asked to be called at its end is called."""
    thread, results, called = loop_thread(), list[int](), list[object]()
    seconds = list[float]()

    async def work() -> int:
        await asyncio.sleep(0.5)
        return 7

    def wait() -> None:
        began = time.thread_time()
        results.append(handle.result())
        seconds.append(time.thread_time() - began)

    handle = thread.submit(work(), "work")
    handle.add_done_callback(called.append)
    if main:
        wait()
    else:
        other = threading.Thread(target=wait)
        other.start()
        other.join()
    assert results == [7]
    assert seconds[0] < 0.1
    until(lambda: called)
    assert called == [handle]
    assert (handle.done(), handle.cancelled(), handle.cancel()) == (True, False, False)


@pytest.mark.long
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("started", [True, False], ids=["while it runs", "before it runs"])
def test_an_interrupt(started: bool) -> None:
    """Ctrl-C during a call cancels it and waits for its cleanup; before it has begun there is nothing to wait for."""
    thread, done, begun = loop_thread(), list[str](), threading.Event()
    free = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)
            done.append("cleaned up")

    def press() -> None:
        try:
            until(lambda: Path(sys._current_frames()[main].f_code.co_filename).name == "loop_thread.py")
            assert not started or begun.wait(10)
        finally:
            signal.pthread_kill(main, signal.SIGINT)

    main = threading.main_thread().ident
    assert main is not None
    if not started:
        thread.loop.call_soon_threadsafe(free.wait, 10)
    presses = threading.Thread(target=press)
    presses.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.run(work, "work")
    finally:
        free.set()
        presses.join()
    assert done == (["cleaned up"] if started else [])


def test_calls_from_another_thread() -> None:
    """A call that ends with its loop ends with an error in whichever thread waits for it."""
    thread, errors = loop_thread(), list[BaseException]()
    begun = threading.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.sleep(3600)

    def wait() -> None:
        try:
            thread.run(forever, "forever")
        except asyncio.CancelledError as error:
            errors.append(error)

    other = threading.Thread(target=wait)
    other.start()
    assert begun.wait(10)
    stop_loop_thread()
    other.join(10)
    assert not other.is_alive()
    assert [type(error) for error in errors] == [asyncio.CancelledError]
    with pytest.raises(RuntimeError, match="ended with its event loop; connect again"):
        thread.run(forever, "forever")


class Client:
    """Something to be stopped at the end."""

    def __init__(self, stopped: list[float], error: Exception | None = None) -> None:
        self._stopped, self._error = stopped, error

    async def stop(self, timeout: float) -> None:
        await asyncio.sleep(0)
        self._stopped.append(timeout)
        if self._error is not None:
            raise self._error


def test_the_end() -> None:
    """At its end every client is stopped, whatever one of them does, tasks clean up, and nothing starts any more."""
    thread, ends = loop_thread(), list[object]()
    assert loop_thread() is thread
    assert thread.is_alive()
    clients = [Client(ends, ValueError("a bug")), Client(ends)]
    for client in clients:
        thread.at_exit(client, 0.5)
    pieces: list[object] = []

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            ends.append("generator")

    async def work() -> None:
        pieces.append(generate())
        await anext(pieces[0])  # type: ignore[call-overload]
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ends.append("task")

    begun = threading.Event()
    handle = thread.submit(work(), "work")
    assert begun.wait(10)
    for _ in range(2):
        stop_loop_thread()
        assert ends == [0.5, 0.5, "task", "generator"]
    assert not thread.is_alive()
    assert handle.cancelled()
    thread.call(lambda: ends.append("too late"))
    thread.stop()
    late = work()
    with pytest.raises(RuntimeError, match="ended with its event loop; connect again"):
        thread.submit(late, "late")
    assert inspect.getcoroutinestate(late) == inspect.CORO_CLOSED
    assert loop_thread() is not thread
    assert len(ends) == 4


def test_a_forked_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child of a fork the parent's loop is not used: calls say so, and finalizers do nothing."""
    thread, called = loop_thread(), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(thread, "pid", 1)
        assert not thread.is_alive()
        with pytest.raises(RuntimeError, match=r"belongs to the parent process, and can't be used after fork\(\)"):
            thread.run(asyncio.Event().wait, "work")
        thread.call(called.set)
        thread.stop()
        assert loop_thread() is not thread
        stop_loop_thread()
    assert thread.run(_nothing, "nothing") is None
    assert not called.is_set()
    thread.stop()


async def _nothing() -> None:
    pass


def test_on_the_loops_own_thread() -> None:
    """Whoever would wait for the loop on its own thread is told instead of waiting for ever."""
    thread = loop_thread()
    thread.check_may_wait("m")

    async def work() -> None:
        with pytest.raises(RuntimeError, match="m: this would wait forever, for the event loop"):
            thread.run(_nothing, "m")

    thread.run(work, "work")


def test_how_long_cleanup_is_waited_for() -> None:
    """Ctrl-C waits two seconds for a call's cleanup, and the end of the interpreter two for clients and thread."""
    assert (module.INTERRUPT_SECONDS, module.EXIT_SECONDS) == (2.0, 2.0)


def test_an_end_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not stop does not keep the interpreter from its end."""
    monkeypatch.setattr(module, "EXIT_SECONDS", 0.01)
    thread, gate = loop_thread(), threading.Event()

    class Stuck(Client):
        async def stop(self, timeout: float) -> None:
            gate.wait(10)

    stuck = Stuck([])
    thread.at_exit(stuck, 1.0)
    stop_loop_thread()
    assert thread._thread.is_alive()
    gate.set()
    thread._thread.join(10)
    assert not thread._thread.is_alive()


@pytest.mark.long
def test_a_client_that_is_gone() -> None:
    """A client that nobody holds any more is not kept for the end."""
    thread, ends = loop_thread(), list[float]()
    thread.at_exit(Client(ends), 0.5)
    gc.collect()
    stop_loop_thread()
    assert ends == []
