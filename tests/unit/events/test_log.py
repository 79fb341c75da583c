"""The event log and its frames: complete, bounded, cheap to ask again, and nobody's change reaches another frame."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

import gateway_nb.events.frame as frame_
import gateway_nb.events.log as log_
from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.events.rows import text_array
from tests.helpers.events import event

DTYPES = {
    "time": "datetime64[ns, UTC]",
    "epoch": "int32",
    "seq": "Int64",
    "event": "category",
    "kind": "category",
    "payload": "string",
}


def filled(count: int, **options: Any) -> EventLog:
    log = EventLog(**options)
    for number in range(count):
        log.extend([event(number, name="even" if number % 2 == 0 else "odd")])
    return log


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_, "CHUNK_ROWS", 10)


def numbers(frame: pd.DataFrame) -> list[int]:
    return [int(payload[5:-1]) for payload in frame["payload"]]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25, 100])
def test_frames(count: int) -> None:
    """A frame has every row once, in order, with stable dtypes, whatever is sealed."""
    log = filled(count)
    assert {name: str(dtype) for name, dtype in log.df.dtypes.items()} == DTYPES
    assert numbers(log.df) == list(range(count)) == list(log.df["seq"])
    assert list(log.df["event"]) == ["even" if number % 2 == 0 else "odd" for number in range(count)]
    assert len(log) == count == log.to_arrow().num_rows
    assert numbers(log.tail(3)) == list(range(count))[-3:]


@pytest.mark.usefixtures("small_chunks")
def test_frames_that_follow_each_other() -> None:
    """Each frame goes on where the one before it ended, through seals and marks."""
    log = EventLog()
    frames = []
    for number in range(35):
        log.extend([event(number)])
        if number == 20:
            log.mark("gap", 1, {"expected": 5, "received": 9})
        frames.append(log.df)
    assert [len(frame) for frame in frames] == [*range(1, 21), *range(22, 37)]
    last = frames[-1]
    assert list(last[last["kind"] == "event"]["seq"]) == list(range(35))
    marker = last[last["kind"] == "gap"].iloc[0]
    assert pd.isna(marker["seq"])
    assert pd.isna(marker["event"])
    assert marker["payload"] == '{"expected":5,"received":9}'
    assert numbers(frames[4]) == list(range(5))


@pytest.mark.usefixtures("small_chunks")
def test_a_users_change_stays_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing into a frame changes no other, earlier or later, though they share memory."""
    monkeypatch.setattr(frame_, "_FRAMES_KEPT", 3)
    log = filled(5)
    frames = []
    for number in range(5, 40):
        mine = log.df
        log.extend([event(number)])
        later = log.df
        for column, value in (("epoch", 99), ("seq", 99), ("time", pd.Timestamp(0, tz="UTC")), ("payload", "mine")):
            mine.loc[0, column] = value
        assert mine.loc[0, "seq"] == 99
        assert (later.loc[0, "epoch"], later.loc[0, "seq"], later.loc[0, "payload"]) == (1, 0, '{"n":0}')
        frames.append(later)
    assert all(frame.loc[0, "seq"] == 0 and frame.loc[0, "time"].year == 2001 for frame in [*frames, log.df])


@pytest.mark.usefixtures("small_chunks")
def test_bounds() -> None:
    """Beyond the bounds the oldest rows are dropped, and are counted."""
    log = filled(95, max_rows=30)
    assert numbers(log.df) == list(range(60, 95))
    assert log.stats.dropped == 60
    log.extend([event(95)])
    assert numbers(log.df)[-1] == 95
    by_size = filled(100, max_bytes=2000)
    assert by_size.stats.bytes <= 2000
    assert by_size.stats.dropped + len(by_size) == 100
    assert numbers(by_size.df)[-1] == 99
    assert f"{log.dropped:,} older ones were dropped" in repr(log)


