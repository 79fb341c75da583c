"""Captures and recordings: what was written is read, in whatever way; what is damaged is said."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.capture import journal
from gateway_nb.capture.files import Output, Rotation, parse_rotation
from gateway_nb.capture.journal import Capture
from gateway_nb.capture.recording import TornEndWarning
from gateway_nb.client.event import Event
from gateway_nb.protocol.frames import encode
from tests.helpers.support import until


def event(number: int, name: str = "x", payload: Any = None, at: float = 1_000_000_000.0) -> Event:
    raw = msgspec.Raw(encode({"n": number} if payload is None else payload))
    return Event(at + number, 1, name, number, raw)


def captured(path: Path, count: int = 10, **options: Any) -> gnb.Recording:
    with Capture(path, **options) as capture:
        for number in range(count):
            capture.extend([event(number, name="even" if number % 2 == 0 else "odd")])
        capture.mark("gap", 1, {"expected": count, "received": count + 5})
    return gnb.load(path)


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.zst"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    """What was captured is loaded: every event and marker, with its time, in order."""
    recording = captured(tmp_path / name)
    frame = recording.df
    assert list(frame["kind"]) == ["start", *["event"] * 10, "gap", "stop"]
    events = frame[frame["kind"] == "event"]
    assert list(events["seq"]) == list(range(10))
    assert list(events["payload"]) == [f'{{"n":{number}}}' for number in range(10)]
    assert events["time"].iloc[3] == pd.Timestamp(1_000_000_003, unit="s", tz="UTC")
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == {
        "time": "datetime64[ns, UTC]",
        "epoch": "int32",
        "seq": "Int64",
        "event": "category",
        "kind": "category",
        "payload": "string",
    }
    assert list(recording.expand("n", event="even")["n"]) == [0, 2, 4, 6, 8]


def test_stats(tmp_path: Path) -> None:
    """Stats give span, rates, gaps and missed events, and counts."""
    with Capture(tmp_path / "run.jsonl") as capture:
        for number in range(5):
            capture.extend([event(number, at=time.time())])
        capture.mark("gap", 1, {"expected": 5, "received": 9})
    stats = gnb.load(tmp_path / "run.jsonl").stats
    assert (stats.rows, stats.events, stats.gaps, stats.missed, stats.dropped) == (8, {"x": 5}, 1, 4, 0)
    assert stats.seconds >= 4
    assert stats.rate == pytest.approx(5 / stats.seconds)
    assert stats.connections == 1


def test_patterns(tmp_path: Path) -> None:
    """Only the events that are wanted are written; marks always are."""
    frame = captured(tmp_path / "run.jsonl", events="e*").df
    assert set(frame["event"].dropna()) == {"even"}
    assert "gap" in set(frame["kind"])


def test_a_file_that_exists(tmp_path: Path) -> None:
    """An existing file is refused, and appended to when asked."""
    captured(tmp_path / "run.jsonl")
    with pytest.raises(gnb.CaptureError, match="exists"):
        Capture(tmp_path / "run.jsonl")
    assert captured(tmp_path / "run.jsonl", append=True).stats.events == {"even": 10, "odd": 10}
    captured(tmp_path / "run.jsonl.zst")
    with pytest.raises(gnb.CaptureError, match="compressed"):
        Capture(tmp_path / "run.jsonl.zst", append=True)


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param(b'{"t":1,"epo', id="short"),
        pytest.param(b"x" * 200_000, id="long"),
        pytest.param(bytes(4096), id="zeros"),
    ],
)
def test_appending_after_a_crash(tmp_path: Path, torn: bytes) -> None:
    """What a killed writer left of a line is moved to a file beside the capture, whose name a warning says."""
    path = tmp_path / "run.jsonl"
    captured(path)
    for number in (1, 2):
        with open(path, "ab") as file:
            file.write(torn)
        with pytest.warns(TornEndWarning, match=rf"run\.jsonl ended in a torn line, which is in .*torn-{number} now"):
            recording = captured(path, append=True)
        assert recording.stats.events == {"even": 5 * number + 5, "odd": 5 * number + 5}
        assert (tmp_path / f"run.jsonl.torn-{number}").read_bytes() == torn
    assert Capture(path, append=True).stop().torn is None


@pytest.mark.parametrize("size", [65_534, 65_535, 65_536, 131_071])
def test_a_torn_line_as_long_as_a_step(tmp_path: Path, size: int) -> None:
    """However long a torn line is, all of it is moved away, and no whole line with it."""
    path = tmp_path / "run.jsonl"
    captured(path)
    whole, torn = path.read_bytes(), b"x" * size
    path.write_bytes(whole + torn)
    Output(path, append=True).close()
    assert path.read_bytes() == whole
    assert (tmp_path / "run.jsonl.torn-1").read_bytes() == torn


def test_appending_to_a_line_without_its_end(tmp_path: Path) -> None:
    """A last line that lacks nothing but its line break is kept."""
    path = tmp_path / "run.jsonl"
    captured(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert captured(path, append=True).stats.rows == 26
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A path that can't be written is refused at once."""
    (tmp_path / "file").write_text("")
    with pytest.raises(gnb.CaptureError, match="can't be written"):
        Capture(tmp_path / "file" / "run.jsonl")


