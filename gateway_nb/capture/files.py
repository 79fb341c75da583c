"""The files that are written: a journal's, one or numbered ones, and those that are whole or not there at all.

Nothing here writes over a file, or changes one that is not a capture.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import IO, Any, TypeVar

from ..errors import BadArgumentError, CaptureError
from ..protocol.lines import MAX_LINE_BYTES, DamagedLine, read_line
from .reading import ZSTD_SUFFIX, not_regular, without_waiting

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two captures from one file
    fcntl = None  # type: ignore[assignment]

_TAIL_BYTES = 65_536
_FULL = (errno.ENOSPC, errno.EDQUOT)
T = TypeVar("T")
_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(KB|MB|GB|s|m|h|d)")
_BYTES = {"KB": 1e3, "MB": 1e6, "GB": 1e9}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a journal continues in another file.

    Attributes:
        bytes: largest size of a file, or ``None``.
        seconds: longest time for a file, or ``None``.
    """

    bytes: float | None = None
    seconds: float | None = None


def parse_rotation(text: str) -> Rotation:
    """Return what ``100MB`` or ``1h`` says.

    Args:
        text: a number with KB, MB, GB (of a thousand), s, m, h or d.

    Raises:
        ValueError: it says something else.

    Example:
        >>> parse_rotation("100MB")
        Rotation(bytes=100000000.0, seconds=None)
    """
    found = _LIMIT.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise BadArgumentError(f"a rotation is a size or a time like 100MB, 30m or 1h, not {text!r}")
    number, unit = float(found[1]), found[2]
    return Rotation(number * _BYTES[unit]) if unit in _BYTES else Rotation(seconds=number * _SECONDS[unit])


class Output:
    """Where a journal is written: one file, or numbered ones, one after the other.

    Args:
        path: the file; a name that ends in ``.zst`` is compressed. With a rotation, ``run.jsonl`` stands for
            ``run-00001.jsonl`` and those that follow; numbers that are taken are passed over.
        append: continue a capture that exists, not a compressed one.
        rotation: when to begin another file.
        waits: called when the disk is full; waits a while and returns whether to try again.

    Raises:
        CaptureError: it exists and is not to be continued, is not a capture, is written by another one, or can't be
            written. What was there stays as it was.

    Attributes:
        path: of the file that is written now.
        torn: the file that the torn last line of a killed writer was moved to, or ``None``.
    """

    def __init__(
        self,
        path: Path,
        *,
        append: bool = False,
        rotation: Rotation | None = None,
        waits: Callable[[OSError], bool] | None = None,
    ) -> None:
        self.path = path
        self._waits = waits
        self._numbers: list[int] = []
        self.torn: Path | None = None
        self._wanted = path
        self._rotation = rotation
        self._continues = append and rotation is None and os.path.lexists(path)
        self._number = 0 if rotation is None else self._last_number()
        if self._number and not append:
            raise CaptureError(f"{self._numbered(self._number)} exists; choose another name, or pass append=True")
        try:
            if self._continues:
                self._open_again()
            else:
                self._open_next()
        except FileExistsError:
            raise CaptureError(f"{path} exists; choose another name, or pass append=True") from None
        except OSError as error:
            raise unwritable(self.path, error) from None

    def _open_next(self) -> None:
        while True:
            self._number += 1
            self.path = self._numbered(self._number)
            try:
                file = self._with_patience(lambda: FileIO(self.path, "xb", opener=_open_private))
            except FileExistsError:  # somebody else's; the next number may be free
                if self._rotation is None:
                    raise
            else:
                return self._begin(file)

    def _open_again(self) -> None:
        self.path = Path(os.path.realpath(self._wanted))
        if self.path.suffix == ZSTD_SUFFIX:
            raise CaptureError(f"{self._wanted} is compressed, and can't be continued; choose another name")
        if self.path.exists() and not self.path.is_file():
            raise not_regular(self._wanted)
        file = FileIO(self.path, "ab+", opener=without_waiting)
        self._begin(file)
        try:
            self.torn = _make_ready(self.path, file)
            _close_to_others(file)
        except BaseException:
            self.close()
            raise

    def _begin(self, file: FileIO) -> None:
        try:
            _lock(file, self.path)
        except CaptureError:
            file.close()
            raise
        if self._rotation is not None:
            self._numbers.append(self._number)
        self._raw = file
        self._file = _compressed(file) if self.path.suffix == ZSTD_SUFFIX else file
        self._size = 0
        self._opened = time.monotonic()
        self._inode = os.fstat(file.fileno()).st_ino

    def write(self, data: bytes) -> None:
        """Write whole lines; what is written can be read, whatever comes after.

        Raises:
            OSError: the disk is full.
        """
        written = 0
        while written < len(data):
            rest = data[written:]
            written += self._with_patience(lambda: self._file.write(rest)) or len(data)  # noqa: B023 - called at once
        if self.path.suffix == ZSTD_SUFFIX:
            self._file.flush()  # ends a block
        self._size += len(data)

    def _with_patience(self, step: Callable[[], T]) -> T:
        """Do a step, again and again while the disk is full and it is worth waiting."""
        while True:
            try:
                return step()
            except OSError as error:
                if self._waits is None or error.errno not in _FULL or not self._waits(error):
                    raise

    def sync(self) -> None:
        """Bring it to the disk.

        Raises:
            OSError: the file is gone, or the disk failed.
        """
        os.fsync(self._raw.fileno())
        try:
            same = os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise OSError(f"{self.path.name} was removed while it was written")

    @property
    def is_due(self) -> bool:
        """Whether it is time for another file."""
        limit = self._rotation
        if limit is None or not self._size:
            return False
        too_large = limit.bytes is not None and self._size >= limit.bytes
        return too_large or (limit.seconds is not None and time.monotonic() - self._opened >= limit.seconds)

    def rotate(self, head: bytes = b"") -> None:
        """Continue in the next file.

        Args:
            head: whole lines that it begins with; with nothing after them it is never due.

        Raises:
            CaptureError, OSError: it can't be written.
        """
        self.close()
        self._open_next()
        self.write(head)
        self._size = 0

    @property
    def files(self) -> list[Path]:
        """The files that were written, oldest first; only their numbers are kept, of which there may be many."""
        return [self._numbered(number) for number in self._numbers] or [self.path]

    def close(self) -> None:
        """End the file."""
        _unlock(self._raw)
        self._file.close()

    def discard(self) -> None:
        """End the file, and remove it unless it was there before."""
        self.close()
        if not self._continues:
            self.path.unlink(missing_ok=True)

    def _numbered(self, number: int) -> Path:
        if self._rotation is None:
            return self._wanted
        stem, dot, suffixes = self._wanted.name.partition(".")
        return self._wanted.with_name(f"{stem}-{number:05}{dot}{suffixes}")

    def _last_number(self) -> int:
        stem, dot, suffixes = self._wanted.name.partition(".")
        name = re.compile(rf"{re.escape(stem)}-(\d{{5,}}){re.escape(dot + suffixes)}")
        folder = self._wanted.parent
        there = (name.fullmatch(file.name) for file in folder.iterdir()) if folder.is_dir() else ()
        return max((int(match[1]) for match in there if match), default=0)


