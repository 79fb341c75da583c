"""Audit rows, tasks, jobs and the log, page by page."""

from __future__ import annotations

import json

import pytest

from gateway_nb.server.answers import Refusal
from gateway_nb.server.state.cron import Cron
from gateway_nb.server.state.logs import MAX_LINES, Log
from gateway_nb.server.state.records import Records

ROW = {"key": "agent:main:a", "sessionId": "1", "agentId": "main"}
KINDS = ("agent_run", "tool_action")


def of_runs(*statuses: str) -> Records:
    records = Records()
    for number, status in enumerate(statuses):
        records.run_started(ROW, str(number), f"title {number}", "cli")
        records.run_ended(str(number), status, None if status == "done" else "why")
    return records


def test_what_a_run_came_to() -> None:
    """Done, failed and aborted runs say so, each in the words of its list."""
    records = of_runs("done", "failed", "killed")
    assert [task["status"] for task in records.tasks({}, 10)["tasks"]] == ["cancelled", "failed", "completed"]
    finished = [row for row in records.audit({}, 10, KINDS)["events"] if row["action"] == "agent.run.finished"]
    assert [row["status"] for row in finished] == ["cancelled", "failed", "succeeded"]
    assert [row.get("errorCode") for row in finished] == ["run_aborted", "run_failed", None]


def test_a_tasks_cursor_expires() -> None:
    """A cursor of tasks is good until something changes."""
    records = of_runs("done", "done", "done")
    cursor = records.tasks({}, 2)["nextCursor"]
    assert len(records.tasks({"cursor": cursor}, 2)["tasks"]) == 1
    records.run_started(ROW, "new", "title", "cli")
    with pytest.raises(Refusal, match="expired"):
        records.tasks({"cursor": cursor}, 2)


@pytest.mark.parametrize("cursor", ["none", "-1", "9" * 5000, "٣"])
def test_cursors_that_are_none(cursor: str) -> None:
    """What can't be a cursor is refused."""
    records = of_runs("done")
    with pytest.raises(Refusal, match="cursor"):
        records.audit({"cursor": cursor}, 2, KINDS)
    with pytest.raises(Refusal, match="cursor"):
        records.tasks({"cursor": cursor}, 2)


def test_audit_by_time() -> None:
    """Rows are told of a span of time."""
    records = of_runs("done")
    (newest, oldest) = records.audit({}, 10, KINDS)["events"]
    assert records.audit({"before": oldest["occurredAt"] - 1}, 10, KINDS) == {"events": []}
    assert records.audit({"after": newest["occurredAt"] + 1}, 10, KINDS) == {"events": []}


def test_jobs_by_page() -> None:
    """A page of jobs says how many there are and where the next one begins."""
    cron = Cron()
    ids = [cron.add({"name": str(number)})["id"] for number in range(3)]
    page = cron.listed(2, 0)
    assert ([job["id"] for job in page["jobs"]], page["total"], page["nextOffset"]) == (ids[:2], 3, 2)
    assert (cron.listed(2, 2)["hasMore"], cron.listed(None, 0)["limit"]) == (False, 3)
    cron.ended(cron.jobs[ids[0]], "run", 0, {"status": "ok"})
    cron.remove(ids[0])
    assert [entry["runId"] for entry in cron.runs({"id": ids[0]}, 10, 0)["entries"]] == ["run"]
    with pytest.raises(Refusal, match="Automation not found"):
        cron.runs({"id": "none"}, 10, 0)


def test_the_log() -> None:
    """A tail has the newest lines; a cursor gives those since, and says so where some are lost."""
    log = Log()
    assert log.tail(None, 5)["lines"] == []
    for number in range(3):
        log.add(f"method{number}", "INVALID_REQUEST" if number == 2 else None)
    tail = log.tail(None, 2)
    assert (tail["cursor"], tail["truncated"]) == (3, True)
    lines = [json.loads(line)["message"] for line in tail["lines"]]  # type: ignore[attr-defined]
    assert lines == ["⇄ res ✓ method1", "⇄ res ✗ method2 errorCode=INVALID_REQUEST"]
    assert log.tail(3, 5)["lines"] == []
    assert log.tail(99, 5)["reset"] is True
    for _ in range(MAX_LINES + 1):
        log.add("many", None)
    assert log.tail(3, MAX_LINES + 5)["truncated"] is True
