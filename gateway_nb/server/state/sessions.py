"""The embedded gateway's sessions: a row for each, in the real gateway's shape."""

from __future__ import annotations

import uuid
from typing import Any

from ..answers import fault
from ..clock import now_ms
from .models import CONTEXT_TOKENS, MODEL, PROVIDER

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
                "modelProvider": PROVIDER,
                "model": MODEL,
                "contextTokens": CONTEXT_TOKENS,
                "hasActiveRun": False,
                "activeRunIds": [],
            }
            self[key] = row
        row["updatedAt"] = now
        return row

    def begin_run(self, key: str, run_id: str, started_at: int) -> dict[str, Any]:
        """Note that a run of a session has begun; return the session's row."""
        row = self.touch(key)
        row |= {"status": "running", "startedAt": started_at, "lastActivityAt": started_at}
        for old in ("endedAt", "runtimeMs"):
            row.pop(old, None)
        self._set_active(row, [*row["activeRunIds"], run_id])
        return row

    def end_run(self, key: str, run_id: str, status: str, usage: dict[str, Any]) -> dict[str, Any] | None:
        """Note that a run has ended; return the session's row, ``None`` if it was deleted meanwhile.

        Args:
            key: the session's.
            run_id: the run's.
            status: ``done``, ``failed`` or ``killed``.
            usage: of the run.
        """
        row = self.get(key)
        if row is None:
            return None
        now = now_ms()
        self.touch(key)
        self._set_active(row, [active for active in row["activeRunIds"] if active != run_id])
        row |= {"status": status, "endedAt": now, "runtimeMs": now - row.get("startedAt", now), "lastRunId": run_id}
        row |= {"inputTokens": usage["input"], "outputTokens": usage["output"], "totalTokens": usage["total"]}
        row |= {"estimatedCostUsd": usage["cost"]["total"], "lastActivityAt": now, "abortedLastRun": status == "killed"}
        return row

    def page(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return one page of ``sessions.list``, the latest session first; archived ones only where asked for."""
        limit, offset = params.get("limit", 100), params.get("offset", 0)
        search, archived = params.get("search", "").lower(), params.get("archived", False)
        wanted = {name: params[name] for name in ("label", "agentId") if name in params}
        rows = [
            row
            for row in self.values()
            if search in f"{row['key']} {row.get('label') or ''}".lower()
            and wanted.items() <= row.items()
            and archived in ("all", row["archived"])
        ]
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
            "defaults": {"modelProvider": PROVIDER, "model": MODEL, "contextTokens": CONTEXT_TOKENS},
            "sessions": rows[offset:end],
        }

    def find(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the row of the session that a key, an id or a label names.

        Raises:
            Refusal: there is none.
        """
        for name, words in (("key", ""), ("sessionId", ""), ("label", " with label")):
            if name in params:
                for row in self.values():
                    if row.get(name) == params[name]:
                        return row
                raise fault(f"No session found{words}: {params[name]}")
        raise fault("Either key, sessionId, label, shortId, or reference is required")

    def _set_active(self, row: dict[str, Any], run_ids: list[str]) -> None:
        row |= {"activeRunIds": run_ids, "hasActiveRun": bool(run_ids)}
