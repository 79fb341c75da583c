"""The rows that the panel's tab of records shows."""

from __future__ import annotations

import pandas as pd
import pytest

from gateway_nb.notebook.widgets.data_view import selected
from gateway_nb.records.messages import MESSAGES
from tests.helpers.records import message, usage

FRAME = MESSAGES.frame(
    [
        message(1, text="Hello (there)", usage=usage(10, 0.5)),
        message(2, text="other", model="m-7"),
        message(3, text=None, usage=usage(2, 0.25)),
    ]
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [(None, [1, 2, 3]), ("", [1, 2, 3]), ("hello (", [1]), ("M-7", [2]), ("0.25", [3]), ("nowhere", []), (".*", [])],
)
def test_filtering(text: str | None, numbers: list[int]) -> None:
    """A text is found in any column, in either case, as it is typed."""
    assert selected(FRAME, text)["number"].tolist() == numbers


@pytest.mark.parametrize(
    ("sort", "descending", "numbers"),
    [
        ("cost", False, [3, 1, 2]),
        ("cost", True, [1, 3, 2]),
        ("text", False, [1, 2, 3]),
        ("time", True, [3, 2, 1]),
        ("no such column", True, [1, 2, 3]),
    ],
)
def test_sorting(sort: str, descending: bool, numbers: list[int]) -> None:
    """Rows are sorted by a column, and where it has no value they come last either way."""
    assert selected(FRAME, None, sort, descending)["number"].tolist() == numbers


def test_nothing_to_select() -> None:
    """A book without rows can be filtered and sorted."""
    frame: pd.DataFrame = MESSAGES.frame([])
    assert len(selected(frame, "x", "cost", True)) == 0
