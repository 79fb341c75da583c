"""The files of a journal: opened, compressed or not, one after the other, and read back."""

from __future__ import annotations

import io
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..protocol.errors import CaptureError

ZSTD_SUFFIX = ".zst"
_TAIL_BYTES = 65_536
_CHUNK_BYTES = 64 * 1024
_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(KB|MB|GB|s|m|h|d)")
_BYTES = {"KB": 1e3, "MB": 1e6, "GB": 1e9}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a journal goes on in another file.

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
        raise ValueError(f"a rotation is a size or a time like 100MB, 30m or 1h, not {text!r}")
    number, unit = float(found[1]), found[2]
    return Rotation(number * _BYTES[unit]) if unit in _BYTES else Rotation(seconds=number * _SECONDS[unit])


class Output:
    """Where a journal is written: one file, or numbered ones, one after the other.

    Args:
        path: the file; a name that ends in ``.zst`` is compressed. With a rotation, ``run.jsonl`` stands for
            ``run-00001.jsonl`` and those that follow.
        append: go on where former files end; not in a compressed one.
        rotation: when to begin another file.

    Raises:
        CaptureError: it exists and is not to be gone on with, or can't be written.

    Attributes:
        path: of the file that is written now.
    """

    def __init__(self, path: Path, *, append: bool = False, rotation: Rotation | None = None) -> None:
        self._wanted = path
        self._rotation = rotation
        self._number = self._last_number()
        if self._number and not append:
            raise CaptureError(f"{self._numbered(self._number)} exists; choose another name, or pass append=True")
        self._open(append=append and rotation is None)

    def _open(self, *, append: bool) -> None:
        self._number += 1
        self.path = self._numbered(self._number)
        self._raw = _open_write(self.path, append=append)
        self._file = _compressed(self._raw) if self.path.suffix == ZSTD_SUFFIX else self._raw
        self._size = 0
        self._opened = time.monotonic()
        self._inode = os.stat(self.path).st_ino

    def write(self, data: bytes) -> None:
        """Write whole lines; what is written can be read, whatever comes after.

        Raises:
            OSError: the disk is full.
        """
        written = 0
        while written < len(data):
            written += self._file.write(data[written:]) or len(data)
        if self.path.suffix == ZSTD_SUFFIX:
            self._file.flush()  # ends a block
        self._size += len(data)

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

    def rotate(self) -> None:
        """Go on in the next file.

        Raises:
            CaptureError, OSError: it can't be written.
        """
        self.close()
        self._open(append=False)

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _numbered(self, number: int) -> Path:
        if self._rotation is None:
            return self._wanted
        stem, dot, suffixes = self._wanted.name.partition(".")
        return self._wanted.with_name(f"{stem}-{number:05}{dot}{suffixes}")

    def _last_number(self) -> int:
        if self._rotation is None:
            return 0
        stem, dot, suffixes = self._wanted.name.partition(".")
        name = re.compile(rf"{re.escape(stem)}-(\d{{5,}}){re.escape(dot + suffixes)}")
        folder = self._wanted.parent
        there = (name.fullmatch(file.name) for file in folder.iterdir()) if folder.is_dir() else ()
        return max((int(match[1]) for match in there if match), default=0)


def _open_write(path: Path, *, append: bool) -> io.FileIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if append and path.exists():
            _cut_torn_end(path)
        return io.FileIO(path, "ab" if append else "xb", opener=_open_private)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_file():
            raise CaptureError(f"{path} exists; choose another name, or pass append=True") from None
        raise CaptureError(f"{path} can't be written: {error.strerror}") from None


def _open_private(path: str, flags: int) -> int:
    """Open a file that no other user can read: it holds conversations."""
    file = os.open(path, flags, 0o600)
    if os.name == "posix":
        os.fchmod(file, 0o600)  # one that was there before
    return file


def _compressed(file: io.FileIO) -> Any:
    import zstandard

    return zstandard.ZstdCompressor().stream_writer(file, closefd=True)


def _cut_torn_end(path: Path) -> None:
    """Cut off what a killed writer left of its last line: the next line would be glued to it."""
    if path.suffix == ZSTD_SUFFIX:
        raise CaptureError(f"{path} is compressed, and can't be gone on with; choose another name")
    with open(path, "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(end - _TAIL_BYTES, 0)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)


def open_read(path: Path) -> IO[bytes]:
    """Open a journal for reading, compressed or not.

    Raises:
        CaptureError: it can't be opened.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed by whoever asked for it
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}") from None
    return io.BufferedReader(_Decompressed(file)) if path.suffix == ZSTD_SUFFIX else file


class _Decompressed(io.RawIOBase):
    """A compressed file, decompressed up to its last whole block: zstandard's own stream reader leaves out what it
    holds back when the file ends in the middle, as a killed writer's does.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import zstandard

        self._file = file
        self._damage = zstandard.ZstdError
        self._decompress = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._file.read(_CHUNK_BYTES)
            if not chunk:
                return 0
            try:
                self._ready = memoryview(self._decompress(chunk))
            except self._damage as error:
                name = Path(self._file.name).name
                raise CaptureError(f"{name} is damaged, and can't be read to its end: {error}") from None
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
