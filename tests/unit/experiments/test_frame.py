"""An experiment's cells as a DataFrame."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from gateway_nb.experiments.frame import frame_of
from gateway_nb.experiments.plan import CONDITIONS, ERROR, RESULTS, Plan
from gateway_nb.experiments.store import Record

DATA = pd.DataFrame({"text": ["one", "two"], "expected": [1, 2]}, index=[7, 7])


def test_columns_and_dtypes_are_the_same_before_the_first_run_and_after() -> None:
    """The frame has a row for each cell, in the same columns with the same dtypes, whatever has run."""
    plan = Plan({"t": "{text}"}, DATA, repeats=2)
    before = frame_of(plan, {}, [])
    assert list(before) == [*CONDITIONS, "text", "expected", *RESULTS, ERROR]
    assert list(before["status"]) == ["waiting"] * 4
    assert list(before["row"]) == [0, 0, 1, 1]
    assert list(before["expected"]) == [1, 1, 2, 2]
    record = Record(3, "ok", run="r", model="p/m", seconds=1.5, cost=0.1, answer="a", scores={"contains": True})
    after = frame_of(plan, {3: record}, ["contains"])
    assert list(after[list(before)].dtypes) == list(before.dtypes)
    assert after.iloc[3][["status", "answer", "model", "contains"]].tolist() == ["ok", "a", "p/m", True]
    assert str(after["contains"].dtype) == "boolean"
    assert after["contains"].isna().tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, None], "boolean"),
        ([1, 0], "Int64"),
        ([1.0, 0.0], "Float64"),
        ([1, 0.5], "Float64"),
        (["good", None], "string"),
        ([True, 0.5], "object"),
        ([1, "good"], "object"),
        ([None, None], "object"),
    ],
)
def test_scores_have_the_dtype_of_their_type(values: list[Any], dtype: str) -> None:
    """A score's dtype comes from the type that its scorer returns, not from how round its numbers are."""
    records = {number: Record(number, "ok", scores={"score": value}) for number, value in enumerate(values)}
    column = frame_of(Plan({"t": "{text}"}, DATA), records, ["score"])["score"]
    assert str(column.dtype) == dtype
    assert [None if pd.isna(value) else value for value in column] == values