@pytest.mark.parametrize("events", [5, (), [5]])
def test_patterns_that_are_none(tmp_path: Path, events: Any) -> None:
    """Patterns of the wrong type are refused before a file is made."""
    with pytest.raises(TypeError):
        Capture(tmp_path / "run.jsonl", events=events)
    assert not (tmp_path / "run.jsonl").exists()


@pytest.mark.parametrize("line_break", [b"\n", b"\r", b"\r\n"])
def test_lines_stay_lines(tmp_path: Path, line_break: bytes) -> None:
    """A payload with line breaks between its tokens is still one line."""
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend([Event(1.0, 1, 'na"me\n', None, msgspec.Raw(b'{%b "a":%b "b\\nc"}' % (line_break, line_break)))])
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_bytes().splitlines()]
    assert lines[1] == {"t": 1.0, "epoch": 1, "event": 'na"me\n', "payload": {"a": "b\nc"}}


def test_what_is_the_same_in_many_lines(tmp_path: Path) -> None:
    """Events of one time keep the connections that they came from, and events of one connection their times."""
    heads = [(1.5, 1, "x"), (1.5, 2, "x"), (1.5, 2, "y"), (2.5, 2, "x"), (2.5, 2, "x"), (1.5, 1, "x")]
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend([Event(received, epoch, name, None, msgspec.Raw(b"1")) for received, epoch, name in heads])
    found = [line for line in gnb.load(tmp_path / "run.jsonl").lines() if line.event]
    assert [(line.received, line.epoch, line.event) for line in found] == heads


@pytest.mark.parametrize("taken", [False, True], ids=["a new file", "a file to continue"])
def test_a_capture_that_nobody_has(tmp_path: Path, taken: bool) -> None:
    """A capture that is discarded lets go of its connection, and leaves no file but one that was there before."""
    path, detached = tmp_path / "run.jsonl", list[bool]()
    if taken:
        captured(path)
    capture = Capture(path, append=taken, attach=lambda _: lambda: detached.append(True))
    capture.extend([event(1)])
    capture.discard()
    assert not capture.alive
    assert path.exists() is taken
    assert detached == [True]


