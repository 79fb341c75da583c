"""Small private files: where they live, and how they are written so that a crash or a second process does no harm."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock

HOME_VARIABLE = "GATEWAY_NB_HOME"
MAX_BYTES = 1_000_000
"""The largest file that is read or written."""
_LOCK_PATIENCE = 10.0


def home() -> Path:
    """Return the folder of this package's own files; `GATEWAY_NB_HOME` overrides the platform's place."""
    override = os.environ.get(HOME_VARIABLE, "").strip()
    return Path(override).expanduser() if override else Path(platformdirs.user_data_dir("gateway-nb", False))


def identity_folder() -> Path:
    """Return the folder of the device key and the device tokens."""
    return home() / "identity"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock, a file beside it, that guards a file against a second process, for one read-change-write.

    Raises:
        OSError: the folder can't be written, or another process keeps the lock for 10 s.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_name(path.name + ".lock"), timeout=_LOCK_PATIENCE, mode=0o600):
        yield


def exposed(path: Path) -> Iterator[tuple[Path, int, int]]:
    """Yield what of a private file is open to other users: itself, and the identity folder around it.

    Windows keeps other rights, in other ways: there nothing is.

    Args:
        path: the file. Of one that lies elsewhere the folder is the user's affair.

    Yields:
        The file or folder, its mode, and the mode that it should have.
    """
    own_folder = [(path.parent, 0o700)] if path.parent == identity_folder() else []
    for place, wanted in [(path, 0o600), *own_folder]:
        mode = stat.S_IMODE(place.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            yield place, mode, wanted


def chmod(place: Path, mode: int) -> None:
    """Change a mode, or say why a secret that is open to others is of no use.

    Args:
        place: a file or folder that is `exposed`.
        mode: the one to set; its own tries whether it could be changed.

    Raises:
        OSError: it can't be changed.
    """
    try:
        place.chmod(mode)
    except OSError as error:
        why = f"{place} is open to other users of this computer, and that can't be changed: {error.strerror}"
        raise OSError(error.errno, f"{why}; its owner has to close it (chmod go= {place})", str(place)) from None


def protect(path: Path, change: bool) -> list[str]:
    """Close a private file to other users of this computer; return a line for each change, to be logged.

    Args:
        path: the file; known to be one of ours, since it was read.
        change: else only see whether it could be done.

    Raises:
        OSError: its mode can't be changed.
    """
    changed = []
    for place, mode, wanted in exposed(path):
        chmod(place, wanted if change else mode)
        changed.append(
            f"{place} was open to other users of this computer (mode {mode:o}), and is closed to them now "
            f"(mode {wanted:o}); if others use this computer, what it holds may be known to them"
        )
    return changed


def read_bounded(path: Path) -> bytes:
    """Return the bytes of a small file.

    Args:
        path: of a regular file of at most `MAX_BYTES`; nothing else is read, so that a pipe can't block.

    Raises:
        OSError: it is larger, it is no such file, or it can't be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_BYTES:,} bytes", str(path))
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Args:
        path: where; its folder is made with mode 0700.
        data: the file's bytes.

    Raises:
        OSError: the disk is full, or the folder can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