def test_steps() -> None:
    """Rows give way 8,192 at a time, and are packed when they are that many, or 32 MiB."""
    log = filled(16_383, max_rows=8192)
    assert (len(log), log.dropped) == (16_383, 0)
    log.extend([event(16_383)])
    assert (len(log), log.dropped) == (8192, 8192)
    few = filled(8192, max_rows=1)
    assert (len(few), few.dropped) == (8192, 0), "the newest pack stays, however large"
    large, mebibyte = EventLog(), 1024 * 1024
    for part in range(2):
        for size in (*[mebibyte] * 31, mebibyte - 1):
            large.extend([Event(1.0, 1, "x", None, msgspec.Raw(b'"' + b"x" * (size - 2) + b'"'))])
            assert part * 32 * mebibyte <= large.stats.bytes < (part * 33 + 0.1) * mebibyte
        large.extend([Event(1.0, 1, "x", None, msgspec.Raw(b"1"))])
        assert (part + 1) * 32 * mebibyte < large.stats.bytes < (part + 1) * 33 * mebibyte


@pytest.mark.parametrize(
    ("old", "new", "joined"),
    [
        ([(1.0, 1), (2.0, 2)], [], [1, 2]),
        ([], [(1.0, 1)], [1]),
        ([(1.0, 1), (2.0, 2)], [(2.0, 2), (3.0, 3)], [1, 2, 3]),
        ([(1.0, 1), (2.5, 2)], [(2.0, 2), (2.6, 2), (3.0, 3)], [1, 2, 2, 3]),
        ([(1.0, 1), (1.5, 7), (2.5, 7)], [(2.0, 7), (2.1, 7), (2.2, 7)], [1, 7, 7, 7, 7]),
    ],
)
def test_logs_that_overlap(old: list[Any], new: list[Any], joined: list[int]) -> None:
    """Of two logs of connections that overlapped every event is kept once: those that came to both count as one."""
    log, newer = EventLog(), EventLog()
    for part, rows in ((log, old), (newer, new)):
        part.extend([Event(at, 1, "x", None, msgspec.Raw(b'{"n":%d}' % number)) for at, number in rows])
    log.join(newer)
    assert numbers(log.df) == joined


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("bound", ["rows", "bytes"])
def test_packs_of_any_size(bound: str) -> None:
    """As many of the oldest packs give way as it takes, whatever their sizes; at a bound none does."""
    first, second, third = (
        [event(number, payload={"n": number, "more": "x" * size}) for number in range(count)]
        for count, size in ((10, 10), (19, 200), (12, 100))
    )

    def weight(events: list[Event]) -> int:
        log = EventLog()
        log.extend(events)
        return log.stats.bytes

    if bound == "rows":
        log = EventLog(max_rows=len(first) + len(second))
    else:
        log = EventLog(max_bytes=weight(first) + weight(second))
    for events, rows, dropped in ((first, 10, 0), (second, 29, 0), (third, 12, 29)):
        log.extend(events)
        assert (len(log), log.dropped, log.stats.bytes > 0) == (rows, dropped, True)


def test_default_bounds() -> None:
    """A log holds a million rows or 512 MiB unless it is told otherwise, and shows its newest 10 rows."""
    bounds = inspect.signature(EventLog).parameters
    assert (bounds["max_rows"].default, bounds["max_bytes"].default) == (1_000_000, 536_870_912)
    assert numbers(filled(12).tail()) == list(range(2, 12))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("every", [1, 3, 7, 40])
def test_frames_while_rows_give_way(every: int) -> None:
    """A frame's rows belong together, however many rows have given way since the one before."""
    log = EventLog(max_rows=25)
    for number in range(100):
        log.extend([event(number)])
        if number % every == 0:
            frame = log.df
            assert numbers(frame) == list(frame["seq"]) == list(range(number + 1 - len(frame), number + 1))
            assert len(frame) + log.dropped == number + 1


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 24, 25, 26])
def test_tails(count: int) -> None:
    """The newest rows are as many as asked for, out of the tail and as many chunks as it takes."""
    assert numbers(filled(25).tail(count)) == list(range(25))[max(25 - count, 0) :]


@pytest.mark.usefixtures("small_chunks")
def test_stats() -> None:
    """The counts by name are those of all events, sealed or not, most frequent first; marks are rows without a name."""
    log = filled(15)
    log.mark("gap", 1, {"expected": 15, "received": 16})
    log.extend([event(number, name="odd") for number in range(16, 22)])
    stats = log.stats
    assert list(stats.events.items()) == [("odd", 13), ("even", 8)]
    assert (stats.rows, stats.dropped) == (22, 0)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("count", [5, 95])
