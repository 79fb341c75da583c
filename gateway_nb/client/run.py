"""A run: one turn of an agent, from acceptance to its end, across a dropped socket (protocol.md, 5)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..errors import (
    UNREDACTED,
    GatewayClosedError,
    GatewayError,
    GatewayRequestError,
    GatewayTimeoutError,
    RunAbortedError,
    RunFailedError,
)
from ..protocol.frames import MalformedFrame, decode_answer, encode, mapping
from .core import Core
from .event import Event
from .redaction.redactor import EXAMINED, hidden
from .run_text import Answer
from .trace_context import TRACEPARENT

STARTED = ("accepted", "started", "in_flight")
"""The statuses of an answer that is not a run's last."""
_WAIT_SLICE = 5.0
MAX_EVENTS_BYTES = 64 * 1024 * 1024
_LARGEST_DETAILS = 1024 * 1024  # bytes; an error's are searched for secrets, on the loop
ABORT_SECONDS = 2.0  # for who was interrupted: a gateway that is stuck must not hold Ctrl-C
_COMES_BACK = ("connected", "reconnecting", "restarting")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended well.

    Attributes:
        run_id: the run's id.
        text: the agent's answer.
        payload: the gateway's final payload, decoded.
    """

    run_id: str
    text: str
    payload: dict[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return f"RunResult(run_id={self.run_id!r}, text={hidden(self.text, EXAMINED)!r})"

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens by kind (``input``, ``output``, ``total``, ...); empty where the gateway did not say."""
        return mapping(agent_meta(self.payload).get("usage"))


