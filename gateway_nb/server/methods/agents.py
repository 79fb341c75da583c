"""Agents: ``agent``, ``agent.wait``, ``chat.send``, ``chat.abort``.

- ``agent {message, idempotencyKey, agentId?, sessionKey?, timeout?}`` -> ``{runId, sessionKey, agentId, status:
  "accepted", acceptedAt}``, and at the end ``{runId, status, summary, result{payloads[{text}], meta}}`` or an error.
- ``agent.wait {runId, timeoutMs?}`` -> ``{runId, status: ok|error|timeout, endedAt?, terminalReply?{text}, error?}``.
- ``chat.send {sessionKey, message, idempotencyKey}`` -> ``{runId, status: started|in_flight|ok}``; its end is an event.
- ``chat.abort {sessionKey, runId?}`` -> ``{ok, aborted, runIds[]}``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import WRITE
from ..answers import LATER, fault
from ..clock import now_ms
from ..params import Params, integer, string, text
from ..runs import Run, Runs
from ..state.sessions import MAIN_AGENT, main_session
from .method import Call, Method, Table

_WAIT_MS = 30_000
_AGENT = Params(
    {"message": text, "agentId": text, "sessionKey": string, "timeout": integer(0), "idempotencyKey": text},
    ("message", "idempotencyKey"),
)
_CHAT = Params(
    {"sessionKey": text, "message": string, "idempotencyKey": text}, ("sessionKey", "message", "idempotencyKey")
)


def _check_chat(method: str, params: Any) -> dict[str, Any]:
    target = params.get("sessionKey") if isinstance(params, dict) else None
    if not isinstance(target, str) or not target:
        raise fault("session mutation target is unavailable", code="SESSION_MUTATION_TARGET_REQUIRED", method=method)
    return _CHAT.check(method, params)


@dataclass
class Agents:
    """The methods."""

    _runs: Runs

    def table(self) -> Table:
        wait = Params({"runId": text, "timeoutMs": integer(0)}, ("runId",))
        abort = Params({"sessionKey": text, "runId": text}, ("sessionKey",))
        return {
            "agent": Method(WRITE, _AGENT, self._agent),
            "agent.wait": Method(WRITE, wait, self._wait),
            "chat.send": Method(WRITE, _check_chat, self._send),
            "chat.abort": Method(WRITE, abort, self._abort),
        }

    def _agent(self, call: Call) -> Any:
        params, agent_id = call.params, call.params.get("agentId", MAIN_AGENT)
        if agent_id != MAIN_AGENT:
            raise fault(f'invalid agent params: unknown agent id "{agent_id}"')
        run = self._runs.get(params["idempotencyKey"])
        if run is not None and run.final is not None:
            return run.final
        key = params.get("sessionKey") or main_session(agent_id)
        run = run or self._runs.start(params["idempotencyKey"], key, params["message"])
        accepted = {
            "runId": run.run_id,
            "sessionKey": key,
            "agentId": agent_id,
            "status": "accepted",
            "acceptedAt": run.started_at,
        }
        call.peer.answer(call.id, accepted)
        call.peer.spawn(self._answer_end(call, run))
        return LATER

    def _send(self, call: Call) -> dict[str, Any]:
        params = call.params
        if not params["message"]:
            raise fault("message or attachment required")
        run = self._runs.get(params["idempotencyKey"])
        if run is not None:
            return {"runId": run.run_id, "status": "ok" if run.final else "in_flight"}
        run = self._runs.start(params["idempotencyKey"], params["sessionKey"], params["message"])
        return {"runId": run.run_id, "status": "started"}

    def _wait(self, call: Call) -> Any:
        call.peer.spawn(self._answer_wait(call, call.params["runId"], call.params.get("timeoutMs", _WAIT_MS) / 1000))
        return LATER

    def _abort(self, call: Call) -> dict[str, Any]:
        wanted = call.params.get("runId")
        runs = [run for run in self._runs.active(call.params["sessionKey"]) if wanted in (None, run.run_id)]
        for run in runs:
            self._runs.abort(run)
        return {"ok": True, "aborted": bool(runs), "runIds": [run.run_id for run in runs]}

    async def _answer_end(self, call: Call, run: Run) -> None:
        await run.done.wait()
        assert run.final is not None
        if run.error is not None:
            call.peer.refuse(call.id, run.error, run.final)
        else:
            call.peer.answer(call.id, run.final)

    async def _answer_wait(self, call: Call, run_id: str, timeout: float) -> None:
        run = self._runs.get(run_id)
        if run is None:
            await asyncio.sleep(timeout)
            call.peer.answer(call.id, {"runId": run_id, "status": "timeout"})
            return
        waiter = asyncio.ensure_future(run.done.wait())
        await asyncio.wait([waiter], timeout=timeout)
        waiter.cancel()
        call.peer.answer(call.id, _waited(run))


def _waited(run: Run) -> dict[str, Any]:
    if run.final is None:
        return {"runId": run.run_id, "status": "timeout"}
    ended = {"runId": run.run_id, "endedAt": now_ms()}
    if run.error is not None:
        return {**ended, "status": "error", "error": run.error.message}
    if run.final["status"] != "ok":
        return {**ended, "status": "timeout", "stopReason": "rpc"}
    reply = {"disposition": "visible", "text": run.text}
    return {**ended, "status": "ok", "stopReason": "stop", "terminalReply": reply}