@pytest.mark.long
def test_a_capture_at_exit(tmp_path: Path) -> None:
    """A capture that nobody stopped is written to its end when the interpreter exits; one that was stopped is left."""
    code = """
import sys
import msgspec
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
event = Event(1.5, 1, "x", 1, msgspec.Raw(b"1"))
stopped = Capture(sys.argv[1] + "/stopped.jsonl")
stopped.stop()
left = Capture(sys.argv[1] + "/left.jsonl")
left.extend([event])
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    kinds = {file.stem: [line.kind for line in gnb.load(file).lines()] for file in tmp_path.glob("*.jsonl")}
    assert kinds == {"left": ["start", "event", "stop"], "stopped": ["start", "stop"]}


class FullDisk(io.FileIO):
    """A file on a disk that fills up."""

    room = 300

    def write(self, data: Any) -> int:
        if self.room <= 0:
            raise OSError(28, "No space left on device")
        taken = super().write(data[: self.room])
        self.room -= taken
        return taken


def test_lines_beside_the_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a capture says of itself, and of calls, is of no connection, and has its time in microseconds."""
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.1234567)
    monkeypatch.setattr(journal, "_QUEUE_BYTES", 1000)
    disk = SlowDisk(monkeypatch)
    capture = Capture(tmp_path / "run.jsonl", rotate="10KB")
    assert disk.asked.wait(10)
    capture.asked("id", "m", b"null")
    capture.answered("id", True, b"{}")
    capture.extend([event(0, payload={"x": "x" * 10_000})])
    capture.mark("gap", 3, {})
    disk.gate.set()
    until(lambda: not capture._queue)
    monkeypatch.setattr(journal, "_QUEUE_BYTES", 100_000)
    capture.extend([event(0, payload={"x": "x" * 10_000})])
    until(lambda: capture.stats.events == 1)
    capture.stop()
    files = sorted(tmp_path.iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [(line.get("kind", "event"), line["epoch"], line["payload"]) for line in lines if "kind" in line] == [
        ("start", 0, {}),
        ("request", 0, {"id": "id", "method": "m", "params": None}),
        ("answer", 0, {"id": "id", "ok": True, "answer": {}}),
        ("dropped", 0, {"events": 1}),
        ("gap", 3, {}),
        ("stop", 0, {"next": True}),
        ("start", 0, {"number": 2, "line": 8}),
        ("stop", 0, {}),
    ]
    assert {line["t"] for line in lines if "kind" in line} == {1_700_000_000.123457}
    assert (capture.stats.dropped, len(files)) == (1, 2)


def test_whose_warning_it_is(tmp_path: Path) -> None:
    """The warning of a torn end is told of the line that continues the capture."""
    path = tmp_path / "run.jsonl"
    captured(path)
    with open(path, "ab") as file:
        file.write(b"torn")
    with pytest.warns(TornEndWarning) as warned:
        Capture(path, append=True).stop()
    assert warned[0].filename == __file__


def test_how_soon_it_is_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is in the file after 256 events or 50 ms, and on the disk after a second; a stop waits for neither."""
    assert (journal.FLUSH_EVENTS, journal.FLUSH_SECONDS, journal.SYNC_SECONDS) == (256, 0.05, 1.0)
    assert (journal._QUEUE_BYTES, journal._STOP_PATIENCE) == (128 * 1024 * 1024, 10.0)
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 30.0)
    flushes: list[int] = []
    flush = Capture._flush
    monkeypatch.setattr(Capture, "_flush", lambda capture: (flushes.append(1), flush(capture)))
    capture = Capture(tmp_path / "run.jsonl")
    for part in range(1, 4):
        capture.extend([event(number) for number in range(256)])
        until(lambda part=part: capture.stats.events == 256 * part)  # type: ignore[misc]
    capture.extend([event(0)])
    assert capture.stop().events == 3 * 256 + 1
    assert len(flushes) < 12, "it writes when there is something to write"


@pytest.mark.parametrize("due", [True, False])
def test_bringing_it_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, due: bool) -> None:
    """While it runs a capture is brought to the disk once a second, and at its end."""
    monkeypatch.setattr(journal, "SYNC_SECONDS", 0.0 if due else 3600.0)
    synced: list[bool] = []
    stopping: list[bool] = []
    monkeypatch.setattr(Output, "sync", lambda _: synced.append(not stopping))
    capture = Capture(tmp_path / "run.jsonl")
    if due:
        until(lambda: len(synced) > 2)
    else:
        capture.extend([event(number) for number in range(256)])
        until(lambda: capture.stats.events == 256)
    assert bool(synced) is due
    stopping.append(True)
    capture.stop()
    assert synced[-1] is False


def test_discarding_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that is discarded does not wait until its next write is due."""
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 30.0)
    capture = Capture(tmp_path / "run.jsonl")
    capture.discard()
    assert not capture.alive
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the capture stops and says so; nothing else is disturbed."""
    told: list[gnb.CaptureError] = []
    detached = threading.Event()
    monkeypatch.setattr("gateway_nb.capture.files.FileIO", FullDisk)
    capture = Capture(tmp_path / "run.jsonl", attach=lambda _: detached.set, on_error=told.append)
    for number in range(1000):
        capture.extend([event(number)])
    assert detached.wait(10)
    with pytest.raises(gnb.CaptureError, match=r"No space left on device; what was written before is readable"):
        capture.stop()
    assert (tmp_path / "run.jsonl").read_bytes().startswith(b'{"t":')
    assert [str(error) for error in told] == [capture.stats.error]


class SlowDisk:
    """Takes nothing until its gate opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = threading.Event()
        self.asked = threading.Event()
        write = Output.write

        def slow(output: Output, data: bytes) -> None:
            self.asked.set()
            assert self.gate.wait(10)
            write(output, data)

        monkeypatch.setattr(Output, "write", slow)


