"""The embedded gateway's sessions: a row for each, in the real gateway's shape."""

from __future__ import annotations

import uuid
from typing import Any

from ..clock import now_ms

MODEL_PROVIDER, MODEL = "local", "local-1"
MAIN_AGENT = MAIN_KEY = "main"


def main_session(agent: str) -> str:
    """Return the key of an agent's main session."""
    return f"agent:{agent}:{MAIN_KEY}"


def agent_of(key: str) -> str:
    """Return the agent that a session's key names: ``agent:AGENT:...``; others are the main agent's."""
    return key.split(":")[1] if key.count(":") > 1 else MAIN_AGENT


class Sessions(dict[str, dict[str, Any]]):
    """Rows by session key."""

    def touch(self, key: str) -> dict[str, Any]:
        """Return a session's row, made if it is new, as just updated."""
        now = now_ms()
        row = self.get(key)
        if row is None:
            row = {
                "key": key,
                "kind": "direct",
                "agentId": agent_of(key),
                "sessionId": str(uuid.uuid4()),
                "createdAt": now,
                "updatedAt": now,
                "archived": False,
                "modelProvider": MODEL_PROVIDER,
                "model": MODEL,
                "hasActiveRun": False,
                "activeRunIds": [],
            }
            self[key] = row
        row["updatedAt"] = now
        return row

    def begin_run(self, key: str, run_id: str) -> None:
        """Note that a run of a session has begun."""
        self._set_active(key, [*self.touch(key)["activeRunIds"], run_id])

    def end_run(self, key: str, run_id: str) -> None:
        """Note that a run has ended."""
        if key in self:
            self._set_active(key, [active for active in self[key]["activeRunIds"] if active != run_id])

    def page(self, limit: int, offset: int, search: str) -> dict[str, Any]:
        """Return one page of ``sessions.list``, the latest session first."""
        rows = [row for row in self.values() if search in f"{row['key']} {row.get('label', '')}".lower()]
        rows.sort(key=lambda row: row["updatedAt"], reverse=True)
        end = offset + limit
        return {
            "ts": now_ms(),
            "path": "memory",
            "count": len(rows[offset:end]),
            "totalCount": len(rows),
            "limitApplied": limit,
            "nextOffset": end if len(rows) > end else None,
            "hasMore": len(rows) > end,
            "defaults": {"modelProvider": MODEL_PROVIDER, "model": MODEL, "contextTokens": 131072},
            "sessions": rows[offset:end],
        }

    def _set_active(self, key: str, run_ids: list[str]) -> None:
        self[key] |= {"activeRunIds": run_ids, "hasActiveRun": bool(run_ids)}
