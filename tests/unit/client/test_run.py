"""The pieces that iterating a run yields, whatever the gateway sends."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateway_nb.client import run as module
from gateway_nb.client.feed import Feed
from gateway_nb.client.log import Log
from gateway_nb.client.run import AsyncRun, RunResult, finish_agent, finish_chat, run_of
from gateway_nb.errors import (
    GatewayClosedError,
    GatewayError,
    GatewayRequestError,
    GatewayTimeoutError,
    RunAbortedError,
    RunFailedError,
)
from gateway_nb.protocol.frames import EventFrame, encode
from tests.helpers.support import async_test

Delta = tuple[str, bool]


class FakeCore:
    """Plays a run's ``chat`` events, then its final answer."""

    def __init__(self, deltas: list[Delta], final: str) -> None:
        self.log = Log()
        self.feed = Feed(self.log)
        self.requests = self
        self.status = SimpleNamespace(server_version="2026.9.6")
        self._deltas, self._final = deltas, final

    async def ask(self, method: str, params: dict[str, Any], limit: float | None, **_: Any) -> bytes:
        run = params["idempotencyKey"]
        for text, replace in self._deltas:
            payload = {"runId": run, "state": "delta", "deltaText": text} | ({"replace": True} if replace else {})
            self.feed.receive([EventFrame("chat", msgspec.Raw(encode(payload)))])
        return encode({"status": "ok", "result": {"payloads": [{"text": self._final}]}})


@pytest.mark.parametrize(
    ("deltas", "final", "printed"),
    [
        ([("He", False), ("llo", False)], "Hello", "Hello"),
        ([], "Hello", "Hello"),
        ([("He", False)], "Hello", "Hello"),
        ([("He", False), ("Hello", True)], "Hello", "Hello"),
        ([("Hello ", False)], "Hello", "Hello "),
        ([("Hello", False), ("He", True), ("llo", False)], "Hello", "Hello"),
        ([("[Thu", False), ("hello", True), (" there", False)], "hello there", "[Thu\nhello there"),
        ([("[Thu 9] hello", False), ("hello", True), (" there", False)], "hello there", "[Thu 9] hello there"),
        ([("A\n\nB", False)], "A\nB", "A\n\nB"),
        ([("one", False)], "two", "one\ntwo"),
    ],
)
@async_test
async def test_pieces(deltas: list[Delta], final: str, printed: str) -> None:
    """Printed one after the other, the pieces end with the answer, told once; `text` is the answer alone."""
    core: Any = FakeCore(deltas, final)
    run = AsyncRun(core, "hi", agent="main", session=None, timeout=None)
    assert "".join([piece async for piece in run]) == printed
    assert run.text == (await run.result()).text == final