def test_where_events_fell_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is too slow, a line says how many events fell out, in the very place where they did."""
    monkeypatch.setattr("gateway_nb.capture.journal._QUEUE_BYTES", 10 * event(0).size)
    disk = SlowDisk(monkeypatch)
    capture = Capture(tmp_path / "run.jsonl")
    assert disk.asked.wait(10)
    capture.extend([event(number) for number in range(8)])
    capture.extend([event(number) for number in range(8, 20)])
    capture.extend([event(20)])
    disk.gate.set()
    until(lambda: capture.stats.events == 10)
    capture.extend([event(21)])
    disk.gate.clear()
    capture.extend([event(number) for number in range(22, 40)])
    disk.gate.set()
    assert capture.stop().dropped == 11 + sum(capture_lost(tmp_path / "run.jsonl")[1:])
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    told = [line["payload"]["n"] if "event" in line else (line["kind"], line["payload"]) for line in lines]
    last = told[13:-2]
    assert told[:13] == [("start", {}), *range(10), ("dropped", {"events": 11}), 21]
    assert last == list(range(22, 22 + len(last)))
    assert told[-2:] == [("dropped", {"events": 18 - len(last)}), ("stop", {})]
    assert gnb.load(tmp_path / "run.jsonl").stats.dropped == 29 - len(last)


@pytest.mark.parametrize("next_line", ["event", "mark", "request", "answer"])
def test_what_fell_out_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, next_line: str) -> None:
    """The line that says how many events fell out stands before whatever came after them."""
    monkeypatch.setattr("gateway_nb.capture.journal._QUEUE_BYTES", 3 * event(0).size)
    disk = SlowDisk(monkeypatch)
    capture = Capture(tmp_path / "run.jsonl")
    assert disk.asked.wait(10)
    capture.extend([event(0, payload={"n": "x" * 5000})])
    if next_line == "event":
        capture.extend([event(1)])
    elif next_line == "mark":
        capture.mark("gap", 1, {"expected": 1, "received": 2})
    elif next_line == "request":
        capture.asked("1", "m", b"{}")
    else:
        capture.answered("1", True, b"{}")
    disk.gate.set()
    capture.stop()
    lines = list(gnb.load(tmp_path / "run.jsonl").lines())
    assert [line.kind for line in lines] == ["start", "dropped", next_line.replace("mark", "gap"), "stop"]
    of_a_connection = next_line in ("event", "mark")
    assert [line.epoch for line in lines] == [0, 0, int(of_a_connection), 0]
    assert capture.stats.dropped == gnb.load(tmp_path / "run.jsonl").stats.dropped == 1


def test_nothing_comes_after_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives while a capture stops is not written behind its end."""
    disk = SlowDisk(monkeypatch)

    def attach(capture: Capture) -> Callable[[], object]:
        def detach() -> None:
            capture.extend([event(2)])
            capture.mark("gap", 1, {"expected": 1, "received": 2})
            capture.asked("1", "m", b"{}")
            capture.answered("1", True, b"{}")
            disk.gate.set()

        return detach

    capture = Capture(tmp_path / "run.jsonl", attach=attach)
    assert disk.asked.wait(10)
    capture.extend([event(1)])
    assert capture.stop().events == 1
    assert [line.kind for line in gnb.load(tmp_path / "run.jsonl").lines()] == ["start", "event", "stop"]
    assert capture.stop().events == 1


def test_calls_that_a_slow_disk_keeps_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded requests, answers and marks wait for a slow disk within the same bound as events, and are counted."""
    monkeypatch.setattr("gateway_nb.capture.journal._QUEUE_BYTES", 100_000)
    disk = SlowDisk(monkeypatch)
    path = tmp_path / "run.jsonl"
    capture = Capture(path)
    assert disk.asked.wait(10)
    capture.answered("1", True, b'"%b"' % (b"x" * 60_000))
    capture.answered("2", True, b'"%b"' % (b"x" * 60_000))
    capture.asked("3", "m", b'{"x":"%b"}' % (b"x" * 60_000))
    for number in range(10_000):
        capture.mark("jump", 1, {"expected": number, "received": 5})
    disk.gate.set()
    stats = capture.stop()
    assert 2 < stats.dropped < 10_000
    assert sum(capture_lost(path)) == stats.dropped
    assert path.stat().st_size < 200_000
    assert gnb.load(path).stats.dropped == stats.dropped


def capture_lost(path: Path) -> list[int]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["payload"]["events"] for line in lines if line.get("kind") == "dropped"]


def test_as_much_as_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits into the room that is left for a slow disk waits there, to the last byte."""
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
    disk = SlowDisk(monkeypatch)
    capture = Capture(tmp_path / "run.jsonl")
    assert disk.asked.wait(10)
    monkeypatch.setattr(journal, "_QUEUE_BYTES", len(journal._mark_line("gap", 1, {})))
    for _ in range(3):
        capture.mark("gap", 1, {})
    disk.gate.set()
    assert capture.stop().dropped == 2


