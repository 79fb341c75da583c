"""Files that somebody else wrote: every reader reads the lines of a capture, and has our own error for the rest."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gateway_nb as gnb
from gateway_nb.capture import reading
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
from gateway_nb.protocol import frames
from gateway_nb.protocol.lines import MAX_LINE_BYTES, Line, TornEndWarning, read_line

GOOD = b'{"t":1.5,"epoch":1,"event":"x","seq":1,"payload":{}}\n'
EVENT = b'{"t":1.5,"epoch":1,"event":"x","seq":1,"payload":%b}'
MARK = b'{"t":1.5,"epoch":1,"kind":"%b","payload":%b}'


def _with(name: str, value: bytes) -> bytes:
    fields = {"t": b"1.5", "epoch": b"1", "event": b'"x"', "seq": b"1", "payload": b"{}"} | {name: value}
    return b"{" + b",".join(b'"%b":%b' % (key.encode(), text) for key, text in fields.items()) + b"}"


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "NUL bytes": bytes(100),
    "a byte order mark": b"\xef\xbb\xbf" + EVENT % b"1",
    "no object": b"[1]",
    "a time that is huge": _with("t", b"1e300"),
    "a time beyond floats": _with("t", b"1e999"),
    "no number as time": _with("t", b"NaN"),
    "a time before 1970": _with("t", b"-1"),
    "a time after 2255": _with("t", b"9e9001"),
    "an epoch of 41 bits": _with("epoch", b"1099511627776"),
    "an epoch below 0": _with("epoch", b"-1"),
    "a fraction of an epoch": _with("epoch", b"1.5"),
    "a number of 71 bits": _with("seq", b"1180591620717411303424"),
    "a number below 0": _with("seq", b"-1"),
    "a number of 400 digits": _with("seq", b"9" * 400),
    "an event and a mark": _with("kind", b'"gap"'),
    "an empty name": _with("event", b'""'),
    "no name": _with("event", b"null"),
    "half a surrogate pair in the name": _with("event", rb'"\ud800"'),
    "bad UTF-8 in the name": _with("event", b'"\xff"'),
    "half a surrogate pair in the payload": EVENT % rb'"\ud800"',
    "a control character in the payload": EVENT % b'"\x1b"',
    "no payload": b'{"t":1.5,"epoch":1,"event":"x"}',
    "neither event nor marker": b'{"t":1.5,"epoch":1,"payload":{}}',
    "a mark named event": MARK % (b"event", b"{}"),
    "a gap of nothing": MARK % (b"gap", b"{}"),
    "a gap of texts": MARK % (b"gap", b'{"expected":"a","received":"b"}'),
    "a gap of huge numbers": MARK % (b"gap", b'{"expected":1,"received":1e30}'),
    "a gap in a list": MARK % (b"gap", b"[]"),
    "dropped of nothing": MARK % (b"dropped", b"null"),
    "dropped below 0": MARK % (b"dropped", b'{"events":-1}'),
    "a request of nothing": MARK % (b"request", b"{}"),
    "an answer of nothing": MARK % (b"answer", b"{}"),
    "a refusal of nothing": MARK % (b"answer", b'{"id":"1","ok":false,"answer":5}'),
    "an end of the payload too early": EVENT % b"[[[",
    "nested without end": EVENT % (b"[" * 100_000 + b"]" * 100_000),
}
READ: dict[str, bytes] = {
    "CRLF": EVENT % b"1" + b"\r",
    "blanks": b"  " + EVENT % b" 1 " + b"  ",
    "fields of a newer version": _with("new", b'{"a":1}'),
    "a name of 10 kB": _with("event", b'"%b"' % (b"n" * 10_000)),
    "an odd name": _with("event", r'"../..\u0000\u001b[31m‮"'.encode()),
    "bad UTF-8 in the payload": EVENT % b'"\xff"',
    "a number of 400 digits in the payload": EVENT % (b"9" * 400),
    "a field that is there twice": _with("t", b'2,"t":3'),
    "a gap that goes back": MARK % (b"gap", b'{"expected":9,"received":1}'),
    "a mark of a newer version": MARK % (b"new", b"[]"),
    "a request": MARK % (b"request", b'{"id":"1","method":"m","params":[1]}'),
    "an answer": MARK % (b"answer", b'{"id":"1","ok":false,"answer":{"code":"X","message":"m","new":1}}'),
}


@contextmanager
def _a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _parquet(recording: gnb.Recording) -> None:
    with _a_folder() as folder:
        recording.to_parquet(folder / "out")


def _jsonl(recording: gnb.Recording) -> None:
    with _a_folder() as folder:
        recording.to_jsonl(folder / "out")


READERS: dict[str, Callable[[gnb.Recording], Any]] = {
    "df": lambda recording: recording.df,
    "batches": lambda recording: list(recording.batches()),
    "arrow": lambda recording: recording.to_arrow(),
    "stats": lambda recording: recording.stats,
    "query": lambda recording: recording.query("select *, payload->>'$.a' a, json_valid(payload) v from events"),
    "parquet": _parquet,
    "jsonl": _jsonl,
    "replay": lambda recording: recording.replay(speed=None),
    "table": lambda recording: recording.table(),
    "expand": lambda recording: recording.expand("a", "0"),
    "runs": lambda recording: recording.runs(),
}
every_reader = pytest.mark.parametrize("reader", [pytest.param(reader, id=name) for name, reader in READERS.items()])


@pytest.mark.long
@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in DAMAGED.items()])
@every_reader
def test_a_damaged_line(tmp_path: Path, line: bytes, reader: Callable[[gnb.Recording], Any]) -> None:
    """A line that no capture writes is refused by every reader with its file, number and what to do, or left out."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(GOOD + line + b"\n" + GOOD)
    with pytest.raises(gnb.CaptureError, match=r"run\.jsonl: line 2 is damaged: .*errors='skip'") as caught:
        reader(gnb.load(path))
    assert "\n" not in str(caught.value)
    reader(gnb.load(path, errors="skip"))
    lenient = gnb.load(path, errors="skip")
    assert (lenient.stats.rows, lenient.stats.damaged) == (2, 1)


