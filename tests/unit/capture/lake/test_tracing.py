"""Sums over the shares of a lake."""

from __future__ import annotations

import pandas as pd

from gateway_nb.capture.lake.tracing import summed


def test_what_nobody_counted_is_missing() -> None:
    """Where no event tells of tokens the sum is missing, not 0; what some tell is summed."""
    frame = pd.DataFrame(
        {
            "model": pd.array(["a", "a", "b", None], "string"),
            "calls": pd.array([1, 2, 1, 1], "Int64"),
            "output_tokens": pd.array([None, None, 5, None], "Int64"),
        }
    )
    found = summed(pd.concat([frame, frame.iloc[:0]]), "model")
    assert found["calls"].tolist() == [3, 1, 1]
    assert found["output_tokens"].isna().tolist() == [True, False, True]
    assert found.dtypes.equals(frame.dtypes)
