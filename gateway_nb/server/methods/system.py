"""What the gateway is and does: ``health``, ``status``, ``system-presence``, ``last-heartbeat``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import READ
from ..clock import now_ms
from ..state.sessions import MAIN_AGENT, Sessions
from .method import Call, Method, Table, unchecked

VERSION = "local"


def presence() -> list[dict[str, Any]]:
    """Return who is there: the gateway itself."""
    return [{"host": "localhost", "mode": "gateway", "reason": "self", "text": "Gateway: localhost", "ts": now_ms()}]


@dataclass
class System:
    """The methods."""

    _sessions: Sessions

    def table(self) -> Table:
        return {
            "health": Method(None, unchecked, self._health, role=None),
            "status": Method(READ, unchecked, self._status),
            "system-presence": Method(READ, unchecked, lambda call: presence()),
            "last-heartbeat": Method(READ, unchecked, lambda call: None),
        }

    def _health(self, call: Call) -> dict[str, Any]:
        sessions = {"path": "memory", "count": len(self._sessions), "recent": []}
        return {
            "ok": True,
            "ts": now_ms(),
            "durationMs": 0,
            "channels": {},
            "channelOrder": [],
            "channelLabels": {},
            "heartbeatSeconds": 0,
            "defaultAgentId": MAIN_AGENT,
            "agents": [{"agentId": MAIN_AGENT, "isDefault": True, "sessions": sessions}],
            "sessions": sessions,
        }

    def _status(self, call: Call) -> dict[str, Any]:
        return {
            "runtimeVersion": VERSION,
            "heartbeat": {"defaultAgentId": MAIN_AGENT, "agents": []},
            "channelSummary": [],
            "queuedSystemEvents": [],
            "tasks": {"total": 0, "active": 0, "terminal": 0, "failures": 0},
            "sessions": {"paths": ["memory"], "count": len(self._sessions), "recent": []},
        }
