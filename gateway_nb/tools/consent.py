"""Who may call: the runs that this connection started, and calls that wait for the user to allow them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeVar

import msgspec

from ..client.event import Event
from ..client.run import FINISH, STARTED
from ..errors import GatewayError
from .calls import Call

DIRECT = "rpc-delegated-"
"""How the key of a call begins that an operator made with ``tools.invoke``; a run's is the model's ``toolCallId``."""
_SPAWN = "sessions_spawn"
"""The gateway's tool that starts a sub-agent, whose run may begin after the one that asked for it has ended."""
_KEPT = 10_000
K = TypeVar("K")
V = TypeVar("V")


class _Data(msgspec.Struct, rename="camel"):
    phase: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    status: str | None = None


class _AgentEvent(msgspec.Struct, rename="camel"):
    run_id: str
    stream: str
    data: _Data
    session_key: str | None = None
    spawned_by: str | None = None


class _Params(msgspec.Struct, rename="camel"):
    idempotency_key: str
    session_key: str | None = None
    agent_id: str | None = None


class _Answer(msgspec.Struct):
    status: str | None = None


_events = msgspec.json.Decoder(_AgentEvent)
_params = msgspec.json.Decoder(_Params)
_answers = msgspec.json.Decoder(_Answer)


class Runs:
    """Which runs this connection started, their sub-agents included, and which run makes which call.

    A listener of ``agent`` events, and a recorder of requests.

    Args:
        patience: seconds to wait for the event that says which run makes a call: it may come after the call.

    Attributes:
        own: the sessions of the runs in flight that this connection started, by run.
        limits: of runs that may not call every tool, the names of those that they may.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self.own: dict[str, str] = {}
        self.limits: dict[str, frozenset[str]] = {}
        self._patience = patience
        self._asked: dict[str, str] = {}
        self._calls: dict[tuple[str, str], str] = {}
        self._current: dict[str, str] = {}
        self._spawning: dict[str, list[str]] = {}
        self._news = asyncio.Event()

    # What this connection starts (`client.requests.Recorder`)

    def asked(self, request_id: str, method: str, params: bytes) -> None:
        """A request is made: it may start a run."""
        if method not in FINISH:
            return
        with contextlib.suppress(msgspec.DecodeError):  # the gateway refuses it
            about = _params.decode(params)
            session = about.session_key or f"agent:{about.agent_id or 'main'}:main"
            _keep(self._asked, request_id, about.idempotency_key)
            _keep(self.own, about.idempotency_key, session)

    def answered(self, request_id: str, ok: bool, answer: bytes) -> None:
        """It is answered: unless that is only the acceptance, its run has ended."""
        run = self._asked.pop(request_id, None)
        if run is None:
            return
        with contextlib.suppress(msgspec.DecodeError):
            if ok and _answers.decode(answer).status in STARTED:
                return
        self._end(run)

    # What the gateway says of runs

    def take(self, event: Event) -> None:
        """Note what an ``agent`` event says; events of another shape say nothing."""
        try:
            about = _events.decode(event.raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        run, session, phase = about.run_id, about.session_key, about.data.phase
        if session is None:
            return
        if about.stream == "lifecycle" and phase in ("end", "error"):
            self._end(run)
        elif about.stream == "lifecycle" and phase == "start":
            _keep(self._current, session, run)
            if about.spawned_by is not None and self._spawning.get(about.spawned_by):
                parent = self._spawning[about.spawned_by].pop(0)
                _keep(self.own, run, session)
                if parent in self.limits:
                    self.limit(run, self.limits[parent])
        elif about.stream == "item" and about.data.name == _SPAWN and run in self.own:
            self._note_spawn(run, session, about.data)
        elif about.stream in ("tool", "item") and about.data.tool_call_id is not None and phase == "start":
            _keep(self._calls, (session, about.data.tool_call_id), run)
        else:
            return
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _note_spawn(self, run: str, session: str, data: _Data) -> None:
        """Keep which own runs of a session asked for sub-agents that have not begun."""
        parents = self._spawning.get(session, [])
        if data.phase == "start":
            _keep(self._spawning, session, [*parents, run])
        elif data.phase == "end" and data.status != "completed" and run in parents:
            parents.remove(run)

    def _end(self, run: str) -> None:
        self.own.pop(run, None)
        # A model's next run may use the same ids.
        self._calls = {call: of for call, of in self._calls.items() if of != run}
        self._current = {session: of for session, of in self._current.items() if of != run}

    # Who calls

    def run_of(self, session: str, key: str) -> str | None:
        """Return the run that makes a call, as far as it is known by now."""
        return self._calls.get((session, key)) or self._current.get(session)

    def limit(self, run: str, tools: frozenset[str]) -> None:
        """Let a run, which may not have begun, and its sub-agents call these tools alone. From any thread."""
        _keep(self.limits, run, tools)

    def may_call(self, session: str, key: str, tool: str) -> bool:
        """Return whether the limits of the run that makes a call, as far as it is known by now, allow the tool."""
        run = self.run_of(session, key)
        possible = [run] if run else [own for own, of in self.own.items() if of == session]
        return all(tool in self.limits[each] for each in possible if each in self.limits)

    async def is_own(self, session: str, key: str) -> bool:
        """Return whether a call is made by a run that this connection started and that is in flight.

        Where no event says which run makes the call, the session's current run counts, and where no event says even
        that, since this connection may not hear them, any run of this connection in that session.

        Args:
            session: the session that calls.
            key: the call's.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while self.own and (session, key) not in self._calls:
                    await self._news.wait()
        run = self.run_of(session, key)
        return session in self.own.values() if run is None else run in self.own


class Confirmations:
    """Calls that wait for the user.

    Attributes:
        waiting: the calls, by number.
    """

    def __init__(self) -> None:
        self.waiting: dict[int, Call] = {}
        self._answers: dict[int, asyncio.Future[bool]] = {}

    async def ask(self, call: Call, seconds: float) -> bool | None:
        """Return whether the user allows a call, ``None`` where nobody says so within so many seconds.

        Cancelled, nobody can allow it any more.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers[call.id] = answer
        self.waiting[call.id] = call
        call.status = "waiting"
        try:
            async with asyncio.timeout(seconds):
                await answer
                return answer.result()
        except TimeoutError:
            return None
        finally:
            del self.waiting[call.id], self._answers[call.id]
            call.status = "running"

    def answer(self, number: int, allow: bool) -> None:
        """Allow or deny a call that waits. From any thread.

        Raises:
            GatewayError: it does not wait: it was answered, took too long, or was given up.
        """
        answer = self._answers.get(number)
        if answer is None:
            waiting = ", ".join(map(str, self.waiting)) or "none"
            raise GatewayError(f"call {number!r} does not wait to be allowed (any more); those that do: {waiting}")

        def at_once() -> None:
            if not answer.done():
                answer.set_result(allow)

        answer.get_loop().call_soon_threadsafe(at_once)


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    """Keep a value as the newest; beyond ten thousand the oldest gives way."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
