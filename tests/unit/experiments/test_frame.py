"""An experiment's cells as a DataFrame."""

from __future__ import annotations

import pandas as pd

from gateway_nb.experiments.experiment import Experiment
from gateway_nb.experiments.plan import CONDITIONS, ERROR, RESULTS, Plan
from gateway_nb.experiments.store import Record

DATA = pd.DataFrame({"text": ["one", "two"], "expected": [1, 2]}, index=[7, 7])


def test_columns_and_dtypes_are_the_same_before_the_first_run_and_after() -> None:
    """The frame has a row for each cell, in the same columns with the same dtypes, whatever has run."""
    experiment = Experiment(Plan({"t": "{text}"}, DATA, repeats=2))
    before = experiment.df
    assert list(before) == [*CONDITIONS, "text", "expected", *RESULTS, ERROR]
    assert list(before["status"]) == ["waiting"] * 4
    assert list(before["row"]) == [0, 0, 1, 1]
    assert list(before["expected"]) == [1, 1, 2, 2]
    experiment.scores = ("contains",)
    experiment.records[3] = Record(
        3, "ok", run="r", model="p/m", seconds=1.5, input_tokens=1, cost=0.1, answer="a", scores={"contains": True}
    )
    after = experiment.df
    assert list(after[list(before)].dtypes) == list(before.dtypes)
    assert after.iloc[3][["status", "answer", "model", "contains"]].tolist() == ["ok", "a", "p/m", True]
    assert str(after["contains"].dtype) == "boolean"
    assert after["contains"].isna().tolist() == [True, True, True, False]
