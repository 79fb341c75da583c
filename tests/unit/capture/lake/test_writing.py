"""Captures into a lake: what is given is there once after `stop`, and what stands in the way is said."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.capture import files
from gateway_nb.capture.files import Rotation
from gateway_nb.capture.lake import writing
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.spool import spools
from gateway_nb.capture.lake.writing import LakeCapture
from gateway_nb.client.redaction.redactor import Redactor
from tests.helpers.lakes import Feed, events, journal, modes, numbers, rows
from tests.helpers.support import until


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments and commits follow each other a hundred times as fast."""
    monkeypatch.setattr(writing, "SEGMENT", Rotation(bytes=32e6, seconds=0.1))
    monkeypatch.setattr(writing, "COMMIT_SECONDS", 0.05)


def start(lake: Lake, *names: str, **options: Any) -> tuple[LakeCapture, list[Feed]]:
    capture, feeds = LakeCapture(lake, **options), [Feed() for _ in names]
    for name, feed in zip(names, feeds, strict=True):
        capture.add(name, feed, Redactor())  # type: ignore[arg-type]
    return capture, feeds


def test_what_is_given_is_there(lake: Lake) -> None:
    """Events of many gateways are in the lake, each once, with its gateway; the journal is gone, all is private."""
    capture, (north, south) = start(lake, "north", "south")
    for number in range(0, 100, 10):
        north.give(events(number, 10))
        south.give(events(1000 + number, 10))
    stats = capture.stop()
    assert numbers(lake) == Counter([*range(100), *range(1000, 1100)])
    assert {(row["gateway"], row["seq"] // 1000) for row in rows(lake) if row["event"]} == {("north", 0), ("south", 1)}
    lines = sorted(row["line"] for row in rows(lake, "line"))
    assert lines == list(range(1, len(lines) + 1))
    assert {row["capture"] for row in rows(lake)} == {capture.capture}
    assert (stats.events, stats.rows, stats.dropped, stats.waiting, stats.problem) == (200, len(lines), 0, 0, None)
    assert list(spools(lake).iterdir()) == []
    assert modes(Path(lake.place)) == {(True, "0o700"), (False, "0o600")}
    assert (north.keepers, south.keepers) == ([], [])


def test_what_is_another_captures(lake: Lake) -> None:
    """Events that are not to be taken are not in the lake; marks, which say that something is missing, are."""
    capture, feed, takes = LakeCapture(lake), Feed(), [True]
    capture.add("north", feed, Redactor(), lambda: takes[0])  # type: ignore[arg-type]
    feed.give(events(0, 3))
    takes[0] = False
    feed.give(events(3, 3))
    for keeper in feed.keepers:
        keeper.mark("stop", 1, {})
    capture.stop()
    assert numbers(lake) == Counter(range(3))
    assert [row["kind"] for row in rows(lake) if row["gateway"] == "north" and not row["event"]] == ["stop"]


def test_it_commits_while_it_runs(lake: Lake) -> None:
    """Rows are in the lake soon after they came, and more follow; nothing follows where nothing comes."""
    capture, (north,) = start(lake, "north")
    for number in range(3):
        north.give(events(number))
        until(lambda done=number + 1: capture.stats.commits >= done)  # type: ignore[misc]
        assert numbers(lake) == Counter(range(number + 1))
    assert capture.stop().rows == len(rows(lake)) == 3 + 2 * capture.stats.commits


def test_commits_keep_their_distance(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast segments are sealed, there are no more commits than one for each so many seconds."""
    monkeypatch.setattr(writing, "SEGMENT", Rotation(bytes=1))
    monkeypatch.setattr(writing, "COMMIT_SECONDS", 0.3)
    began, number = time.monotonic(), 0
    capture, (north,) = start(lake, "north")
    while capture.stats.commits < 4:
        north.give(events(number))
        number += 1
        until(lambda done=number: capture.stats.events == done)  # type: ignore[misc]
    assert number > 8
    assert time.monotonic() - began >= 0.9
    capture.stop()
    assert numbers(lake) == Counter(range(number))


def test_patterns_that_are_none(lake: Lake) -> None:
    """What is no pattern is refused before there is a lake."""
    with pytest.raises(gnb.BadArgumentError, match="events must be name patterns"):
        LakeCapture(lake, [7])  # type: ignore[list-item]
    assert not Path(lake.place).exists()


def test_a_table_that_is_opened_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is opened anew now and then, which loses nothing."""
    monkeypatch.setattr(writing, "OPENED_FOR", 2)
    capture, (north,) = start(lake, "north")
    tables = set()
    for number in range(5):
        north.give(events(number))
        until(lambda done=number + 1: capture.stats.commits >= done)  # type: ignore[misc]
        tables.add(id(capture._table))
    capture.stop()
    assert len(tables) >= 2
    assert numbers(lake) == Counter(range(5))


def test_only_some_events(lake: Lake) -> None:
    """Only the events that are asked for are kept."""
    capture, (north,) = start(lake, "north", events=["chat.*"])
    north.give(events(1))
    capture.stop()
    assert numbers(lake) == Counter()


def test_the_next_capture_commits_what_is_left(lake: Lake) -> None:
    """What a dead process left is in the lake after the next capture into it, once."""
    lake.open_or_make()
    journal(lake, 2, 3)._lock.release()
    capture, (north,) = start(lake, "north")
    north.give(events(100))
    until(lambda: len(list(spools(lake).iterdir())) == 1)
    capture.stop()
    assert numbers(lake) == Counter([1, 2, 3, 4, 5, 100])


def test_a_store_that_can_not_be_reached(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Uploads pause, which is logged once and stands in the stats; the journal stays, and all is committed later."""
    capture, (north,) = start(lake, "north")
    with monkeypatch.context() as away, caplog.at_level(logging.WARNING):
        failed: list[int] = []

        def fails(*_: object) -> int:
            failed.append(1)
            raise gnb.CaptureError("the lake can't be read: no route to host")

        away.setattr(Lake, "committed", fails)
        north.give(events(1))
        until(lambda: len(failed) >= 2)
        assert capture.stats.problem == "the lake can't be read: no route to host"
        assert capture.stats.waiting > 0
        assert "no route to host" in repr(capture)
        assert [record.message for record in caplog.records if "pause" in record.message] == [
            f"uploads to the lake {lake.place} pause, its journals stay: the lake can't be read: no route to host"
        ]
    until(lambda: capture.stats.problem is None)
    assert capture.stop().problem is None
    assert numbers(lake) == Counter([1])


def test_a_store_that_is_away_at_the_end(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop` gives up in time, says how much is not in the lake, where it is, and how it gets there."""
    monkeypatch.setattr(writing, "_STOP_PATIENCE", 0.3)
    capture, (north,) = start(lake, "north")

    def fails(*_: object) -> int:
        raise gnb.CaptureError("no route to host")

    with monkeypatch.context() as away:
        away.setattr(Lake, "committed", fails)
        north.give(events(1, 5))
        message = rf"bytes of the capture {capture.capture} are not in the lake: no route to host; they stay in "
        for _ in range(2):
            with pytest.raises(gnb.CaptureError, match=rf"{message}.*, or: gateway-nb lake resume {lake.place}"):
                capture.stop()
    with LakeCapture(lake):
        until(lambda: len(list(spools(lake).iterdir())) == 1)
    assert numbers(lake) == Counter(range(1, 6))


def test_a_bug_loses_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody expects pauses the uploads, too, and is logged with its traceback."""
    capture, (north,) = start(lake, "north")
    with monkeypatch.context() as broken:
        broken.setattr(Lake, "committed", lambda *_: 1 / 0)
        north.give(events(1))
        until(lambda: capture.stats.problem == "division by zero")
    capture.stop()
    assert numbers(lake) == Counter([1])
    assert "a bug in the writing of lakes" in caplog.text


def test_a_full_disk(lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The journal waits while its disk is full, and says so; what came meanwhile is in the lake once there is room."""
    monkeypatch.setattr(writing, "_FULL_SECONDS", 0.2)
    full, write = [False], files.FileIO.write

    class Disk(files.FileIO):
        def write(self, data: Any) -> int | None:
            if full[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(self, data)

    monkeypatch.setattr(files, "FileIO", Disk)
    capture, (north,) = start(lake, "north")
    until(lambda: capture.stats.waiting)
    full[0] = True
    north.give(events(1, 3))
    until(lambda: capture.stats.problem is not None)
    assert "is full: make room; events wait in memory, 128 MiB" in str(capture.stats.problem)
    assert caplog.text.count("No space left on device") == 1
    full[0] = False
    until(lambda: capture.stats.problem is None)
    capture.stop()
    assert numbers(lake) == Counter([1, 2, 3])


def test_a_disk_that_stays_full(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop` does not wait for a full disk: it says that the journal ended, and commits what is in it."""
    write = files.FileIO.write

    class Disk(files.FileIO):
        def write(self, data: Any) -> int | None:
            if b'"seq":2' in data:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(self, data)

    monkeypatch.setattr(files, "FileIO", Disk)
    capture, (north,) = start(lake, "north")
    north.give(events(1))
    until(lambda: capture.stats.events == 1)
    north.give(events(2))
    until(lambda: capture.stats.problem is not None)
    with pytest.raises(gnb.CaptureError, match="ended: No space left on device; what was written before is readable"):
        capture.stop()
    assert numbers(lake) == Counter([1])


def test_a_slow_disk_at_the_end(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slow disk takes only after `stop` has begun is in the lake, too: a file is not sealed before its end."""
    monkeypatch.setattr("gateway_nb.capture.journal._STOP_PATIENCE", 0.05)
    gate, asked, write = threading.Event(), threading.Event(), files.FileIO.write

    class Disk(files.FileIO):
        def write(self, data: Any) -> int | None:
            if b'"seq":2' in data:
                asked.set()
                assert gate.wait(20)
            return write(self, data)

    monkeypatch.setattr(files, "FileIO", Disk)
    capture, (north,) = start(lake, "north")
    north.give(events(1))
    until(lambda: capture.stats.events == 1)
    north.give(events(2))
    assert asked.wait(10)
    ending = threading.Thread(target=capture.stop)
    ending.start()
    until(lambda: capture._ending.is_set())
    until(lambda: capture.stats.commits >= 1 or capture.stats.waiting)
    gate.set()
    ending.join()
    assert numbers(lake) == Counter([1, 2])
    assert capture.stats.problem is None


def test_a_journal_that_is_removed(lake: Lake) -> None:
    """Somebody who removes the journals ends the capture, and is told; the process goes on."""
    capture, (north,) = start(lake, "north")
    shutil.rmtree(spools(lake))
    north.give(events(1))
    until(lambda: capture.stats.problem is not None)
    with pytest.raises(gnb.CaptureError):
        capture.stop()


def test_clocks_that_differ(lake: Lake) -> None:
    """Rows of a computer whose clock is wrong are all there, on the days that its clock says."""
    capture, (north,) = start(lake, "north")
    for number, received in enumerate((2e9, 1.5, 2e9 + 90_000, 1e9)):
        north.give(events(number, received=received))
    capture.stop()
    days = sorted(str(row["date"]) for row in rows(lake) if row["event"])
    assert days == ["1970-01-01", "2001-09-09", "2033-05-18", "2033-05-19"]


def test_its_repr(lake: Lake) -> None:
    """A capture says what it did, and whether it still does."""
    with start(lake)[0] as capture:
        assert "capturing, 0 events, " in repr(capture)
    assert repr(capture) == f"<LakeCapture {lake.place}: stopped, 0 events, 2 rows in 1 commits, 0 bytes waiting>"