def _compressed(file: IO[bytes] | FileIO, *, closefd: bool = True) -> Any:
    import zstandard

    return zstandard.ZstdCompressor().stream_writer(file, closefd=closefd)


def _open_private(path: str, flags: int) -> int:
    """Open a file that no other user can read: it holds conversations."""
    return os.open(path, flags, 0o600)


def _close_to_others(file: FileIO) -> None:
    """Let no other user read a capture of ours that is continued."""
    if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
        with contextlib.suppress(OSError):  # a file system without modes, or another user's file
            os.fchmod(file.fileno(), 0o600)


def _lock(file: FileIO, path: Path) -> None:
    """Keep other captures from a file for as long as it is open here."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CaptureError(f"another capture writes to {path}; stop that one, or choose another name") from None
    except OSError:  # a file system without locks
        pass


def _unlock(file: FileIO) -> None:
    """Let others lock a file: a forked child may hold it open for longer."""
    if fcntl is not None and not file.closed:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def _make_ready(path: Path, file: FileIO) -> Path | None:
    """See to it that a capture, open to read and append, ends in a whole line: the next would be glued to a torn one.

    Returns:
        The file that a torn end was moved to, or ``None``.

    Raises:
        CaptureError: it is not a capture; it was not changed.
    """
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return None
    start = _last_line(file, size)
    if start is None or not _is_line(_first_line(file)):
        raise CaptureError(f"{path} is not a capture, and stays as it is; choose another name")
    file.seek(start)
    tail = file.read(size - start) or b""
    if not tail:
        return None
    if _is_line(tail):
        file.write(b"\n")
        return None
    torn = _keep(tail, path)
    file.truncate(start)
    return torn


def _first_line(file: FileIO) -> bytes:
    file.seek(0)
    reader = BufferedReader(file)
    try:
        return reader.readline(MAX_LINE_BYTES)
    finally:
        reader.detach()


def _last_line(file: FileIO, size: int) -> int | None:
    """Return where the line begins that has no end; ``None`` where it is longer than a line of a capture."""
    end = size
    while end and end > size - MAX_LINE_BYTES:
        start = max(end - _TAIL_BYTES, 0)
        file.seek(start)
        found = (file.read(end - start) or b"").rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0 if end == 0 else None


def _is_line(text: bytes) -> bool:
    try:
        read_line(text)
    except DamagedLine:
        return False
    return True


def _keep(tail: bytes, path: Path) -> Path:
    """Write a torn end to a new file beside its capture."""
    names = (path.with_name(f"{path.name}.torn-{number}") for number in itertools.count(1))
    torn = next(name for name in names if not os.path.lexists(name))
    with new_file(torn) as file:
        file.write(tail)
    return torn


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that gets its name once it is whole; one whose name ends in ``.zst`` is compressed.

    Raises:
        CaptureError: it exists, its folder does not, or it can't be written. Nothing is left then.
    """
    if os.path.lexists(path):
        raise CaptureError(f"{path} exists; choose another name")
    part = partial_name(path)
    try:
        with open(part, "xb", opener=_open_private) as raw:
            compressed = path.suffix == ZSTD_SUFFIX
            with _compressed(raw, closefd=False) if compressed else contextlib.nullcontext(raw) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        publish(part, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with contextlib.suppress(OSError):  # it has its name, or could not be opened
            part.unlink()


def partial_name(path: Path) -> Path:
    """Return a name beside a file for what is not whole yet; no pattern for captures finds it."""
    return path.with_name(f".{uuid.uuid4().hex}.part")


def publish(part: Path, path: Path) -> None:
    """Give a whole file its name.

    Raises:
        CaptureError: something has that name by now.
        OSError: the folder can't be written.
    """
    try:
        try:
            os.link(part, path)  # a rename would replace what is there
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            open(path, "xb").close()
            os.replace(part, path)
    except FileExistsError:
        raise CaptureError(f"{path} exists; choose another name") from None


def unwritable(path: Path, error: OSError) -> CaptureError:
    """Return the error for a file that can't be written."""
    if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
        return CaptureError(f"there is no folder {path.parent}; make it first, or choose another")
    return CaptureError(f"{path} can't be written: {error.strerror or error}")
