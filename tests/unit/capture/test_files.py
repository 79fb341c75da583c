"""Files that are written: nothing of anybody's is destroyed, and what is not whole has no name."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa
import pytest

import gateway_nb as gnb
from gateway_nb.capture import files
from gateway_nb.capture.files import Output, Rotation
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
from gateway_nb.events.rows import EMPTY, table_of
from gateway_nb.notebook.widgets.event_table.export import FORMATS, write
from gateway_nb.protocol.lines import MAX_LINE_BYTES, TornEndWarning

LINE = b'{"t":1.5,"epoch":1,"event":"x","seq":1,"payload":{}}\n'
FOREIGN = {
    "one long line": b"x" * 220_000,
    "text": b"Dear diary,\nnothing happened.\nAnd then",
    "other JSON lines": b'{"a":1}\n{"b":2}\n{"c"',
    "a line of JSON": b'{"t":1}',
    "binary": bytes(range(256)) * 100,
    "zeros": bytes(10_000),
    "a first line that is torn": LINE[:-5],
    "a damaged first line": b'{"t":1e300,"epoch":1,"event":"x","payload":{}}\n{"t"',
    "an endless last line": LINE + b"x" * (MAX_LINE_BYTES + 1),
}


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in FOREIGN.items()])
def test_what_is_no_capture(tmp_path: Path, content: bytes, through_a_link: bool) -> None:
    """A file that is not a capture is refused for appending, and not a byte, its time or its mode changes."""
    path = tmp_path / "diary.jsonl"
    path.write_bytes(content)
    path.chmod(0o755)
    os.utime(path, ns=(10**18, 10**18))
    asked = path
    if through_a_link:
        asked = tmp_path / "link.jsonl"
        asked.symlink_to(path)
    with pytest.raises(
        gnb.CaptureError, match=r"diary\.jsonl is not a capture, and stays as it is; choose another name"
    ):
        Capture(asked, append=True)
    assert path.read_bytes() == content
    assert path.stat().st_mtime_ns == 10**18
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert set(tmp_path.iterdir()) == {path, asked}


def test_through_a_link(tmp_path: Path) -> None:
    """A capture behind a link is continued where it is; the link stays, and a torn line is moved beside the file."""
    path = tmp_path / "there" / "run.jsonl"
    path.parent.mkdir()
    path.write_bytes(LINE + b"torn")
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    with pytest.warns(TornEndWarning):
        Capture(link, append=True).stop()
    assert link.readlink() == path
    assert gnb.load(link).stats.rows == 3
    assert (tmp_path / "there" / "run.jsonl.torn-1").read_bytes() == b"torn"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_other_users(tmp_path: Path) -> None:
    """Nobody else reads a capture that is continued, what was torn off it, or a copy of it."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(LINE + b"torn")
    path.chmod(0o644)
    with pytest.warns(TornEndWarning):
        Capture(path, append=True).stop()
    gnb.load(path).to_jsonl(tmp_path / "copy.jsonl")
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {
        "run.jsonl": 0o600,
        "run.jsonl.torn-1": 0o600,
        "copy.jsonl": 0o600,
    }
    path.chmod(0o700)
    Capture(path, append=True).stop()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700, "it was closed to others already"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_disk_without_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captures are written and continued where a file system refuses a mode for the user alone."""

    def refuse(descriptor: int, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    path = tmp_path / "run.jsonl"
    Capture(path).stop()
    path.chmod(0o755)
    Capture(path, append=True).stop()
    assert gnb.load(path).stats.rows == 4


def test_a_torn_line_without_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a torn line can't be moved, it stays, and nothing is appended."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(LINE + b"torn")

    def full(part: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "publish", full)
    with pytest.raises(gnb.CaptureError, match=r"torn-1 can't be written: No space left on device"):
        Capture(path, append=True)
    assert path.read_bytes() == LINE + b"torn"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("append", [False, True])
def test_an_empty_file(tmp_path: Path, append: bool) -> None:
    """An empty file is appended to, and else refused."""
    path = tmp_path / "run.jsonl"
    path.touch()
    if append:
        Capture(path, append=True).stop()
        assert gnb.load(path).stats.rows == 2
    else:
        with pytest.raises(gnb.CaptureError, match="exists"):
            Capture(path)
        assert path.read_bytes() == b""


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe or a folder in the file's place is refused at once."""
    path = tmp_path / "run.jsonl"
    make(path)
    with pytest.raises(gnb.CaptureError, match="is not a regular file"):
        Capture(path, append=True)


