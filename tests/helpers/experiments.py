"""Frames of experiments that never ran, with the columns and dtypes of `Experiment.df`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd


def frame(
    score: Callable[[dict[str, Any]], Any],
    *,
    templates: Sequence[str] = ("short", "long"),
    rows: int = 10,
    models: Sequence[str | None] = (None,),
    agents: Sequence[str] = ("main",),
    repeats: int = 1,
    status: Callable[[dict[str, Any]], str] = lambda cell: "ok",
) -> pd.DataFrame:
    """Return a row for each cell, with the scores of a function of it."""
    names = ("template", "row", "model", "agent", "repeat")
    cells = [
        dict(zip(names, each, strict=True))
        for each in itertools.product(templates, range(rows), models, agents, range(repeats))
    ]
    count = len(cells)
    columns: dict[str, Any] = {name: [cell[name] for cell in cells] for name in names}
    columns["text"] = [f"text {cell['row']}" for cell in cells]
    columns["answer"] = [f"answer {number}" for number in range(count)]
    columns["status"] = [status(cell) for cell in cells]
    columns |= {"seconds": [1.0 + number for number in range(count)], "input_tokens": [10] * count}
    columns |= {"output_tokens": [5] * count, "cost": [0.5] * count}
    columns |= {"run": [f"run-{n}" for n in range(count)], "session": [f"agent:main:{n}" for n in range(count)]}
    found = pd.DataFrame(columns)
    kinds = dict.fromkeys(("template", "model", "agent", "answer", "status", "run", "session"), "string")
    kinds |= dict.fromkeys(("row", "repeat", "input_tokens", "output_tokens"), "Int64")
    found = found.astype({**kinds, "seconds": "Float64", "cost": "Float64"})
    scores = [score(cell) if cell_status == "ok" else None for cell, cell_status in zip(cells, found["status"])]  # noqa: B905
    return found.assign(
        score=pd.Series(scores, dtype="object").convert_dtypes(), error=pd.array([None] * count, "string")
    )
