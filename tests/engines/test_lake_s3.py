"""Captures into a lake in an S3 that fails as stores do: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.capture.files import Rotation
from gateway_nb.capture.lake import delta, uploading, writing
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.spool import spools
from gateway_nb.capture.lake.upkeep import compact
from gateway_nb.capture.lake.uploading import resume
from gateway_nb.capture.lake.writing import LakeCapture
from gateway_nb.client.redaction.redactor import Redactor
from tests.helpers.command import run
from tests.helpers.lakes import Feed, events, modes, numbers, rows
from tests.helpers.store import BUCKET, KEY, SECRET, Store, s3
from tests.helpers.support import until


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with s3() as store:
        yield store


@pytest.fixture
def store(server: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store without faults, its secrets in the environment, and quick segments and commits."""
    server.fails()
    for name, value in server.options.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(writing, "SEGMENT", Rotation(bytes=32e6, seconds=0.2))
    monkeypatch.setattr(writing, "COMMIT_SECONDS", 0.1)
    monkeypatch.setattr(writing, "_LONGEST_PAUSE", 0.5)
    monkeypatch.setattr(delta, "_PATIENCE", delta._PATIENCE | {"timeout": "5s", "retry_timeout": "2s"})
    return server


@pytest.fixture
def place(store: Store) -> str:
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


def start(place: str) -> tuple[LakeCapture, Feed]:
    capture, feed = LakeCapture(Lake(place)), Feed()
    capture.add("north", feed, Redactor())  # type: ignore[arg-type]
    return capture, feed


