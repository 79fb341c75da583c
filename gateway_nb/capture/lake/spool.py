"""The journals that wait for the lake: a folder per capture, with its segments and the lock of its owner."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
from filelock import FileLock, Timeout

from ...client.log import LOGGER
from ...errors import CaptureError
from ...identity.files import home
from ...protocol.lines import DamagedLine, read_line, read_lines
from ..files import unwritable
from .columns import ORDER, table_of
from .delta import Lake

_SEGMENT = re.compile(r"journal-(\d{5,})\.jsonl")
_LOCK = "owner.lock"
_ATTEMPTS = 20
_CAPTURE = re.compile(r"\d{8}T\d{6}-[0-9a-f]{12}")


def new_capture() -> str:
    """Return an id for a capture: when it began, and what makes it one of its own."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:12]}"


def spools(lake: Lake) -> Path:
    """Return the folder of a lake's journals: beside its files, or for a store among this package's own."""
    if lake.folder is not None:
        return lake.folder / "_captures"
    return home() / "lakes" / hashlib.sha256(lake.place.rstrip("/").encode()).hexdigest()[:16]


class TakenError(CaptureError):
    """Another process, or another capture of this one, owns a journal, or has just removed it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of a journal that nobody writes any more.

    Attributes:
        number: its place in the journal, from 1.
        path: the file.
        bytes: its size.
    """

    number: int
    path: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class Rows:
    """What a segment holds.

    Attributes:
        table: its lines as rows of the lake.
        torn: its last line is torn, and left out: the writer was killed.
        damaged: other lines that are none.
    """

    table: pa.Table
    torn: bool
    damaged: int


class Spool:
    """The journal of one capture, owned by this process until `release` or its end, however that comes.

    Args:
        root: of the lake's journals.
        capture: the id.

    Raises:
        CaptureError: another process, or another capture of this one, owns it; or the folder can't be written.
    """

    def __init__(self, root: Path, capture: str) -> None:
        self.capture = capture
        self.folder = root / capture
        self._lock = FileLock(self.folder / _LOCK, timeout=0, mode=0o600, thread_local=False)
        try:
            for folder in (root, self.folder):
                folder.mkdir(mode=0o700, exist_ok=True, parents=True)
            self._lock.acquire()
        except Timeout:
            raise TakenError(
                f"the capture {capture} has an owner, a process that is alive and commits it; stop that one first"
            ) from None
        except (FileNotFoundError, FileExistsError) as error:
            reason = str(unwritable(self.folder, error))
            # Its last owner has removed it in this moment, or something else has its name.
            raise CaptureError(reason) if self.folder.is_file() else TakenError(reason) from None
        except OSError as error:
            raise unwritable(self.folder, error) from None

    @property
    def is_whole(self) -> bool:
        """Whether its lock can be found by others: nobody has removed it in the moment before it was ours."""
        return (self.folder / _LOCK).exists()

    @property
    def journal(self) -> Path:
        """The journal's name, as a rotating `Capture` takes it."""
        return self.folder / "journal.jsonl"

    def segments(self, below: Path | None = None) -> list[Segment]:
        """Return the segments, oldest first.

        Args:
            below: the file that is being written; ``None`` where none is.
        """
        end = math.inf if below is None else _number(below.name) or math.inf
        found = []
        with contextlib.suppress(FileNotFoundError):  # the folder is gone, with the last of them or by somebody's hand
            for name in os.listdir(self.folder):
                number = _number(name)
                if number is not None and number < end:
                    with contextlib.suppress(FileNotFoundError):  # committed in this moment
                        path = self.folder / name
                        found.append(Segment(number, path, path.stat().st_size))
        return sorted(found, key=lambda segment: segment.number)

    def release(self) -> None:
        """Let others own it; where nothing is left to commit, the folder is removed."""
        if not self.segments():
            with contextlib.suppress(OSError):  # what was set aside stays
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()
        self._lock.release()


def new_spool(root: Path) -> Spool:
    """Return the journal of a new capture.

    Whoever looks for what dead owners left may take its lock before we do, and remove the folder: then another is made.

    Raises:
        CaptureError: the folder can't be written.
    """
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(TakenError):
            spool = Spool(root, new_capture())
            if spool.is_whole:
                return spool
            spool.release()
    return Spool(root, new_capture())


def left_over(root: Path) -> Iterator[Spool]:
    """Yield the journals whose owners are dead, owned by this process now; log which can't be taken."""
    try:
        entries = sorted(os.listdir(root))
    except FileNotFoundError:
        return
    except OSError as error:
        LOGGER.warning(f"what captures left in {root} can't be committed: {error.strerror or error}")
        return
    for entry in entries:
        if _CAPTURE.fullmatch(entry):
            try:
                yield Spool(root, entry)
            except TakenError:  # its owner lives
                pass
            except CaptureError as error:
                LOGGER.warning(f"what the capture {entry} left can't be committed: {error}")


def read_segment(segment: Segment, capture: str) -> Rows:
    """Return the rows of a segment; its first line says which line of the capture it is.

    Raises:
        OSError: the file can't be read.
    """
    data = segment.path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    torn = len(whole) < len(data)
    if not whole:
        return Rows(table_of([], capture, 1), torn, 0)
    try:
        first = 1 if segment.number == 1 else _first(whole)
    except DamagedLine:
        return Rows(table_of([], capture, 1), torn, whole.count(b"\n"))
    try:
        return Rows(table_of(read_lines(whole), capture, first), torn, 0)
    except DamagedLine:
        return _readable(whole, capture, first, torn)


class _Head(msgspec.Struct):
    """What the first line of a file that follows another one holds."""

    line: int


def _first(whole: bytes) -> int:
    try:
        return msgspec.json.decode(read_line(whole[: whole.find(b"\n")]).raw, type=_Head).line
    except msgspec.ValidationError as error:
        raise DamagedLine(str(error)) from None


def _readable(data: bytes, capture: str, first: int, torn: bool) -> Rows:
    """Return the rows of the lines that can be read; one that can't keeps its number to itself."""
    rows, damaged = [table_of([], capture, first)], 0
    for number, text in enumerate(data.split(b"\n")[:-1], first):
        try:
            rows.append(table_of([read_line(text)], capture, number))
        except DamagedLine:
            damaged += 1
    return Rows(sorted_rows(rows), torn, damaged)


def sorted_rows(tables: list[pa.Table]) -> pa.Table:
    """Return rows of several tables as one, sorted as a file's are."""
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables).sort_by([(name, "ascending") for name in ORDER])


def _number(name: str) -> int | None:
    found = _SEGMENT.fullmatch(name)
    return None if found is None else int(found[1])
