"""Approvals as they happen: whom they are sent to, who waits for the decision, and when nobody decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ..protocol.scopes import APPROVALS
from .answers import fault
from .clock import now_ms
from .peer import Peer
from .peers import Peers
from .state.approvals import ALLOW_ALWAYS, DENY, EXEC, NO_ROUTE, PLUGIN, RESTART, Approval, Approvals

CAPS = {EXEC: ("approvals", "exec-approvals"), PLUGIN: ("approvals",)}
"""By kind: the capabilities of clients that decide."""


@dataclass
class ApprovalQueue:
    """The approvals, and who waits for them."""

    _peers: Peers
    approvals: Approvals = field(default_factory=Approvals)
    _waiting: dict[str, tuple[asyncio.Event, asyncio.TimerHandle]] = field(default_factory=dict)

    def ask(self, kind: str, given: dict[str, Any], timeout_ms: int, asker: Peer | None = None) -> Approval:
        """Ask the clients that decide; with none besides the asker the request is refused at once.

        Raises:
            Refusal: its id is in use.
        """
        approval = self.approvals.add(kind, given, timeout_ms)
        deciding = self._deciding(kind)
        if all(peer is asker for peer in deciding):
            self.approvals.give_up(approval, "denied", NO_ROUTE)
            return approval
        timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._expire, approval)
        self._waiting[approval.id] = (asyncio.Event(), timer)
        self._notify_session(approval, "pending")
        self._peers.broadcast(f"{kind}.approval.requested", approval.entry, scope=APPROVALS, to=deciding)
        return approval

    async def decided(self, approval: Approval) -> str | None:
        """Wait until a request is no longer pending; return the decision, ``None`` if nobody made one."""
        if approval.id in self._waiting:
            await self._waiting[approval.id][0].wait()
        return approval.decision if approval.reason == "user" else None

    def resolve(self, approval: Approval, decision: str, by: Peer, resolver: dict[str, Any]) -> None:
        """Decide what waits.

        Raises:
            Refusal: it was decided otherwise, or this decision is not offered.
        """
        if approval.status != "pending":
            if approval.reason == "user" and approval.decision == decision:
                return
            raise fault("approval already resolved", reason="APPROVAL_ALREADY_RESOLVED")
        if decision == ALLOW_ALWAYS and decision not in approval.decisions:
            raise fault("allow-always is unavailable for this command", reason="APPROVAL_ALLOW_ALWAYS_UNAVAILABLE")
        self.approvals.decide(approval, decision, resolver)
        self._ended(approval, by)

    def cancel(self, approval: Approval) -> None:
        """Give up what waits: the run that asked was aborted."""
        if approval.status == "pending":
            self.approvals.give_up(approval, "cancelled", "run-aborted")
            self._ended(approval, None)

    def stop(self) -> None:
        """Wait no more: the gateway goes away, and what was pending with it."""
        for event, timer in self._waiting.values():
            timer.cancel()
            event.set()
        self._waiting.clear()
        for kind in CAPS:
            for approval in self.approvals.pending(kind):
                self.approvals.give_up(approval, "cancelled", RESTART)

    def _deciding(self, kind: str) -> list[Peer]:
        return [peer for peer in self._peers if peer.has_cap(*CAPS[kind]) and peer.allows(APPROVALS)]

    def _expire(self, approval: Approval) -> None:
        self.approvals.give_up(approval, "expired", "timeout")
        self._ended(approval, None)

    def _ended(self, approval: Approval, by: Peer | None) -> None:
        event, timer = self._waiting.pop(approval.id)
        timer.cancel()
        event.set()
        self._notify_session(approval, "terminal")
        resolved = {
            "id": approval.id,
            "decision": approval.decision or DENY,
            "resolvedBy": by.name if by else None,
            "ts": now_ms(),
            "request": approval.request,
        }
        deciding = self._deciding(approval.kind)
        self._peers.broadcast(f"{approval.kind}.approval.resolved", resolved, scope=APPROVALS, to=deciding)

    def _notify_session(self, approval: Approval, phase: str) -> None:
        key = approval.session
        payload = {"sessionKey": key, "sourceSessionKey": key, "updatedAtMs": now_ms(), "phase": phase}
        listening = [peer for peer in self._peers if key in peer.approval_keys]
        self._peers.broadcast(
            "session.approval", {**payload, "approval": approval.event()}, scope=APPROVALS, to=listening
        )