@pytest.mark.long
@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in READ.items()])
def test_an_odd_line(tmp_path: Path, line: bytes) -> None:
    """What a capture may write, or a newer one, every reader takes."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(GOOD + line + b"\n" + GOOD)
    for read in READERS.values():
        read(gnb.load(path))
    assert len(list(gnb.load(path).lines())) == 3
    whole = gnb.load(path).to_jsonl(tmp_path / "whole.jsonl")
    assert whole.read_bytes() == path.read_bytes()


def test_replaying_odd_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording of odd lines is replayed to its end."""
    monkeypatch.setattr("gateway_nb.server.replay._PATIENCE", 0.01)  # nobody asks what was asked
    path = tmp_path / "run.jsonl"
    gaps = [MARK % (b"gap", b'{"expected":1,"received":9007199254740991}')] * 3
    last = EVENT % b'"last"'
    path.write_bytes(b"".join(line + b"\n" for line in [*READ.values(), *gaps, last]))
    with gnb.load(path).replay(speed=None) as server:
        seen = threading.Event()
        with gnb.connect(
            server.url,
            token=server.token,
            device_identity=None,
            on_event=lambda event: seen.set() if bytes(event.raw) == b'"last"' else None,
        ):
            assert seen.wait(30)


def test_asking_a_replay_for_what_is_nested_deeply(tmp_path: Path) -> None:
    """A request that is nested too deeply to be compared with the recorded one is refused, and the replay goes on."""
    path = tmp_path / "run.jsonl"
    asked = {"id": "1", "method": "m", "params": {"n": _nested(900, "recorded")}}
    path.write_bytes(MARK % (b"request", msgspec.json.encode(asked)) + b"\n")
    with (
        gnb.load(path).replay(speed=None) as server,
        gnb.connect(server.url, token=server.token, device_identity=None) as gw,
    ):
        for end in ("recorded", "other"):
            with pytest.raises(gnb.GatewayRequestError, match=r"was not recorded|nested too deeply"):
                gw.request("m", {"n": _nested(900, end)}, timeout=30)
        assert gw.status.counters.reconnects == 0


def _nested(levels: int, value: Any) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def _deepest(accepts: Callable[[bytes], object]) -> int:
    """Return how many levels of a payload are accepted where next to nothing is on the stack."""
    found = [0]

    def search() -> None:
        low, high = 1, 100_000
        while low < high:
            middle = (low + high + 1) // 2
            try:
                accepts(b'{"type":"event","event":"x","payload":' + b"[" * middle + b"]" * middle + b"}")
                low = middle
            except frames.MalformedFrame:
                high = middle - 1
        found[0] = low

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    return found[0]


