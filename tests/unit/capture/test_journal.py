"""The journal of many gateways: its lines name them, its files follow in time, and a full disk makes it wait."""

from __future__ import annotations

import errno
import json
import threading
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

import gateway_nb as gnb
from gateway_nb.capture.files import Output, Rotation
from gateway_nb.capture.journal import Capture, Source
from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from tests.helpers.support import until


def event(seq: int, payload: bytes = b"{}") -> Event:
    return Event(1.5, 1, "tick", seq, msgspec.Raw(payload))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_name_their_gateway(tmp_path: Path) -> None:
    """Events and marks of a gateway name it, the capture's own do not; the file is a capture as any other."""
    with Capture(tmp_path / "run.jsonl") as capture:
        north, south = Source(capture, "north", Redactor()), Source(capture, 'so"uth', Redactor())
        north.extend([event(1), event(2)])
        south.mark("reconnect", 2, {"bootId": "b"})
        south.extend([event(1)])
    lines = lines_of(capture.path)
    assert [(line.get("gateway"), line.get("event", line.get("kind"))) for line in lines] == [
        (None, "start"),
        ("north", "tick"),
        ("north", "tick"),
        ('so"uth', "reconnect"),
        ('so"uth', "tick"),
        (None, "stop"),
    ]
    assert list(gnb.load(capture.path).df["seq"].dropna()) == [1, 2, 1]


def test_each_gateway_hides_its_secrets(tmp_path: Path) -> None:
    """A secret of a gateway is in no line of that gateway, neither of an event nor of a mark."""
    with Capture(tmp_path / "run.jsonl") as capture:
        north = Source(capture, "north", Redactor(["correct-horse"]))
        north.extend([event(1, b'{"text":"it is correct-horse"}')])
        north.mark("reconnect", 2, {"bootId": "correct-horse"})
    assert "correct-horse" not in capture.path.read_text()
    assert [line["payload"] for line in lines_of(capture.path)[1:3]] == [
        {"text": "it is [secret]"},
        {"bootId": "[secret]"},
    ]


def test_files_follow_in_time(tmp_path: Path) -> None:
    """Another file begins when it is time, also while nothing comes, and says where its lines begin."""
    with Capture(tmp_path / "run.jsonl", rotate=Rotation(seconds=0.05)) as capture:
        capture.extend([event(1)])
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        capture.extend([event(2)])
        until(lambda: len(list(tmp_path.iterdir())) == 3)
        assert list(capture.df["seq"].dropna()) == [1, 2]
    before = len(lines_of(tmp_path / "run-00001.jsonl"))
    assert lines_of(tmp_path / "run-00002.jsonl")[0]["payload"] == {"number": 2, "line": before + 1}


def test_a_file_with_nothing_but_its_head(tmp_path: Path) -> None:
    """No file follows one in which nothing came, however old it is."""
    output = Output(tmp_path / "run.jsonl", rotation=Rotation(seconds=0.0))
    output.write(b"{}\n")
    assert output.is_due
    output.rotate(b"head\n")
    assert not output.is_due
    output.close()
    assert output.files == [tmp_path / "run-00001.jsonl", tmp_path / "run-00002.jsonl"]


class FullDisk:
    """A disk that takes a few bytes of each write, and is full until it has room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.waiting = threading.Event(), threading.Event()
        write = FileIO.write

        def taken(file: FileIO, data: bytes) -> int | None:
            if not self.room.is_set() and b"full" in data:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(file, data[:7])

        class Disk(FileIO):
            write = taken  # type: ignore[assignment]

        monkeypatch.setattr("gateway_nb.capture.files.FileIO", Disk)

    def waits(self, error: OSError) -> bool:
        self.waiting.set()
        return self.room.wait(10)


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a full disk does not take is written once there is room, every line once and whole."""
    disk = FullDisk(monkeypatch)
    with Capture(tmp_path / "run.jsonl", waits=disk.waits) as capture:
        capture.extend([event(number, b'{"x":"full"}') for number in range(3)])
        assert disk.waiting.wait(10)
        disk.room.set()
    assert [line.get("seq") for line in lines_of(capture.path)] == [None, 0, 1, 2, None]


@pytest.mark.parametrize("waits", [None, lambda error: False])
def test_a_full_disk_that_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: Any) -> None:
    """Without patience a full disk ends the capture, with what the disk says."""
    FullDisk(monkeypatch)
    capture = Capture(tmp_path / "run.jsonl", waits=waits)
    capture.extend([event(1, b'{"x":"full"}')])
    until(lambda: not capture.alive)
    with pytest.raises(gnb.CaptureError, match="No space left"):
        capture.stop()
