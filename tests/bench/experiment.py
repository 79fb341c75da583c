"""An experiment's runs beside the same runs by hand, and the frame and summary of 10,000 cells beside pandas' means."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from gateway_nb.experiments.frame import frame_of
from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.statistics import summary
from gateway_nb.experiments.store import Record
from tests.bench.by_hand import overhead

_ROUNDS = 5


def _best(work: Callable[[], Any]) -> float:
    """Return the seconds of the quickest round; the first imports what is needed."""
    times = []
    for _ in range(_ROUNDS + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times[1:])


def _summaries(rows: int, repeats: int, models: tuple[str, ...]) -> dict[str, float]:
    chance = random.Random(0)
    data = pd.DataFrame({"text": [f"row {number}" for number in range(rows)]})
    plan = Plan({"short": "{text}", "long": "{text}!"}, data, models=models, repeats=repeats)
    records = {
        number: Record(
            number, "ok", run=f"r{number}", answer="x" * 200, seconds=1.0, cost=0.1, scores={"score": chance.random()}
        )
        for number in range(len(plan.cells))
    }
    frame = frame_of(plan, records, ["score"])
    name = f"{len(frame):,} cells, {rows:,} rows of data"
    return {
        f"df ({name}) (s)": round(_best(lambda: frame_of(plan, records, ["score"])), 3),
        f"summary ({name}) (s)": round(_best(lambda: summary(frame, "score")), 3),
        f"means by pandas ({name}) (s)": round(
            _best(lambda: frame.groupby(["template", "model", "agent"])["score"].mean()), 4
        ),
    }


def measure() -> dict[str, Any]:
    """Return seconds: of ten runs of each row, and of one, where intervals take the longest; and what runs take."""
    return {**_summaries(500, 5, ("p/a", "p/b")), **_summaries(5_000, 1, ("p/a",)), **overhead()}
