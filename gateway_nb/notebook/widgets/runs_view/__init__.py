"""The panel's tab of agent runs, live."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute

from ....client.redaction.redactor import Redactor
from ....errors import printable
from ....events.runs import RUN_EVENTS, AgentRun, take
from ....events.traces.spans import trace_id
from ..event_table import Source
from ..live import LiveWidget, bundle
from ..row_ids import LogRows

_SHOWN_RUNS = 50
_KEPT_RUNS = 500
_SHOWN_TOOLS = 50
_SHOWN_TEXT = 80
_READ_SECONDS = 0.02
_PERIOD = 0.5


class RunsView(LiveWidget):
    """One line per agent run of a log, with its course in time.

    Args:
        log: whose runs.
        title: of it.
        choose: called with the id of a run that was clicked on.
    """

    _esm = bundle("runs_view", "js")
    _css = bundle("runs_view", "css")
    MESSAGES = ("choose",)

    def __init__(self, log: Source, title: str, choose: Callable[[str], object]) -> None:
        self._choose = choose
        self._log = log
        self._title = title
        self._rows = LogRows()
        self._seen = 0
        self._runs: dict[str, AgentRun] = {}
        self._posted: Any = None
        self._next = 0.0
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view the newest runs."""
        with self._lock:
            self._catch_up()
            self.post("runs", self._describe(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views the runs where they went on."""
        with self._lock:
            self._catch_up()
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + _PERIOD
            runs = self._describe()
            if runs != self._posted:
                self._posted = runs
                self.post("runs", runs)

    def __repr__(self) -> str:
        return printable(f"<RunsView {self._title}>")

    def _on_choose(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            chosen = [run for run in self._runs if trace_id(run) == content.get("run")]
        for run in chosen:
            self._choose(run)

    def _catch_up(self) -> None:
        """Read what came, for a short while."""
        until = time.perf_counter() + _READ_SECONDS
        rows = self._rows
        rows.follow(*self._log.pieces())
        self._seen = max(self._seen, rows.first)
        firsts = [segment.first for segment in rows.segments]
        while self._seen < rows.end and time.perf_counter() < until:
            segment = rows.segments[bisect.bisect_right(firsts, self._seen) - 1]
            new = segment.rows(self._seen - segment.first, len(segment))
            self._seen = segment.end
            names = new.column("event").cast(pa.string())
            new = new.filter(compute.is_in(names, pa.array(RUN_EVENTS)))
            for when, event, text in zip(
                new.column("time").cast(pa.int64()).to_pylist(),
                new.column("event").to_pylist(),
                new.column("payload").to_pylist(),
                strict=True,
            ):
                take(self._runs, when / 1e9, event, text)
        for run in list(self._runs)[: max(len(self._runs) - _KEPT_RUNS, 0)]:
            del self._runs[run]

    def _describe(self) -> list[dict[str, Any]]:
        redactor = self._log.redactor
        return [_row(run, redactor) for run in list(self._runs.values())[-_SHOWN_RUNS:]]


def _row(run: AgentRun, redactor: Redactor) -> dict[str, Any]:
    return {
        "id": trace_id(run.run),
        "run": redactor.start(run.run, _SHOWN_TEXT)[:_SHOWN_TEXT],
        "session": redactor.start(run.session or "", _SHOWN_TEXT)[:_SHOWN_TEXT],
        "status": run.status,
        "start": run.start,
        "end": run.end,
        "first": run.first_token,
        "tools": [call.start for call in run.calls[:_SHOWN_TOOLS]],
        "calls": len(run.calls),
        "deltas": run.deltas,
        "tokens": run.tokens,
    }
