"""Captures in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import gateway_nb as gnb
from gateway_nb.capture import detached
from gateway_nb.protocol.lines import TornEndWarning
from tests.helpers.scripts import script
from tests.helpers.silent import Silent
from tests.helpers.support import until

_START = """
capture = gw.capture(os.environ["JOURNAL"], events=("x*",), detached=True)
print(capture.pid)
"""


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    for capture in gnb.captures():
        capture.stop()


def test_it_outlives_its_kernel(local: gnb.LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detached capture goes on when the process that started it is gone, and is found and stopped from another."""
    path = tmp_path / "run.jsonl"
    monkeypatch.setenv("JOURNAL", str(path))
    with script(local, _START) as kernel:
        (pid,) = map(int, kernel.rest())
    (found,) = gnb.captures()
    assert (found.pid, found.path, found.alive) == (pid, path, True)
    local.emit("x", 1)
    local.emit("y", 2)
    until(lambda: b'"x"' in path.read_bytes())
    until(lambda: found.stats.events == 1)
    assert repr(found) == f"<DetachedCapture {path}: connected, 1 events, process {pid}>"
    found.stop()
    assert not found.alive
    assert gnb.captures() == []
    frame = gnb.load(path).df
    assert list(frame["kind"]) == ["start", "event", "stop"]


