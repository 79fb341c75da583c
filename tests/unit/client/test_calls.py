"""What users ask of a client, and the advice where something looks wrong."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateway_nb.client import calls as module
from gateway_nb.client.calls import call, subscribe, user_facing, wait_for
from gateway_nb.client.feed import Feed
from gateway_nb.client.handlers import Handlers
from gateway_nb.client.log import Log
from gateway_nb.errors import GatewayError, GatewayRequestError, GatewayTimeoutError
from tests.helpers.support import async_test

HELLO = SimpleNamespace(methods=("sessions.list", "sessions.get"), events=("chat", "agent"))


class FakeCore:
    """A client whose answer is set, and that keeps what it was asked."""

    def __init__(self, answer: Any = None, hello: Any = HELLO) -> None:
        self.hello = hello
        self.log = Log()
        self.handlers = Handlers(self.log)
        self.feed = Feed(self.log)
        self.requests = self
        self.settings = SimpleNamespace(request_timeout=30.0)
        self.asked: list[tuple[Any, ...]] = []
        self._answer = answer

    async def ask(self, method: str, params: Any, limit: float | None, *, expect_final: bool) -> msgspec.Raw:
        self.asked.append((method, params, limit, expect_final))
        if isinstance(self._answer, BaseException):
            raise self._answer
        return msgspec.Raw(b'{"x":1}')


def refusal(code: str, message: str) -> GatewayRequestError:
    error = GatewayRequestError(f"m: {message}", code=code)
    error.gateway_message = message
    return error


@pytest.mark.parametrize(
    ("timeout", "final", "limit"),
    [(..., False, 30.0), (..., True, None), (None, False, None), (5, True, 5.0), (0, False, 0.0)],
)
@async_test
async def test_limits(timeout: Any, final: bool, limit: float | None) -> None:
    """A call has the client's limit, none where its end is waited for, or the user's."""
    core: Any = FakeCore()
    assert await call(core, "m", {"y": 2}, timeout, final) == {"x": 1}
    assert core.asked == [("m", {"y": 2}, limit, final)]


@pytest.mark.parametrize("method", ["", None, 7])
@async_test
async def test_what_is_no_method(method: Any) -> None:
    """What is no method's name is refused before anything is sent."""
    core: Any = FakeCore()
    with pytest.raises((TypeError, ValueError, GatewayError)):
        await call(core, method, None, None, False)
    assert core.asked == []


@async_test
async def test_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that starts a run, and waits for its end, has a key, the user's or a new one; errors have no secrets."""
    seen: list[tuple[Any, ...]] = []

    async def finish(core: Any, params: dict[str, Any], limit: float | None) -> str:
        seen.append((params, limit))
        if len(seen) == 3:
            raise GatewayError("with hush-hush-hush")
        return "ended"

    monkeypatch.setitem(module.FINISH, "agent", finish)  # type: ignore[arg-type]
    core: Any = FakeCore()
    core.log.redactor.hide(["hush-hush-hush"])
    assert await call(core, "agent", {"y": 2}, ..., True) == "ended"
    assert await call(core, "agent", {"idempotencyKey": "mine"}, 5.0, True) == "ended"
    with pytest.raises(GatewayError, match=r"with \[secret\]"):
        await call(core, "agent", {}, ..., True)
    assert seen[0][0] == {"y": 2, "idempotencyKey": seen[0][0]["idempotencyKey"]}
    assert seen[1] == ({"idempotencyKey": "mine"}, 5.0)
    assert core.asked == []
    for method, params, final in (("agent", {}, False), ("m", {}, True), ("agent", None, True)):
        assert await call(core, method, params, None, final) == {"x": 1}
    assert len(core.asked) == 3


@pytest.mark.parametrize(
    ("error", "hello", "text"),
    [
        (refusal("INVALID_REQUEST", "unknown method: sessions.lst"), HELLO, "sessions.list"),
        (refusal("INVALID_REQUEST", "unknown method: sessions.lst"), None, "m: unknown method: sessions.lst; advice"),
        (refusal("INVALID_REQUEST", "bad params"), HELLO, "m: bad params; advice for sessions.lst of bad params"),
        (refusal("UNAVAILABLE", "busy"), HELLO, "m: busy"),
    ],
)
@async_test
async def test_advice(error: GatewayRequestError, hello: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal says which method may have been meant, or what is known of its params."""
    facts = SimpleNamespace(advice=lambda method, refusal: f"; advice for {method} of {refusal}")
    monkeypatch.setattr(module, "method_facts", lambda: facts)
    before, core = str(error), FakeCore(error, hello)
    with pytest.raises(GatewayRequestError) as failed:
        await call(core, "sessions.lst", None, None, False)  # type: ignore[arg-type]
    assert failed.value is error
    assert text in str(error)
    assert (str(error) == before) is (error.code == "UNAVAILABLE")


@user_facing
class Facing:
    """A face, whose methods users call."""

    def request(self, method: str, params: Any = None, *, timeout: float = 1.0) -> str:
        """Say how it is called."""
        if method == "fail":
            raise GatewayError("it failed")
        return f"{method} {params} {timeout}"

    def close(self) -> None:
        """Take nothing."""


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"limit": "hush"}, "request() takes no argument 'limit'; pass params as a mapping: {'limit': ...}"),
        ({"timout": "hush"}, "request() takes no argument 'timout'; did you mean timeout?"),
    ],
)
def test_keywords(keywords: dict[str, str], message: str) -> None:
    """A keyword that a method does not take is refused with the one that was meant, without its value."""
    assert Facing().request("x", timeout=2.0) == "x None 2.0"
    with pytest.raises(GatewayError) as caught:
        Facing().request("x", **keywords)  # type: ignore[arg-type]
    assert str(caught.value) == message
    with pytest.raises(GatewayError, match=r"close\(\) takes no argument 'x'; it has none"):
        Facing().close(x=1)  # type: ignore[call-arg]


def test_frames_of_errors() -> None:
    """An error of ours does not show the frames of the method that raised it; its help stays the method's."""
    with pytest.raises(GatewayError, match="it failed") as caught:
        Facing().request("fail")
    assert [entry.name for entry in caught.traceback] == ["test_frames_of_errors", "wrapper"]
    assert Facing.request.__doc__ == "Say how it is called."


UNKNOWN = "; the gateway advertises no such event, "


@pytest.mark.parametrize(
    ("event", "hello", "warning", "advice"),
    [
        ("chat", HELLO, "", ""),
        ("caht", HELLO, f"{UNKNOWN}did you mean chat?", f"{UNKNOWN}did you mean chat?"),
        ("cha*", HELLO, "", ""),
        ("cha?", HELLO, "", ""),
        ("[c]hat", HELLO, "", ""),
        ("chet*", HELLO, f"{UNKNOWN}did you mean chat?", f"{UNKNOWN}did you mean chat?"),
        ("something", HELLO, "", f"{UNKNOWN}.event_names lists them"),
        ("caht", None, "", ""),
    ],
)
@async_test
async def test_events_that_were_meant(event: str, hello: Any, warning: str, advice: str) -> None:
    """A name that the gateway does not advertise is waited for all the same, and which may have been meant is told."""
    core: Any = FakeCore(hello=hello)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        subscribe(core, event, lambda _: None).cancel()
    assert [str(item.message) for item in warned] == (
        [f"the event {event!r} may never come{warning}"] if warning else []
    )
    with pytest.raises(GatewayTimeoutError) as failed:
        await wait_for(core, event, None, 0.001)
    assert str(failed.value) == f"no event {event!r} within 0.001 s{advice}"
