"""Approvals of commands (``exec``) and of what plugins do (``plugin``), for clients with operator.approvals.

- ``exec.approval.request {id?, command, commandArgv?, cwd?, host?, ask?, agentId?, sessionKey?, runId?, toolCallId?,
  timeoutMs?, twoPhase?, ...}`` and ``plugin.approval.request {title, description, pluginId?, severity?, toolName?,
  ...}`` -> ``{id, createdAtMs, expiresAtMs, decision | null}`` once it is decided or over; with ``twoPhase`` first the
  same, accepted and undecided. Where no other client has the cap ``approvals`` (for exec also ``exec-approvals``), the
  decision is null at once.
- ``exec|plugin.approval.list {}`` -> ``[{approvalKind, id, request, createdAtMs, expiresAtMs}]``.
- ``exec|plugin.approval.resolve {id, decision: allow-once | allow-always | deny}`` -> ``{ok}``; ``details.reason``
  where it was decided otherwise: APPROVAL_ALREADY_RESOLVED, where it is unknown: APPROVAL_NOT_FOUND.
- ``exec.approval.waitDecision {id}`` -> ``{id, decision, createdAtMs, expiresAtMs, terminalReason}``.
- ``approval.get {id}`` -> ``{approval}``; ``approval.resolve {id, kind, decision}`` -> ``{applied, approval}``; a
  decision that is not offered denies; ``approval.history {kind?, limit?, cursor?}`` -> ``{items, nextCursor?}``, the
  latest first. An approval: ``{id, status: pending | allowed | denied | expired | cancelled, presentation, urlPath,
  createdAtMs, expiresAtMs, resolvedAtMs?, reason?, decision?, source?, resolver?{kind, id}}``.
- Events ``exec|plugin.approval.requested`` (an entry of the list) and ``.resolved {id, decision, resolvedBy | null, ts,
  request}``, to clients with the cap; ``session.approval {sessionKey, sourceSessionKey, updatedAtMs, phase: pending |
  terminal, approval}`` to those that subscribed to the session's messages with ``includeApprovals``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import APPROVALS
from ..answers import LATER, Refusal, fault
from ..approvals import ApprovalQueue
from ..params import NOTHING, Params, array, boolean, choice, integer, nullable, string, text
from ..state.approvals import DECISIONS, DEFAULT_HISTORY, DENY, EXEC, KINDS, PLUGIN, RESTART, Approval
from .method import Call, Method, Table

DEFAULT_TIMEOUT_MS = 120_000
_ID = Params({"id": text}, ("id",))
_ASKER = dict.fromkeys(("agentId", "sessionKey", "sessionId", "runId", "toolCallId"), nullable(string))
_SHARED = {"id": text, "timeoutMs": integer(1), "twoPhase": boolean, **_ASKER}
_EXEC = Params({"command": text, "unavailableDecisions": array(string), **_SHARED}, open=True)
_PLUGIN = Params({"title": text, "description": text, **_SHARED}, ("title", "description"), open=True)
_RESOLVE = Params({"id": text, "decision": text}, ("id", "decision"))
_RESOLVE_ANY = Params({"id": text, "kind": choice(*KINDS), "decision": choice(*DECISIONS)}, ("id", "kind", "decision"))
_HISTORY = Params({"kind": choice(*KINDS), "limit": integer(1, 100), "cursor": text})


@dataclass
class ApprovalMethods:
    """The methods."""

    _queue: ApprovalQueue

    def table(self) -> Table:
        table = {
            f"{kind}.approval.{name}": Method(APPROVALS, params, answer(kind))
            for kind, request in ((EXEC, _EXEC), (PLUGIN, _PLUGIN))
            for name, params, answer in (
                ("request", request, self._request),
                ("list", NOTHING, self._list),
                ("resolve", _RESOLVE, self._resolve),
            )
        }
        return table | {
            "exec.approval.waitDecision": Method(APPROVALS, _ID, self._wait),
            "approval.get": Method(APPROVALS, _ID, lambda call: {"approval": self._find(call).record()}),
            "approval.resolve": Method(APPROVALS, _RESOLVE_ANY, self._resolve_any),
            "approval.history": Method(APPROVALS, _HISTORY, self._history),
        }

    def _request(self, kind: str) -> Callable[[Call], Any]:
        def request(call: Call) -> Any:
            if kind == EXEC and "command" not in call.params:
                raise fault("command is required")
            timeout_ms = call.params.get("timeoutMs", DEFAULT_TIMEOUT_MS)
            approval = self._queue.ask(kind, call.params, timeout_ms, asker=call.peer)
            if call.params.get("twoPhase") is True:
                call.peer.answer(call.id, {"status": "accepted", **approval.times})
            call.peer.spawn(self._answer_decision(call, approval))
            return LATER

        return request

    def _list(self, kind: str) -> Callable[[Call], Any]:
        return lambda call: [approval.entry for approval in self._queue.approvals.pending(kind)]

    def _resolve(self, kind: str) -> Callable[[Call], Any]:
        def resolve(call: Call) -> dict[str, Any]:
            if call.params["decision"] not in DECISIONS:
                raise fault("invalid decision")
            approval = self._queue.approvals.get(call.params["id"])
            if approval is None or approval.kind != kind:
                remediation = "Re-request the action; pending approvals are cleared after expiry or restart."
                reason = "APPROVAL_NOT_FOUND"
                raise fault("unknown or expired approval id", reason=reason, remediation=remediation)
            resolver = {"kind": "runtime", "id": call.peer.name}
            self._queue.resolve(approval, call.params["decision"], call.peer, resolver)
            return {"ok": True}

        return resolve

    def _wait(self, call: Call) -> Any:
        approval = self._queue.approvals.get(call.params["id"])
        if approval is None:
            raise fault("approval expired or not found")
        call.peer.spawn(self._answer_decision(call, approval, with_reason=True))
        return LATER

    def _resolve_any(self, call: Call) -> dict[str, Any]:
        approval, decision = self._find(call), call.params["decision"]
        if approval.status != "pending":
            return {"applied": False, "approval": approval.record()}
        device = call.peer.device_id
        resolver = {"kind": "device", "id": device} if device else {"kind": "runtime", "id": call.peer.name}
        offered = decision if decision in approval.decisions else DENY
        self._queue.resolve(approval, offered, call.peer, resolver)
        return {"applied": True, "approval": approval.record()}

    def _history(self, call: Call) -> dict[str, Any]:
        params = call.params
        return self._queue.approvals.history(
            params.get("kind"), params.get("limit", DEFAULT_HISTORY), params.get("cursor")
        )

    def _find(self, call: Call) -> Approval:
        approval = self._queue.approvals.get(call.params["id"])
        if approval is None:
            raise fault("approval not found", reason="APPROVAL_NOT_FOUND")
        return approval

    async def _answer_decision(self, call: Call, approval: Approval, *, with_reason: bool = False) -> None:
        decision = await self._queue.decided(approval)
        if approval.reason == RESTART:
            call.peer.refuse(call.id, Refusal("UNAVAILABLE", "gateway is restarting"))
            return
        answer = {"id": approval.id, "decision": decision, **approval.times}
        call.peer.answer(call.id, answer | ({"terminalReason": approval.reason} if with_reason else {}))
