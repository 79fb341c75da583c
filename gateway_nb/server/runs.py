"""The embedded gateway's agents: runs that echo, count or fail, with the real gateway's events."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from .answers import LATER, Refusal
from .peer import Peer
from .peers import Peers


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


class Agents:
    """The runs of all sessions.

    Args:
        peers: to whom events go.
        touch: makes or refreshes a session.
    """

    def __init__(self, peers: Peers, touch: Callable[[str], dict[str, Any]]) -> None:
        self._peers = peers
        self._touch = touch
        self._runs: dict[str, Run] = {}
        self._history: dict[str, list[dict[str, Any]]] = {}

    def is_active(self, session_key: str) -> bool:
        """Return whether a run of that session goes on."""
        return any(run.session_key == session_key and run.final is None for run in self._runs.values())

    def stop(self) -> None:
        """Cut every run short and forget it: the gateway goes away."""
        for run in self._runs.values():
            if run.task is not None:
                run.task.cancel()
        self._runs.clear()

    # Methods

    def agent(self, peer: Peer, request_id: str, params: dict[str, Any]) -> Any:
        """Accept a run, and answer a second time at its end."""
        agent_id = params.get("agentId", "main")
        if agent_id != "main":
            raise Refusal("INVALID_REQUEST", f'invalid agent params: unknown agent id "{agent_id}"')
        known = self._runs.get(params["idempotencyKey"])
        if known is not None and known.final is not None:
            return known.final
        key = params.get("sessionKey") or f"agent:{agent_id}:main"
        run = known or self._start(params["idempotencyKey"], key, params["message"])
        accepted = {
            "runId": run.run_id,
            "sessionKey": key,
            "agentId": agent_id,
            "status": "accepted",
            "acceptedAt": run.started_at,
        }
        peer.answer(request_id, accepted)
        peer.spawn(self._answer_at_end(peer, request_id, run))
        return LATER

    def chat_send(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        """Start a run; its end is an event, not a second answer."""
        if not params["message"]:
            raise Refusal("INVALID_REQUEST", "message or attachment required")
        known = self._runs.get(params["idempotencyKey"])
        if known is not None:
            return {"runId": known.run_id, "status": "ok" if known.final else "in_flight"}
        run = self._start(params["idempotencyKey"], params["sessionKey"], params["message"])
        return {"runId": run.run_id, "status": "started"}

    def wait(self, peer: Peer, request_id: str, params: dict[str, Any]) -> Any:
        """Answer when a run ends, or when the time is over."""
        peer.spawn(self._answer_wait(peer, request_id, params["runId"], params.get("timeoutMs", 30_000) / 1000))
        return LATER

    def history(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return a session's messages, and the run that goes on."""
        key = params["sessionKey"]
        messages = self._history.get(key, [])
        payload: dict[str, Any] = {
            "sessionKey": key,
            "messages": messages[-params.get("limit", 200) :],
            "hasMore": len(messages) > params.get("limit", 200),
            "totalMessages": len(messages),
        }
        active = [run for run in self._runs.values() if run.session_key == key and run.final is None]
        payload["sessionInfo"] = {
            "key": key,
            "hasActiveRun": bool(active),
            "activeRunIds": [run.run_id for run in active],
        }
        if active:
            payload["inFlightRun"] = {"runId": active[-1].run_id, "text": active[-1].text}
        return payload

    def abort(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        """Abort a session's runs, or one of them."""
        wanted = params.get("runId")
        aborted = [
            run
            for run in self._runs.values()
            if run.final is None and run.session_key == params["sessionKey"] and wanted in (None, run.run_id)
        ]
        for run in aborted:
            assert run.task is not None
            run.task.cancel()
            self._end_aborted(run)
        return {"ok": True, "aborted": bool(aborted), "runIds": [run.run_id for run in aborted]}

    # Runs

    def _start(self, run_id: str, session_key: str, message: str) -> Run:
        run = Run(run_id, session_key, message, started_at=_now())
        self._runs[run_id] = run
        self._touch(session_key)
        self._say(session_key, {"role": "user", "content": message, "timestamp": _now()})
        run.task = asyncio.get_running_loop().create_task(self._live(run))
        return run

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
            {"phase": "end", "startedAt": run.started_at, "endedAt": _now(), "aborted": False, "terminalReply": reply},
        )
        self._chat_event(run, "final", stopReason="stop", message=_message(run.text))
        self._say(run.session_key, {**_message(run.text), "stopReason": "stop"})
        usage = {"input": len(run.message.split()), "output": words, "total": len(run.message.split()) + words}
        meta = {"durationMs": _now() - run.started_at, "agentMeta": {"model": "local-1", "usage": usage}}
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
        self._agent_event(run, "lifecycle", {"phase": "error", "endedAt": _now(), "error": why})
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
        run.done.set()

    async def _answer_at_end(self, peer: Peer, request_id: str, run: Run) -> None:
        await run.done.wait()
        assert run.final is not None
        if run.error is not None:
            peer.refuse(request_id, run.error, run.final)
        else:
            peer.answer(request_id, run.final)

    async def _answer_wait(self, peer: Peer, request_id: str, run_id: str, timeout: float) -> None:
        run = self._runs.get(run_id)
        if run is None:
            await asyncio.sleep(timeout)
            peer.answer(request_id, {"runId": run_id, "status": "timeout"})
            return
        waiter = asyncio.ensure_future(run.done.wait())
        await asyncio.wait([waiter], timeout=timeout)
        waiter.cancel()
        peer.answer(request_id, _waited(run))

    def _agent_event(self, run: Run, stream: str, data: dict[str, Any]) -> None:
        run.seq += 1
        payload = {
            "runId": run.run_id,
            "sessionKey": run.session_key,
            "agentId": "main",
            "stream": stream,
            "data": data,
            "seq": run.seq,
            "ts": _now(),
        }
        self._peers.broadcast("agent", payload)

    def _chat_event(self, run: Run, state: str, **fields: Any) -> None:
        payload = {
            "runId": run.run_id,
            "sessionKey": run.session_key,
            "agentId": "main",
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


def _waited(run: Run) -> dict[str, Any]:
    if run.final is None:
        return {"runId": run.run_id, "status": "timeout"}
    if run.error is not None:
        return {"runId": run.run_id, "status": "error", "endedAt": _now(), "error": run.error.message}
    if run.final["status"] != "ok":
        return {"runId": run.run_id, "status": "timeout", "endedAt": _now(), "stopReason": "rpc"}
    reply = {"disposition": "visible", "text": run.text}
    return {"runId": run.run_id, "status": "ok", "endedAt": _now(), "stopReason": "stop", "terminalReply": reply}


def _message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": _now()}


def _now() -> int:
    return int(time.time() * 1000)