def test_a_lake_in_a_store(store: Store, place: str, tmp_path: Path) -> None:
    """Events are there, each once; journals are private, in this package's own folder, and gone at the end."""
    capture, feed = start(place)
    feed.give(events(0, 100))
    until(lambda: capture.stats.events == 100)
    assert (tmp_path / "home" / "lakes") in spools(Lake(place)).parents
    assert modes(spools(Lake(place))) == {(True, "0o700"), (False, "0o600")}
    texts = [path.read_text(errors="replace") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [text for text in [*texts, repr(capture), str(capture.stats)] if SECRET in text or KEY in text]
    capture.stop()
    assert numbers(Lake(place)) == Counter(range(100))
    assert list(spools(Lake(place)).iterdir()) == []


FAULTS: dict[str, dict[str, Any]] = {
    "it answers 503": {"status": 503},
    "it answers 500": {"status": 500},
    "it answers 403": {"status": 403},
    "it is slow": {"delay": 0.3},
    "it is slower than anybody waits": {"delay": 6.0},
    "it loses answers": {"lost": 2},
    "it is away": {"away": True},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_fails(store: Store, place: str, fault: str) -> None:
    """Whatever a store does for a while, in the end each event is there once."""
    capture, feed = start(place)
    feed.give(events(0, 10))
    until(lambda: capture.stats.commits == 1, 30)
    asked = store.fails(**FAULTS[fault])
    for number in range(10, 60, 10):
        feed.give(events(number, 10))
    until(lambda: store.fails(**FAULTS[fault]) >= asked + 6, 60)
    if fault in ("it answers 503", "it answers 500", "it answers 403", "it is slower than anybody waits", "it is away"):
        until(lambda: capture.stats.problem is not None, 60)
        assert "\n" not in str(capture.stats.problem)
        assert SECRET not in str(capture.stats.problem)
        assert capture.stats.waiting > 0
    store.fails()
    feed.give(events(60, 10))
    capture.stop()
    assert numbers(Lake(place)) == Counter(range(70))
    lines = [row["line"] for row in rows(Lake(place), "line")]
    assert sorted(lines) == list(range(1, len(lines) + 1))


def test_answers_that_are_lost_all_the_time(store: Store, place: str) -> None:
    """Commits whose answers are lost are seen to be there, and not made again."""
    capture, feed = start(place)
    store.fails(lost=3)
    for number in range(0, 300, 10):
        feed.give(events(number, 10))
        until(lambda done=number + 10: capture.stats.events == done)  # type: ignore[misc]
        threading.Event().wait(0.02)  # the events come over a while, so that they are in several commits
    stats = capture.stop()
    assert stats.commits > 1
    assert numbers(Lake(place)) == Counter(range(300))


def test_a_store_that_is_away_at_the_start(store: Store, place: str) -> None:
    """A capture into a store that can't be reached is refused in one line, without secrets; nothing is left here."""
    store.fails(away=True)
    with pytest.raises(gnb.CaptureError, match=rf"the lake {place} can't be written: ") as error:
        LakeCapture(Lake(place))
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)
    assert not spools(Lake(place)).exists()


def test_a_store_that_is_away_until_the_end(
    store: Store, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a store did not take is committed by the command, once it is back."""
    monkeypatch.setattr(writing, "_STOP_PATIENCE", 3.0)
    capture, feed = start(place)
    store.fails(status=503)
    feed.give(events(0, 10))
    with pytest.raises(gnb.CaptureError, match=f"are not in the lake: .*; .* or: gateway-nb lake resume {place}"):
        capture.stop()
    until(lambda: not capture._thread.is_alive(), 60)
    assert "can't be read" in run("lake", "resume", place).stderr
    store.fails()
    done = run("lake", "resume", place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{capture.capture}: ")
    assert numbers(Lake(place)) == Counter(range(10))


_WRITE = """
import itertools, sys, time
from gateway_nb.capture.files import Rotation
from gateway_nb.capture.lake import writing
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.client.redaction.redactor import Redactor
from tests.helpers.lakes import Feed, events
writing.SEGMENT, writing.COMMIT_SECONDS = Rotation(bytes=10_000), 0.05
capture, feed = writing.LakeCapture(Lake(sys.argv[1])), Feed()
capture.add("north", feed, Redactor())
for number in itertools.count(int(sys.argv[2]), 10):
    feed.give(events(number, 10, received=time.time()))
    print(int(sys.argv[2]) + capture.stats.events, flush=True)
    time.sleep(0.002)
"""


def test_kill_at_any_moment(store: Store, place: str) -> None:
    """However often processes are killed while they commit to a store, no event is lost, none is there twice."""
    wanted: Counter[int] = Counter()
    for trial in range(int(os.environ.get("GATEWAY_NB_KILLS", "4"))):
        first = (trial + 1) * 1_000_000
        command = [sys.executable, "-c", _WRITE, place, str(first)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        had = first
        while had == first:
            had = int(writer.stdout.readline())
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(random.uniform(0.1, 2))
        writer.kill()
        whole = [line for line in writer.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        wanted.update(range(first, int(whole[-1]) if whole else had))
    resume(Lake(place))
    found = numbers(Lake(place))
    assert set(found.values()) == {1}
    assert not wanted - found


def test_two_captures_at_once(store: Store, place: str) -> None:
    """Captures that commit to the same lake at the same time do not hinder each other."""
    captures = [start(place) for _ in range(3)]
    for number in range(0, 100, 10):
        for turn, (_, feed) in enumerate(captures):
            feed.give(events(1000 * turn + number, 10))
    ends = [threading.Thread(target=capture.stop) for capture, _ in captures]
    for end in ends:
        end.start()
    for end in ends:
        end.join()
    assert numbers(Lake(place)) == Counter(1000 * turn + number for turn in range(3) for number in range(100))


def test_compaction_in_a_store(store: Store, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The days that are over have one file each, in a store, too."""
    monkeypatch.setattr(uploading, "COMMIT_BYTES", 1)
    capture, feed = start(place)
    for number in range(3):
        feed.give(events(number))
        until(lambda done=number + 1: capture.stats.commits >= done, 30)  # type: ignore[misc]
    capture.stop()
    (old,) = [done for done in compact(Lake(place)) if str(done.day) == "1970-01-01"]
    assert old.before >= 3
    assert old.after == 1
    assert numbers(Lake(place)) == Counter(range(3))