def test_a_disk_that_is_slow_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """stop() says so when the disk does not take what is left in time, and waits anew when called again."""
    monkeypatch.setattr("gateway_nb.capture.journal._STOP_PATIENCE", 0.05)
    disk = SlowDisk(monkeypatch)
    capture = Capture(tmp_path / "run.jsonl")
    assert disk.asked.wait(10)
    capture.extend([event(1), event(2)])
    with pytest.raises(gnb.CaptureError, match=r"run\.jsonl still lacks 2 events: the disk is slow"):
        capture.stop()
    assert capture.alive
    disk.gate.set()
    until(lambda: not capture.alive)
    assert capture.stop().events == 2


def test_a_bug_in_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever ends the writing is told by stop(), by stats, by the log and to whoever listens."""
    monkeypatch.setattr("gateway_nb.capture.journal._lines", lambda events: events.no_such_thing)
    told: list[gnb.CaptureError] = []
    capture = Capture(tmp_path / "run.jsonl", on_error=told.append)
    capture.extend([event(1)])
    until(lambda: told)
    assert "no_such_thing" in str(capture.stats.error)
    assert "a bug in the writing of captures" in caplog.text
    with pytest.raises(gnb.CaptureError, match="no_such_thing"):
        capture.stop()


def test_a_file_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody removes the file the capture stops and says so, instead of writing into the void."""
    monkeypatch.setattr("gateway_nb.capture.journal.SYNC_SECONDS", 0.01)
    capture = Capture(tmp_path / "run.jsonl")
    (tmp_path / "run.jsonl").unlink()
    until(lambda: capture.stats.error)
    with pytest.raises(gnb.CaptureError, match=r"run\.jsonl was removed while it was written"):
        capture.stop()


@pytest.mark.parametrize(
    ("text", "rotation"),
    [
        ("100MB", Rotation(bytes=100e6)),
        ("1.5 GB", Rotation(bytes=1.5e9)),
        ("2KB", Rotation(bytes=2000)),
        ("90s", Rotation(seconds=90)),
        ("30m", Rotation(seconds=1800)),
        ("1h", Rotation(seconds=3600)),
        ("2d", Rotation(seconds=172_800)),
    ],
)
def test_rotations(text: str, rotation: Rotation) -> None:
    """A rotation is a size or a time."""
    assert parse_rotation(text) == rotation


@pytest.mark.parametrize("text", ["", "100", "MB", "-1h", "0s", "1 week", "1h30m"])
def test_no_rotations(text: str) -> None:
    """Anything else is refused, with what would do."""
    with pytest.raises(ValueError, match="like 100MB, 30m or 1h"):
        parse_rotation(text)


@pytest.mark.long
@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.zst"])
def test_rotating(tmp_path: Path, name: str) -> None:
    """A capture goes on in numbered files; together they are the whole, and the capture's own frame."""
    with Capture(tmp_path / name, rotate="2KB") as capture:
        for number in range(0, 100, 5):
            capture.extend([event(number + more) for more in range(5)])
            until(lambda done=number + 5: capture.stats.events == done)  # type: ignore[misc]
        assert list(capture.df["seq"].dropna()) == list(range(100))
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    assert files[0].name == name.replace("run", "run-00001")
    marks = [line for file in files for line in gnb.load(file).lines() if line.event is None]
    counts = [len(list(gnb.load(file).lines())) for file in files]
    heads = [{"number": number, "line": sum(counts[: number - 1]) + 1} for number in range(2, len(files) + 1)]
    assert [(line.kind, line.epoch, msgspec.json.decode(line.raw)) for line in marks] == [
        ("start", 0, {}),
        *(mark for head in heads for mark in (("stop", 0, {"next": True}), ("start", 0, head))),
        ("stop", 0, {}),
    ]
    assert list(gnb.load(tmp_path).df["seq"].dropna()) == list(range(100))
    with pytest.raises(gnb.CaptureError, match="exists"):
        Capture(tmp_path / name, rotate="2KB")
    with Capture(tmp_path / name, rotate="2KB", append=True) as more:
        more.extend([event(100)])
    assert more.path == tmp_path / name.replace("run", f"run-{len(files) + 1:05}")
    assert list(gnb.load(tmp_path).df["seq"].dropna()) == list(range(101))


