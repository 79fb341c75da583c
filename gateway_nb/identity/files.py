"""Small private files: where they live, and how they are written so that a crash or a second process does no harm."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock

HOME_VARIABLE = "GATEWAY_NB_HOME"
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
    """Hold the lock that guards a file against a second process, for one read-change-write.

    Args:
        path: the guarded file; the lock is a file beside it.

    Raises:
        OSError: the folder can't be written, or another process keeps the lock for 10 s.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_name(path.name + ".lock"), timeout=_LOCK_PATIENCE, mode=0o600):
        yield


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
