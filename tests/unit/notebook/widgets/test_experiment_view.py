"""The kernel's side of the live view of an experiment: what a page is told of a cell."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.store import Record
from gateway_nb.notebook.widgets.experiment_view import ExperimentView


@pytest.mark.parametrize(
    ("square", "cell"),
    [
        (0, [["cell 0: t, row 0, agent main, repeat 0", "x" * 2_000 + "… 1,000 characters more"]]),
        (1, [["cell 1: t, row 1, agent main, repeat 0", "\\u001b[31mred"]]),
        (2, [["cell 2: t, row 2, agent main, repeat 0", "waiting"]]),
        (3, []),
        (-1, []),
        ("0", []),
    ],
)
def test_cells(square: Any, cell: list[list[str]]) -> None:
    """A cell is its condition, and its answer as it may be shown: what is left out of a long one is counted."""
    plan = Plan({"t": "{n}"}, pd.DataFrame({"n": [1, 2, 3]}))
    answers = {0: "x" * 3_000, 1: "\x1b[31mred"}
    records = {number: Record(number, "ok", answer=answer) for number, answer in answers.items()}
    sent: list[Any] = []
    view = ExperimentView(SimpleNamespace(name="x", plan=plan, records=records, running=False))  # type: ignore[arg-type]
    try:
        view.send = lambda content, buffers: sent.append((content["type"], json.loads(bytes(buffers[0]))))
        view._receive(view, {"type": "cell", "view": "v", "square": square}, [])
    finally:
        view.close()
    assert [body for kind, body in sent if kind == "cell"] == cell