@pytest.mark.parametrize(("size", "kept"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
@async_test
async def test_what_a_failed_run_tells(size: int, kept: bool) -> None:
    """Of a run that failed the gateway's details are there up to 1 MiB; of more only how much it is."""
    final = {"status": "error", "summary": "no", "more": ""}
    final["more"] = "x" * (size - len(encode(final)))

    class Failing(FakeCore):
        async def ask(self, method: str, params: dict[str, Any], limit: float | None, **_: Any) -> bytes:
            return encode(final)

    core: Any = Failing([], "")
    with pytest.raises(RunFailedError, match="ended with error: no") as failed:
        await AsyncRun(core, "hi", agent="main", session=None, timeout=None).result()
    assert failed.value.details == (final if kept else "1,048,577 bytes, left out")


OK = {"status": "ok", "result": {"payloads": [{"text": "Hello"}]}}
ACCEPTED = {"status": "accepted"}
NOT_YET = {"status": "timeout"}
CLOSED = GatewayClosedError("gateway closed (1006)")
REFUSED = GatewayRequestError("no", code="X")
REFUSED.gateway_message = "not today"


class Script:
    """A core whose answers are scripted: each is a payload, an error, or ``(acceptance, payload or error)``.

    Attributes:
        asked: method, params and limit of each request, with what was expected of it.
        back: whether the connection comes back, each time somebody waits for that.
    """

    def __init__(self, *answers: Any, back: tuple[bool, ...] = (), state: str = "reconnecting") -> None:
        self.log = Log()
        self.feed = Feed(self.log)
        self.requests = self
        self.settings = SimpleNamespace(request_timeout=30.0)
        self.status = SimpleNamespace(state=state, server_version="2026.9.6")
        self.asked: list[tuple[Any, ...]] = []
        self.back = list(back)
        self.is_lost = asyncio.Event()
        self._answers = list(answers)

    async def ask(
        self,
        method: str,
        params: dict[str, Any],
        limit: float | None,
        *,
        expect_final: bool | None = None,
        on_acknowledged: Any = None,
    ) -> bytes:
        self.asked.append((method, params, limit, expect_final))
        answer = self._answers.pop(0)
        if isinstance(answer, tuple):
            acknowledgement, answer = answer
            on_acknowledged(msgspec.Raw(encode(acknowledgement)))
        await asyncio.sleep(0)
        if answer is ...:
            await asyncio.Event().wait()
        if isinstance(answer, BaseException):
            raise answer
        return encode(answer)

    async def returned(self) -> bool:
        return self.back.pop(0)

    async def lost(self, epoch: int) -> None:
        await self.is_lost.wait()

    def run(self, timeout: float | None = None) -> AsyncRun:
        core: Any = self
        return AsyncRun(core, "hi", agent="main", session=None, timeout=timeout)

    def says(self, **payload: Any) -> None:
        self.feed.receive([EventFrame("chat", msgspec.Raw(encode(payload)))])

    @property
    def methods(self) -> str:
        return " ".join(method for method, *_ in self.asked)


def history(*active: str) -> dict[str, Any]:
    return {"sessionInfo": {"activeRunIds": list(active)}}


@pytest.mark.parametrize(
    ("answers", "back", "methods"),
    [
        ([OK], "", "agent"),
        ([(ACCEPTED, OK)], "", "agent"),
        ([{"status": "started"}, OK], "", "agent agent.wait"),
        ([{"status": "in_flight"}, OK], "", "agent agent.wait"),
        ([CLOSED, OK], "1", "agent agent"),
        ([CLOSED, CLOSED, ACCEPTED, OK], "11", "agent agent agent agent.wait"),
        ([(ACCEPTED, CLOSED), OK], "", "agent agent.wait"),
        ([ACCEPTED, CLOSED, OK], "1", "agent agent.wait agent.wait"),
        ([ACCEPTED, NOT_YET, {"sessionInfo": {}}, OK], "", "agent agent.wait chat.history agent.wait"),
        (
            [ACCEPTED, NOT_YET, {}, NOT_YET, CLOSED, OK],
            "1",
            "agent agent.wait chat.history agent.wait chat.history agent.wait",
        ),
        ([ACCEPTED, NOT_YET, history(), OK], "", "agent agent.wait chat.history agent.wait"),
    ],
)
@async_test
async def test_ways_to_the_result(answers: list[Any], back: str, methods: str) -> None:
    """Whatever happens to the connection, a run is asked for until its result is there, and starts once."""
    core = Script(*answers, back=tuple(mark == "1" for mark in back))
    run = core.run(timeout=60.0)
    result = await run.result()
    assert result == RunResult(run.run_id, "Hello", OK)
    assert (core.methods, core.back) == (methods, [])
    params = {"message": "hi", "agentId": "main", "sessionKey": "agent:main:main", "idempotencyKey": run.run_id}
    assert core.asked[0] == ("agent", params, 60.0, True)
    for method, sent, limit, final in core.asked[1:]:
        if method == "agent":
            assert (sent, limit, final) == (params, 60.0, False)
        elif method == "agent.wait":
            assert (sent, limit) == ({"runId": run.run_id, "timeoutMs": 5000}, 15.0)
        else:
            assert (sent, limit) == ({"sessionKey": "agent:main:main", "limit": 1}, 30.0)


@pytest.mark.parametrize(
    ("answers", "options", "kind", "why"),
    [
        ([REFUSED], {}, GatewayRequestError, "no"),
        ([(ACCEPTED, REFUSED)], {}, RunFailedError, "run RUN failed: not today"),
        ([CLOSED], {"back": (False,)}, GatewayClosedError, "gateway closed"),
        ([CLOSED], {"state": "paused"}, GatewayClosedError, "gateway closed"),
        ([(ACCEPTED, CLOSED)], {"state": "closed"}, GatewayClosedError, "gateway closed"),
        (
            [ACCEPTED, CLOSED],
            {"back": (False,)},
            GatewayClosedError,
            "run RUN may continue in the gateway, but its result",
        ),
        (
            [ACCEPTED, NOT_YET, history(), NOT_YET],
            {},
            RunFailedError,
            "run RUN is lost: the gateway restarted during it",
        ),
        ([ACCEPTED, NOT_YET | {"endedAt": 1}], {}, RunFailedError, "run RUN ended with timeout: timeout"),
        ([ACCEPTED, NOT_YET | {"summary": "aborted"}], {}, RunAbortedError, "run RUN was aborted"),
        ([OK | {"summary": "aborted"}], {}, RunAbortedError, "run RUN was aborted"),
        ([OK | {"stopReason": "rpc"}], {}, RunAbortedError, "run RUN was aborted"),
        ([OK | {"stopReason": "aborted"}], {}, RunAbortedError, "run RUN was aborted"),
        ([{"status": "aborted"}], {}, RunAbortedError, "run RUN was aborted"),
        ([{"status": "error", "error": {"x": 1}, "summary": "s"}], {}, RunFailedError, 'ended with error: {"x":1}'),
        ([{"status": "error", "summary": "s"}], {}, RunFailedError, "run RUN ended with error: s"),
        ([{"status": 7}], {}, RunFailedError, "run RUN ended with 7: 7"),
        ([[1]], {}, RunFailedError, "run RUN ended with null: null"),
    ],
)
@async_test
async def test_runs_without_a_result(
    answers: list[Any], options: dict[str, Any], kind: type[GatewayError], why: str
) -> None:
    """A run that has no result says why: refused, lost, failed or aborted; what failed carries its id and its code."""
    run = Script(*answers, **options).run()
    with pytest.raises(GatewayError) as failed:
        await run.result()
    assert type(failed.value) is kind
    assert why.replace("RUN", run.run_id) in str(failed.value)
    if isinstance(failed.value, RunFailedError):
        assert failed.value.run_id == run.run_id
        assert failed.value.code == ("RUN_ABORTED" if kind is RunAbortedError else "RUN_FAILED")


@pytest.mark.parametrize(
    ("answers", "what"),
    [([...], ", and was not accepted by then"), ([(ACCEPTED, ...)], "; it continues in the gateway")],
)
@async_test
async def test_a_run_that_takes_too_long(answers: list[Any], what: str) -> None:
    """Who gives a run so many seconds is told whether it goes on; a request's own timeout speaks for itself."""
    run = Script(*answers).run(timeout=0.001)
    with pytest.raises(GatewayTimeoutError) as late:
        await run.result()
    assert str(late.value) == f"agent: run {run.run_id} did not end within 0.001 s{what}"
    with pytest.raises(GatewayTimeoutError, match="its own"):
        await Script(GatewayTimeoutError("its own")).run(timeout=5.0).result()


@pytest.mark.parametrize(
    ("final", "text"),
    [
        ({"result": {"payloads": [{"text": "a"}, {"text": ""}, "b", {"x": 1}, {"text": "c"}]}}, "a\nc"),
        ({"terminalReply": {"text": "reply"}}, "reply"),
        ({"terminalReply": {"text": 7}}, "so far"),
        ({"result": {"payloads": {}}, "terminalReply": {"text": "reply"}}, "reply"),
        ({"result": 7}, "so far"),
    ],
)
@async_test
async def test_the_text(final: dict[str, Any], text: str) -> None:
    """The answer is what the gateway gives at the end, else what was streamed."""
    core = Script({"status": "ok"} | final)
    run = core.run()
    task = run.start()
    assert run.start() is task
    await asyncio.sleep(0)
    core.says(runId=run.run_id, state="delta", deltaText="so far")
    core.says(runId="another", state="delta", deltaText="no")
    core.says(state="delta", deltaText="no")
    result = await run.result()
    assert (result.text, run.text) == (text, text)
    assert [event.payload["deltaText"] for event in run.events] == ["so far"]
    core.says(runId=run.run_id, state="delta", deltaText="late")
    assert len(run.events) == 1


@async_test
async def test_pieces_come_as_they_are_sent() -> None:
    """Who iterates a run gets each piece as it comes, and at the end what `result` raises."""
    core = Script(..., {"status": "ok"})
    run = core.run()
    pieces = run.__aiter__()
    first = asyncio.ensure_future(anext(pieces))
    for piece in ("a", "b"):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not first.done()
        core.says(runId=run.run_id, state="delta", deltaText=piece)
        assert await asyncio.wait_for(first, 5) == piece
        first = asyncio.ensure_future(anext(pieces))
    run.start().cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(first, 5)


@async_test
async def test_a_failure_that_nobody_asks_for() -> None:
    """A run whose end nobody asks for disturbs nobody."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    run = Script(GatewayRequestError("no")).run()
    await asyncio.wait([run.start()])
    other = Script(...).run()
    other.start().cancel()
    await asyncio.wait([other.start()])
    del run, other
    gc.collect()
    assert complaints == []


@async_test
async def test_old_events_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run that never ends the newest events are kept, and those that were dropped are counted."""
    assert module.MAX_EVENTS_BYTES == 64 * 1024 * 1024
    core = Script(...)
    run = core.run()
    task = run.start()
    await asyncio.sleep(0)
    core.says(runId=run.run_id, n=10)
    monkeypatch.setattr(module, "MAX_EVENTS_BYTES", 8 * run.events[0].size)
    for number in range(11, 19):
        core.says(runId=run.run_id, n=number)
        assert sum(event.size for event in run.events) == run._events_bytes
    assert (len(run.events), run.events_dropped) == (7, 2)
    for number in range(19, 25):
        core.says(runId=run.run_id, n=number)
    assert (len(run.events), run.events_dropped) == (7, 8)
    run.events.clear()
    monkeypatch.setattr(module, "MAX_EVENTS_BYTES", 1)
    core.says(runId=run.run_id, n=25)
    assert (len(run.events), run.events_dropped) == (0, 9)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize(("answer", "aborted"), [({"aborted": True}, True), ({"aborted": False}, False), ([1], False)])
@async_test
async def test_aborting(answer: Any, aborted: bool) -> None:
    """Who aborts a run learns whether there was something to abort; whoever was interrupted waits 2 s for that."""
    assert module.ABORT_SECONDS == 2.0
    core = Script(answer)
    run = core.run()
    assert await run.abort() is aborted
    assert core.asked == [("chat.abort", {"sessionKey": "agent:main:main", "runId": run.run_id}, 30.0, None)]


@pytest.mark.parametrize(
    ("params", "session"),
    [
        ({"idempotencyKey": "k"}, "agent:main:main"),
        ({"idempotencyKey": "k", "agentId": "b"}, "agent:b:main"),
        ({"idempotencyKey": "k", "agentId": "b", "sessionKey": "s"}, "s"),
    ],
)
def test_the_run_of_a_call(params: dict[str, Any], session: str) -> None:
    """A call's run has its idempotency key as id, and its session, else its agent's main one."""
    assert run_of(params) == ("k", session)


CHAT = {"idempotencyKey": "k", "sessionKey": "s"}


@async_test
async def test_the_method_agent() -> None:
    """`agent`, called to its end, returns its final payload, or raises how it ended."""
    assert await finish_agent(Script(OK), CHAT, None) == OK  # type: ignore[arg-type]
    with pytest.raises(RunFailedError, match="run k ended with error: error"):
        await finish_agent(Script({"status": "error"}), CHAT, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last", "kind", "why"),
    [
        ({"state": "final", "message": {}}, None, ""),
        ({"state": "aborted"}, RunAbortedError, "run k was aborted"),
        ({"state": "error", "errorMessage": "no"}, RunFailedError, "run k failed: no"),
        ({"state": "error"}, RunFailedError, "run k failed: null"),
    ],
)
@async_test
async def test_the_method_chat_send(last: dict[str, Any], kind: type[RunFailedError] | None, why: str) -> None:
    """`chat.send`, called to its end, returns the event that ends its run, the first, or raises how it ended."""
    core = Script({"status": "started"})
    call = asyncio.create_task(finish_chat(core, CHAT, None))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    core.says(runId="another", state="final")
    core.says(runId="k", state="delta")
    for _ in range(3):
        await asyncio.sleep(0)
    assert not call.done()
    core.says(runId="k", **last)
    core.says(runId="k", state="final", late=True)
    if kind is None:
        assert await call == {"runId": "k"} | last
    else:
        with pytest.raises(kind, match=why):
            await call


@async_test
async def test_the_method_chat_send_without_a_run() -> None:
    """An answer that is no acceptance is the last; one that does not come in time is told as such."""
    assert await finish_chat(Script(OK), CHAT, None) == OK  # type: ignore[arg-type]
    with pytest.raises(GatewayTimeoutError, match=r"run k did not end within 0\.001 s; it continues in the gateway"):
        await finish_chat(Script({"status": "started"}), CHAT, 0.001)  # type: ignore[arg-type]
    with pytest.raises(GatewayTimeoutError, match=r"did not end within 0\.001 s, and was not accepted by then"):
        await finish_chat(Script(...), CHAT, 0.001)  # type: ignore[arg-type]


@async_test
async def test_the_method_chat_send_across_connections() -> None:
    """Where the connection is lost during the run its result is fetched after that, as the event would have told it."""
    core = Script({"status": "started"}, OK)
    core.is_lost.set()
    assert await finish_chat(core, CHAT, None) == {  # type: ignore[arg-type]
        "runId": "k",
        "state": "final",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    }
    assert core.methods == "chat.send agent.wait"


@pytest.mark.parametrize("payload", [{}, {"result": 7}, {"result": {"meta": {"agentMeta": {"usage": {"total": 7}}}}}])
def test_usage(payload: dict[str, Any]) -> None:
    """A result has its tokens by kind where the gateway says them; its repr has the answer."""
    result = RunResult("r", "Hello", payload)
    assert result.usage == ({"total": 7} if payload.get("result") not in (None, 7) else {})
    assert repr(result) == "RunResult(run_id='r', text='Hello')"
