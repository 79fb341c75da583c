"""From journals into the lake: every line once, wherever the process that commits them dies."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.capture.lake import uploading
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.spool import Spool, spools
from gateway_nb.capture.lake.uploading import Upload, resume, upload
from tests.helpers.lakes import head, journal, line, numbers, rows


class Crash(BaseException):
    """The process dies here."""


def dies(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool, at: int = 1) -> None:
    """Let a step's nth call be the last thing that happens, or what no longer happens."""
    step: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def last(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            raise Crash
        result = step(*arguments, **options)
        if calls == at:
            raise Crash
        return result

    monkeypatch.setattr(owner, name, last)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(tmp_path / "lake")
    found.open_or_make()
    return found


POINTS = {
    "sealed": (uploading, "read_segment", False, 1),
    "one of two read": (uploading, "read_segment", True, 1),
    "both read": (uploading, "read_segment", True, 2),
    "asked what is there": (Lake, "committed", True, 1),
    "before the commit": (Lake, "commit", False, 1),
    "asked again": (Lake, "committed", True, 2),
    "committed, not settled": (Lake, "settle", False, 1),
    "settled": (Lake, "settle", True, 1),
    "after the commit": (Lake, "commit", True, 1),
    "before it deletes": (Path, "unlink", False, 1),
    "one of two deleted": (Path, "unlink", True, 1),
    "both deleted": (Path, "unlink", True, 2),
    "before it is released": (Spool, "release", False, 1),
}


@pytest.mark.parametrize("point", POINTS)
def test_wherever_it_dies(lake: Lake, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """What a dead process left is committed by the next: no line is lost, none is there twice."""
    left = journal(lake, 3, 4)
    left._lock.release()  # its writer is dead
    owner, name, after, at = POINTS[point]
    locks: list[Spool] = []
    made = Spool.__init__

    def remembered(spool: Spool, *arguments: Any) -> None:
        made(spool, *arguments)
        locks.append(spool)

    with monkeypatch.context() as dying:
        dying.setattr(Spool, "__init__", remembered)
        if owner is not Spool:
            dying.setattr(Spool, "release", lambda spool: None)  # the dead release nothing
        dies(dying, owner, name, after=after, at=at)
        with pytest.raises(Crash):
            resume(lake)
    for spool in locks:
        spool._lock.release()  # as the end of a process does
    resume(lake)
    assert numbers(lake) == Counter(range(1, 8))
    assert sorted(row["line"] for row in rows(lake, "line")) == list(range(1, 10))
    assert list(spools(lake).iterdir()) == []


def test_segments_after_those_that_are_there(lake: Lake) -> None:
    """New segments of a capture that is partly in the lake are added to it."""
    table, spool = lake.open(), journal(lake, 2, 3)
    assert upload(lake, table, spool, spool.folder / "journal-00002.jsonl") == Upload(1, 3, 0)
    assert numbers(lake) == Counter({1: 1, 2: 1})
    assert upload(lake, table, spool) == Upload(1, 4, 0)
    assert upload(lake, table, spool) is None
    assert numbers(lake) == Counter(range(1, 6))
    assert lake.committed(table, spool.capture) == 2
    spool.release()


def test_a_commit_that_was_thought_lost(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that lands after its process gave it up is seen, and the rest is committed without it."""
    table, spool = lake.open(), journal(lake, 2, 3)
    commit = Lake.commit

    def late(self: Lake, table: Any, rows_: Any, capture: str, after: int, segment: int) -> bool:
        monkeypatch.setattr(Lake, "commit", commit)
        upload(lake, lake.open(), spool, spool.folder / "journal-00002.jsonl")  # what was thought lost
        return commit(self, table, rows_, capture, after, segment)

    monkeypatch.setattr(Lake, "commit", late)
    assert upload(lake, table, spool) == Upload(0, 0, 0)
    assert upload(lake, table, spool) == Upload(1, 4, 0)
    assert numbers(lake) == Counter(range(1, 6))
    spool.release()


def test_a_commit_is_no_larger_than_memory_allows(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many segments become several commits, each of one segment at least."""
    spool = journal(lake, 5, 5, 5)
    monkeypatch.setattr(uploading, "COMMIT_BYTES", 2 * spool.segments()[0].bytes)
    table = lake.open()
    assert [part.segments for part in iter(lambda: upload(lake, table, spool), None)] == [1, 1, 1]
    assert table.version() == 3
    spool.release()


def test_a_torn_end(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    """The torn last line of a killed writer is left out, which is logged; all before it is in the lake."""
    journal(lake, 2, torn=b'{"t":1,"epo')._lock.release()
    with caplog.at_level(logging.WARNING):
        ((_, done),) = resume(lake)
    assert (done, numbers(lake)) == (Upload(1, 3, 0), Counter([1, 2]))
    assert "ends in a torn line" in caplog.text
    assert list(spools(lake).iterdir()) == []


@pytest.mark.parametrize(
    ("text", "found", "damaged"),
    [
        (head(1, 1) + line(1) + b"not a line\n" + line(2), [(1, 2), (2, 4)], 1),
        (head(1, 1) + b'{"t":1,"epoch":1,"kind":"gap","payload":{}}\n' + line(1), [(1, 3)], 1),
        (b"\0" * 50 + b"\n" + line(1), [(1, 2)], 1),
    ],
)
def test_damaged_lines(
    lake: Lake, caplog: pytest.LogCaptureFixture, text: bytes, found: list[tuple[int, int]], damaged: int
) -> None:
    """Lines that can't be read are counted, logged, and set aside; the others are in the lake with their numbers."""
    spool = journal(lake, 0)
    (spool.folder / "journal-00001.jsonl").write_bytes(text)
    spool._lock.release()
    with caplog.at_level(logging.WARNING):
        ((_, done),) = resume(lake)
    assert done.damaged == damaged
    assert sorted((row["seq"], row["line"]) for row in rows(lake) if row["seq"]) == found
    assert (spool.folder / "journal-00001.damaged").read_bytes() == text
    assert f"{damaged} lines are damaged" in caplog.text


def test_a_segment_without_its_head(lake: Lake) -> None:
    """A later segment whose first line can't be read is set aside whole: nobody knows which lines it holds."""
    spool = journal(lake, 1, 2)
    (spool.folder / "journal-00002.jsonl").write_bytes(line(2) + line(3))
    spool._lock.release()
    assert [done for _, done in resume(lake)] == [Upload(2, 2, 2)]
    assert (spool.folder / "journal-00002.damaged").exists()


def test_deeply_nested(lake: Lake) -> None:
    """A payload that is nested deeper than a decoder goes is counted as damaged, or in the lake; the rest is there."""
    spool = journal(lake, 2)
    path = spool.folder / "journal-00001.jsonl"
    deep = b"[" * 100_000 + b"]" * 100_000
    path.write_bytes(path.read_bytes() + b'{"t":1,"epoch":1,"event":"deep","payload":%s}\n' % deep)
    spool._lock.release()
    ((_, done),) = resume(lake)
    assert done.rows + done.damaged == 4
    assert numbers(lake) == Counter([1, 2])


def test_a_journal_whose_owner_lives(lake: Lake) -> None:
    """What another process, or another capture of this one, still writes is left to it."""
    spool = journal(lake, 2)
    assert resume(lake) == []
    with pytest.raises(gnb.CaptureError, match=rf"the capture {spool.capture} has an owner, .*; stop that one first"):
        Spool(spools(lake), spool.capture)
    spool._lock.release()
    assert len(resume(lake)) == 1


def test_no_lake_to_resume(tmp_path: Path) -> None:
    """Without a lake there is nothing to commit to, and none is made."""
    with pytest.raises(gnb.CaptureError, match=r"there is no lake .*; a capture of a fleet makes one"):
        resume(Lake(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