def test_when_a_file_is_full(tmp_path: Path) -> None:
    """Another file is due as soon as one has its size, or its time, and never before something is in it."""
    by_size = Output(tmp_path / "size.jsonl", rotation=Rotation(bytes=10))
    by_time = Output(tmp_path / "time.jsonl", rotation=Rotation(seconds=0.0))
    neither = Output(tmp_path / "neither.jsonl")
    outputs = (by_size, by_time, neither)
    assert [output.is_due for output in outputs] == [False, False, False]
    for output in outputs:
        output.write(b"123456789")
    assert [output.is_due for output in outputs] == [False, True, False]
    for output in outputs:
        output.write(b"0")
    assert [output.is_due for output in outputs] == [True, True, False]
    by_size.rotate()
    assert not by_size.is_due
    assert [output.path.name for output in outputs] == ["size-00002.jsonl", "time-00001.jsonl", "neither.jsonl"]
    for output in outputs:
        output.close()


def test_a_torn_end(tmp_path: Path) -> None:
    """A torn last line is left out with a warning; all before it is there."""
    captured(tmp_path / "run.jsonl")
    with open(tmp_path / "run.jsonl", "ab") as file:
        file.write(b'{"t":1,"epoch":1,"eve')
    with pytest.warns(TornEndWarning, match="torn"):
        assert len(gnb.load(tmp_path / "run.jsonl").df) == 13


def test_a_warning_that_is_an_error(tmp_path: Path) -> None:
    """Where warnings are errors a capture that warns of a torn end is not left running."""
    path = tmp_path / "run.jsonl"
    captured(path)
    with open(path, "ab") as file:
        file.write(b"torn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TornEndWarning):
            Capture(path, append=True)
    assert [thread for thread in threading.enumerate() if thread.name == "gateway_nb-capture"] == []
    assert captured(path, append=True).stats.events == {"even": 10, "odd": 10}


def test_torn_ends_are_not_glued(tmp_path: Path) -> None:
    """Recordings written as one keep every whole line, also where one of them ends in the middle of a line."""
    captured(tmp_path / "a.jsonl")
    captured(tmp_path / "b.jsonl")
    with open(tmp_path / "a.jsonl", "ab") as file:
        file.write(b'{"t":1,"epoch":1,"eve')
    (tmp_path / "whole").mkdir()
    with pytest.warns(TornEndWarning, match=r"a\.jsonl: its last line is torn"):
        whole = gnb.load(tmp_path).to_jsonl(tmp_path / "whole" / "run.jsonl")
    assert len(gnb.load(whole).df) == 26


def test_an_answer_with_line_breaks(tmp_path: Path) -> None:
    """A recorded answer stands on one line, however the gateway wrote it: nothing in it can pass for an event."""
    forged = b'[\n{"t":1,"epoch":1,"event":"forged","payload":{}}\n]'
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.asked("1", "m", b"{}")
        capture.answered("1", True, forged)
    lines = list(gnb.load(tmp_path / "run.jsonl").lines())
    assert [line.kind for line in lines] == ["start", "request", "answer", "stop"]


@pytest.mark.long
def test_a_torn_compressed_end(tmp_path: Path) -> None:
    """A compressed journal that ends too early gives every flush that is whole."""
    path = tmp_path / "run.jsonl.zst"
    with Capture(path) as capture:
        for number in range(10):
            capture.extend([event(number)])
            until(lambda done=number + 1: capture.stats.events == done)  # type: ignore[misc]
        capture.extend([event(10)])
    path.write_bytes(path.read_bytes()[:-20])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TornEndWarning)  # whether the tear is seen depends on where it is
        assert list(gnb.load(path).df["seq"].dropna())[:10] == list(range(10))