def test_what_a_capture_takes_is_read(tmp_path: Path) -> None:
    """A payload that a connection took in is read, however deep it is nested, and however deep the reader stands."""
    levels = _deepest(frames.decode)
    assert levels > 900
    payload = msgspec.Raw(b"[" * levels + b"]" * levels)
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend([Event(1.0, 1, "x", 1, payload)])

    def deep(calls: int) -> list[Line]:
        return deep(calls - 1) if calls else list(gnb.load(tmp_path / "run.jsonl").lines())

    assert [line.event for line in deep(200)] == [None, "x", None]
    for read in READERS.values():
        read(gnb.load(tmp_path / "run.jsonl"))


@pytest.mark.parametrize("end", [b"\n", b""])
def test_the_end_of_a_line(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    """A line may have so many bytes without its line break; what is longer is left out, to its last byte."""
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(reading, "_CHUNK_BYTES", 7)
    lines = [b"a" * 100, b"b" * 101, b"c" * 107, b"d" * 108, b"", b"e"]
    found = list(reading.texts(io.BytesIO(b"\n".join(lines) + end)))
    assert found == [lines[0] + b"\n", None, None, None, b"\n", b"e" + end]
    assert list(reading.texts(io.BytesIO(b"f" * 101 + end))) == [None]


def test_a_line_without_end(tmp_path: Path) -> None:
    """A line longer than any frame is damaged, and never held in memory; the next line is read."""
    path = tmp_path / "run.jsonl"
    with open(path, "wb") as file:
        file.write(GOOD)
        for _ in range(40):
            file.write(b"x" * 1024 * 1024)
        file.write(b"\n" + GOOD)
    with pytest.raises(gnb.CaptureError, match="line 2 is damaged: it is too long"):
        _ = gnb.load(path).stats
    stats = gnb.load(path, errors="skip").stats
    assert (stats.rows, stats.damaged) == (2, 1)


@pytest.mark.long
def test_the_longest_line(tmp_path: Path) -> None:
    """A frame of the largest size is read back."""
    payload = msgspec.Raw(b'"' + b"x" * (frames.MAX_FRAME_BYTES - 60) + b'"')
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend([Event(1.0, 1, "x", 2**53 - 1, payload)])
    (line,) = [line for line in gnb.load(tmp_path / "run.jsonl").lines() if line.event]
    assert bytes(line.raw) == bytes(payload)
    assert MAX_LINE_BYTES > frames.MAX_FRAME_BYTES


_BOMB = """
import pathlib, re, resource, sys
import gateway_nb as gnb
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
stats = gnb.load(sys.argv[1], errors="skip").stats
status = pathlib.Path("/proc/self/status").read_text()  # ru_maxrss counts what the parent had when it forked, too
print(stats.rows, stats.damaged, int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024)
"""


@pytest.mark.long
def test_a_file_that_expands(tmp_path: Path) -> None:
    """A compressed file of 100 kB that expands to 1 GB is read in bounded memory."""
    path = tmp_path / "bomb.jsonl.zst"
    with open(path, "wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        writer.write(GOOD)
        for _ in range(1024):
            writer.write(b" " * 1024 * 1024)
        writer.write(b"\n" + GOOD)
    assert path.stat().st_size < 200_000
    done = subprocess.run(
        [sys.executable, "-c", _BOMB, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    rows, damaged, megabytes = map(int, done.stdout.split())
    assert (rows, damaged) == (2, 1)
    assert megabytes < 600


def _framed(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


DICTIONARY = zstandard.ZstdCompressionDict(GOOD * 10)
COMPRESSED: dict[str, tuple[bytes, int, int]] = {
    "whole": (_framed(GOOD * 3), 3, 0),
    "two frames": (_framed(GOOD * 2) + _framed(GOOD), 3, 0),
    "an empty frame": (_framed(b"") + _framed(GOOD), 1, 0),
    "a frame that is skipped": (b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + _framed(GOOD), 1, 0),
    "nothing": (b"", 0, 0),
    "garbage after it": (_framed(GOOD) + b"garbage garbage", 1, 1),
    "garbage": (b"garbage garbage", 0, 1),
    "a dictionary that is missing": (_framed(GOOD, dict_data=DICTIONARY), 0, 1),
    "a window of 2 GB": (b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(20), 0, 1),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("data", "rows", "damaged"), [pytest.param(*case, id=name) for name, case in COMPRESSED.items()]
)
@every_reader
def test_compressed_files(
    tmp_path: Path, data: bytes, rows: int, damaged: int, reader: Callable[[gnb.Recording], Any]
) -> None:
    """A compressed file is read as far as it can be; what can't be is one damaged line, for every reader."""
    path = tmp_path / "run.jsonl.zst"
    path.write_bytes(data)
    if damaged:
        with pytest.raises(gnb.CaptureError, match=r"run\.jsonl\.zst is damaged, .*to its end: line \d+: "):
            reader(gnb.load(path))
    reader(gnb.load(path, errors="skip"))
    stats = gnb.load(path, errors="skip").stats
    assert (stats.rows, stats.damaged) == (rows, damaged)


def _pipe(path: Path) -> object:
    return os.mkfifo(path)


def _socket(path: Path) -> object:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.close()
    return None


SPECIAL = {"pipe": _pipe, "socket": _socket, "device": lambda path: path.symlink_to("/dev/zero")}


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.zst"])
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in SPECIAL.items()])
def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, name: str) -> None:
    """A pipe, a socket or a device is refused at once: by name, in a folder and by a pattern."""
    monkeypatch.chdir(tmp_path)
    make(Path(name))
    for asked in (name, ".", "*.jsonl*"):
        with pytest.raises(gnb.CaptureError, match=r"run\.jsonl.* is not a regular file; give a capture's file"):
            gnb.load(asked)


def test_a_file_that_becomes_a_pipe(tmp_path: Path) -> None:
    """A file that is replaced by a pipe before it is read is refused, too."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(GOOD)
    recording = gnb.load(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(gnb.CaptureError, match="is not a regular file"):
        _ = recording.df


def test_folders_among_the_files(tmp_path: Path) -> None:
    """Folders that a pattern matches are passed over; where nothing else is, there is no capture."""
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(gnb.CaptureError, match="there is no capture"):
        gnb.load(tmp_path)
    (tmp_path / "b.jsonl").write_bytes(GOOD)
    assert gnb.load(tmp_path).stats.rows == 1
    assert gnb.load(tmp_path / "**").stats.rows == 1


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """A name that no file can have is our error."""
    with pytest.raises(gnb.CaptureError, match="can't be read: File name too long"):
        gnb.load(tmp_path / ("x" * 300))


_PIECES = st.sampled_from(
    [
        GOOD,
        b"\n",
        b"\r\n",
        b"{",
        b"}",
        b'"',
        b'{"t":1,"epoch":0,',
        b'"kind":"gap",',
        b'"payload":',
        b"1e9",
        b"\xff",
        bytes(3),
    ]
    + [line + b"\n" for line in (*DAMAGED.values(), *READ.values()) if len(line) < 1000]
)
_FILES = st.binary(max_size=200) | st.lists(_PIECES | st.binary(max_size=20), max_size=12).map(b"".join)


@pytest.mark.long
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=_FILES, compressed=st.booleans(), cut=st.integers(0, 50))
@every_reader
def test_any_bytes(tmp_path: Path, reader: Any, data: bytes, compressed: bool, cut: int) -> None:
    """Whatever bytes are in a file, a reader has rows, our own error, or the warning of a torn end."""
    path = tmp_path / ("run.jsonl.zst" if compressed else "run.jsonl")
    path.write_bytes(_framed(data)[: -cut or None] if compressed else data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TornEndWarning)
        reader(gnb.load(path, errors="skip"))
        try:
            reader(gnb.load(path))
        except gnb.CaptureError as error:
            assert "damaged" in str(error)  # noqa: PT017 - it need not be raised


@given(st.binary(max_size=100))
def test_a_line_is_a_line_or_damaged(text: bytes) -> None:
    """Any text is a line whose fields are in their bounds, or damaged."""
    try:
        line = read_line(text)
    except ValueError:
        return
    assert 0 <= line.received <= 9e9
