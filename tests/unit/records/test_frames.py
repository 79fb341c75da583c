"""Records as DataFrames."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from gateway_nb.records import activity, inventory, messages, search, sessions, usage
from gateway_nb.records.frames import DTYPES, Book, Column

BOOKS = {
    name: book
    for module in (activity, inventory, messages, search, sessions)
    for name, book in vars(module).items()
    if isinstance(book, Book)
} | {f"usage by {by}": book for by, book in usage.USAGE.items()}
BOOK = Book(
    "list",
    (
        Column("time", "time", "at", "when"),
        Column("id", "text", "id", "which"),
        Column("count", "count", "deep.count", "how many"),
        Column("cost", "number", "cost.total", "in USD"),
        Column("seconds", "seconds", "ms", "how long"),
        Column("open", "flag", "open", "whether"),
        Column("all", "json", "all", "everything"),
        Column("either", "text", "first|second", "one of two"),
    ),
)
RECORD = {
    "at": 1_700_000_000_123,
    "id": "x",
    "deep": {"count": 3, "other": 1},
    "cost": {"total": 0.5},
    "ms": 1500,
    "open": True,
    "all": [1, {"a": 2}],
    "second": "two",
    "new": {"a": None},
    "nothing": None,
}


@pytest.mark.parametrize("name", BOOKS)
def test_dtypes_do_not_depend_on_rows(name: str) -> None:
    """Every frame has its dtypes without rows and with a row in which nothing is right."""
    book = BOOKS[name]
    expected = {column.name: DTYPES[column.kind] for column in book.columns} | {"more": "string"}
    wrong = {path[0]: [1e300] for column in book.columns for path in column.paths}
    for records in ([], [{}], [wrong]):
        frame = book.frame(records)
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == expected
        assert len(frame) == len(records)


@pytest.mark.parametrize("name", BOOKS)
def test_columns_are_documented_once(name: str) -> None:
    """Each column of a book has one name, and says what it means and where it comes from."""
    columns = BOOKS[name].columns
    assert len({column.name for column in columns}) == len(columns)
    assert all(column.about and column.source for column in columns)
    assert all(f"``{column.name}`` ({DTYPES[column.kind]})" in BOOKS[name].documentation for column in columns)


def test_a_row() -> None:
    """Fields become columns, in their units, and what is in no column is in `more`."""
    row = BOOK.frame([RECORD]).iloc[0]
    assert row["time"] == pd.Timestamp("2023-11-14 22:13:20.123", tz="UTC")
    assert (row["id"], row["count"], row["cost"], row["seconds"], row["open"]) == ("x", 3, 0.5, 1.5, True)
    assert (row["all"], row["either"]) == ('[1,{"a":2}]', "two")
    assert json.loads(row["more"]) == {"deep": {"other": 1}, "new": {"a": None}}
    assert BOOK.frame([RECORD]).attrs == {"currency": "USD"}


WRONG: list[tuple[str, Any]] = [
    ("id", 5),
    ("id", {"a": 1}),
    ("at", "yesterday"),
    ("at", True),
    ("at", 10**18),
    ("at", -(10**18)),
    ("ms", "long"),
    ("open", "yes"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_values_that_do_not_fit(field: str, value: Any) -> None:
    """A value that its column can't hold is missing there, and kept in `more`."""
    (column,) = [column.name for column in BOOK.columns if column.source == field]
    row = BOOK.frame([{field: value}]).iloc[0]
    assert row[column] is pd.NaT or pd.isna(row[column])
    assert json.loads(row["more"]) == {field: value}


def test_numbers_beyond_64_bits() -> None:
    """A count beyond 64 bits is missing in its column, and kept."""
    row = BOOK.frame([{"deep": {"count": 2**70}}]).iloc[0]
    assert pd.isna(row["count"])
    assert json.loads(row["more"]) == {"deep.count": 2**70}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (-86_400_000, "1969-12-31"),
        (0, "1970-01-01"),
        ("2026-11-26", "2026-11-26"),
        ("2026-11-26T01:00:00+01:00", "2026-11-26"),
        (-62_135_596_800_000, "0001-01-01"),
    ],
)
def test_times(at: Any, expected: str) -> None:
    """Times are milliseconds or ISO texts, in UTC, and may be before 1970."""
    assert BOOK.frame([{"at": at}])["time"].iloc[0].isoformat() == f"{expected}T00:00:00+00:00"


def test_half_characters() -> None:
    """Half a character, which UTF-8 does not have, becomes a question mark instead of an error."""
    assert BOOK.frame([{"id": "a\ud800"}])["id"].iloc[0] == "a?"


def test_frames_merge() -> None:
    """What is the same thing has the same name and dtype in every frame."""
    keys = {"session", "run", "message", "tool_call", "agent", "model", "provider"}
    dtypes = {(column.name, column.kind) for book in BOOKS.values() for column in book.columns if column.name in keys}
    assert dtypes == {(key, "text") for key in keys}
