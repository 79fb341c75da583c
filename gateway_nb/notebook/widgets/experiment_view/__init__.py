"""An experiment while it runs: a square for each cell, what they cost, and the scores so far."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Mapping
from typing import Any

from ....errors import printable
from ....experiments.experiment import Experiment
from ....experiments.progress import standings, summary
from ..live import LiveWidget, bundle, excerpt

_PERIOD = 0.5  # seconds between two looks at all cells
_MOST_SQUARES = 4_000
_LETTERS = {"ok": "o", "failed": "f", "timeout": "f", "aborted": "a", "lost": "a", "running": "r", "waiting": "w"}
_FIRST_SHOWN = "rfawo"
"""Which of several cells' states their square shows: the first of these that one of them has."""
_LONGEST = 2_000  # characters of an answer


class ExperimentView(LiveWidget):
    """The cells of an experiment, by number. Made by ``exp.grid()``.

    Args:
        experiment: whose cells they are.
    """

    _esm = bundle("experiment_view", "js")
    _css = bundle("experiment_view", "css")
    MESSAGES = ("stop", "cell")

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._together = math.ceil(len(experiment.plan.cells) / _MOST_SQUARES)
        self._posted: Any = None
        self._next = 0.0
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view everything."""
        self.post("state", self._describe(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views what is new."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PERIOD
            state = self._describe()
            if state != self._posted:
                self._posted = state
                self.post("state", state)

    def html(self) -> str:
        """Return what became of the cells, and the scores."""
        return f"<pre>{html.escape(self.text())}</pre>"

    def text(self) -> str:
        """Return the same for a terminal."""
        state = self._describe()
        rows = ["  ".join(row) for row in state["rows"]]
        return printable("\n".join([state["summary"], *rows]))

    def __repr__(self) -> str:
        return "<ExperimentView>"

    def _on_stop(self, view: str, content: Mapping[str, Any]) -> None:
        self._experiment.stop("wait" if content.get("how") == "wait" else "abort")

    def _on_cell(self, view: str, content: Mapping[str, Any]) -> None:
        number, cells = content.get("square"), self._experiment.plan.cells
        if type(number) is not int or not 0 <= number * self._together < len(cells):
            return
        cell = cells[number * self._together]
        record = self._experiment.records.get(cell.number)
        model = f", model {cell.model}" if cell.model else ""
        about = f"cell {cell.number}: {cell.template}, row {cell.row}, agent {cell.agent}{model}, repeat {cell.repeat}"
        more = "waiting" if record is None else record.error or record.answer or record.status
        self.post("cell", [printable(about), excerpt(more, _LONGEST)], to=view)

    def _describe(self) -> dict[str, Any]:
        plan, records = self._experiment.plan, self._experiment.records
        letters = [_LETTERS["waiting"]] * len(plan.cells)
        for number, record in list(records.items()):
            letters[number] = _LETTERS[record.status]
        groups = (letters[first : first + self._together] for first in range(0, len(letters), self._together))
        squares = "".join(min(group, key=_FIRST_SHOWN.index) for group in groups)
        rows = standings(plan, records)
        return {
            "squares": squares,
            "together": self._together,
            "running": self._experiment.running,
            "summary": f"{self._experiment.name}: {summary(list(records.values()), len(plan.cells))}",
            "rows": [[printable(text) for text in row] for row in rows],
        }