def test_clear(count: int) -> None:
    """A cleared log is empty, and goes on; nothing of it has given way."""
    log = filled(count, max_rows=30)
    assert len(log.df) == len(log)
    log.clear()
    assert len(log.df) == len(log) == log.dropped == 0
    log.extend([event(7)])
    assert numbers(log.df) == [7]


def test_looks() -> None:
    """A log shows its counts and newest rows, escaped."""
    log = filled(3)
    log.extend([event(3, name="<script>", payload={"html": "<b>"})])
    assert repr(log) == "<EventLog 4 rows · even: 2, odd: 1, <script>: 1>"
    shown = log._repr_html_()
    assert "<script>" not in shown
    assert '<td>{"html":"&lt;b&gt;"}</td>' in shown
    assert "border=" not in shown
    assert filled(7)._repr_html_().count("<td>{") == 5
    assert log.stats.events == {"even": 2, "odd": 1, "<script>": 1}
    assert repr(EventLog()) == "<EventLog 0 rows>"
    for count, names in ((6, "a: 1, b: 1, c: 1, d: 1, e: 1, f: 1"), (8, "d: 1, e: 1, f: 1, 2 more names")):
        log.clear()
        log.extend([event(number, name=name) for number, name in enumerate("abcdefgh"[:count])])
        assert repr(log).endswith(f"{names}>")
    log.clear()
    log.extend([event(0, name="n" * 130, payload="p" * 130)])
    assert repr(log) == f"<EventLog 1 rows · {'n' * 120}: 1>"
    assert f"<td>&quot;{'p' * 119}</td>" in log._repr_html_() or f'<td>"{"p" * 119}</td>' in log._repr_html_()


