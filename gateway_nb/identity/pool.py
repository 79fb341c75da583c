"""Device keys of nodes: one for each that is connected, since of two connections with one key the newer wins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from filelock import FileLock, Timeout

from ..errors import IdentityError
from . import device, files

_MOST = 64
FOLDER = "nodes"


@dataclass(frozen=True)
class PooledIdentity:
    """A node's key that nobody else uses until `release`.

    Attributes:
        identity: the key.
        changes: a line for each file that was open to other users, and is closed now.
    """

    identity: device.DeviceIdentity
    changes: list[str]
    _lock: FileLock

    def release(self) -> None:
        """Let others use the key. Calling it again does nothing."""
        self._lock.release()


def acquire(gateway: str) -> PooledIdentity:
    """Return the first of a gateway's own keys that no other connection uses, here or in another process.

    An owner's approval is of a key: the same ones are used again, in the same order.

    Raises:
        IdentityError: a key can't be read or written, or 64 are in use.
    """
    folder = files.identity_folder() / FOLDER
    prefix = hashlib.sha256(gateway.encode()).hexdigest()[:12]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in range(1, _MOST + 1):
            path = folder / f"{prefix}-{number}.json"
            lock = FileLock(path.with_name(f"{path.name}.used.lock"), blocking=False, mode=0o600, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                continue
            try:
                identity = device.DeviceIdentity.load_or_create(path)
                return PooledIdentity(identity, device.protect(path, change=True), lock)
            except BaseException:
                lock.release()
                raise
    except OSError as error:
        raise IdentityError(f"a device key for tools can't be kept in {folder}: {error.strerror or error}") from None
    raise IdentityError(f"{_MOST} connections of this user offer tools at once: close one of them")