def test_damage(tmp_path: Path) -> None:
    """A damaged line in the middle is refused with its place, or left out and counted."""
    captured(tmp_path / "run.jsonl")
    lines = (tmp_path / "run.jsonl").read_bytes().splitlines(keepends=True)
    lines[4] = b'{"t": nonsense}\n'
    (tmp_path / "run.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(gnb.CaptureError, match=r"line 5 is damaged.*errors='skip'"):
        gnb.load(tmp_path / "run.jsonl").to_arrow()
    lenient = gnb.load(tmp_path / "run.jsonl", errors="skip")
    assert len(lenient.df) == 12
    assert lenient.stats.damaged == 1


def test_what_a_recording_shows_of_itself(tmp_path: Path) -> None:
    """A recording shows its size, rows, span and events, or what is wrong with it."""
    path = tmp_path / "run.jsonl"
    rows = [
        f'{{"t":{1_700_000_000 + n},"epoch":1,"event":"{name}","seq":{n},"payload":1}}'
        for n, name in enumerate("abacdef")
    ]
    path.write_text("\n".join(rows) + "\n")
    assert repr(gnb.load(path)) == (
        "<Recording run.jsonl: 413 bytes, 7 rows in 6.0 s from 2023-11-14 22:13:20: a 2, b 1, c 1, d 1, 2 more names>"
    )
    path.write_text("\n".join([*rows, "{nonsense", ""]))
    assert "line 8 is damaged" in repr(gnb.load(path))
    path.write_text("")
    recording = gnb.load(path)
    assert repr(recording) == "<Recording run.jsonl: 0 bytes, 0 rows>"
    assert (recording.stats.start, recording.stats.end) == (None, None)
    assert (recording.stats.seconds, recording.stats.rate) == (0.0, 0.0)
    path.write_text("".join(row.replace('"a"', f'"{"a" * 41}"') + "\n" for row in rows if '"f"' not in row))
    assert f": {'a' * 39}… 2, b 1, c 1, d 1, 1 more names>" in repr(recording)
    path.write_text("".join(f"{row}\n" for row in rows[:5]))
    assert repr(recording).endswith(": a 2, b 1, c 1, d 1>")
    path.unlink()
    assert repr(recording).startswith("<Recording run.jsonl: 0 bytes, ")


def test_reading_again(tmp_path: Path) -> None:
    """Each look at a recording counts its damaged lines anew, however it was read before."""
    path = tmp_path / "run.jsonl"
    captured(path)
    path.write_bytes(path.read_bytes().replace(b"gap", b"\xff", 1))
    recording = gnb.load(path, errors="skip")
    for _ in range(2):
        assert len(recording.to_arrow()) == 12
        recording.to_jsonl(tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl")
        assert recording.stats.damaged == 1


def test_a_file_that_is_not_compressed(tmp_path: Path) -> None:
    """A compressed journal that can't be read at all is damaged in its first line."""
    (tmp_path / "run.jsonl.zst").write_bytes(b"no zstandard")
    with pytest.raises(gnb.CaptureError, match=r"can't be read to its end: line 1: .*; load\(\.\.\., errors='skip'\)"):
        gnb.load(tmp_path / "run.jsonl.zst").to_arrow()


@pytest.mark.parametrize(("options", "speed"), [({}, 1.0), ({"speed": None}, None)])
def test_the_speed_of_a_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], speed: float | None
) -> None:
    """A recording is replayed with the gaps in time that it has, unless another speed is asked for."""
    asked: list[float | None] = []
    monkeypatch.setattr("gateway_nb.server.replay.ReplayGateway", lambda lines, *, speed: asked.append(speed))
    captured(tmp_path / "run.jsonl").replay(**options)
    assert asked == [speed]


@pytest.mark.parametrize(("size", "read"), [(32_000_000, True), (32_000_001, False)])
def test_what_a_large_recording_shows_of_itself(tmp_path: Path, size: int, read: bool) -> None:
    """A recording of more than 32 MB is not read for what is shown of it."""
    path = tmp_path / "run.jsonl"
    path.touch()
    os.truncate(path, size)
    shown = repr(gnb.load(path))
    assert ("line 1 is damaged" in shown, ".stats counts its rows" in shown) == (read, not read)


@pytest.mark.parametrize(
    "text", ["# A README\n\nwith text\n", "one line", '{"some": "JSON"}\n', '["a", "list"]\n', "\x89PNG\n"]
)
def test_another_file(tmp_path: Path, text: str) -> None:
    """A file that no capture wrote is not called damaged."""
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(gnb.CaptureError, match=r"README\.md is not a capture: no capture begins with its first line"):
        gnb.load(path).to_arrow()


def test_parquet_is_no_capture(tmp_path: Path) -> None:
    """Who loads Parquet is told how to read it, whether it is a file or a folder."""
    for name in ("file.parquet", "folder.parquet"):
        path = tmp_path / name
        path.mkdir() if name.startswith("folder") else path.touch()
        with pytest.raises(gnb.CaptureError, match=r"is Parquet, not a capture; read it with pandas\.read_parquet"):
            gnb.load(path)


def test_many_files(tmp_path: Path) -> None:
    """A folder and a pattern are read as one recording."""
    for name in ("a.jsonl", "b.jsonl.zst", "c.txt.jsonl"):
        captured(tmp_path / name)
    assert gnb.load(tmp_path).stats.events == {"even": 15, "odd": 15}
    assert gnb.load(tmp_path / "[ab].*").stats.events == {"even": 10, "odd": 10}
    assert re.fullmatch(
        r"<Recording a\.jsonl, b\.jsonl\.zst, c\.txt\.jsonl: [\d.]+ kB, \.stats counts its rows>",
        repr(gnb.load(tmp_path)),
    )
    for number in range(5):
        captured(tmp_path / f"{number}.jsonl", 1)
    many = gnb.load(tmp_path / "?.jsonl")
    assert repr(many).startswith("<Recording 0.jsonl, 1.jsonl, 2.jsonl and 3 more: ")
    assert repr(many.table()) == "<EventTable 0.jsonl, 1.jsonl, 2.jsonl>"
    with pytest.raises(gnb.CaptureError, match="there is no capture"):
        gnb.load(tmp_path / "nothing.jsonl")
    with pytest.raises(ValueError, match="errors must be"):
        gnb.load(tmp_path, errors="ignore")