def test_two_writers(tmp_path: Path) -> None:
    """While one capture writes to a file no other appends to it; afterwards it may."""
    path = tmp_path / "run.jsonl"
    first = Capture(path)
    with pytest.raises(gnb.CaptureError, match=r"another capture writes to .*run\.jsonl; stop that one"):
        Capture(path, append=True)
    first.stop()
    Capture(path, append=True).stop()
    assert gnb.load(path).stats.rows == 4


def _parquet(path: Path) -> object:
    return gnb.load(_source(path)).to_parquet(path)


def _jsonl(path: Path) -> object:
    return gnb.load(_source(path)).to_jsonl(path)


def _source(path: Path) -> Path:
    source = Path(os.path.commonpath([path, os.environ["GATEWAY_NB_HOME"]])) / "source.jsonl"
    source.write_bytes(LINE)
    return source


OUTPUTS: dict[str, Callable[[Path], object]] = {
    "capture": lambda path: Capture(path).stop(),
    "append": lambda path: Capture(path, append=True).stop(),
    "rotate": lambda path: Capture(path, rotate="1KB").stop(),
    "jsonl": _jsonl,
    "parquet": _parquet,
    "export": lambda path: write(EMPTY, path.with_suffix(".csv")),
}


@pytest.mark.parametrize("output", [pytest.param(output, id=name) for name, output in OUTPUTS.items()])
def test_a_missing_folder(tmp_path: Path, output: Callable[[Path], object]) -> None:
    """No output makes folders: a missing one is named, and what to do."""
    with pytest.raises(gnb.CaptureError, match=r"there is no folder .*nodir; make it first, or choose another"):
        output(tmp_path / "nodir" / "run.jsonl")
    assert not (tmp_path / "nodir").exists()


def test_a_number_that_is_taken(tmp_path: Path) -> None:
    """A rotating capture passes over numbers that somebody takes meanwhile, and leaves those files alone."""
    output = Output(tmp_path / "run.jsonl", rotation=Rotation(bytes=10))
    (tmp_path / "run-00002.jsonl").write_text("mine")
    (tmp_path / "run-00003.jsonl").symlink_to("nowhere")
    output.rotate()
    assert output.path.name == "run-00004.jsonl"
    output.close()
    assert (tmp_path / "run-00002.jsonl").read_text() == "mine"


