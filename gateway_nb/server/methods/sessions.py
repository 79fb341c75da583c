"""Sessions: ``sessions.list``, ``create``, ``patch``, ``delete``, and who hears of them.

- ``sessions.list {limit?, offset?, search?, label?, agentId?, archived?: true | all}`` -> ``{ts, path, count,
  totalCount, limitApplied, nextOffset|null, hasMore, defaults, sessions[row]}``, the latest first.
- ``sessions.create {key?, agentId?, label?, model?, thinkingLevel?}`` -> ``{ok, key, sessionId, entry, runStarted,
  resolved}``.
- ``sessions.patch {key, agentId?, label?, model?, permissionMode?: guarded | full, archived? with expectedSessionId}``
  -> ``{ok, path, key, entry, resolved}``.
- ``sessions.delete {key}`` -> ``{ok, key, deleted, archived[]}``.
- ``sessions.reset {key}`` -> ``{ok, key, entry, resolved}``; ``sessions.describe {key}`` -> ``{session | null}``;
  ``sessions.resolve {key | sessionId | label}`` -> ``{ok, key, agentId}``.
- ``sessions.subscribe {}`` -> ``{subscribed}``: from then on the client hears ``sessions.changed {sessionKey, agentId,
  reason, ts, session?}``.
- ``sessions.messages.subscribe {key, includeApprovals?}`` -> ``{subscribed, key, approvalReplay?{sessionKey,
  updatedAtMs, approvals, truncated}}``: from then on the client hears ``session.message {sessionKey, agentId, message,
  messageId, messageSeq, session}``, and ``session.approval`` where it asked for that; ``sessions.messages.unsubscribe
  {key}`` ends it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import ADMIN, READ, WRITE
from ..answers import fault
from ..clock import now_ms
from ..conversations import Conversations
from ..params import NOTHING, Params, boolean, choice, integer, nullable, one_of, string, text
from ..state.approvals import Approvals
from ..state.models import MODEL, PROVIDER
from ..state.sessions import MAIN_AGENT
from .method import Call, Method, Table

KEY = Params({"key": text}, ("key",))
_LISTEN = Params({"key": text, "includeApprovals": boolean}, ("key",))
_RESOLVE = Params({"key": text, "sessionId": text, "label": text})
_LIST = Params(
    {
        "limit": integer(1),
        "offset": integer(0),
        "search": string,
        "label": text,
        "agentId": text,
        "archived": one_of(boolean, choice("all")),
    }
)
_CREATE = Params({"key": text, "agentId": text, "label": text, "model": text, "thinkingLevel": text})
_PATCH = Params(
    {
        "key": text,
        "agentId": text,
        "label": nullable(text),
        "model": nullable(text),
        "permissionMode": nullable(choice("guarded", "full")),
        "archived": boolean,
        "expectedSessionId": text,
    },
    ("key",),
)


@dataclass
class SessionMethods:
    """The methods."""

    _conversations: Conversations
    _approvals: Approvals

    def table(self) -> Table:
        return {
            "sessions.list": Method(READ, _LIST, lambda call: self._conversations.sessions.page(call.params)),
            "sessions.create": Method(WRITE, _CREATE, self._create),
            "sessions.patch": Method(WRITE, _PATCH, self._patch),
            "sessions.delete": Method(ADMIN, KEY, self._delete),
            "sessions.reset": Method(ADMIN, KEY, self._reset),
            "sessions.describe": Method(READ, KEY, self._describe),
            "sessions.resolve": Method(READ, _RESOLVE, self._resolve),
            "sessions.subscribe": Method(READ, NOTHING, self._subscribe),
            "sessions.messages.subscribe": Method(READ, _LISTEN, self._listen),
            "sessions.messages.unsubscribe": Method(READ, KEY, self._unlisten),
        }

    def _create(self, call: Call) -> dict[str, Any]:
        params = call.params
        if params.get("agentId", MAIN_AGENT) != MAIN_AGENT:
            raise fault(f'Unknown agent id "{params["agentId"]}"')
        row = self._conversations.sessions.touch(params.get("key") or f"agent:{MAIN_AGENT}:dashboard:{uuid.uuid4()}")
        row |= {name: params[name] for name in ("label", "model") if name in params}
        self._conversations.changed(row, reason="create")
        return {
            "ok": True,
            "key": row["key"],
            "sessionId": row["sessionId"],
            "entry": _entry(row),
            "runStarted": False,
            "resolved": _resolved(row),
        }

    def _patch(self, call: Call) -> dict[str, Any]:
        key = call.params["key"]
        if "archived" in call.params:
            expected = call.params.get("expectedSessionId")
            if expected is None:
                raise fault(f"expectedSessionId required for session lifecycle patch: {key}")
            if key not in self._conversations.sessions or self._conversations.sessions[key]["sessionId"] != expected:
                raise fault(f"session changed: {key}")
        row = self._conversations.sessions.touch(key)
        for name, default in (("label", None), ("model", MODEL), ("permissionMode", None), ("archived", False)):
            if name in call.params:
                row[name] = call.params[name] or default
        self._conversations.changed(row, reason="patch")
        return {"ok": True, "path": "memory", "key": row["key"], "entry": _entry(row), "resolved": _resolved(row)}

    def _delete(self, call: Call) -> dict[str, Any]:
        deleted = self._conversations.delete(call.params["key"])
        return {"ok": True, "key": call.params["key"], "deleted": deleted, "archived": []}

    def _reset(self, call: Call) -> dict[str, Any]:
        row = self._conversations.reset(call.params["key"])
        return {"ok": True, "key": row["key"], "entry": _entry(row), "resolved": _resolved(row)}

    def _describe(self, call: Call) -> dict[str, Any]:
        return {"session": self._conversations.sessions.get(call.params["key"])}

    def _resolve(self, call: Call) -> dict[str, Any]:
        row = self._conversations.sessions.find(call.params)
        return {"ok": True, "key": row["key"], "agentId": row["agentId"]}

    def _subscribe(self, call: Call) -> dict[str, Any]:
        call.peer.session_events = True
        return {"subscribed": True}

    def _listen(self, call: Call) -> dict[str, Any]:
        key = call.params["key"]
        call.peer.message_keys.add(key)
        subscribed: dict[str, Any] = {"subscribed": True, "key": key}
        if call.params.get("includeApprovals") is True:
            call.peer.approval_keys.add(key)
            pending = [{**approval.event(), "sourceSessionKey": key} for approval in self._approvals.pending_in(key)]
            replay = {"sessionKey": key, "updatedAtMs": now_ms(), "approvals": pending, "truncated": False}
            subscribed["approvalReplay"] = replay
        return subscribed

    def _unlisten(self, call: Call) -> dict[str, Any]:
        key = call.params["key"]
        call.peer.message_keys.discard(key)
        call.peer.approval_keys.discard(key)
        return {"subscribed": False, "key": key}


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("sessionId", "updatedAt", "createdAt", "label") if name in row}


def _resolved(row: dict[str, Any]) -> dict[str, Any]:
    return {"modelProvider": PROVIDER, "model": row["model"]}
