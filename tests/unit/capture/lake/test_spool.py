"""The journals that wait for a lake: each has one owner, however many look for what dead ones left."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import gateway_nb as gnb
from gateway_nb.capture.lake.spool import Spool, left_over, new_capture, new_spool


def test_one_owner(tmp_path: Path) -> None:
    """A journal belongs to whoever took it first, until that one releases it; then it is gone, if nothing is left."""
    spool = new_spool(tmp_path)
    with pytest.raises(gnb.CaptureError, match="has an owner, a process that is alive and commits it; stop that one"):
        Spool(tmp_path, spool.capture)
    assert list(left_over(tmp_path)) == []
    spool.release()
    assert list(tmp_path.iterdir()) == []


def test_what_is_left(tmp_path: Path) -> None:
    """Journals with something in them stay, and are found, but not what else lies beside them."""
    spool = new_spool(tmp_path)
    (spool.folder / "journal-00002.jsonl").write_bytes(b"22")
    (spool.folder / "journal-00001.jsonl").write_bytes(b"1")
    (spool.folder / "journal-00003.damaged").write_bytes(b"3")
    (tmp_path / "notes").mkdir()
    spool.release()
    (found,) = left_over(tmp_path)
    assert found.capture == spool.capture
    assert [(segment.number, segment.bytes) for segment in found.segments()] == [(1, 1), (2, 2)]
    assert [segment.number for segment in found.segments(found.folder / "journal-00002.jsonl")] == [1]
    found.release()


@pytest.mark.parametrize("removed", [False, True])
def test_a_lock_that_another_takes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: bool) -> None:
    """A new capture whose folder is looked at, or removed, in the moment before it is locked gets another one."""
    made = Spool.__init__
    calls: list[str] = []

    def late(spool: Spool, root: Path, capture: str) -> None:
        calls.append(capture)
        if len(calls) == 1 and not removed:
            made(other, root, capture)
        made(spool, root, capture)
        if len(calls) == 1:
            (spool.folder / "owner.lock").unlink()
            spool.folder.rmdir()

    other = Spool.__new__(Spool)
    monkeypatch.setattr(Spool, "__init__", late)
    spool = new_spool(tmp_path)
    assert spool.capture == calls[1] != calls[0]
    spool.release()
    if not removed:
        other.release()
    assert list(tmp_path.iterdir()) == []


def test_many_at_once(tmp_path: Path) -> None:
    """Captures that begin and look for what is left at the same time hinder nobody, and leave nothing."""
    failures: list[BaseException] = []

    def begin() -> None:
        try:
            for _ in range(20):
                spool = new_spool(tmp_path)
                assert spool.is_whole
                for found in left_over(tmp_path):
                    found.release()
                spool.release()
        except BaseException as error:  # noqa: BLE001 - the test shows it
            failures.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for found in left_over(tmp_path):
        found.release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    """A file in the folder's place is told."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(gnb.CaptureError, match="can't be written"):
        new_spool(tmp_path / "file")


def test_one_that_can_not_be_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A journal that can't be taken keeps nobody from the others, and is logged."""
    first, second = sorted(new_capture() for _ in range(2))
    (tmp_path / first).write_text("no folder")
    (tmp_path / second).mkdir()
    (found,) = left_over(tmp_path)
    found.release()
    assert found.capture == second
    assert f"what the capture {first} left can't be committed: " in caplog.text


def test_a_folder_that_can_not_be_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where there is no folder nothing is left; one that can't be read is logged."""
    assert list(left_over(tmp_path / "none")) == []
    assert caplog.text == ""
    (tmp_path / "file").write_text("no folder")
    assert list(left_over(tmp_path / "file")) == []
    assert "can't be committed: Not a directory" in caplog.text


def test_ids_are_in_order() -> None:
    """Ids begin with the time, in UTC, and differ."""
    first, second = new_capture(), new_capture()
    assert first[:15] <= second[:15]
    assert first != second
