"""The methods of the embedded gateway: name, scope, params, and what they answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..protocol.frames import RequestFrame
from .admission import Admission
from .agents import Agents
from .answers import LATER, Refusal
from .params import Params, boolean, integer, nullable, string, text
from .peer import Peer
from .peers import Peers

VERSION = "local"
EVENTS = (
    "connect.challenge",
    "agent",
    "chat",
    "session.message",
    "sessions.changed",
    "presence",
    "tick",
    "talk.mode",
    "shutdown",
    "health",
    "task",
    "device.pair.resolved",
    "exec.approval.requested",
    "exec.approval.resolved",
)

READ, WRITE, ADMIN = "operator.read", "operator.write", "operator.admin"
_NONE = Params({})
_KEY = Params({"key": text}, ("key",))
_CHAT = Params(
    {"sessionKey": text, "message": string, "idempotencyKey": text}, ("sessionKey", "message", "idempotencyKey")
)
_DECISIONS = ("allow-once", "allow-always", "deny")


def _unchecked(method: str, params: Any) -> dict[str, Any]:
    return params if isinstance(params, dict) else {}


def _chat(method: str, params: Any) -> dict[str, Any]:
    target = params.get("sessionKey") if isinstance(params, dict) else None
    if not isinstance(target, str) or not target:
        details = {"code": "SESSION_MUTATION_TARGET_REQUIRED", "method": method}
        raise Refusal("INVALID_REQUEST", "session mutation target is unavailable", details)
    return _CHAT.check(method, params)


@dataclass(frozen=True)
class Method:
    """One method: the scope it needs, the check of its params, and the function that answers."""

    scope: str | None
    check: Callable[[str, Any], dict[str, Any]]
    answer: Callable[[Peer, str, dict[str, Any]], Any]


class Methods:
    """The methods, and the state they work on.

    Args:
        peers: the clients that have connected.
        admission: who may connect.
    """

    def __init__(self, peers: Peers, admission: Admission) -> None:
        self._peers = peers
        self._admission = admission
        self._sessions: dict[str, dict[str, Any]] = {}
        self._approvals: dict[str, tuple[asyncio.Future[str | None], dict[str, Any]]] = {}
        self.agents = Agents(peers, self._touch)
        self._table = self._methods()

    @property
    def names(self) -> set[str]:
        """The advertised methods."""
        return set(self._table)

    def call(self, peer: Peer, request: RequestFrame) -> None:
        """Answer one request, now or later.

        Raises:
            Refusal: the answer is no.
        """
        method = self._table.get(request.method)
        if method is None:
            first = "connect is only valid as the first request"
            raise Refusal(
                "INVALID_REQUEST", first if request.method == "connect" else f"unknown method: {request.method}"
            )
        if not peer.allows(method.scope):
            details = {"code": "MISSING_SCOPE", "missingScope": method.scope, "requiredScopes": [method.scope]}
            raise Refusal("FORBIDDEN", f"missing scope: {method.scope}", details)
        params = method.check(request.method, {} if request.params is None else request.params)
        answer = method.answer(peer, request.id, params)
        if answer is not LATER:
            peer.answer(request.id, answer)

    def stop(self) -> None:
        """End what still runs."""
        self.agents.stop()

    def presence(self) -> list[dict[str, Any]]:
        """Return who is there: the gateway itself."""
        now = int(time.time() * 1000)
        return [{"host": "localhost", "mode": "gateway", "reason": "self", "text": "Gateway: localhost", "ts": now}]

    def _methods(self) -> dict[str, Method]:
        agents = self.agents
        session = {"key": text, "agentId": text}
        create = Params({**session, "label": text, "model": text})
        patch = Params({**session, "label": nullable(text), "model": nullable(text)}, ("key",))
        listing = Params({"limit": integer(1), "offset": integer(0), "search": string})
        talk = Params({"enabled": boolean, "phase": string}, ("enabled",))
        agent = Params(
            {"message": text, "agentId": text, "sessionKey": string, "timeout": integer(0), "idempotencyKey": text},
            ("message", "idempotencyKey"),
        )
        history = Params({"sessionKey": text, "limit": integer(1, 1000)}, ("sessionKey",))
        ask = Params({"id": text, "command": text, "timeoutMs": integer(1), "twoPhase": boolean}, open=True)
        table: dict[str, tuple[str | None, Params | Callable[[str, Any], dict[str, Any]], Callable[..., Any]]] = {
            "health": (None, _unchecked, self._health),
            "status": (READ, _unchecked, self._status),
            "system-presence": (READ, _unchecked, lambda *_: self.presence()),
            "last-heartbeat": (READ, _unchecked, lambda *_: None),
            "sessions.list": (READ, listing, self._list),
            "sessions.create": (WRITE, create, self._create),
            "sessions.patch": (WRITE, patch, self._patch),
            "sessions.delete": (ADMIN, _KEY, self._delete),
            "sessions.subscribe": (READ, _NONE, self._subscribe),
            "sessions.messages.subscribe": (READ, _KEY, self._messages(True)),
            "sessions.messages.unsubscribe": (READ, _KEY, self._messages(False)),
            "talk.mode": ("operator.talk", talk, self._talk),
            "agent": (WRITE, agent, agents.agent),
            "agent.wait": (WRITE, Params({"runId": text, "timeoutMs": integer(0)}, ("runId",)), agents.wait),
            "chat.send": (WRITE, _chat, agents.chat_send),
            "chat.history": (READ, history, agents.history),
            "chat.abort": (WRITE, Params({"sessionKey": text, "runId": text}, ("sessionKey",)), agents.abort),
            "exec.approval.request": ("operator.approvals", ask, self._ask_approval),
            "exec.approval.resolve": (
                "operator.approvals",
                Params({"id": text, "decision": text}, ("id", "decision")),
                self._resolve,
            ),
            "device.pair.list": ("operator.pairing", _NONE, self._pairings),
            "device.pair.approve": ("operator.pairing", Params({"requestId": text}, ("requestId",)), self._approve),
        }
        return {
            name: Method(scope, params.check if isinstance(params, Params) else params, answer)
            for name, (scope, params, answer) in table.items()
        }

    # What the gateway is

    def _health(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        sessions = {"path": "memory", "count": len(self._sessions), "recent": []}
        agent = {"agentId": "main", "isDefault": True, "sessions": sessions}
        return {
            "ok": True,
            "ts": int(time.time() * 1000),
            "durationMs": 0,
            "channels": {},
            "channelOrder": [],
            "channelLabels": {},
            "heartbeatSeconds": 0,
            "defaultAgentId": "main",
            "agents": [agent],
            "sessions": sessions,
        }

    def _status(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "runtimeVersion": VERSION,
            "heartbeat": {"defaultAgentId": "main", "agents": []},
            "channelSummary": [],
            "queuedSystemEvents": [],
            "tasks": {"total": 0, "active": 0, "terminal": 0, "failures": 0},
            "sessions": {"paths": ["memory"], "count": len(self._sessions), "recent": []},
        }

    # Sessions

    def _list(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        limit, offset, search = params.get("limit", 100), params.get("offset", 0), params.get("search", "").lower()
        rows = [row for row in self._sessions.values() if search in f"{row['key']} {row.get('label', '')}".lower()]
        rows.sort(key=lambda row: row["updatedAt"], reverse=True)
        end = offset + limit
        shown = rows[offset:end]
        return {
            "ts": int(time.time() * 1000),
            "path": "memory",
            "count": len(shown),
            "totalCount": len(rows),
            "limitApplied": limit,
            "nextOffset": end if len(rows) > end else None,
            "hasMore": len(rows) > end,
            "defaults": {"modelProvider": "local", "model": "local-1", "contextTokens": 131072},
            "sessions": [{**row, "hasActiveRun": self.agents.is_active(row["key"])} for row in shown],
        }

    def _touch(self, key: str) -> dict[str, Any]:
        """Return a session's row, made if it is new."""
        now = int(time.time() * 1000)
        row = self._sessions.get(key)
        if row is None:
            row = {
                "key": key,
                "kind": "direct",
                "agentId": key.split(":")[1] if key.count(":") > 1 else "main",
                "sessionId": str(uuid.uuid4()),
                "createdAt": now,
                "updatedAt": now,
                "archived": False,
                "modelProvider": "local",
                "model": "local-1",
            }
            self._sessions[key] = row
        row["updatedAt"] = now
        return row

    def _entry(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name] for name in ("sessionId", "updatedAt", "createdAt", "label") if name in row}

    def _create(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("agentId", "main") != "main":
            raise Refusal("INVALID_REQUEST", f'Unknown agent id "{params["agentId"]}"')
        row = self._touch(params.get("key") or f"agent:main:dashboard:{uuid.uuid4()}")
        row |= {name: params[name] for name in ("label", "model") if name in params}
        self._changed(row, "create")
        resolved = {"modelProvider": "local", "model": row["model"]}
        return {
            "ok": True,
            "key": row["key"],
            "sessionId": row["sessionId"],
            "entry": self._entry(row),
            "runStarted": False,
            "resolved": resolved,
        }

    def _patch(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        row = self._touch(params["key"])
        for name, default in (("label", None), ("model", "local-1")):
            if name in params:
                row[name] = params[name] or default
        self._changed(row, "patch")
        resolved = {"modelProvider": "local", "model": row["model"]}
        return {"ok": True, "path": "memory", "key": row["key"], "entry": self._entry(row), "resolved": resolved}

    def _delete(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        row = self._sessions.pop(params["key"], None)
        if row is not None:
            self._changed(row, "delete")
        return {"ok": True, "key": params["key"], "deleted": row is not None, "archived": []}

    def _changed(self, row: dict[str, Any], reason: str) -> None:
        payload = {
            "sessionKey": row["key"],
            "agentId": row["agentId"],
            "reason": reason,
            "ts": int(time.time() * 1000),
        }
        if reason != "delete":
            payload["session"] = row
        subscribers = [peer for peer in self._peers if peer.session_events]
        self._peers.broadcast("sessions.changed", payload, to=subscribers)

    def _subscribe(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        peer.session_events = True
        return {"subscribed": True}

    def _messages(self, subscribed: bool) -> Callable[[Peer, str, dict[str, Any]], Any]:
        return lambda peer, request_id, params: {"subscribed": subscribed, "key": params["key"]}

    # Talk, approvals, pairing

    def _talk(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        payload = {**params, "ts": int(time.time() * 1000)}
        self._peers.broadcast("talk.mode", payload)
        return payload

    def _ask_approval(self, peer: Peer, request_id: str, params: dict[str, Any]) -> Any:
        if "command" not in params:
            raise Refusal("INVALID_REQUEST", "command is required")
        now = int(time.time() * 1000)
        timeout_ms = params.get("timeoutMs", 120_000)
        entry = {
            "id": str(uuid.uuid4()),
            "request": {name: value for name, value in params.items() if name not in ("timeoutMs", "twoPhase")},
            "createdAtMs": now,
            "expiresAtMs": now + timeout_ms,
        }
        decided: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._approvals[entry["id"]] = (decided, entry)
        self._peers.broadcast("exec.approval.requested", entry, scope="operator.approvals")
        times = {name: entry[name] for name in ("id", "createdAtMs", "expiresAtMs")}
        if params.get("twoPhase") is True:
            peer.answer(request_id, {"status": "accepted", **times})
        peer.spawn(self._await_decision(peer, request_id, decided, times, timeout_ms / 1000))
        return LATER

    async def _await_decision(
        self, peer: Peer, request_id: str, decided: asyncio.Future[str | None], times: dict[str, Any], timeout: float
    ) -> None:
        await asyncio.wait([decided], timeout=timeout)
        self._approvals.pop(times["id"], None)
        decision = decided.result() if decided.done() else None
        peer.answer(request_id, {**times, "decision": decision})

    def _resolve(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        if params["decision"] not in _DECISIONS:
            raise Refusal("INVALID_REQUEST", "invalid decision")
        decided, entry = self._approvals.get(params["id"], (None, {}))
        if decided is None or decided.done():
            details = {"reason": "APPROVAL_NOT_FOUND"}
            raise Refusal("INVALID_REQUEST", "unknown or expired approval id", details)
        decided.set_result(params["decision"])
        resolved = {"id": params["id"], "decision": params["decision"], "ts": int(time.time() * 1000)}
        self._peers.broadcast(
            "exec.approval.resolved", {**resolved, "request": entry["request"]}, scope="operator.approvals"
        )
        return {"ok": True}

    def _pairings(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        admission = self._admission
        paired = [
            {"deviceId": device.device_id, "platform": device.platform, "scopes": sorted(device.scopes)}
            for device in admission.devices.values()
        ]
        return {"pending": list(admission.pending.values()), "paired": paired}

    def _approve(self, peer: Peer, request_id: str, params: dict[str, Any]) -> dict[str, Any]:
        approved = self._admission.approve(params["requestId"])
        resolved = {
            "requestId": params["requestId"],
            "deviceId": approved["device"]["deviceId"],
            "decision": "approved",
            "ts": int(time.time() * 1000),
        }
        self._peers.broadcast("device.pair.resolved", resolved, scope="operator.pairing")
        return approved
