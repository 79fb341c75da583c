"""A table's rows: found by a filter, named by ids that stay, while the log grows, seals, gives way and is cleared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway_nb.events.log as log_
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.events.log import EventLog
from gateway_nb.notebook.widgets.event_table.matches import Matches
from gateway_nb.notebook.widgets.event_table.preview import PREVIEW_BYTES, mark_text, preview
from gateway_nb.notebook.widgets.event_table.query import Condition, FilterError, Query
from gateway_nb.notebook.widgets.row_ids import LogRows
from tests.helpers.events import event


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_, "CHUNK_ROWS", 10)


def append(log: EventLog, start: int, stop: int) -> None:
    for number in range(start, stop):
        log.extend([event(number, name="even" if number % 2 == 0 else "odd")])


def seen(rows: LogRows, ids: Any) -> list[str]:
    table: list[str] = rows.take(np.array(ids))[1].column("payload").to_pylist()
    return table


def shown(rows: LogRows, query: Query) -> list[str]:
    matches = Matches(query, rows)
    assert matches.advance(60)
    return seen(rows, matches.ids(matches.first, matches.end))


def numbers(*values: int) -> list[str]:
    return [f'{{"n":{value}}}' for value in values]


def test_ids_stay() -> None:
    """A row keeps its id while rows come, are sealed and give way; each is found once."""
    log, rows = EventLog(max_rows=35), LogRows()
    matches = Matches(Query(events=("odd",)), rows)
    for number in range(0, 100, 3):
        append(log, number, number + 3)
        rows.follow(*log.pieces())
        matches.advance(60)
        assert (rows.first, rows.end) == (log.dropped, number + 3)
        held = range(rows.first, rows.end)
        assert seen(rows, list(held)) == numbers(*held)
        assert list(matches.ids(matches.first, matches.end)) == [one for one in held if one % 2]
        assert matches.end == sum(1 for one in range(number + 3) if one % 2)
        assert sum(rows.counts.values()) == len(log)
    assert seen(rows, [98, 0, 97, 96]) == numbers(98, 97, 96)


def test_a_cleared_log() -> None:
    """After a clear, ids go on, and nothing of before is shown."""
    log, rows = EventLog(), LogRows()
    matches = Matches(Query(), rows)
    append(log, 0, 25)
    rows.follow(*log.pieces())
    matches.advance(60)
    log.clear()
    append(log, 100, 113)
    rows.follow(*log.pieces())
    matches.advance(60)
    assert (rows.first, rows.end) == (25, 38)
    assert seen(rows, matches.ids(matches.first, matches.end)) == numbers(*range(100, 113))
    assert rows.counts.total() == 13


@pytest.mark.long
@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(["append", "clear", "many", "follow"]), max_size=40), st.integers(10, 40))
def test_whatever_happens(steps: list[str], max_rows: int) -> None:
    """Whatever happens to the log between two looks, the table shows exactly what the log holds."""
    log, rows = EventLog(max_rows=max_rows), LogRows()
    matches = Matches(Query(text="7"), rows)
    number = 0
    for step in [*steps, "follow"]:
        if step == "clear":
            log.clear()
        elif step == "follow":
            rows.follow(*log.pieces())
            matches.advance(60)
            held = log.to_arrow().column("payload").to_pylist()
            assert seen(rows, range(rows.first, rows.end)) == held
            assert seen(rows, matches.ids(matches.first, matches.end)) == [text for text in held if "7" in text]
        else:
            more = 1 if step == "append" else 27
            append(log, number, number + more)
            number += more


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), range(25)),
        (Query(events=("odd",)), range(1, 25, 2)),
        (Query(events=("no such",)), []),
        (Query(text="EVE"), range(0, 25, 2)),
        (Query(text='"n":1'), [1, *range(10, 20)]),
        (Query(start=1_000_000_000.003, end=1_000_000_000.006), [3, 4, 5]),
        (Query(path="n>22"), [23, 24]),
        (Query(path="$.n=7"), [7]),
        (Query(path="n"), range(25)),
        (Query(path="x"), []),
        (Query(path="n!=7", text="7"), [17]),
        (Query(sort="seq", descending=True, text='"n":2'), [24, 23, 22, 21, 20, 2]),
        (Query(sort="n", descending=True, path="n<3"), [2, 1, 0]),
        (Query(sort="event", path="n<4"), [0, 2, 1, 3]),
    ],
    ids=str,
)
def test_queries(query: Query, found: Any) -> None:
    """Names, texts, times and conditions choose rows; a sort orders them."""
    log, rows = EventLog(), LogRows()
    append(log, 0, 25)
    rows.follow(*log.pieces())
    assert shown(rows, query) == numbers(*found)


def test_markers_pass_a_filter_by_name() -> None:
    """A gap is seen whichever events are chosen: what is missing may have been one of them."""
    log, rows = EventLog(), LogRows()
    append(log, 0, 3)
    log.mark("gap", 1, {"expected": 3, "received": 9})
    rows.follow(*log.pieces())
    assert shown(rows, Query(events=("odd",))) == [*numbers(1), '{"expected":3,"received":9}']
    assert rows.counts == {"even": 2, "odd": 1, "gap": 1}


@pytest.mark.parametrize(
    ("kind", "detail", "text"),
    [
        ("gap", '{"expected":3,"received":9}', "▲ gap: 6 events are missing (expected 3, received 9)"),
        ("jump", '{"expected":8,"received":3}', "▲ jump: event 3 came where 8 was due"),
        ("gap", '{"expected":"3","received":9}', '● gap {"expected":"3","received":9}'),
        ("gap", "5", "● gap 5"),
        ("dropped", '{"events":3}', '● dropped {"events":3}'),
        ("reconnect", "{}", "↻ reconnected"),
    ],
)
def test_words_of_markers(kind: str, detail: str, text: str) -> None:
    """What a row between the events means stands there in words, whatever its detail holds."""
    assert mark_text(kind, detail) == text


@pytest.mark.parametrize(
    ("text", "payload", "met"),
    [
        ("a.b=1", {"a": {"b": 1}}, True),
        ("a.b=1.0", {"a": {"b": 1}}, True),
        ("a.b='1'", {"a": {"b": "1"}}, True),
        ("a.b=true", {"a": {"b": True}}, True),
        ("a.b=null", {"a": {}}, True),
        ("a.b!=1", {"a": {}}, True),
        ("a[1].b ~ X", {"a": [0, {"b": "axe"}]}, True),
        ("a<5", {"a": "4"}, False),
        ("a<5", {"a": True}, False),
        ("a", {"a": None}, False),
        ("a/b=1", {"a/b": 1}, True),
    ],
)
def test_conditions(text: str, payload: Any, met: bool) -> None:
    """A condition compares numbers as numbers and everything else as text; what is missing is null."""
    log, rows = EventLog(), LogRows()
    log.extend([event(0, payload=payload)])
    rows.follow(*log.pieces())
    assert bool(shown(rows, Query(path=text))) is met


@pytest.mark.parametrize("text", ["", "=5", "a<b", "...", "a=b=c~"])
def test_no_conditions(text: str) -> None:
    """What is no condition is refused with an example, or taken by its first sign."""
    if text == "a=b=c~":
        assert Condition.parse(text) == Condition(("a",), "=", "b=c~")
        return
    with pytest.raises(FilterError):
        Condition.parse(text)


@pytest.mark.parametrize("data", [{"start": "soon"}, {"events": 5}, {"path": "<"}, {"sort": "."}])
def test_a_browser_that_asks_nonsense(data: dict[str, Any]) -> None:
    """A filter that is none is an error of ours."""
    with pytest.raises(FilterError):
        Query.parse(data)


def test_what_a_browser_gets() -> None:
    """A browser gets short rows, whatever the payload's size and alphabet, and the columns it asked for."""
    log, rows = EventLog(), LogRows()
    log.extend([event(0, name="n" * 500, payload={"a": {"b": "é" * 5000}, "deep": [1, {}]})])
    log.extend([event(1, payload=None, seq=None)])
    rows.follow(*log.pieces())
    data = preview(7, *rows.take(np.array([0, 1, 99])), ["a.b", "deep", "none"], Redactor(), 1)
    assert data["at"] == 7
    assert data["ids"] == [0, 1]
    assert len(data["text"][0].encode()) <= PREVIEW_BYTES < data["size"][0]
    assert data["seq"] == [0, None]
    assert data["summary"] == [None, "n=1"]
    assert len(data["name"][0]) < 200
    assert [len(cells) for cells in data["cells"]] == [2, 2, 2]
    assert data["cells"][1][0] == "[1, {}]"
    assert data["t"][0] == 1_000_000_000_000_000


