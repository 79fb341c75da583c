"""Approvals of commands: ``exec.approval.request`` and ``exec.approval.resolve``.

- ``exec.approval.request {id?, command, timeoutMs?, twoPhase?, ...}`` -> ``{id, createdAtMs, expiresAtMs,
  decision|null}`` once it is decided or over; with ``twoPhase`` first the same, accepted and undecided.
- ``exec.approval.resolve {id, decision}`` -> ``{ok}``.
- Events ``exec.approval.requested`` and ``exec.approval.resolved``, to clients with operator.approvals.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from ...protocol.scopes import APPROVALS
from ..answers import LATER, fault
from ..clock import now_ms
from ..params import Params, boolean, integer, text
from ..peers import Peers
from .method import Call, Method, Table

DEFAULT_TIMEOUT_MS = 120_000
DECISIONS = ("allow-once", "allow-always", "deny")
_REQUEST = Params({"id": text, "command": text, "timeoutMs": integer(1), "twoPhase": boolean}, open=True)
_RESOLVE = Params({"id": text, "decision": text}, ("id", "decision"))


class Approvals:
    """The methods.

    Args:
        peers: the clients that have connected.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._pending: dict[str, tuple[asyncio.Future[str | None], dict[str, Any]]] = {}

    def table(self) -> Table:
        """Return the methods by name."""
        return {
            "exec.approval.request": Method(APPROVALS, _REQUEST, self._request),
            "exec.approval.resolve": Method(APPROVALS, _RESOLVE, self._resolve),
        }

    def _request(self, call: Call) -> Any:
        params = call.params
        if "command" not in params:
            raise fault("command is required")
        now = now_ms()
        timeout_ms = params.get("timeoutMs", DEFAULT_TIMEOUT_MS)
        entry = {
            "id": str(uuid.uuid4()),
            "request": {name: value for name, value in params.items() if name not in ("timeoutMs", "twoPhase")},
            "createdAtMs": now,
            "expiresAtMs": now + timeout_ms,
        }
        decided: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._pending[entry["id"]] = (decided, entry)
        self._peers.broadcast("exec.approval.requested", entry, scope=APPROVALS)
        times = {name: entry[name] for name in ("id", "createdAtMs", "expiresAtMs")}
        if params.get("twoPhase") is True:
            call.peer.answer(call.id, {"status": "accepted", **times})
        call.peer.spawn(self._answer_decision(call, decided, times, timeout_ms / 1000))
        return LATER

    async def _answer_decision(
        self, call: Call, decided: asyncio.Future[str | None], times: dict[str, Any], timeout: float
    ) -> None:
        await asyncio.wait([decided], timeout=timeout)
        self._pending.pop(times["id"], None)
        call.peer.answer(call.id, {**times, "decision": decided.result() if decided.done() else None})

    def _resolve(self, call: Call) -> dict[str, Any]:
        approval_id, decision = call.params["id"], call.params["decision"]
        if decision not in DECISIONS:
            raise fault("invalid decision")
        decided, entry = self._pending.get(approval_id, (None, {}))
        if decided is None or decided.done():
            raise fault("unknown or expired approval id", reason="APPROVAL_NOT_FOUND")
        decided.set_result(decision)
        resolved = {"id": approval_id, "decision": decision, "ts": now_ms(), "request": entry["request"]}
        self._peers.broadcast("exec.approval.resolved", resolved, scope=APPROVALS)
        return {"ok": True}
