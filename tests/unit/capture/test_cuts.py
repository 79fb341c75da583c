"""A journal that ends at any byte, as a killed writer or a full disk leaves it."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway_nb as gnb
from gateway_nb.capture.files import Output, Rotation
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
from gateway_nb.protocol.lines import TornEndWarning

LINE = b'{"t":1.5,"epoch":1,"event":"x","seq":%d,"payload":"%s"}\n'
SUFFIXES = st.sampled_from([".jsonl", ".jsonl.zst"])
SHARES = st.floats(0, 1)


def line(number: int) -> bytes:
    """Return the line of an event; some are longer than what is compressed or decompressed at once."""
    return LINE % (number, b"".join(b"%d" % (number * each**3) for each in range(number % 7 * 40)))


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def numbers(path: Path) -> list[int | None]:
    """Return the numbers of the events that a reader finds, whatever is torn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TornEndWarning)
        return [found.seq for found in gnb.load(path).lines() if found.event is not None]


def write(path: Path, count: int, *, rotation: Rotation | None = None) -> list[tuple[Path, int]]:
    """Write so many events; return for each the file in which it is, and where that ended after it."""
    output, ends = Output(path, rotation=rotation), []
    for number in range(count):
        if output.is_due:
            output.rotate()
        output.write(line(number))
        ends.append((output.path, output.path.stat().st_size))
    output.close()
    return ends


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(suffix=SUFFIXES, rotated=st.booleans(), share=SHARES)
def test_any_cut(suffix: str, rotated: bool, share: float) -> None:
    """Whatever byte a capture ends at, in one file or in many, compressed or not, all that was written before is read.

    One event more may be read, of which only the line break or the end of a block is missing.
    """
    with a_folder() as folder:
        ends = write(folder / f"run{suffix}", 20, rotation=Rotation(bytes=1500) if rotated else None)
        files = sorted(folder.iterdir())
        cut = round(share * sum(file.stat().st_size for file in files))
        complete = 0
        for file in files:
            size, left = file.stat().st_size, max(cut, 0)
            complete += sum(end <= left for path, end in ends if path == file)
            os.truncate(file, min(size, left))
            cut -= size
        found = numbers(folder)
        assert found == list(range(len(found)))
        assert complete <= len(found) <= complete + 1


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(shares=st.lists(SHARES, min_size=1, max_size=4))
def test_appending_after_any_cut(shares: list[float]) -> None:
    """A capture goes on after its last whole line wherever it was cut, again and again; what is torn is kept beside it.

    A line that lacks its line break only is whole, and gets it.
    """
    with a_folder() as folder:
        path = folder / "run.jsonl"
        write(path, 1)
        for number, share in enumerate(shares, 1):
            written = path.read_bytes()
            first = written.index(b"\n") + 1
            cut = written[: first + round(share * (len(written) - first))]
            path.write_bytes(cut)
            before = set(folder.iterdir())
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                with Capture(path, append=True) as capture:
                    capture.extend([Event(1.5, 1, "x", number, msgspec.Raw(b"[%d]" % number))])
            whole, torn = _split(cut)
            kept = [file.read_bytes() for file in folder.iterdir() if file not in before]
            assert kept == ([torn] if torn else [])
            assert [entry.category for entry in warned] == [TornEndWarning] * len(kept)
            assert path.read_bytes().startswith(whole)
            found = [line.seq for line in gnb.load(path).lines() if line.event is not None]
            assert found == sorted(set(found))
            assert found[-1] == number


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Return the whole lines, and the torn one behind them."""
    whole, line_break, rest = data.rpartition(b"\n")
    try:
        msgspec.json.decode(rest)
    except msgspec.DecodeError:
        return whole + line_break, rest
    return data + b"\n", b""


@pytest.mark.parametrize("cut", range(len(line(0))))
def test_a_cut_in_the_first_line(tmp_path: Path, cut: int) -> None:
    """A file that ends within its first line is not a capture, and stays as it is; an empty or a whole one goes on."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line(0)[:cut])
    if 0 < cut < len(line(0)) - 1:
        with pytest.raises(gnb.CaptureError, match="is not a capture, and stays as it is"):
            Output(path, append=True)
        assert path.read_bytes() == line(0)[:cut]
    else:
        Output(path, append=True).close()
        assert path.read_bytes() == line(0)[: cut and None]


@pytest.mark.long
@settings(max_examples=50, deadline=None)
@given(suffix=SUFFIXES, share=SHARES)
def test_rotating_after_any_cut(suffix: str, share: float) -> None:
    """A capture in many files goes on in a new one; the file that was cut stays as it is, and all is read."""
    with a_folder() as folder:
        rotation = Rotation(bytes=1500)
        write(folder / f"run{suffix}", 9, rotation=rotation)
        last = max(folder.iterdir())
        os.truncate(last, round(share * last.stat().st_size))
        before, data = numbers(folder), last.read_bytes()
        output = Output(folder / f"run{suffix}", append=True, rotation=rotation)
        output.write(line(9))
        output.close()
        assert output.path > last
        assert last.read_bytes() == data
        assert numbers(folder) == [*before, 9]
