"""What happened in the embedded gateway: audit rows and tasks, the latest first."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

from ..answers import fault
from ..clock import now_ms

_NUMBER = re.compile(r"[0-9]{1,15}")
_STATUS = {"done": "completed", "failed": "failed", "killed": "cancelled"}
_OUTCOME = {"done": "succeeded", "failed": "failed", "killed": "cancelled"}


class Records:
    """Audit rows and tasks."""

    def __init__(self) -> None:
        self._audit: list[dict[str, Any]] = []
        self._tasks: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, dict[str, Any]] = {}

    def run_started(self, row: dict[str, Any], run_id: str, title: str, runtime: str) -> None:
        """Note that a run has begun.

        Args:
            row: its session's.
            run_id: its id.
            title: what the task is called.
            runtime: ``cli`` or ``cron``.
        """
        now, task_id = now_ms(), str(uuid.uuid4())
        session = {"agentId": row["agentId"], "sessionKey": row["key"], "childSessionKey": row["key"]}
        about = {"id": task_id, "taskId": task_id, "kind": runtime, "runtime": runtime, "title": title, **session}
        times = {"createdAt": now, "updatedAt": now, "startedAt": now}
        self._rows[run_id] = row
        self._tasks[run_id] = {**about, "status": "running", "runId": run_id, "sourceId": run_id, **times}
        self._add(row, run_id, "agent_run", "agent.run.started", "started")

    def run_ended(self, run_id: str, status: str, error: str | None) -> None:
        """Note that a run has ended: ``done``, ``failed`` or ``killed``."""
        now = now_ms()
        task = self._tasks[run_id]
        task |= {"status": _STATUS[status], "updatedAt": now, "endedAt": now, "terminalSummary": error or "completed"}
        if error is not None:
            task["error"] = error
        code = {} if status == "done" else {"errorCode": "run_failed" if status == "failed" else "run_aborted"}
        self._add(self._rows.pop(run_id), run_id, "agent_run", "agent.run.finished", _OUTCOME[status], **code)

    def tool_started(self, run_id: str, name: str, call_id: str) -> None:
        """Note that a run calls a tool."""
        about = {"toolCallId": _digest(call_id), "toolName": name}
        self._add(self._rows[run_id], run_id, "tool_action", "tool.action.started", "started", **about)

    def tool_ended(self, run_id: str, name: str, call_id: str, *, failed: bool) -> None:
        """Note that a run has called a tool."""
        self._tasks[run_id] |= {"lastToolName": name, "toolUseCount": self._tasks[run_id].get("toolUseCount", 0) + 1}
        about = {"toolCallId": _digest(call_id), "toolName": name, **({"errorCode": "tool_failed"} if failed else {})}
        status = "failed" if failed else "succeeded"
        self._add(self._rows[run_id], run_id, "tool_action", "tool.action.finished", status, **about)

    def audit(self, params: dict[str, Any], limit: int, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Return one page of audit rows.

        Args:
            params: ``agentId``, ``sessionKey``, ``runId``, ``kind``, ``status``: what rows must have; ``after`` and
                ``before``: times; ``cursor``: of the page before.
            limit: of rows.
            kinds: which are told.

        Raises:
            Refusal: the cursor is none.
        """
        cursor = params.get("cursor")
        if cursor is not None and not _NUMBER.fullmatch(cursor):
            raise fault("invalid audit.activity.list range or cursor")
        wanted = {name: params[name] for name in ("agentId", "sessionKey", "runId", "kind", "status") if name in params}
        after, before = params.get("after", 0), params.get("before", float("inf"))
        rows = [
            row
            for row in reversed(self._audit)
            if row["kind"] in kinds
            and wanted.items() <= row.items()
            and after <= row["occurredAt"] <= before
            and (cursor is None or row["sequence"] < int(cursor))
        ]
        page: dict[str, Any] = {"events": rows[:limit]}
        return page | ({"nextCursor": str(rows[limit - 1]["sequence"])} if len(rows) > limit else {})

    def tasks(self, params: dict[str, Any], limit: int) -> dict[str, Any]:
        """Return one page of tasks; a cursor is good as long as nothing has changed.

        Raises:
            Refusal: the cursor is none, or is not good any more.
        """
        version = sum(task["updatedAt"] for task in self._tasks.values())
        offset = 0
        if "cursor" in params:
            at, _, of = params["cursor"].partition(".")
            if of != str(version) or not _NUMBER.fullmatch(at):
                raise fault("invalid or expired tasks.list cursor; restart pagination without a cursor")
            offset = int(at)
        statuses = params.get("status")
        wanted = {name: params[name] for name in ("agentId", "sessionKey") if name in params}
        tasks = [
            task
            for task in reversed(self._tasks.values())
            if wanted.items() <= task.items()
            and (statuses is None or task["status"] in ([statuses] if isinstance(statuses, str) else statuses))
        ]
        end = offset + limit
        page: dict[str, Any] = {"tasks": tasks[offset:end]}
        return page | ({"nextCursor": f"{end}.{version}"} if len(tasks) > end else {})

    def _add(self, row: dict[str, Any], run_id: str, kind: str, action: str, status: str, **more: Any) -> None:
        number = len(self._audit) + 1
        session = {"agentId": row["agentId"], "sessionKey": row["key"], "sessionId": row["sessionId"], "runId": run_id}
        about = {
            "schemaVersion": 1,
            "sequence": number,
            "eventId": str(uuid.uuid4()),
            "occurredAt": now_ms(),
            **session,
        }
        what = {"kind": kind, "action": action, "status": status, "eventType": kind, **more}
        self._audit.append({**about, **what, "actor": {"type": "agent", "id": row["agentId"]}})


def _digest(call_id: str) -> str:
    return f"sha256:{hashlib.sha256(call_id.encode()).hexdigest()}"
