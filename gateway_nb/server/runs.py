"""The runs of the embedded gateway's agents: they that echo, count or fail, with the real gateway's events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from .answers import Refusal
from .clock import now_ms
from .peers import Peers
from .state.sessions import MODEL, Sessions, agent_of


class _RunError(Exception):
    """The model said no."""


@dataclass
class Run:
    """One turn of an agent."""

    run_id: str
    session_key: str
    message: str
    text: str = ""
    seq: int = 0
    started_at: int = 0
    final: dict[str, Any] | None = None
    error: Refusal | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Runs:
    """The runs of all sessions, by id.

    Args:
        peers: to whom events go.
        sessions: whose runs they are.
    """

    def __init__(self, peers: Peers, sessions: Sessions) -> None:
        self._peers = peers
        self._sessions = sessions
        self._runs: dict[str, Run] = {}
        self._history: dict[str, list[dict[str, Any]]] = {}

    def get(self, run_id: str) -> Run | None:
        """Return a run, ``None`` if there is none of that id."""
        return self._runs.get(run_id)

    def active(self, session_key: str) -> list[Run]:
        """Return the runs of a session that go on."""
        return [run for run in self._runs.values() if run.session_key == session_key and run.final is None]

    def is_active(self, session_key: str) -> bool:
        """Return whether a run of that session goes on."""
        return bool(self.active(session_key))

    def messages(self, session_key: str) -> list[dict[str, Any]]:
        """Return a session's messages, the oldest first."""
        return self._history.get(session_key, [])

    def stop(self) -> None:
        """Cut every run short and forget it: the gateway goes away."""
        for run in self._runs.values():
            if run.task is not None:
                run.task.cancel()
        self._runs.clear()

    def start(self, run_id: str, session_key: str, message: str) -> Run:
        """Begin a run."""
        run = Run(run_id, session_key, message, started_at=now_ms())
        self._runs[run_id] = run
        self._sessions.begin_run(session_key, run_id)
        self._say(session_key, {"role": "user", "content": message, "timestamp": now_ms()})
        run.task = asyncio.get_running_loop().create_task(self._live(run))
        return run

    def abort(self, run: Run) -> None:
        """End a run that goes on."""
        assert run.task is not None
        run.task.cancel()
        self._end_aborted(run)

    async def _live(self, run: Run) -> None:
        self._agent_event(run, "lifecycle", {"phase": "start", "startedAt": run.started_at})
        try:
            async for piece in _speak(run.message):
                run.text += piece
                self._agent_event(run, "assistant", {"text": run.text, "delta": piece})
                self._chat_event(run, "delta", deltaText=piece, message=_message(run.text))
        except _RunError as error:
            self._end_failed(run, str(error))
        else:
            self._end_well(run)

    def _end_well(self, run: Run) -> None:
        words = len(run.text.split())
        self._agent_event(run, "usage", {"outputTokens": words})
        reply = {"disposition": "visible", "text": run.text}
        self._agent_event(
            run,
            "lifecycle",
            {
                "phase": "end",
                "startedAt": run.started_at,
                "endedAt": now_ms(),
                "aborted": False,
                "terminalReply": reply,
            },
        )
        self._chat_event(run, "final", stopReason="stop", message=_message(run.text))
        self._say(run.session_key, {**_message(run.text), "stopReason": "stop"})
        usage = {"input": len(run.message.split()), "output": words, "total": len(run.message.split()) + words}
        meta = {"durationMs": now_ms() - run.started_at, "agentMeta": {"model": MODEL, "usage": usage}}
        self._end(
            run,
            {
                "runId": run.run_id,
                "status": "ok",
                "summary": "completed",
                "result": {"payloads": [{"text": run.text, "mediaUrl": None}], "meta": meta},
            },
        )

    def _end_failed(self, run: Run, why: str) -> None:
        self._agent_event(run, "lifecycle", {"phase": "error", "endedAt": now_ms(), "error": why})
        self._chat_event(run, "error", errorMessage=why)
        run.error = Refusal("UNAVAILABLE", why)
        self._end(run, {"runId": run.run_id, "status": "error", "summary": why})

    def _end_aborted(self, run: Run) -> None:
        self._chat_event(run, "aborted", stopReason="rpc", message=_message(run.text))
        self._agent_event(
            run, "lifecycle", {"phase": "end", "status": "cancelled", "aborted": True, "stopReason": "rpc"}
        )
        self._end(run, {"runId": run.run_id, "status": "timeout", "summary": "aborted", "stopReason": "rpc"})

    def _end(self, run: Run, final: dict[str, Any]) -> None:
        run.final = final
        self._sessions.end_run(run.session_key, run.run_id)
        run.done.set()

    def _agent_event(self, run: Run, stream: str, data: dict[str, Any]) -> None:
        run.seq += 1
        payload = {
            "runId": run.run_id,
            "sessionKey": run.session_key,
            "agentId": agent_of(run.session_key),
            "stream": stream,
            "data": data,
            "seq": run.seq,
            "ts": now_ms(),
        }
        self._peers.broadcast("agent", payload)

    def _chat_event(self, run: Run, state: str, **fields: Any) -> None:
        payload = {
            "runId": run.run_id,
            "sessionKey": run.session_key,
            "agentId": agent_of(run.session_key),
            "seq": run.seq,
            "state": state,
        }
        self._peers.broadcast("chat", payload | fields)

    def _say(self, session_key: str, message: dict[str, Any]) -> None:
        self._history.setdefault(session_key, []).append(message)


async def _speak(message: str) -> AsyncIterator[str]:
    """Yield an answer's pieces: what the message asks for, else the message itself."""
    if failing := re.match(r"fail:\s*(\d{3})", message):
        raise _RunError(f"LLM request failed: the model answered HTTP {failing[1]}.")
    if counting := re.fullmatch(r"count:(\d{1,9})(?::(\d{1,9}))?\s*", message):
        for index in range(int(counting[1])):
            yield f"{' ' if index else ''}{index + 1}"
            await asyncio.sleep(int(counting[2] or 0) / 1000)
        return
    for index, word in enumerate(message.removeprefix("echo:").strip().split(" ")):
        yield f"{' ' if index else ''}{word}"
        await asyncio.sleep(0)


def _message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now_ms()}
