"""Approvals: what waits for a person's decision, and what was decided, by whom."""

from __future__ import annotations

import base64
import json
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any

from ..answers import fault
from ..clock import now_ms
from ..params import parse

ALLOW_ONCE, ALLOW_ALWAYS, DENY = DECISIONS = ("allow-once", "allow-always", "deny")
EXEC, PLUGIN = KINDS = ("exec", "plugin")
DEFAULT_HISTORY = 50
NO_ROUTE = "no-route"
RESTART = "gateway-restart"
_SYSTEM = {"kind": "system"}
_EXEC_FIELDS = ("command", "commandArgv", "cwd", "nodeId", "host", "security", "ask", "warningText", "agentId")
_PLUGIN_FIELDS = ("pluginId", "title", "description", "detail", "severity", "toolName", "agentId")
_SHARED_FIELDS = ("resolvedPath", "sessionKey", "sessionId", "runId", "toolCallId")


@dataclass
class Approval:
    """One request for a decision.

    Attributes:
        request: what is to be decided, as events and lists show it.
        presentation: what of it is shown where the whole request is not.
        status: ``pending``, ``allowed``, ``denied``, ``expired`` or ``cancelled``.
        reason: why it is no longer pending: ``user``, ``timeout``, ``no-route``, ``run-aborted`` or
            ``gateway-restart``.
        resolver: who ended it; of a person, ``kind`` and ``id``.
    """

    id: str
    kind: str
    request: dict[str, Any]
    presentation: dict[str, Any]
    created_at: int
    expires_at: int
    status: str = "pending"
    reason: str | None = None
    decision: str | None = None
    resolved_at: int | None = None
    resolver: dict[str, Any] | None = None

    @property
    def times(self) -> dict[str, Any]:
        """Its id and times."""
        return {"id": self.id, "createdAtMs": self.created_at, "expiresAtMs": self.expires_at}

    @property
    def entry(self) -> dict[str, Any]:
        """How ``*.approval.list`` and ``*.approval.requested`` show it."""
        return {"approvalKind": self.kind, **self.times, "request": self.request}

    @property
    def decisions(self) -> list[str]:
        """The decisions that are offered."""
        offered: list[str] = self.presentation["allowedDecisions"]
        return offered

    @property
    def session(self) -> str | None:
        """The key of the session that asks."""
        key: str | None = self.request["sessionKey"]
        return key

    def event(self) -> dict[str, Any]:
        """Return how ``session.approval`` shows it."""
        path = f"/approve/{urllib.parse.quote(self.id, safe='')}"
        shown = {**self.times, "status": self.status, "presentation": self.presentation, "urlPath": path}
        if self.status != "pending":
            shown |= {"resolvedAtMs": self.resolved_at, "reason": self.reason}
        return shown | ({"decision": self.decision} if self.decision is not None else {})

    def record(self) -> dict[str, Any]:
        """Return how ``approval.get`` and ``approval.history`` show it: with who asked and who decided."""
        if self.status == "pending":
            return self.event()
        source = {name: self.request[name] for name in ("agentId", "sessionKey") if self.request[name] is not None}
        return {**self.event(), "source": source, "resolver": self.resolver}


class Approvals(dict[str, Approval]):
    """Approvals by id, the oldest first."""

    def add(self, kind: str, given: dict[str, Any], timeout_ms: int) -> Approval:
        """Keep a new request for a decision.

        Args:
            kind: one of `KINDS`.
            given: the params of ``*.approval.request``.
            timeout_ms: milliseconds until it is over.

        Raises:
            Refusal: its id is in use.
        """
        own_id = given.get("id") or str(uuid.uuid4())
        approval_id = own_id if kind == EXEC else f"{PLUGIN}:{own_id}"
        if approval_id in self:
            raise fault("approval id already pending")
        own = _EXEC_FIELDS if kind == EXEC else _PLUGIN_FIELDS
        request = {name: given.get(name) for name in (*own, *_SHARED_FIELDS)}
        always = given.get("ask") != "always" and ALLOW_ALWAYS not in given.get("unavailableDecisions", ())
        decisions = list(DECISIONS) if always else [ALLOW_ONCE, DENY]
        shown = ("host", "nodeId", "warningText", "agentId") if kind == EXEC else own
        presentation = {"kind": kind, **{name: request[name] for name in shown}, "allowedDecisions": decisions}
        if kind == EXEC:
            presentation |= {"commandText": request["command"], "commandPreview": None}
            request["allowedDecisions"] = decisions
        now = now_ms()
        self[approval_id] = Approval(approval_id, kind, request, presentation, now, now + timeout_ms)
        return self[approval_id]

    def pending(self, kind: str) -> list[Approval]:
        """Return what waits."""
        return [approval for approval in self.values() if approval.kind == kind and approval.status == "pending"]

    def pending_in(self, session: str) -> list[Approval]:
        """Return what waits in a session, of any kind."""
        return [each for each in self.values() if each.session == session and each.status == "pending"]

    def decide(self, approval: Approval, decision: str, resolver: dict[str, Any]) -> None:
        """Note a person's decision."""
        self._end(approval, "denied" if decision == DENY else "allowed", "user", resolver)
        approval.decision = decision

    def give_up(self, approval: Approval, status: str, reason: str) -> None:
        """Note that nobody decides: it is ``denied``, ``expired`` or ``cancelled``, and why."""
        self._end(approval, status, reason, _SYSTEM | ({"id": "no-approval-route"} if reason == NO_ROUTE else {}))
        if status == "denied":
            approval.decision = DENY

    def history(self, kind: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
        """Return one page of what is no longer pending, the latest first.

        Raises:
            Refusal: the cursor is none.
        """
        ended = [each for each in self.values() if each.status != "pending" and kind in (None, each.kind)]
        ended.sort(key=lambda each: (each.resolved_at or 0, each.id), reverse=True)
        if cursor is not None:
            before = _position(cursor)
            ended = [each for each in ended if (each.resolved_at or 0, each.id) < before]
        page = {"items": [each.record() for each in ended[:limit]]}
        return page | ({"nextCursor": _cursor(ended[limit - 1])} if len(ended) >= limit else {})

    def _end(self, approval: Approval, status: str, reason: str, resolver: dict[str, Any]) -> None:
        approval.status, approval.reason, approval.resolver = status, reason, resolver
        approval.resolved_at = now_ms()


def _cursor(approval: Approval) -> str:
    position = json.dumps([approval.resolved_at, approval.id])
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, str]:
    try:
        at, approval_id = parse(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return int(at), str(approval_id)
    except (ValueError, TypeError):
        raise fault("invalid approval.history cursor") from None
