"""The lake's rows: one per line of the journal, on the day it was received, sorted by gateway."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from gateway_nb.capture.lake.columns import ORDER, SCHEMA, table_of
from gateway_nb.protocol.lines import Line, read_line

MIDNIGHT = dt.datetime(2026, 11, 27, tzinfo=dt.UTC).timestamp()


def line(time: float = MIDNIGHT, gateway: str | None = "north", seq: int | None = 1, mark: str | None = None) -> Line:
    name = b'"event":"tick"' if mark is None else b'"kind":"%s"' % mark.encode()
    number = b"" if seq is None else b',"seq":%d' % seq
    place = b"" if gateway is None else b',"gateway":"%s"' % gateway.encode()
    return read_line(b'{"t":%.6f,"epoch":3,%s%s%s,"payload":{"ts":5}}\n' % (time, name, number, place))


def test_every_line_is_a_row() -> None:
    """An event has every column; a mark has no event and no number, and the capture's own no gateway."""
    rows = table_of([line(), line(seq=None, mark="reconnect"), line(seq=None, gateway=None, mark="start")], "c1", 8)
    assert rows.schema == SCHEMA
    assert rows.to_pylist()[0] == {
        "date": dt.date(2026, 11, 27),
        "gateway": "north",
        "time": dt.datetime(2026, 11, 27, tzinfo=dt.UTC),
        "epoch": 3,
        "seq": 1,
        "event": "tick",
        "kind": "event",
        "payload": '{"ts":5}',
        "capture": "c1",
        "line": 8,
    }
    assert [(row["gateway"], row["event"], row["kind"], row["seq"]) for row in rows.to_pylist()[1:]] == [
        ("north", None, "reconnect", None),
        (None, None, "start", None),
    ]


@pytest.mark.parametrize(
    ("seconds", "day"),
    [(-1e-6, dt.date(2026, 11, 26)), (0.0, dt.date(2026, 11, 27)), (86399.999999, dt.date(2026, 11, 27))],
)
def test_a_row_is_of_the_day_it_was_received(seconds: float, day: dt.date) -> None:
    """A row's date is its receive time's in UTC, to the microsecond."""
    (row,) = table_of([line(MIDNIGHT + seconds)], "c1", 1).to_pylist()
    assert row["date"] == row["time"].date() == day


def test_a_clock_that_goes_back_loses_no_row() -> None:
    """Rows of a clock that was set back, or far ahead, are all there, each on the day that its clock said."""
    rows = table_of([line(MIDNIGHT), line(MIDNIGHT - 90_000), line(9e9), line(0.0)], "c1", 1)
    assert rows.column("line").to_pylist() == [1, 2, 3, 4]
    assert [str(day) for day in rows.column("date").to_pylist()] == [
        "2026-11-27",
        "2026-11-25",
        "2255-03-14",
        "1970-01-01",
    ]


def test_rows_are_sorted_by_gateway() -> None:
    """A gateway's rows lie together, in the journal's order; the capture's own come last."""
    lines = [line(gateway=name) for name in ("b", "a", None, "b", "a")]
    rows = table_of(lines, "c1", 1)
    assert rows.select(ORDER).to_pylist() == [
        {"gateway": name, "capture": "c1", "line": number}
        for name, number in [("a", 2), ("a", 5), ("b", 1), ("b", 4), (None, 3)]
    ]


def test_no_lines_are_no_rows() -> None:
    """An empty segment is an empty table with every column."""
    assert table_of([], "c1", 1) == pa.table({name: [] for name in SCHEMA.names}, schema=SCHEMA)
