"""Jobs: kept, listed, and run when somebody runs them; the embedded gateway does not run them by their schedule.

- ``cron.add {name, schedule, sessionTarget, wakeMode, payload{kind: agentTurn, message}, ...}`` -> the job: ``{id,
  name, enabled, createdAtMs, updatedAtMs, schedule, sessionTarget, wakeMode, payload, state{lastRunAtMs?,
  lastRunStatus?, lastDurationMs?}}``; ``cron.remove {id}`` -> ``{ok, removed}``.
- ``cron.list {limit?: 1..200, offset?}`` -> ``{jobs, total, offset, limit, hasMore, nextOffset | null}``.
- ``cron.run {id, mode?}`` -> ``{ok, enqueued, runId}``; it runs in session ``agent:main:cron:ID``.
- ``cron.runs {id?, scope?, runId?, statuses?, limit?: 1..200 (50), offset?}`` -> ``{entries[{ts, jobId, action, runId,
  status: ok | error, summary?, error?, runAtMs, durationMs, model, provider, usage{input_tokens, output_tokens,
  total_tokens}, sessionKey, deliveryStatus}], total, offset, limit, hasMore, nextOffset | null}``, the newest first.
- Event ``cron {jobId, action: added | started | finished | removed, ...}``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import ADMIN, READ
from ..clock import now_ms
from ..params import Params, anything, array, choice, integer, text
from ..peers import Peers
from ..runs import Runs
from ..spawning import Tasks
from ..state.cron import STATUSES, Cron
from ..state.models import MODEL, PROVIDER, run_usage
from ..state.sessions import MAIN_AGENT
from .method import Call, Method, Table

_PAYLOAD = Params({"kind": choice("agentTurn"), "message": text}, ("kind", "message"), open=True)
_REQUIRED = ("name", "schedule", "sessionTarget", "wakeMode", "payload")
_OPTIONS = ("description", "enabled", "agentId", "delivery", "deleteAfterRun")
_ADD = Params({"name": text, **dict.fromkeys((*_REQUIRED[1:], *_OPTIONS), anything), "payload": _PAYLOAD}, _REQUIRED)
_ID = Params({"id": text}, ("id",))
_RUN = Params({"id": text, "mode": choice("due", "force", "if-enabled")}, ("id",))
_LIST = Params({"limit": integer(1, 200), "offset": integer(0), "includeDisabled": anything})
_RUNS = Params(
    {
        "id": text,
        "jobId": text,
        "scope": choice("job", "all"),
        "runId": text,
        "statuses": array(choice(*STATUSES)),
        "limit": integer(1, 200),
        "offset": integer(0),
    }
)


@dataclass
class CronMethods:
    """The methods."""

    _peers: Peers  # who hears of jobs
    _runs: Runs
    _cron: Cron
    _tasks: Tasks  # waits for the ends of jobs

    def table(self) -> Table:
        return {
            "cron.add": Method(ADMIN, _ADD, self._add),
            "cron.remove": Method(ADMIN, _ID, self._remove),
            "cron.run": Method(ADMIN, _RUN, self._run),
            "cron.list": Method(
                READ, _LIST, lambda call: self._cron.listed(call.params.get("limit"), call.params.get("offset", 0))
            ),
            "cron.runs": Method(
                READ,
                _RUNS,
                lambda call: self._cron.runs(call.params, call.params.get("limit", 50), call.params.get("offset", 0)),
            ),
        }

    def _add(self, call: Call) -> dict[str, Any]:
        job = self._cron.add(call.params)
        self._notify(job, "added")
        return job

    def _remove(self, call: Call) -> dict[str, Any]:
        job = self._cron.find(call.params["id"])
        self._cron.remove(job["id"])
        self._notify(job, "removed")
        return {"ok": True, "removed": True}

    def _run(self, call: Call) -> dict[str, Any]:
        job = self._cron.find(call.params["id"])
        run_id = f"manual:{job['id']}:{now_ms()}:{uuid.uuid4().hex[:8]}"
        self._tasks.spawn(self._until_end(job, run_id))
        return {"ok": True, "enqueued": True, "runId": run_id}

    async def _until_end(self, job: dict[str, Any], run_id: str) -> None:
        began, key = now_ms(), f"agent:{MAIN_AGENT}:cron:{job['id']}"
        self._notify(job, "started", runAtMs=began)
        label = f"Automation: {job['name']}"
        run = self._runs.start(run_id, key, job["payload"]["message"], runtime="cron", title=job["name"], label=label)
        await run.done.wait()
        assert run.final is not None
        used = run_usage(run.usage)
        usage = {"input_tokens": used["input"], "output_tokens": used["output"], "total_tokens": used["total"]}
        outcome = {"status": "ok" if run.final["status"] == "ok" else "error", "sessionKey": key, "usage": usage}
        outcome |= {"model": MODEL, "provider": PROVIDER, "deliveryStatus": "not-requested"}
        outcome |= {"error": run.error.message} if run.error else {"summary": run.text}
        entry = self._cron.ended(job, run_id, began, outcome)
        self._peers.broadcast("cron", entry)

    def _notify(self, job: dict[str, Any], action: str, **more: Any) -> None:
        self._peers.broadcast("cron", {"jobId": job["id"], "action": action, **more})