async def finish_chat(core: Core, params: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    """Call ``chat.send`` and return the payload of the ``chat`` event that ends its run.

    The gateway sends no second response for it (protocol.md, 5).

    Args:
        core: of a connected client.
        params: of the call, with its idempotency key, which is the run's id.
        timeout: seconds for all of it, ``None`` for no limit.

    Raises:
        RunFailedError, RunAbortedError: how it ended.
        GatewayTimeoutError: it did not end in time.
    """
    run_id, session = run_of(params)
    ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def take_end(event: Event) -> None:
        payload = _payload(event) if is_of_run(event, run_id) else {}
        if payload.get("state") in ("final", "error", "aborted") and not ended.done():
            ended.set_result(payload)

    started: list[Any] = []
    async with _time_for("chat.send", run_id, timeout, started):
        with core.feed.subscribe("chat", take_end):
            answer = await _ask(core, "chat.send", params, timeout)
            if answer.get("status") not in STARTED:
                return answer
            started.append(answer)
            last = await _end_of_chat(core, ended, run_id, session)
    if last["state"] == "aborted":
        raise _run_error(RunAbortedError, run_id, f"run {run_id} was aborted", last)
    if last["state"] == "error":
        raise _run_error(RunFailedError, run_id, f"run {run_id} failed: {_as_text(last.get('errorMessage'))}", last)
    return last


async def _end_of_chat(core: Core, ended: asyncio.Future[dict[str, Any]], run_id: str, session: str) -> dict[str, Any]:
    """Wait for the run's last event; where the connection was lost, it may have been too, so ask for the result."""
    lost = asyncio.ensure_future(core.lost(core.feed.epoch))
    ends: set[asyncio.Future[Any]] = {ended, lost}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        lost.cancel()
    if ended.done():
        return ended.result()
    result = _judged(await _result_after_reconnect(core, run_id, session), run_id, "")
    content = [{"type": "text", "text": result.text}]
    return {"runId": run_id, "state": "final", "message": {"role": "assistant", "content": content}}


async def finish_agent(core: Core, params: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    """Call ``agent`` and return its final answer; arguments as for `finish_chat`.

    An answer ``ok: true`` alone does not mean that the run ended well (protocol.md, 5).

    Raises:
        GatewayRequestError: the gateway did not accept the run.
        RunFailedError, RunAbortedError: how it ended.
        GatewayTimeoutError: it did not end in time.
    """
    final = await _final_of_agent(core, params, timeout)
    return _judged(final, run_of(params)[0], "").payload


FINISH = {"agent": finish_agent, "chat.send": finish_chat}
"""The methods that start a run, and what waits for its end."""


def run_of(params: Mapping[str, Any]) -> tuple[str, str]:
    """Return the id and the session of the run that a call with these params starts; it has its idempotency key."""
    session = params.get("sessionKey") or f"agent:{params.get('agentId') or 'main'}:main"
    return str(params["idempotencyKey"]), str(session)


@contextlib.asynccontextmanager
async def _time_for(method: str, run_id: str, timeout: float | None, accepted: list[Any]) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        if isinstance(error, GatewayError):  # of a request within, which says for itself what was not answered
            raise
        what = "; it continues in the gateway" if accepted else ", and was not accepted by then"
        raise GatewayTimeoutError(f"{method}: run {run_id} did not end within {timeout:g} s{what}") from None


async def _final_of_agent(core: Core, params: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    """Ask, and wait for the final answer. Where the connection is lost, ask for the result of a run that was accepted;
    one that may never have arrived is asked for again: its idempotency key lets it start once.
    """
    run_id, session = run_of(params)
    accepted: list[msgspec.Raw] = []
    first = True
    async with _time_for("agent", run_id, timeout, accepted):
        while not accepted:
            try:
                # Asked again, some gateways answer with the acceptance alone.
                answer = await core.requests.ask(
                    "agent", params, timeout, expect_final=first, on_acknowledged=accepted.append
                )
            except GatewayRequestError as error:
                if not accepted:
                    raise
                why = f"run {run_id} failed: {error.gateway_message}"
                raise _run_error(RunFailedError, run_id, why, error.details) from None
            except GatewayClosedError:
                first = False
                if core.status.state not in _COMES_BACK or not (accepted or await core.returned()):
                    raise
            else:
                final = mapping(decode_answer("agent", answer))
                if final.get("status") not in STARTED:
                    return final
                accepted.append(answer)
        return await _result_after_reconnect(core, run_id, session)


async def _result_after_reconnect(core: Core, run_id: str, session: str) -> dict[str, Any]:
    """Ask for a run's result until there is one (``agent.wait``), through as many reconnects as it takes."""
    lost = False
    while True:
        try:
            wait = {"runId": run_id, "timeoutMs": int(_WAIT_SLICE * 1000)}
            answer = await _ask(core, "agent.wait", wait, _WAIT_SLICE + 10)
            if answer.get("status") != "timeout" or answer.get("summary") == "aborted" or "endedAt" in answer:
                return answer
            if lost:
                why = f"run {run_id} is lost: the gateway restarted during it; start it again"
                raise _run_error(RunFailedError, run_id, why, None)
            # A gateway that restarted knows nothing of the run, and would answer "timeout" for ever.
            history = await _ask(
                core, "chat.history", {"sessionKey": session, "limit": 1}, core.settings.request_timeout
            )
            active = mapping(history.get("sessionInfo")).get("activeRunIds")
            lost = isinstance(active, list) and run_id not in active
        except GatewayClosedError as error:
            if not await core.returned():
                why = f"run {run_id} may continue in the gateway, but its result can't be fetched: {error}"
                raise GatewayClosedError(why, method=error.method) from None


async def _ask(core: Core, method: str, params: dict[str, Any], limit: float | None) -> dict[str, Any]:
    return mapping(decode_answer(method, await core.requests.ask(method, params, limit)))


def _mark_retrieved(task: asyncio.Task[Any]) -> None:
    """Nobody has to ask for the result of a run, and asyncio would complain of an error that nobody asked for."""
    if not task.cancelled():
        task.exception()


def _judged(final: dict[str, Any], run_id: str, text_so_far: str) -> RunResult:
    """Return the result of a run that ended well; ``ok: true`` alone does not mean that (protocol.md, 5)."""
    status, summary = final.get("status"), final.get("summary")
    if summary == "aborted" or final.get("stopReason") in ("rpc", "aborted") or status == "aborted":
        raise _run_error(RunAbortedError, run_id, f"run {run_id} was aborted", final)
    if status != "ok":
        why = final.get("error") or summary or status
        why = f"run {run_id} ended with {_as_text(status)}: {_as_text(why)}"
        raise _run_error(RunFailedError, run_id, why, final)
    return RunResult(run_id, answer_of(final) or text_so_far, final)


class AsyncRun:
    """One turn of an agent. Iterate it for the answer's pieces, or `result` for the whole.

    The run starts with the first of these. It lives in the gateway: a dropped socket does not end it, and
    its result is fetched after the reconnect.

    Args:
        core: of a connected client; the other arguments are those of `Face.run`, and what its frames carry.

    Attributes:
        run_id: the run's id, known from the start (it is the request's idempotency key).
        session: session key.
        events: the events of this run so far; beyond 64 MiB the oldest are dropped.
        events_dropped: how many did.
    """

    def __init__(
        self,
        core: Core,
        message: str,
        *,
        agent: str,
        session: str | None,
        timeout: float | None,
        traceparent: str | None = None,
    ) -> None:
        self.run_id = str(uuid.uuid4())
        self.session = session or f"agent:{agent}:main"
        self.events: list[Event] = []
        self.events_dropped = 0
        self._events_bytes = 0
        self._core = core
        self._traceparent = traceparent
        self._message = message
        self._agent = agent
        self._timeout = timeout
        self._answer = Answer()
        self._news = asyncio.Event()
        self._task: asyncio.Task[RunResult] | None = None

    @property
    def text(self) -> str:
        """The answer so far; of one that grows beyond four million characters the beginning."""
        return self._answer.text

    def start(self) -> asyncio.Task[RunResult]:
        """Start the run if it is not started; return the task whose result is the run's."""
        if self._task is None:
            self._task = asyncio.create_task(self._live())
            self._task.add_done_callback(_mark_retrieved)
        return self._task

    async def result(self) -> RunResult:
        """Return the run's result.

        Raises:
            GatewayRequestError: the gateway did not accept it.
            RunFailedError: it ended with an error.
            RunAbortedError: it was aborted.
            GatewayTimeoutError: it took longer than `timeout`; it continues in the gateway.
        """
        return await asyncio.shield(self.start())

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the answer's pieces as they come; raise what `result` raises at the end.

        The pieces together are the answer. Where the gateway takes back what it sent before, that can't be unprinted:
        the next piece is then a line break and the whole answer so far. `text` is always the answer alone.
        """
        task = self.start()
        task.add_done_callback(lambda _: self._news.set())
        while True:
            while (piece := self._answer.next_piece()) is not None:
                yield piece
            if task.done():
                break
            self._news.clear()
            await self._news.wait()
        await task

    async def abort(self) -> bool:
        """Ask the gateway to abort the run; return whether there was something to abort."""
        params = {"sessionKey": self.session, "runId": self.run_id}
        answer = await _ask(self._core, "chat.abort", params, self._core.settings.request_timeout)
        return bool(answer.get("aborted"))

    async def _live(self) -> RunResult:
        TRACEPARENT.set(self._traceparent)  # in the run's own task
        params = {
            "message": self._message,
            "agentId": self._agent,
            "sessionKey": self.session,
            "idempotencyKey": self.run_id,
        }
        try:
            feed = self._core.feed
            with feed.subscribe("agent", self._take), feed.subscribe("chat", self._take):
                final = await _final_of_agent(self._core, params, self._timeout)
                result = _judged(final, self.run_id, self._answer.text)
                self._answer.replace(result.text)
                return result
        except RunFailedError as error:
            raise self._core.log.clean_error(error) from None

    def _take(self, event: Event) -> None:
        if not is_of_run(event, self.run_id):
            return
        self._keep(event)
        if event.event == "chat":
            self._answer.take(_payload(event))
            self._news.set()

    def _keep(self, event: Event) -> None:
        self.events.append(event)
        self._events_bytes += event.size
        if self._events_bytes > MAX_EVENTS_BYTES:
            count = max(len(self.events) // 4, 1)  # some at once: a list is slow to take from at its beginning
            self._events_bytes -= sum(old.size for old in self.events[:count])
            del self.events[:count]
            self.events_dropped += count


class _RunId(msgspec.Struct, rename="camel"):
    """What every event is looked at for; the rest of its payload is skipped."""

    run_id: str


_run_ids = msgspec.json.Decoder(_RunId)


def is_of_run(event: Event, run_id: str) -> bool:
    """Return whether an event is one of a run."""
    try:
        return _run_ids.decode(event.raw).run_id == run_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _payload(event: Event) -> dict[str, Any]:
    try:
        return mapping(event.payload)
    except MalformedFrame:
        return {}


def agent_meta(final: dict[str, Any]) -> dict[str, Any]:
    """Return what a final ``agent`` payload says of its model calls: provider, model, usage, cost; empty if nothing."""
    return mapping(mapping(mapping(final.get("result")).get("meta")).get("agentMeta"))


def answer_of(final: dict[str, Any]) -> str | None:
    """Return the answer of a final ``agent`` payload, or of an ``agent.wait``."""
    payloads = mapping(final.get("result")).get("payloads")
    if isinstance(payloads, list):
        return "\n".join(str(item["text"]) for item in payloads if isinstance(item, dict) and item.get("text"))
    reply = mapping(final.get("terminalReply")).get("text")
    return reply if isinstance(reply, str) else None


def _as_text(value: Any) -> str:
    """Return what a gateway gives as a reason: text, or JSON, whose beginning is enough for a message."""
    return value if isinstance(value, str) else encode(value)[:UNREDACTED].decode("utf-8", "replace")


def _run_error(kind: type[RunFailedError], run_id: str, message: str, details: Any) -> RunFailedError:
    size = len(encode(details))
    if size > _LARGEST_DETAILS:
        details = f"{size:,} bytes, left out"
    error = kind(message, code="RUN_ABORTED" if kind is RunAbortedError else "RUN_FAILED", details=details)
    error.run_id = run_id
    return error