def test_a_damaged_compressed_file(tmp_path: Path) -> None:
    """A compressed file that is damaged in the middle is refused by name, or read as far as it goes."""
    path = tmp_path / "run.jsonl.zst"
    capture = Capture(path)
    for _ in range(20):
        capture.extend([event(number, payload={"n": os.urandom(300).hex()}) for number in range(100)])
    capture.stop()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(gnb.CaptureError, match=r"run\.jsonl\.zst is damaged, and can't be read to its end"):
        _ = gnb.load(path).df
    lenient = gnb.load(path, errors="skip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TornEndWarning)
        stats = lenient.stats
    assert 500 < stats.events["x"] < 1500
    assert stats.damaged == 1


@pytest.mark.long
def test_batches(tmp_path: Path) -> None:
    """A recording is read in batches of 65,536 rows, the last as large as it is."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"t":1.5,"epoch":1,"event":"x","seq":1,"payload":1}\n' * 65_537)
    assert [batch.num_rows for batch in gnb.load(path).batches()] == [65_536, 1]


def test_batches_of_large_payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large payloads make small batches: a recording is read in bounded memory whatever is in it."""
    monkeypatch.setattr("gateway_nb.capture.recording.BATCH_BYTES", 10_000)
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend([event(number, payload={"n": "x" * 4000}) for number in range(10)])
    assert [batch.num_rows for batch in gnb.load(tmp_path / "run.jsonl").batches()] == [4, 3, 3, 2]


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.zst"])
def test_one_file_out_of_many(tmp_path: Path, name: str) -> None:
    """A recording is written as one journal, compressed or not, and never over another."""
    (tmp_path / "in").mkdir()
    captured(tmp_path / "in" / "a.jsonl")
    captured(tmp_path / "in" / "b.jsonl")
    target = gnb.load(tmp_path / "in").to_jsonl(tmp_path / name)
    assert gnb.load(target).stats.events == {"even": 10, "odd": 10}
    with pytest.raises(gnb.CaptureError, match="exists"):
        gnb.load(tmp_path / "in").to_jsonl(target)


def test_parquet(tmp_path: Path) -> None:
    """Parquet in Hive layout is read back by pandas, with the partitions as columns."""
    recording = captured(tmp_path / "run.jsonl")
    folder = recording.to_parquet(tmp_path / "parquet")
    assert (folder / "date=2001-09-09" / "event=even").is_dir()
    frame = pd.read_parquet(folder)
    assert sorted(frame["seq"].dropna()) == list(range(10))
    assert len(frame) == 13
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"  # Spark reads no nanoseconds
    by_date = f"select date, event, count(*) from '{folder}/**/*.parquet' where event = 'even' group by all"
    assert duckdb.sql(by_date).fetchall() == [(dt.date(2001, 9, 9), "even", 5)]
    with pytest.raises(gnb.CaptureError, match="not empty"):
        recording.to_parquet(folder)


def test_queries(tmp_path: Path) -> None:
    """DuckDB answers over the file, payload fields included."""
    recording = captured(tmp_path / "run.jsonl")
    sql = "select event, sum((payload->>'$.n')::int) total from events where kind='event' group by all order by event"
    answer = recording.query(sql)
    assert answer.to_dict("list") == {"event": ["even", "odd"], "total": [20, 25]}


def test_kill_9(tmp_path: Path) -> None:
    """After kill -9 everything older than the flush interval is in the file."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        capture = Capture(tmp_path / "run.jsonl")
        number = 0
        while True:
            capture.extend([event(number)])
            if capture.stats.events:
                os.write(write, b"%d\n" % (capture.stats.events - 1))
            number += 1
            time.sleep(0.0001)
    os.close(write)
    acknowledged = -1
    with os.fdopen(read) as told:
        for _ in range(300):
            acknowledged = int(told.readline())
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        for line in told:
            acknowledged = int(line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TornEndWarning)
        frame = gnb.load(tmp_path / "run.jsonl").df
    seqs = list(frame["seq"].dropna())
    assert seqs == list(range(len(seqs)))
    assert len(seqs) > acknowledged