def test_it_keeps_the_token_to_itself(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """The token goes through a pipe: no list of processes, no environment and no file shows it."""
    with gnb.connect(local.url, token=local.token) as gw:
        capture = gw.capture(tmp_path / "run.jsonl", detached=True)
        process = psutil.Process(capture.pid)
        assert local.token not in f"{process.cmdline()} {process.environ()}"
        files = [file for file in tmp_path.rglob("*") if file.is_file() and "captures" in file.parts]
        assert files
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
        assert not [file for file in files if local.token in file.read_text()]
        capture.stop()


def test_asked_again(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """Running the cell again finds the capture that runs; stopping it again does nothing."""
    with gnb.connect(local.url, token=local.token) as gw:
        first = gw.capture(tmp_path / "run.jsonl", detached=True)
        again = gw.capture(tmp_path / "run.jsonl", detached=True)
        assert again.pid == first.pid
        first.stop()
        assert again.stop().events == 0
        with pytest.raises(gnb.CaptureError, match=r"run\.jsonl exists; choose another name"):
            gw.capture(tmp_path / "run.jsonl", detached=True)
        more = gw.capture(tmp_path / "run.jsonl", detached=True, append=True)
        more.stop()
        with pytest.raises(ValueError, match="another process"):
            gw.capture(tmp_path / "other.jsonl", detached=True, requests=True)  # type: ignore[call-overload]


def test_a_torn_end(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A detached capture that continues a torn file tells at once where the torn line is, as any other does."""
    path = tmp_path / "run.jsonl"
    with gnb.connect(local.url, token=local.token) as gw:
        gw.capture(path).stop()
        with path.open("ab") as file:
            file.write(b'{"t":1.5,"ep')
        with pytest.warns(TornEndWarning, match=r"torn line, which is in \S+run\.jsonl\.torn-1 now"):
            capture = gw.capture(path, append=True, detached=True)
        assert capture.stop().torn == f"{path}.torn-1"


def test_one_process(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A detached capture is one process, a child of the one that started it, and nothing is left of it at its end."""
    with gnb.connect(local.url, token=local.token) as gw:
        capture = gw.capture(tmp_path / "run.jsonl", detached=True)
        process = psutil.Process(capture.pid)
        assert process.parent() == psutil.Process()
        assert os.getsid(capture.pid) == capture.pid
        assert process.children() == []
        capture.stop()
        assert not psutil.pid_exists(capture.pid)


def test_an_interrupted_start(local: gnb.LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a detached capture starts leaves nothing running, and no file of its start behind."""
    monkeypatch.setenv("JOURNAL", str(tmp_path / "run.jsonl"))
    with script(local, f"try:\n    {_START.strip().splitlines()[0]}\nexcept KeyboardInterrupt:\n    pass\n") as kernel:
        folder = tmp_path / "home" / "captures"
        until(lambda: folder.is_dir() and list(folder.glob("*.log")), 30)
        kernel.interrupt()
        kernel.rest()
    until(lambda: not gnb.captures(), 30)
    assert list(folder.glob("*.log")) == []


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_command(tmp_path: Path) -> None:
    """Ctrl-C while the command waits for its capture ends the capture's process before its own."""
    with Silent() as silent:
        command = [sys.executable, "-m", "gateway_nb", "capture", silent.url, "-o", str(tmp_path / "run.jsonl")]
        with subprocess.Popen([*command, "--detach"], stderr=subprocess.PIPE) as waiting:
            until(lambda: silent.connections, 30)
            (capturing,) = psutil.Process(waiting.pid).children()
            waiting.send_signal(signal.SIGINT)
            waiting.communicate(timeout=30)
            assert not capturing.is_running()
    assert list((tmp_path / "home" / "captures").glob("*.log")) == []
    assert gnb.captures() == []


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_in_the_middle_of_a_start(tmp_path: Path) -> None:
    """Ctrl-C does not wait for a gateway that says nothing: it takes with it what was started."""
    code = """
import pathlib, sys
from gateway_nb.capture.detached import start
start({"url": sys.argv[1], "device_identity": None}, pathlib.Path(sys.argv[2]))
"""
    with Silent() as silent:
        command = [sys.executable, "-c", code, silent.url, str(tmp_path / "run.jsonl")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as starting:
            until(lambda: silent.connections, 30)
            started = psutil.Process(starting.pid).children(recursive=True)
            starting.send_signal(signal.SIGINT)
            assert starting.wait(10) != 0
            assert started
            until(lambda: not any(process.is_running() for process in started))
    assert gnb.captures() == []


def test_an_interrupt_at_the_end_of_a_start(
    local: gnb.LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C when a detached capture runs already, and nobody has it yet, ends it."""
    find = detached._find
    pressed: list[bool] = []

    def interrupted(path: Path) -> gnb.DetachedCapture | None:
        found = find(path)
        if found is not None and not pressed:
            pressed.append(True)
            assert found.alive
            raise KeyboardInterrupt
        return found

    with gnb.connect(local.url, token=local.token) as gw:
        monkeypatch.setattr(detached, "_find", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gw.capture(tmp_path / "run.jsonl", detached=True)
    assert gnb.captures() == []


def test_a_killed_capture_is_forgotten(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A capture that was killed is not listed any more, and its file is readable."""
    with gnb.connect(local.url, token=local.token) as gw:
        capture = gw.capture(tmp_path / "run.jsonl", detached=True)
        local.emit("x", 1)
        until(lambda: b'"x"' in (tmp_path / "run.jsonl").read_bytes())
        os.kill(capture.pid, signal.SIGKILL)
        until(lambda: not capture.alive)
        assert gnb.captures() == []
        assert list(gnb.load(tmp_path / "run.jsonl").payloads("x")) == [1]


@pytest.mark.slow
def test_a_disk_that_fails(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A detached capture whose file is taken away stays listed with the reason, until somebody stops it."""
    path = tmp_path / "run.jsonl"
    with gnb.connect(local.url, token=local.token) as gw:
        capture = gw.capture(path, detached=True)
        local.emit("x", 1)
        until(lambda: capture.stats.events == 1)
        path.unlink()
        until(lambda: capture.stats.error, 30)
        assert capture.stats.events == 1
        until(lambda: not capture.alive)
        (found,) = gnb.captures()
        assert "run.jsonl was removed while it was written" in repr(found)
        with pytest.raises(gnb.CaptureError, match=r"run\.jsonl was removed"):
            found.stop()
        assert gnb.captures() == []
        assert [file.name for file in (tmp_path / "home" / "captures").iterdir()] == ["asking.lock"]
        again = gw.capture(path, detached=True)
        assert again.alive
        path.unlink()
        until(lambda: not again.alive, 30)
        more = gw.capture(path, detached=True)
        assert more.alive
        more.stop()


def test_detach_from_a_shell(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """The command goes into the background when it captures, prints its process id, and rotates its files."""
    command = [sys.executable, "-m", "gateway_nb", "capture", local.url, "-o", str(tmp_path / "run.jsonl")]
    command += ["--rotate", "1KB", "--detach", "--token-env", "T"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "T": local.token}, check=True)
    (capture,) = gnb.captures()
    assert capture.pid == int(done.stdout)
    for number in range(10):
        local.emit("x", {"n": number, "text": "x" * 400})
        until(lambda done=number: f'"n":{done},' in _all(tmp_path))  # type: ignore[misc]
    capture.stop()
    assert len(list(tmp_path.glob("run-*.jsonl"))) > 2
    assert [payload["n"] for payload in gnb.load(tmp_path).payloads("x")] == list(range(10))


def _all(folder: Path) -> str:
    return "".join(file.read_text() for file in sorted(folder.glob("run-*.jsonl")))


def test_stop_tells_what_is_in_the_file(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """stop() returns the numbers of the file, however soon after the last event; so does every other handle."""
    path = tmp_path / "run.jsonl"
    with gnb.connect(local.url, token=local.token) as gw:
        capture = gw.capture(path, detached=True)
        (other,) = gnb.captures()
        for number in range(3000):
            local.emit("x", number)
        until(lambda: path.read_bytes().count(b'"x"') > 1000)
        last = capture.stop()
    assert last.events == path.read_bytes().count(b'"event"') > 1000
    assert last.bytes == path.stat().st_size
    assert (last.state, last.error) == ("ended", None)
    assert other.stop() == capture.stop() == last
    assert gnb.captures() == []


def test_a_capture_with_a_duration(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A capture that ends by itself leaves its last account to whoever asks later."""
    command = [sys.executable, "-m", "gateway_nb", "capture", local.url, "-o", str(tmp_path / "run.jsonl")]
    command += ["--duration", "1s", "--detach", "--token-env", "T"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "T": local.token}) as starting:
        until(gnb.captures, 30)  # before its second is over
        (capture,) = gnb.captures()
        local.emit("x", 1)
        assert starting.wait(30) == 0
    until(lambda: not capture.alive, 30)
    assert gnb.captures() == []
    assert (capture.stop().state, capture.stats.events) == ("ended", 1)


def test_stopping_what_was_killed(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """stop() of a capture that was killed says so, with what it had told."""
    with gnb.connect(local.url, token=local.token) as gw:
        capture = gw.capture(tmp_path / "run.jsonl", detached=True)
        local.emit("x", 1)
        until(lambda: capture.stats.events == 1)
        os.kill(capture.pid, signal.SIGKILL)
        until(lambda: not capture.alive)
        assert capture.stats.state == "killed"
        for _ in range(2):
            with pytest.raises(gnb.CaptureError, match=rf"after 1 events: its process {capture.pid} was killed; its"):
                capture.stop()


def _entry(**changes: object) -> bytes:
    entry = {"pid": 1, "path": "/x.jsonl", "url": "ws://127.0.0.1:1", "started": 1.0, "error": "the disk failed"}
    return json.dumps(entry | changes).encode()


ODD_ENTRIES: dict[str, bytes | None] = {
    "1.json": b"",
    "2.json": b"[]",
    "3.json": b"nonsense",
    "4.json": b"null",
    "5.json": b"{}",
    "6.json": _entry(pid="6"),
    "7.json": _entry(pid=7, started="today"),
    "8.json": _entry(pid=8, error=5),
    "9.json": b"\xff\xfe",
    "10.json": b"[" * 60_000,
    "11.json": b" " * 100_000,
    "12.json": None,
    "18.json": _entry(pid=18)[:-1] + b',"newer":%b}' % (b"[" * 20_000 + b"]" * 20_000),
    "13.json": _entry(pid=14),
    "x.json": _entry(pid=1),
    "-1.json": _entry(pid=-1),
}


def test_odd_entries(local: gnb.LocalGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Odd files among the entries are passed over and named once in the log; nothing else minds them."""
    folder = tmp_path / "home" / "captures"
    folder.mkdir(parents=True)
    for name, content in ODD_ENTRIES.items():
        (folder / name).mkdir() if content is None else (folder / name).write_bytes(content)
    (folder / "16.json").symlink_to("nowhere")
    os.mkfifo(folder / "17.json")
    (folder / "15.json").write_bytes(_entry(pid=15, newer={"field": 1}))
    for _ in range(2):
        (failed,) = gnb.captures()
    assert failed.stats.error == "the disk failed"
    named = [record.getMessage() for record in caplog.records if "is not the entry of a capture" in record.getMessage()]
    assert len(named) == len(ODD_ENTRIES) + 1
    with gnb.connect(local.url, token=local.token) as gw:
        gw.capture(tmp_path / "run.jsonl", detached=True).stop()
    with pytest.raises(gnb.CaptureError, match="the disk failed"):
        failed.stop()
    assert {file.name for file in folder.glob("*.json")} > set(ODD_ENTRIES)


def test_a_process_that_is_not_ours(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """stop() signals no process but the capture's own: an entry whose process has gone may name a stranger's id."""
    folder = tmp_path / "home" / "captures"
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        entry = folder / f"{stranger.pid}.json"
        entry.write_bytes(_entry(pid=stranger.pid))
        asking = [threading.Thread(target=_ask, args=[gnb.captures()[0]]) for _ in range(8)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert stranger.poll() is None
        stranger.communicate(b"\n")
        assert stranger.returncode == 0


def _ask(capture: gnb.DetachedCapture) -> None:
    for _ in range(50):
        assert not capture.alive
    with contextlib.suppress(gnb.CaptureError):
        capture.stop()


def test_a_home_that_cannot_be_written(
    local: gnb.LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the user's own folder can't be written, connecting warns of the temporary key, a capture in a process of
    its own says which variable to set, and there are no captures.
    """
    (tmp_path / "file").touch()
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path / "file" / "home"))
    with pytest.warns(UserWarning, match=r"uses a temporary one; set GATEWAY_NB_HOME to a folder that can be written"):
        gw = gnb.connect(local.url, token=local.token)
    with gw, pytest.raises(gnb.CaptureError, match=r"can't be written: .*; set GATEWAY_NB_HOME to a folder"):
        gw.capture(tmp_path / "run.jsonl", detached=True)
    assert (gnb.captures(), len(gw.status.problems)) == ([], 1)
