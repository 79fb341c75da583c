"""What happened in the gateway: runs of jobs, tasks, audit rows, log lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BadArgumentError, GatewayRequestError
from .frames import Book, Column
from .paging import check_limit, count_of, pages
from .steps import Ask, Steps
from .times import When, milliseconds

if TYPE_CHECKING:
    import pandas as pd

_CRON_PAGE, _PAGE, _LINES = 200, 500, 5000
_LOG_BYTES = 1_000_000
CRON_RUNS = Book(
    "cron.runs",
    (
        Column("time", "time", "ts", "when it ended"),
        Column("job", "text", "jobId", "the job's id"),
        Column("name", "text", "jobName", "the job's name (``cron.list``); missing if it was removed"),
        Column("run", "text", "runId", "the run's id"),
        Column("session", "text", "sessionKey", "the key of the session that it ran in"),
        Column("status", "text", "status", "ok, error, skipped"),
        Column("delivery", "text", "deliveryStatus", "what became of its answer; an error may mean undelivered"),
        Column("error", "text", "error", "why it failed"),
        Column("summary", "text", "summary", "its answer, or the beginning of it"),
        Column("started", "time", "runAtMs", "when it began"),
        Column("seconds", "seconds", "durationMs", "how long it took, in seconds"),
        Column("provider", "text", "provider", "the model's provider"),
        Column("model", "text", "model", "the model's id"),
        Column("input_tokens", "count", "usage.input_tokens", "tokens in"),
        Column("output_tokens", "count", "usage.output_tokens", "tokens out"),
        Column("total_tokens", "count", "usage.total_tokens", "tokens in and out"),
    ),
)
TASKS = Book(
    "tasks.list",
    (
        Column("task", "text", "id", "its id"),
        Column("runtime", "text", "runtime", "what runs it: cli, subagent, cron"),
        Column("status", "text", "status", "queued, running, completed, failed, cancelled, ..."),
        Column("title", "text", "title", "what it is for: the prompt, or a job's name"),
        Column("agent", "text", "agentId", "the agent's id"),
        Column("session", "text", "sessionKey", "the key of the session that asked for it"),
        Column("child_session", "text", "childSessionKey", "the key of the session that it runs in"),
        Column("run", "text", "runId", "the run's id"),
        Column("created", "time", "createdAt", "when it was made"),
        Column("updated", "time", "updatedAt", "when it changed last"),
        Column("started", "time", "startedAt", "when it began"),
        Column("ended", "time", "endedAt", "when it ended"),
        Column("tool_calls", "count", "toolUseCount", "tools that it called"),
        Column("summary", "text", "terminalSummary", "how it ended, in words"),
        Column("error", "text", "error", "why it failed"),
    ),
)
AUDIT = Book(
    "audit.activity.list",
    (
        Column("number", "count", "sequence", "its place in the log"),
        Column("event", "text", "eventId", "its id"),
        Column("time", "time", "occurredAt", "when it happened"),
        Column("kind", "text", "kind", "agent_run, tool_action, message"),
        Column("action", "text", "action", "what happened"),
        Column("status", "text", "status", "started, succeeded, failed, ..."),
        Column("error", "text", "errorCode", "why it failed, as a code"),
        Column("agent", "text", "agentId", "the agent's id"),
        Column("session", "text", "sessionKey", "the session's key"),
        Column("run", "text", "runId", "the run's id"),
        Column("tool", "text", "toolName", "the tool's name"),
        Column("tool_call_digest", "text", "toolCallId", "``sha256:`` and the SHA-256 of the call's id"),
    ),
)
LOGS = Book(
    "logs.tail",
    (
        Column("time", "time", "time", "when it was written"),
        Column("level", "text", "_meta.logLevelName", "DEBUG, INFO, WARN, ERROR; CUT where older lines are missing"),
        Column("subsystem", "text", "_meta.name", "who wrote it, as the gateway names it"),
        Column("message", "text", "message", "the line"),
        Column("trace", "text", "traceId", "the trace's id"),
    ),
)


def read_cron_runs(job: str | None = None, limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read what became of jobs, the latest first."""
    params = {"scope": "all"} if job is None else {"id": job}
    rows = yield from pages("cron.runs", params, "entries", "runId", size=_CRON_PAGE, by="offset", limit=limit)
    jobs = yield from pages("cron.list", {"includeDisabled": True}, "jobs", "id", size=_CRON_PAGE, by="offset")
    names = {job.get("id"): job.get("name") for job in jobs if isinstance(job.get("id"), str)}
    return CRON_RUNS.frame([{"jobName": names.get(str(row.get("jobId"))), **row} for row in rows])


def read_tasks(limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read the tasks, the latest first."""
    return TASKS.frame((yield from pages("tasks.list", {}, "tasks", "id", size=_PAGE, by="cursor", limit=limit)))


def read_audit(
    session: str | None = None,
    run: str | None = None,
    agent: str | None = None,
    kind: Literal["agent_run", "tool_action", "message"] | None = None,
    status: str | None = None,
    since: When = None,
    until: When = None,
    limit: int | None = None,
) -> Steps[pd.DataFrame]:
    """Read the audit log, the latest first."""
    asked: dict[str, str | int | None] = {
        "sessionKey": session,
        "runId": run,
        "agentId": agent,
        "kind": kind,
        "status": status,
    }
    asked["after"], asked["before"] = milliseconds(since, "since"), milliseconds(until, "until")
    params = {name: value for name, value in asked.items() if value is not None}
    method = "audit.activity.list"
    rows = yield from pages(method, params, "events", "eventId", size=_PAGE, by="cursor", limit=limit)
    return AUDIT.frame(rows)


def read_logs(n: int = 1000) -> Steps[pd.DataFrame]:
    """Read the newest lines of the gateway's log, the oldest of them first."""
    check_limit(n)
    if n > _LINES:
        raise BadArgumentError(f"n must be at most {_LINES:,}: the gateway tells no more lines, not {n:,}")
    payload = yield Ask("logs.tail", {"limit": n, "maxBytes": _LOG_BYTES})
    lines = payload.get("lines") if isinstance(payload, dict) else None
    if not isinstance(lines, list):
        raise GatewayRequestError("logs.tail: the answer has no list 'lines'", method="logs.tail")
    records = [_line(line) for line in lines if isinstance(line, str)]
    if payload.get("truncated") is True and len(records) < n:
        size = count_of(payload, "size")
        older = f"older lines are left out: the gateway tells the newest {_LOG_BYTES:,} bytes of {size or 0:,}"
        records.insert(0, {"_meta": {"logLevelName": "CUT"}, "message": older})
    return LOGS.frame(records)


def _line(line: str) -> dict[str, Any]:
    """Return a line's fields; one that is not JSON is its own message."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {"message": line}