def test_reading_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames taken by another thread while events come are each a true beginning of the whole."""
    monkeypatch.setattr(log_, "CHUNK_ROWS", 50)
    log = EventLog()
    done = threading.Event()
    lengths: list[int] = []

    def read() -> None:
        while not done.is_set():
            frame = log.df
            assert list(frame["seq"]) == list(range(len(frame)))
            lengths.append(len(frame))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(5000):
        log.extend([event(number)])
    done.set()
    reader.join()
    assert lengths == sorted(lengths)
    assert len(log.df) == 5000


# Views


def test_where() -> None:
    """Events are chosen by name pattern and by text."""
    log = filled(10)
    assert numbers(log.where(event="e*")) == [0, 2, 4, 6, 8]
    assert numbers(log.where(text='"n":7')) == [7]
    assert numbers(log.where(event="odd", text='"n":6')) == []
    assert numbers(log.where(event="nobody")) == []


def test_between() -> None:
    """Rows are chosen by time; a time without a zone is UTC."""
    log = filled(10)
    start = pd.Timestamp(1_000_000_000_003, unit="ms", tz="UTC")
    assert numbers(log.between(start)) == list(range(3, 10))
    assert numbers(log.between(end=start)) == [0, 1, 2]
    assert numbers(log.between(start.tz_convert("Asia/Tokyo"), start + pd.Timedelta("2ms"))) == [3, 4]
    assert numbers(log.between("2001-09-09 01:46:40.008")) == [8, 9]


def test_expand() -> None:
    """Columns out of payloads have the narrowest type that holds all values, and null where there is none."""
    log = EventLog()
    payloads = [
        {"s": "a", "i": 1, "f": 1, "b": True, "deep": {"x/y": [5, {"z": "end"}]}, "mixed": 1},
        {"s": "b", "i": -2, "f": 0.5, "b": None, "deep": {}, "mixed": "two"},
        [],
    ]
    for payload in payloads:
        log.extend([event(0, payload=payload)])
    frame = log.expand("s", "i", "f", "b", "deep", "deep.x/y.0", "/deep/x~1y/1/z", "mixed", "nothing")
    assert {name: str(dtype) for name, dtype in frame.dtypes.items() if name not in DTYPES} == {
        "s": "string",
        "i": "Int64",
        "f": "Float64",
        "b": "boolean",
        "deep": "string",
        "deep.x/y.0": "Int64",
        "/deep/x~1y/1/z": "string",
        "mixed": "string",
        "nothing": "string",
    }
    assert list(frame["i"].dropna()) == [1, -2]
    assert frame["deep"].iloc[0] == '{"x/y":[5,{"z":"end"}]}'
    assert frame["/deep/x~1y/1/z"].iloc[0] == "end"
    assert frame["deep.x/y.0"].iloc[0] == 5
    assert list(frame["mixed"].dropna()) == ["1", "two"]
    assert list(log.payloads()) == payloads


@pytest.mark.parametrize("path", ["", ".", "/", None])
def test_paths_that_are_none(path: Any) -> None:
    """An empty path is refused."""
    with pytest.raises(ValueError, match="a path is"):
        filled(1).expand(path)


def test_a_payload_that_is_none() -> None:
    """A payload that is not JSON gives nulls, not an exception."""
    log = EventLog()
    log.extend([Event(1.0, 1, "x", 1, msgspec.Raw(b'{"a":1'))])
    assert log.expand("a")["a"].isna().all()


def test_payloads_that_are_no_utf8() -> None:
    """A payload that is not UTF-8 is repaired; many megabytes of it quickly, and without growing, by their ASCII."""
    payloads = ['"é"'.encode(), b'"a\xff\xc3\xa9"']
    assert text_array(payloads).to_pylist() == ['"é"', '"a\ufffdé"']
    repaired = text_array([*payloads, b'"' + b"\xff" * 2_000_000 + b'"'])
    assert repaired.slice(0, 2).to_pylist() == ['"é"', '"a???"']
    assert repaired[2].as_py() == '"' + "?" * 2_000_000 + '"'


@pytest.mark.parametrize(("size", "whole"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
def test_how_much_is_repaired(size: int, whole: bool) -> None:
    """Of up to 1 MiB that is not UTF-8 every character that can be read is kept, of more those of ASCII."""
    [text] = text_array(["é".encode() + b"\xff" + b"x" * (size - 3)]).to_pylist()
    assert text == ("é\ufffd" if whole else "???") + "x" * (size - 3)


def test_arrow() -> None:
    """The Arrow table has the documented schema."""
    table = filled(3).to_arrow()
    assert table.schema.field("payload").type == pa.string()
    assert table.schema.names == list(DTYPES)


NUMBERS: list[tuple[list[str], str, list[Any]]] = [
    (["1", "9" * 400], "string", ["1", "9" * 400]),
    (["1.5", "-" + "9" * 400], "string", ["1.5", "-" + "9" * 400]),
    (["null", "9" * 4300], "string", [None, "9" * 4300]),
    (["9" * 4301, "1"], "string", ["9" * 4301, "1"]),
    (["9223372036854775807", "1"], "Int64", [2**63 - 1, 1]),
    (["9223372036854775808"], "Float64", [2.0**63]),
    (["-9223372036854775808", "1"], "Int64", [-(2**63), 1]),
    (["-9223372036854775809"], "Float64", [-(2.0**63)]),
    (["18446744073709551616", "1"], "Float64", [2.0**64, 1.0]),
    ([f'{{"b":[{"9" * 400}]}}'], "string", [f'{{"b":[{"9" * 400}]}}']),
    (["1e308", "1"], "Float64", [1e308, 1.0]),
    (["true", '"x"', "1", "null", "[1]"], "string", ["true", "x", "1", None, "[1]"]),
    (["[" * 500 + "]" * 500], "string", ["[" * 500 + "]" * 500]),
]


@pytest.mark.parametrize(("values", "dtype", "column"), NUMBERS)
def test_odd_values_of_a_path(values: list[str], dtype: str, column: list[Any]) -> None:
    """Whatever numbers and mixtures payloads hold, a path makes a column of them; what can't be read is null."""
    log = EventLog()
    log.extend(
        [Event(1.0, 1, "x", number, msgspec.Raw(b'{"a":%b}' % text.encode())) for number, text in enumerate(values)]
    )
    found = log.expand("a")["a"]
    assert str(found.dtype) == dtype
    assert [None if value is pd.NA else value for value in found] == column


