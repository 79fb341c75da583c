"""Jobs and their runs, in the real gateway's shapes. A job of the embedded gateway runs when somebody runs it."""

from __future__ import annotations

import uuid
from typing import Any

from ..answers import Refusal, fault
from ..clock import now_ms

STATUSES = ("ok", "error", "skipped")


class Cron:
    """Jobs by id, and what their runs came to."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self._runs: list[dict[str, Any]] = []

    def add(self, given: dict[str, Any]) -> dict[str, Any]:
        """Keep a new job."""
        now, job_id = now_ms(), str(uuid.uuid4())
        times = {"createdAtMs": now, "updatedAtMs": now}
        job: dict[str, Any] = {"id": job_id, "enabled": True, **given, **times, "state": {}}
        self.jobs[job_id] = job
        return job

    def find(self, job_id: str) -> dict[str, Any]:
        """Return a job.

        Raises:
            Refusal: there is none of that id.
        """
        if job_id not in self.jobs:
            raise _missing(job_id)
        return self.jobs[job_id]

    def remove(self, job_id: str) -> None:
        """Drop a job; its runs stay.

        Raises:
            Refusal: there is none of that id.
        """
        self.find(job_id)
        del self.jobs[job_id]

    def ended(self, job: dict[str, Any], run_id: str, began: int, outcome: dict[str, Any]) -> dict[str, Any]:
        """Keep what a run came to.

        Args:
            job: whose run.
            run_id: its id.
            began: when, in milliseconds since 1970.
            outcome: ``status``, ``summary``, ``error``, ``model``, ``usage``, ...
        """
        now = now_ms()
        times = {"ts": now, "runAtMs": began, "durationMs": now - began}
        entry = {"jobId": job["id"], "action": "finished", "runId": run_id, **times, **outcome}
        self._runs.append(entry)
        job["state"] = {"lastRunAtMs": began, "lastRunStatus": outcome["status"], "lastDurationMs": now - began}
        return entry

    def listed(self, limit: int | None, offset: int) -> dict[str, Any]:
        """Return one page of jobs."""
        return _page("jobs", list(self.jobs.values()), limit, offset)

    def runs(self, params: dict[str, Any], limit: int, offset: int) -> dict[str, Any]:
        """Return one page of runs, the latest first.

        Raises:
            Refusal: there is no such job.
        """
        job_id = params.get("id", params.get("jobId"))
        if job_id is not None and job_id not in {*self.jobs, *(entry["jobId"] for entry in self._runs)}:
            raise _missing(job_id)
        statuses = params.get("statuses", STATUSES)
        entries = [
            entry
            for entry in reversed(self._runs)
            if job_id in (None, entry["jobId"])
            and entry["status"] in statuses
            and params.get("runId") in (None, entry["runId"])
        ]
        return _page("entries", entries, limit, offset)


def _page(name: str, rows: list[dict[str, Any]], limit: int | None, offset: int) -> dict[str, Any]:
    end = offset + (len(rows) if limit is None else limit)
    more = len(rows) > end
    about = {"total": len(rows), "offset": offset, "limit": len(rows) if limit is None else limit}
    return {name: rows[offset:end], **about, "hasMore": more, "nextOffset": end if more else None}


def _missing(job_id: str) -> Refusal:
    words = f"Automation not found: {job_id}. List automations and retry with a current job id."
    return fault(words, code="CRON_JOB_NOT_FOUND", jobId=job_id)