def test_a_number_taken_in_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that appears between the listing and the opening is passed over, too."""
    monkeypatch.setattr(Output, "_last_number", lambda self: 0)
    (tmp_path / "run-00001.jsonl").write_text("mine")
    output = Output(tmp_path / "run.jsonl", rotation=Rotation(bytes=10))
    output.close()
    assert output.path.name == "run-00002.jsonl"
    assert (tmp_path / "run-00001.jsonl").read_text() == "mine"


def test_appending_with_rotation(tmp_path: Path) -> None:
    """Appending with a rotation begins after the last number there is."""
    (tmp_path / "run-00007.jsonl").write_text("mine")
    capture = Capture(tmp_path / "run.jsonl", append=True, rotate="1KB")
    capture.stop()
    assert capture.path.name == "run-00008.jsonl"


def _no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize("links", [True, False])
def test_a_name_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """A file that appears under the name while an export is written stays, and the export leaves nothing behind."""
    if not links:
        _no_links(monkeypatch)
    path = tmp_path / "run.csv"

    def meanwhile(table: pa.Table, file: IO[bytes]) -> None:
        file.write(b"ours")
        path.write_bytes(b"theirs")

    monkeypatch.setitem(FORMATS, ".csv", meanwhile)
    with pytest.raises(gnb.CaptureError, match=r"run\.csv exists; choose another name"):
        write(EMPTY, path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("run.csv", b"theirs")]


@pytest.mark.parametrize("links", [True, False])
def test_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """An export is there under its name and no other, also on file systems without links."""
    if not links:
        _no_links(monkeypatch)
    write(EMPTY, tmp_path / "run.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["run.csv"]


def test_a_capture_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be on the disk is brought there, file by file."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    output = Output(tmp_path / "run.jsonl", rotation=Rotation(bytes=1))
    output.write(LINE)
    output.sync()
    output.rotate()
    output.sync()
    output.close()
    assert synced == [(tmp_path / name).stat().st_ino for name in ("run-00001.jsonl", "run-00002.jsonl")]


def test_what_can_not_be_written(tmp_path: Path) -> None:
    """Of a file that can't be written the reason is told; a missing folder only where it is missing."""
    gone = FileNotFoundError(2, "No such file or directory")
    cases = {
        tmp_path / "run.jsonl": (gone, f"{tmp_path}/run.jsonl can't be written: No such file or directory"),
        tmp_path / "no" / "run.jsonl": (gone, f"there is no folder {tmp_path}/no; make it first, or choose another"),
        tmp_path / "no" / "full": (OSError(28, "No space left"), f"{tmp_path}/no/full can't be written: No space left"),
        tmp_path / "odd": (OSError("odd"), f"{tmp_path}/odd can't be written: odd"),
    }
    for path, (error, text) in cases.items():
        assert str(files.unwritable(path, error)) == text


def test_an_export_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export gets its name when all of it is on the disk."""
    steps: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append(os.fstat(handle).st_size))
    link = os.link
    monkeypatch.setattr(os, "link", lambda *paths: (steps.append(-1), link(*paths)))
    with files.new_file(tmp_path / "run.bin") as file:
        file.write(b"x" * 1000)
    assert steps == [1000, -1]


_FORKED = """
import os, sys
from pathlib import Path
from gateway_nb.capture.files import Output
path = Path(sys.argv[1])
output = Output(path)
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.close(writing)
    os.read(reading, 1)  # until the parent ends
    os._exit(0)
output.close()
Output(path, append=True).close()
os.close(writing)
os.waitpid(child, 0)
"""


def test_a_forked_child(tmp_path: Path) -> None:
    """A file can be continued when its capture has ended, though a forked child still has it open."""
    subprocess.run([sys.executable, "-c", _FORKED, str(tmp_path / "run.jsonl")], check=True, timeout=60)


def test_an_interrupted_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that is interrupted in the middle leaves nothing behind."""

    def half(table: pa.Table, file: IO[bytes]) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setitem(FORMATS, ".csv", half)
    with pytest.raises(KeyboardInterrupt):
        write(EMPTY, tmp_path / "run.csv")
    assert list(tmp_path.iterdir()) == []


def test_onto_its_own_source(tmp_path: Path) -> None:
    """A recording is not written onto one of its own files, and one in the same folder is not read while it grows."""
    (tmp_path / "a.jsonl").write_bytes(LINE * 3)
    recording = gnb.load(tmp_path)
    with pytest.raises(gnb.CaptureError, match="exists"):
        recording.to_jsonl(tmp_path / "a.jsonl")
    recording.to_jsonl(tmp_path / "b.jsonl")
    assert [(tmp_path / name).read_bytes() for name in ("a.jsonl", "b.jsonl")] == [LINE * 3] * 2