def test_nested_values() -> None:
    """However deep a payload is nested, a path finds what it holds."""
    log = EventLog()
    nested = ["[" * levels + "]" * levels for levels in (*range(500, 1000, 9), 200_000)]
    log.extend([Event(1.0, 1, "x", 1, msgspec.Raw(b'{"a":%b}' % text.encode())) for text in nested])
    found = log.expand("a")["a"]
    assert found.tolist() == nested


def now(number: int) -> Event:
    return msgspec.structs.replace(event(number), received=time.time())


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(("before", "during", "after"), [(0, 0, 0), (3, 0, 2), (25, 2, 3), (3, 2, 5), (12, 0, 40)])
def test_joined_logs(before: int, during: int, after: int) -> None:
    """A log that continues another's has each row once, in order: what both connections received is there once."""
    former, newer = filled(before), EventLog()
    seen = former.df
    newer.mark("start", 1, {})
    for number in range(before, before + during):
        both = now(number)
        former.extend([both])
        newer.extend([both])
    for number in range(before + during, before + during + after):
        newer.extend([now(number)])
    former.mark("stop", 1, {})
    former.join(newer)
    frame = former.df
    assert (len(seen), len(former)) == (before, before + during + after + 2)
    assert sorted(numbers(frame[frame["kind"] == "event"])) == list(range(before + during + after))
    assert list(frame[frame["kind"] != "event"]["kind"]) == ["stop", "start"]
    former.extend([event(1000)])
    assert (numbers(former.tail(1)), len(former.df)) == ([1000], len(former))


def test_one_log_of_many() -> None:
    """A log that gets a part of the memory keeps its newest rows, packed in chunks that are small beside it."""
    log = filled(95)
    log.limit(max_rows=40, max_bytes=1_000_000)
    log.extend([event(1000)])
    assert (len(log), log.dropped) == (96, 0)  # what came before it was limited is one chunk, the newest
    for number in range(1001, 1100):
        log.extend([event(number)])
    assert 35 <= len(log) <= 45
    assert numbers(log.tail(1)) == [1099]
    assert max(chunk.num_rows for chunk in log.pieces()[0]) == 5


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda log: log["event"], r"\.df is a DataFrame: \.df\['event'\]"),
        (lambda log: list(log), r"not iterable; \.df is a DataFrame, \.payloads\(\) yields"),
        (lambda log: log.head(), r"no attribute 'head'; \.df is a DataFrame: \.df\.head"),
        (lambda log: log.frob, r"EventLog has no attribute 'frob'$"),
    ],
)
def test_used_like_a_dataframe(mistake: Callable[[Any], object], words: str) -> None:
    """Who takes the events for a DataFrame is told where it is."""
    with pytest.raises((TypeError, AttributeError), match=words):
        mistake(filled(2))


def test_a_misspelt_event() -> None:
    """A name that no event has, and that is almost one of theirs, is warned of; others and patterns are not."""
    log = filled(2)
    with pytest.warns(UserWarning, match=r"no event 'evn' so far; did you mean even\?"):
        assert len(log.where("evn")) == 0
    assert [len(log.where(name)) for name in ("chat", "ev*", "x*")] == [0, 1, 0]


def test_what_came_since() -> None:
    """A reader gets each row once, across sealed chunks and a cleared log, and is told of rows it was too late for."""
    log, place, seen, missed = EventLog(), log_.Place(), [], 0
    log.limit(16, 10**6)
    for number in range(10):
        log.extend([event(number)])
        if number % 3 == 2:
            rows, gone, place = log.since(place)
            seen += rows.column("seq").to_pylist()
            missed += gone
    rows, gone, place = log.since(place)
    assert (seen + rows.column("seq").to_pylist(), missed + gone) == (list(range(10)), 0)
    log.extend([event(number) for number in range(10, 12)])
    for number in range(12, 42):
        log.extend([event(number)])
    rows, gone, place = log.since(place)
    assert rows.column("seq").to_pylist() == list(range(10 + gone, 42))
    assert gone > 0
    log.clear()
    log.extend([event(number) for number in range(50)])
    rows, gone, place = log.since(place)
    assert (rows.num_rows, gone) == (50, 0)
    assert log.since(place)[0].num_rows == 0
