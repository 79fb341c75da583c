"""The files of a journal read back: regular files only, compressed or not, in bounded memory whatever they hold."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..errors import CaptureError
from ..protocol.lines import MAX_LINE_BYTES

ZSTD_SUFFIX = ".zst"
_CHUNK_BYTES = 64 * 1024
_STEP_BYTES = 512
"""Compressed bytes that are decompressed at once: four of them may say 128 KiB."""
_LARGEST_WINDOW = 2**27


def open_read(path: Path) -> IO[bytes]:
    """Open a journal for reading, compressed or not.

    Raises:
        CaptureError: it can't be opened, or is a pipe, a device or a socket, which are not read.
    """
    try:
        file = open(path, "rb", opener=without_waiting)  # noqa: SIM115 - closed by whoever asked for it
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise not_regular(path)
    return io.BufferedReader(_Decompressed(file), _CHUNK_BYTES) if path.suffix == ZSTD_SUFFIX else file


def not_regular(path: Path) -> CaptureError:
    """Return the error for a pipe, a device or a socket in a capture's place."""
    return CaptureError(f"{path} is not a regular file; give a capture's file, a folder of them, or a pattern")


def without_waiting(path: str, flags: int) -> int:
    """Open a file that is there, as an opener of `open`, without waiting for the other end of a pipe."""
    return os.open(path, (flags | getattr(os, "O_NONBLOCK", 0)) & ~os.O_CREAT)


def texts(source: IO[bytes]) -> Iterator[bytes | None]:
    """Yield a file's lines, each with its line break; ``None`` for one that is too long, which is never held whole."""
    while text := source.readline(MAX_LINE_BYTES + 1):
        if len(text) <= MAX_LINE_BYTES or text.endswith(b"\n"):
            yield text
            continue
        while text and not text.endswith(b"\n"):
            text = source.readline(_CHUNK_BYTES)
        yield None


class _Decompressed(io.RawIOBase):
    """A compressed file, decompressed up to its last whole block: zstandard's own stream reader leaves out what it
    holds back when the file ends in the middle, as a killed writer's does.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import zstandard

        self._file = file
        self._damage = zstandard.ZstdError
        self._next_frame = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj
        self._frame = self._next_frame()
        self._compressed = self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            self._compressed = self._compressed or memoryview(self._file.read(_CHUNK_BYTES))
            if not self._compressed:
                return 0
            step = self._compressed[:_STEP_BYTES]
            try:
                self._ready = memoryview(self._frame.decompress(step))
            except self._damage as error:
                raise OSError(str(error)) from None
            self._compressed = self._compressed[len(step) - len(self._frame.unused_data) :]
            if self._frame.eof:
                self._frame = self._next_frame()
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