def test_parquet_over_something(tmp_path: Path) -> None:
    """Parquet goes to a new or an empty folder, whose mode stays; one with something, or a file, stays as it is."""
    (tmp_path / "a.jsonl").write_bytes(LINE)
    recording = gnb.load(tmp_path / "a.jsonl")
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    (full / "mine").write_text("mine")
    empty.mkdir(mode=0o700)
    with pytest.raises(gnb.CaptureError, match="full is not empty"):
        recording.to_parquet(full)
    with pytest.raises(gnb.CaptureError, match="mine can't be written: Not a directory"):
        recording.to_parquet(full / "mine")
    assert recording.to_parquet(empty) == empty
    assert empty.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in full.iterdir()] == ["mine"]
    assert {file.name for file in tmp_path.iterdir()} >= {"full", "empty", "a.jsonl"}
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".part")]


def test_damage_in_the_middle_of_an_export(tmp_path: Path) -> None:
    """An export of a damaged recording fails whole: nothing has its name."""
    (tmp_path / "a.jsonl").write_bytes(LINE * 3 + b"{}\n" + LINE)
    recording = gnb.load(tmp_path / "a.jsonl")
    for export in (recording.to_jsonl, recording.to_parquet):
        with pytest.raises(gnb.CaptureError, match=r"a\.jsonl: line 4 is damaged"):
            export(tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir() if file.name != "home"] == ["a.jsonl"]


def test_an_export_that_can_not_be_made(tmp_path: Path) -> None:
    """An export with an unknown suffix is refused with those there are."""
    with pytest.raises(gnb.CaptureError, match=r"must end in \.jsonl, \.parquet, \.csv"):
        write(pa.table({}), tmp_path / "run.xls")


CELLS = [
    ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
    ("+1+cmd", "'+1+cmd"),
    ("-2+3", "'-2+3"),
    ("@SUM(1)", "'@SUM(1)"),
    ("\t=1", "'\t=1"),
    ("\r=1", "'\r=1"),
    ("\n=1", "'\n=1"),
    (" =1", "' =1"),
    ("\uff1d1", "'\uff1d1"),
    ("a=1", "a=1"),
    ("-5", "-5"),
    ("+1.5e-7", "+1.5e-7"),
    ("-5\n=1", "'-5\n=1"),
    ('"=1"', '"=1"'),
]


@pytest.mark.parametrize(("text", "cell"), CELLS)
def test_cells_that_spreadsheets_run(tmp_path: Path, text: str, cell: str) -> None:
    """A CSV cell that a spreadsheet would run has a ' before it; numbers stay numbers, whichever column it is."""
    line = Event(1.0, 1, text, -1, msgspec.Raw(text.encode()))
    write(table_of([line]), tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["event"], row["payload"]) == (cell, cell)
    assert (row["seq"], row["kind"]) == ("-1", "event")


_FULL = """
import resource, signal, sys
from pathlib import Path
import duckdb, pyarrow.dataset
import gateway_nb as gnb
from gateway_nb.notebook.widgets.event_table.export import write
recording, out = gnb.load(sys.argv[1]), Path(sys.argv[2])
table = recording.to_arrow()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for export in (
    lambda: recording.to_jsonl(out / "a.jsonl"),
    lambda: recording.to_jsonl(out / "a.jsonl.zst"),
    lambda: recording.to_parquet(out / "a"),
    *[lambda suffix=suffix: write(table, out / f"a.{suffix}") for suffix in ("csv", "jsonl", "parquet")],
):
    try:
        export()
    except gnb.CaptureError as error:
        print("can't be written" in str(error), [file.name for file in out.iterdir()])
"""


@pytest.mark.long
def test_a_full_disk(tmp_path: Path) -> None:
    """An export that the disk has no room for is our error, and nothing of it is left."""
    source, out = tmp_path / "run.jsonl", tmp_path / "out"
    source.write_bytes(b"".join(LINE.replace(b"{}", b'"%b"' % os.urandom(50).hex().encode()) for _ in range(2000)))
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(source), str(out)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["True []"] * 6, done.stderr