def test_large_payloads_have_no_summary() -> None:
    """A row of megabytes costs no more than any other: its summary is empty, and its beginning is shown."""
    log, rows = EventLog(), LogRows()
    log.extend(
        [event(0, "chat", {"sessionKey": "main", "text": "x" * 1_000_000}), event(1, "chat", {"sessionKey": "main"})]
    )
    rows.follow(*log.pieces())
    data = preview(0, *rows.take(np.array([0, 1])), [], Redactor(), 2)
    assert data["summary"] == ["", "main"]
    assert data["text"][0].startswith('{"sessionKey":"main"')
    assert data["size"][0] > 1_000_000


@pytest.mark.long
def test_rates() -> None:
    """The sparkline starts with what came in the last minute."""
    log, rows = EventLog(), LogRows()
    append(log, 0, 2500)
    rows.follow(*log.pieces())
    assert rows.rates(1_000_000_002.6, seconds=4) == [0, 601, 1000, 899]


def test_a_sorted_order_forgets() -> None:
    """Rows that were dropped leave a sorted order, and the others close up: a position is a row that is there."""
    log, rows = EventLog(max_rows=20), LogRows()
    append(log, 0, 20)
    rows.follow(*log.pieces())
    matches = Matches(Query(sort="seq", descending=True), rows)
    assert matches.advance(60)
    assert not matches.forget()
    append(log, 20, 31)
    rows.follow(*log.pieces())
    assert matches.forget()
    assert (matches.first, matches.end) == (0, 20 - rows.first)
    assert rows.take(matches.ids(0, matches.end))[1].column("seq").to_pylist() == list(range(19, rows.first - 1, -1))
