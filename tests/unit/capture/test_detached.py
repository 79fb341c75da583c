"""What is known of captures in processes of their own, without a process: entries, locks, and how one is started."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import stat
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway_nb.capture import detached
from gateway_nb.capture.detached import Account, DetachedCapture, Registration, captures, launch, start
from gateway_nb.errors import CaptureError

PID = 2_000_000_000
"""No process has this id."""


class Clock:
    """A clock of the test's own, on which sleeping alone takes time, and fifty times as much as it should."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []
        here = types.SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now, sleep=self._sleep)
        monkeypatch.setattr(detached, "time", here)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += 50 * seconds


def account(path: Path = Path("/tmp/run.jsonl"), pid: int = PID, **fields: Any) -> Account:
    return Account(pid, str(path), "ws://127.0.0.1:1", **{"started": 1.0, "events": 7, **fields})


@pytest.fixture
def running() -> Iterator[Callable[..., Registration]]:
    """Registers captures, as their processes do."""
    registrations: list[Registration] = []

    def register(**fields: Any) -> Registration:
        registrations.append(Registration(account(**fields)))
        return registrations[-1]

    yield register
    for registration in registrations:
        registration.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "home" / "captures"
    found.mkdir(parents=True)
    return found


def left_of(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {"asking.lock"}


def test_those_that_run(running: Callable[..., Registration], folder: Path) -> None:
    """Captures that run are found, oldest first, with what they say of themselves."""
    second, first = running(pid=PID, started=2.0), running(pid=PID - 1, started=1.0)
    assert [capture.pid for capture in captures()] == [PID - 1, PID]
    found = captures()[1]
    assert (found.alive, found.path, found.stats) == (True, Path("/tmp/run.jsonl"), account(started=2.0))
    assert repr(found) == f"<DetachedCapture /tmp/run.jsonl: connected, 7 events, process {PID}>"
    second.update(account(started=2.0, events=8))
    assert found.stats.events == 8
    first.close()
    assert [capture.pid for capture in captures()] == [PID]


def test_nobody_else_reads_what_a_capture_says(running: Callable[..., Registration], tmp_path: Path) -> None:
    """The folder of the entries, the entries and their locks are the user's alone."""
    before = os.umask(0)
    try:
        running()
        [_] = captures()
    finally:
        os.umask(before)
    folder = tmp_path / "home" / "captures"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == dict.fromkeys((f"{PID}.json", f"{PID}.lock", "asking.lock"), 0o600)


@pytest.mark.parametrize(
    ("last", "state", "error"),
    [
        ({"state": "ended"}, "ended", None),
        ({"state": "failed", "error": "the disk is full"}, "failed", "the disk is full"),
        ({}, "killed", f"its process {PID} was killed; its file may hold more than this: gnb.load('/tmp/run.jsonl')"),
    ],
    ids=["it was stopped", "its disk failed", "it was killed"],
)
def test_how_it_ended(
    last: dict[str, Any], state: str, error: str | None, running: Callable[..., Registration], folder: Path
) -> None:
    """Whoever has a capture in hand learns how it ended; `stop` raises where that was not well, and it is forgotten."""
    registration = running()
    [found] = captures()
    registration.update(account(events=9, **last))
    registration.close()
    assert not found.alive
    assert (found.stats.state, found.stats.error, found.stats.events) == (state, error, 9)
    assert [capture.pid for capture in captures()] == ([PID] if state == "failed" else [])
    assert repr(found) == f"<DetachedCapture /tmp/run.jsonl: {error or state}, 9 events, process {PID}>"
    for _ in range(2):
        if error is None:
            assert found.stop() == account(events=9, **last)
        else:
            with pytest.raises(CaptureError, match=r"the capture /tmp/run.jsonl ended after 9 events: .*" + error[:20]):
                found.stop()
    assert left_of(folder) == ({f"{PID}.json", f"{PID}.lock"} if error is None else set())


def test_another_process_of_its_id(running: Callable[..., Registration]) -> None:
    """A capture whose id another one has by now has ended: the other is not taken for it, and not signalled."""
    running()
    [found] = captures()
    old = DetachedCapture(found._file, account(started=0.5))
    assert not old.alive
    assert old.stats == account(started=0.5, state="ended")
    assert old.stop().state == "ended"
    assert found.alive


def test_how_long_a_lock_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that begins waits up to 10 s for those who ask whether it lives; they do not wait."""
    asked: list[float] = []

    def acquire(timeout: float) -> contextlib.nullcontext[None]:
        asked.append(timeout)
        return contextlib.nullcontext()

    lock = types.SimpleNamespace(acquire=acquire, release=lambda: None)
    monkeypatch.setattr(detached, "_lock", lambda _: lock)
    Registration(account()).close()
    assert captures() == []
    assert asked == [10.0, 0.0]


def test_a_former_entry_is_replaced(running: Callable[..., Registration], folder: Path) -> None:
    """What a former process of the same id said is gone when another begins."""
    running(error="no").close()
    running(started=2.0)
    assert [capture.stats for capture in captures()] == [account(started=2.0)]


def test_a_home_that_is_full(running: Callable[..., Registration], monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture whose entry can't be written goes on, and is not taken for a former one of its id."""
    running(error="of the former").close()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(detached, "write_private", full)
    running(started=2.0)
    assert captures() == []


@pytest.mark.parametrize(("age", "kept"), [(86_400, True), (86_401, False)])
def test_entries_are_kept_for_a_day(
    age: int, kept: bool, running: Callable[..., Registration], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last words of a capture that ended are there for a day."""
    clock = Clock(monkeypatch)
    running().close()
    os.utime(folder / f"{PID}.json", (clock.now - age, clock.now - age))
    assert captures() == []
    assert left_of(folder) == ({f"{PID}.json", f"{PID}.lock"} if kept else set())


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("1.json", b"", "JSON"),
        ("1.json", b'{"news":' + b"[" * 60_000, "it is nested too deeply"),
        ("1.json", b"{}", "pid"),
        ("2.json", msgspec.json.encode(account(pid=1)), "it is the entry of process 1"),
        ("0.json", msgspec.json.encode(account(pid=0)), "it is the entry of process 0"),
        ("-1.json", msgspec.json.encode(account(pid=-1)), "it is the entry of process -1"),
        ("1.json", msgspec.json.encode(account(pid=1, error="no")).ljust(65_537), "at most 65,536 bytes"),
        ("1.json", None, "not a file"),
    ],
)
def test_odd_entries(name: str, data: bytes | None, why: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is not an entry is passed over, and named in the log once."""
    file = folder / name
    file.mkdir() if data is None else file.write_bytes(data)
    for _ in range(2):
        assert captures() == []
    [record] = caplog.records
    assert f"{file} is not the entry of a capture, and passed over: " in record.getMessage()
    assert why in record.getMessage()


def test_the_largest_entry(folder: Path) -> None:
    """An entry has at most 64 KiB; what a newer version says besides is passed over."""
    entry = msgspec.to_builtins(account(pid=1, error="no")) | {"news": "x"}
    (folder / "1.json").write_bytes(msgspec.json.encode(entry).ljust(65_536))
    assert [capture.stats.error for capture in captures()] == ["no"]


@pytest.mark.parametrize("gone", [False, True])
def test_stop(gone: bool, running: Callable[..., Registration], monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop` signals the process once, waits until it has ended, and returns its last words."""
    registration, signals = running(), []
    Clock(monkeypatch)

    def kill(pid: int, number: int) -> None:
        signals.append((pid, number))
        if gone:
            registration.close()
            raise ProcessLookupError
        registration.update(account(state="ended", events=8))
        monkeypatch.setattr(detached.time, "sleep", lambda _: registration.close())

    monkeypatch.setattr(os, "kill", kill)
    [found] = captures()
    if gone:
        with pytest.raises(CaptureError, match="was killed"):
            found.stop()
    else:
        assert found.stop() == account(state="ended", events=8)
    assert signals == [(PID, signal.SIGTERM)]


@pytest.mark.parametrize(("arguments", "seconds"), [((), 15), ((3,), 3)])
def test_it_does_not_end(
    arguments: tuple[float, ...],
    seconds: float,
    running: Callable[..., Registration],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who stops waits 15 s, or as long as they say, looking often."""
    running()
    clock = Clock(monkeypatch)
    began = clock.now
    monkeypatch.setattr(os, "kill", lambda *_: None)
    [found] = captures()
    with pytest.raises(CaptureError, match=rf"run.jsonl \(process {PID}\) did not end within {seconds} s"):
        found.stop(*arguments)
    assert seconds <= clock.now - began < seconds + 2
    assert set(clock.slept) == {0.02}


class Process:
    """A capturing process that a test plays.

    Args:
        plays: called when it has its connection.
    """

    def __init__(self, plays: Callable[[Process], object]) -> None:
        self.pid = PID
        self.command: list[str] = []
        self.options: dict[str, Any] = {}
        self.ended = threading.Event()
        self.terminated: list[float] = []
        self.stdin = self
        self.connection = io.BytesIO()
        self._plays = plays

    def __call__(self, command: list[str], **options: Any) -> Process:
        self.command, self.options = command, options
        return self

    def write(self, data: bytes) -> None:
        self.connection.write(data)

    def close(self) -> None:
        self._plays(self)

    def wait(self) -> None:
        self.ended.wait()

    def terminate(self) -> None:
        self.terminated.append(detached.time.monotonic())
        self.ended.set()

    def print_and_end(self, text: str) -> None:
        self.options["stdout"].write(text.encode())
        self.options["stdout"].flush()
        self.ended.set()


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Process], object]], Process]]:
    started: list[Process] = []

    def plays(what: Callable[[Process], object]) -> Process:
        started.append(Process(what))
        monkeypatch.setattr(detached.subprocess, "Popen", started[-1])
        return started[-1]

    yield plays
    for playing in started:
        playing.ended.set()
        if (waiting := detached._waiting.pop(playing.pid, None)) is not None:
            waiting.join()


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, ["--events", "*"]),
        ({"events": ("a", "b.*"), "append": True}, ["--events", "a", "--events", "b.*", "--append"]),
        ({"rotate": "1h", "duration": "90s"}, ["--events", "*", "--rotate", "1h", "--duration", "90s"]),
    ],
)
def test_launch(
    options: dict[str, Any],
    arguments: list[str],
    process: Callable[[Callable[[Process], object]], Process],
    running: Callable[..., Registration],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A capture is started in a session of its own, gets its connection through a pipe, and is returned as it runs."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.jsonl"
    new = process(lambda _: running(path=path))
    found = launch({"token": "hush"}, Path("run.jsonl"), **options)
    assert (found.pid, found.path, found.alive) == (PID, path, True)
    assert new.connection.getvalue() == b'{"token": "hush"}'
    assert new.command[1:] == [
        "-P",
        "-m",
        "gateway_nb",
        "capture",
        "--connection-from-stdin",
        "-o",
        str(path),
        *arguments,
    ]
    assert new.options["start_new_session"] is True
    assert new.options["stderr"] is new.options["stdout"]
    assert not new.terminated
    assert left_of(folder) == {f"{PID}.json", f"{PID}.lock"}


@pytest.mark.parametrize(
    ("printed", "why"), [("gateway-nb: the file exists\n", "the file exists"), ("", "the capture /x/y ended at once")]
)
def test_a_launch_that_fails(
    printed: str, why: str, process: Callable[[Callable[[Process], object]], Process], folder: Path
) -> None:
    """Where a capture ends before it captures, what it printed is the error; nothing of it is left."""
    new = process(lambda _: None)

    def write(_: bytes) -> None:
        new.print_and_end(printed)
        raise BrokenPipeError

    new.write = write  # type: ignore[method-assign]
    with pytest.raises(CaptureError) as failed:
        launch({}, Path("/x/y"))
    assert str(failed.value) == why
    assert left_of(folder) == set()
    assert not new.terminated


def test_a_launch_that_fails_late(
    process: Callable[[Callable[[Process], object]], Process], running: Callable[..., Registration]
) -> None:
    """What a capture prints after it has an entry, but not for this file, is waited for."""

    def plays(playing: Process) -> None:
        running(path=Path("/another"))
        threading.Timer(0.02, playing.print_and_end, ["too late"]).start()

    process(plays)
    with pytest.raises(CaptureError, match="too late"):
        launch({}, Path("/x/y"))


def test_an_interrupted_launch(process: Callable[[Callable[[Process], object]], Process], folder: Path) -> None:
    """Who interrupts the start of a capture leaves no process behind."""

    def interrupt(_: Process) -> None:
        raise KeyboardInterrupt

    new = process(interrupt)
    with pytest.raises(KeyboardInterrupt):
        launch({}, Path("/x/y"))
    assert len(new.terminated) == 1
    assert not detached._waiting[PID].is_alive()
    assert left_of(folder) == set()


def test_a_launch_that_takes_too_long(
    process: Callable[[Callable[[Process], object]], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A capture that does not start within a minute is ended."""
    clock = Clock(monkeypatch)
    began = clock.now
    new = process(lambda _: None)
    with pytest.raises(CaptureError, match="ended at once"):
        launch({}, Path("/x/y"))
    assert 60 <= new.terminated[0] - began < 62
    assert set(clock.slept) == {0.02}


@pytest.mark.parametrize("before", ["none", "runs", "failed", "another file"])
def test_start(
    before: str,
    running: Callable[..., Registration],
    process: Callable[[Callable[[Process], object]], Process],
    tmp_path: Path,
) -> None:
    """A capture that writes the file already is returned; one that failed makes way for a new one."""
    path = tmp_path / "run.jsonl"
    if before != "none":
        file = tmp_path / "other.jsonl" if before == "another file" else path
        error = "no" if before == "failed" else None
        registration = running(path=file, pid=PID - 1, error=error)
        if before == "failed":
            registration.close()
    new = process(lambda _: running(path=path, started=5.0))
    found = start({}, path, append=True)
    assert found.pid == (PID - 1 if before == "runs" else PID)
    assert bool(new.command) is (before != "runs")
    assert ("--append" in new.command) is (before != "runs")
    assert len(captures()) == (2 if before == "another file" else 1)
