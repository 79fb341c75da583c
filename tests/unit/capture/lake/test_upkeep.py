"""Upkeep of a lake: the days that are over have few files, sorted; nothing is lost, whatever happens beside it."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

import gateway_nb as gnb
from gateway_nb.capture.lake import upkeep
from gateway_nb.capture.lake.columns import table_of
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.upkeep import Compaction, compact
from gateway_nb.protocol.lines import read_line
from tests.helpers.lakes import journal, line, modes, numbers, rows

DAY = 86_400.0
DATES = [dt.date(1970, 1, 1) + dt.timedelta(days=more) for more in range(4)]


def commit(lake: Lake, number: int, *days: int, capture: str = "c") -> None:
    """Commit a segment with an event of each of two gateways per day."""
    texts = [line(2 * number + more, name, day * DAY) for day in days for more, name in enumerate(("b", "a"))]
    lake.commit(
        lake.open_or_make(), table_of([read_line(text) for text in texts], capture, 1), capture, number, number + 1
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of three days, with five files each."""
    found = Lake(tmp_path / "lake")
    for number in range(5):
        commit(found, number, 0, 1, 2)
    return found


def files(lake: Lake) -> dict[str, list[Path]]:
    """The files of the newest version, by day."""
    found: dict[str, list[Path]] = {}
    for uri in lake.open().file_uris():
        found.setdefault(Path(uri).parent.name, []).append(Path(uri))
    return found


def test_days_that_are_over(lake: Lake) -> None:
    """Each has one file, sorted by gateway; the day that goes on keeps its own; every row is there once."""
    before = numbers(lake)
    assert compact(lake, DATES[2]) == [Compaction(DATES[0], 5, 1), Compaction(DATES[1], 5, 1)]
    assert {day: len(found) for day, found in files(lake).items()} == {
        "date=1970-01-01": 1,
        "date=1970-01-02": 1,
        "date=1970-01-03": 5,
    }
    assert numbers(lake) == before == Counter(dict.fromkeys(range(10), 3))
    (file,) = files(lake)["date=1970-01-01"]
    assert parquet.read_table(file, partitioning=None).column("gateway").to_pylist() == ["a"] * 5 + ["b"] * 5
    assert modes(Path(lake.place)) == {(True, "0o700"), (False, "0o600")}


def test_a_day_that_is_compact(lake: Lake) -> None:
    """What is compact is not written again; today is not over by the clock."""
    compact(lake)
    version = lake.open().version()
    assert compact(lake) == []
    assert lake.open().version() == version
    commit(lake, 5, 1)
    assert compact(lake) == [Compaction(DATES[1], 2, 1)]
    commit(lake, 6, int(time.time() // DAY))
    commit(lake, 7, int(time.time() // DAY))
    assert compact(lake) == []


def test_large_days(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day has a file for each 128 MiB, no more."""
    sizes = [file.stat().st_size for file in files(lake)["date=1970-01-01"]]
    monkeypatch.setattr(upkeep, "FILE_BYTES", sum(sizes) // 5)
    assert upkeep._open_days(lake.open()) == []
    monkeypatch.setattr(upkeep, "FILE_BYTES", sum(sizes) // 4 + 1)
    assert upkeep._open_days(lake.open()) == DATES[:3]


@pytest.mark.parametrize("other", ["a late row of that day", "a row of today", "another compaction"])
def test_what_comes_meanwhile(lake: Lake, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """A capture that commits, or another compaction, between the reading and the commit loses nothing, doubles none."""
    write = upkeep._write_sorted
    calls: list[int] = []

    def late(table: Any, day: dt.date) -> None:
        calls.append(1)
        if len(calls) == 1:
            if other == "another compaction":
                compact(lake, DATES[1])
            else:
                commit(lake, 5, 0 if other == "a late row of that day" else 3)
        write(table, day)

    monkeypatch.setattr(upkeep, "_write_sorted", late)
    compact(lake, DATES[1])
    more = Counter() if other == "another compaction" else Counter([10, 11])
    assert numbers(lake) == Counter(dict.fromkeys(range(10), 3)) + more
    assert len(files(lake)["date=1970-01-01"]) == 1


def test_a_day_that_changes_all_the_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction that is always too late gives up, and says so; nothing is lost."""
    write = upkeep._write_sorted
    number = iter(range(5, 100))

    def late(table: Any, day: dt.date) -> None:
        commit(lake, next(number), 0)
        write(table, day)

    monkeypatch.setattr(upkeep, "_write_sorted", late)
    with pytest.raises(gnb.CaptureError, match=r"the day 1970-01-01 of the lake .* changes all the time; compact it"):
        compact(lake, DATES[1])
    assert numbers(lake).total() == 30 + 2 * upkeep._ATTEMPTS


def test_old_versions_go(lake: Lake) -> None:
    """Files that no version of the last seven days needs are removed, those of writers that died among them."""
    place = Path(lake.place)
    journal(lake, 1)._lock.release()
    waiting = sorted((place / "_captures").rglob("*.jsonl"))
    compact(lake)
    (place / "date=1970-01-01" / "part-of-a-dead-writer.parquet").write_bytes(b"PAR1")
    assert len(list(place.rglob("date=*/*.parquet"))) == 3 * 6 + 1
    old = time.time() - 8 * DAY
    for file in [*place.rglob("*.parquet"), *waiting]:
        os.utime(file, (old, old))
    (place / "date=1970-01-01" / "part-of-a-living-writer.parquet").write_bytes(b"PAR1")
    compact(lake)
    assert (place / "date=1970-01-01" / "part-of-a-living-writer.parquet").exists()
    assert not (place / "date=1970-01-01" / "part-of-a-dead-writer.parquet").exists()
    assert sorted((place / "_captures").rglob("*.jsonl")) == waiting
    assert rows(lake)


def test_temporary_files_go(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What sorting puts aside is private, and removed at the end."""
    monkeypatch.setattr(upkeep.tempfile, "tempdir", str(tmp_path))
    compact(lake)
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_no_lake(tmp_path: Path) -> None:
    """Without a lake there is nothing to compact, and none is made."""
    with pytest.raises(gnb.CaptureError, match=r"there is no lake .*"):
        compact(Lake(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
