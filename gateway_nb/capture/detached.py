"""Captures in processes of their own: they outlive the kernel that started them, and any of them is found again.

A capturing process keeps a small file about itself, its entry, and a lock on it for as long as it lives. What the
entry said last stays for a day after that, for those who ask how it ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from ..errors import CaptureError, one_line, printable
from ..identity.files import HOME_VARIABLE, home, write_private
from ..protocol.lines import torn_end

_LOGGER = logging.getLogger("gateway_nb")
_START_PATIENCE = 60.0
_STOP_PATIENCE = 15.0
_LOCK_PATIENCE = 10.0
_POLL_SECONDS = 0.02
_KEPT = 86_400.0
_LARGEST_ENTRY = 65_536
_mentioned: set[Path] = set()
_waiting: dict[int, threading.Thread] = {}
"""Threads that wait for the capturing processes which this one has started, by their ids: none stays as a zombie."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a capturing process writes about itself.

    Attributes:
        pid: its process.
        path: the file it was asked to write.
        url: the gateway.
        started: seconds since 1970.
        state: of its connection; ``ended``, ``failed`` or ``killed`` after its end.
        events: events written.
        bytes: bytes written.
        missed: events that were missed.
        error: why it ended by itself, or ``None``.
        torn: where the torn last line of the file that it appends to is now, or ``None``.
    """

    pid: int
    path: str
    url: str
    started: float
    state: str = "connected"
    events: int = 0
    bytes: int = 0
    missed: int = 0
    error: str | None = None
    torn: str | None = None


class Registration:
    """A capturing process's own entry. Its lock ends with the process, however that ends; its last words stay."""

    def __init__(self, account: Account) -> None:
        self._file = _writable_folder() / f"{account.pid}.json"
        self._file.unlink(missing_ok=True)  # of a former process with this id
        self._lock = _lock(self._file)
        self._lock.acquire(timeout=_LOCK_PATIENCE)  # whoever asks whether it is locked locks it for a moment
        self.update(account)

    def update(self, account: Account) -> None:
        """Replace the entry."""
        with contextlib.suppress(OSError):  # a full disk at home is no reason to end a capture elsewhere
            write_private(self._file, msgspec.json.encode(account))

    def close(self) -> None:
        """Release the entry; what it says stays."""
        self._lock.release()


class DetachedCapture:
    """A capture in a process of its own. Made by ``gw.capture(path, detached=True)``, found by `captures`.

    Attributes:
        path: the file it was asked to write.
        pid: its process.
    """

    def __init__(self, file: Path, account: Account) -> None:
        self._file = file
        self._account = account
        self.path = Path(account.path)
        self.pid = account.pid

    @property
    def alive(self) -> bool:
        """Whether it still captures."""
        return self._entry() is not None and _is_locked(self._file)  # in this order: asking makes a lock's file

    @property
    def stats(self) -> Account:
        """Its entry, renewed once a second and when it ends. `Account.error` says why it ended by itself."""
        alive, latest = self.alive, self._entry()
        self._account = account = latest or self._account
        if alive or account.error is not None or account.state == "ended":
            return account
        if latest is None:  # it failed, and somebody else has seen that, or it is long ago
            return dataclasses.replace(account, state="ended")
        why = f"its process {self.pid} was killed; its file may hold more than this: gnb.load({account.path!r})"
        return dataclasses.replace(account, state="killed", error=why)

    def _entry(self) -> Account | None:
        """Return what the entry says, unless another process with the same id has taken its place."""
        try:
            account = _read(self._file)
        except (OSError, ValueError):
            return None
        return account if account.started == self._account.started else None

    def stop(self, timeout: float = _STOP_PATIENCE) -> Account:
        """End it, wait until its file is closed, and return its last account. Calling it again does nothing.

        Args:
            timeout: seconds to wait.

        Raises:
            CaptureError: it did not end in time, its disk had failed, or its process was killed.
        """
        if self.alive:
            # The lock proves that it lives, and so that the id is still its own.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        until = time.monotonic() + timeout
        while self.alive or _runs(self.pid):
            if time.monotonic() > until:
                raise CaptureError(f"the capture {self.path} (process {self.pid}) did not end within {timeout:g} s")
            time.sleep(_POLL_SECONDS)
        self._account = last = self.stats
        if last.error is not None:
            if self._entry() is not None:
                _forget(self._file)
            raise CaptureError(f"the capture {self.path} ended after {last.events:,} events: {last.error}")
        return last

    def __repr__(self) -> str:
        account = self.stats
        state = account.error or account.state
        return printable(f"<DetachedCapture {self.path}: {state}, {account.events:,} events, process {self.pid}>")


def captures() -> list[DetachedCapture]:
    """Return the captures of this user in processes of their own, oldest first: those that run, and those that failed.

    Example:
        >>> for capture in gnb.captures():
        ...     capture.stop()
    """
    return sorted(_running(), key=lambda capture: capture.stats.started)


def start(connection: Mapping[str, Any], path: Path, **options: Any) -> DetachedCapture:
    """Return the capture in a process of its own that writes a file already, else `launch` one; arguments as there."""
    found = _find(path.absolute())
    if found is not None:
        if found.alive:
            return found
        with contextlib.suppress(CaptureError):  # it failed, and makes way
            found.stop()
    started = launch(connection, path, **options)
    if started.stats.torn is not None:
        # The frames of the face's method and of its wrapper are not the user's.
        warnings.warn(torn_end(started.path, started.stats.torn), stacklevel=4)
    return started


def launch(
    connection: Mapping[str, Any],
    path: Path,
    *,
    events: Iterable[str] = ("*",),
    append: bool = False,
    rotate: str | None = None,
    duration: str | None = None,
) -> DetachedCapture:
    """Start a capture in a process and a session of its own, which signals for this one do not reach.

    Args:
        connection: arguments of `gateway_nb.connect`; they go through a pipe, so that no list of processes shows them.
        path: the file to write.
        events: as for `Gateway.capture`, like `append` and `rotate`.
        append: continue a capture that exists.
        rotate: when to continue in another file.
        duration: how long, like ``90s``; default: until it is stopped.

    Raises:
        CaptureError: the folder of the entries can't be written, or it ended before it captured, with what it printed.
    """
    path = path.absolute()
    command = [sys.executable, "-P", "-m", "gateway_nb", "capture", "--connection-from-stdin", "-o", str(path)]
    command += [part for pattern in events for part in ("--events", pattern)]
    command += ["--append"] if append else []
    command += ["--rotate", rotate] if rotate else []
    command += ["--duration", duration] if duration else []
    with tempfile.NamedTemporaryFile(dir=_writable_folder(), suffix=".log") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True)
        waiting = threading.Thread(target=process.wait, name="gateway_nb-detached", daemon=True)
        _waiting[process.pid] = waiting
        waiting.start()
        try:
            _wait_until_registered(process, json.dumps(dict(connection)).encode())
            found = _find(path)
        except BaseException:
            process.terminate()
            waiting.join()
            raise
        if found is None or not _runs(process.pid):
            waiting.join()
            output.seek(0)
            printed = output.read().decode(errors="replace").strip().removeprefix("gateway-nb: ")
            raise CaptureError(printed or f"the capture {path} ended at once")
    return found


def _wait_until_registered(process: subprocess.Popen[bytes], connection: bytes) -> None:
    """Hand a capturing process its connection, and wait until it has an entry, or has ended."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(connection)
        process.stdin.close()
    until = time.monotonic() + _START_PATIENCE
    entry = _folder() / f"{process.pid}.json"
    while _runs(process.pid) and not (entry.exists() and _is_locked(entry)):
        if time.monotonic() > until:
            process.terminate()
        time.sleep(_POLL_SECONDS)


def _runs(pid: int) -> bool:
    """Return whether a process that was started here has not ended."""
    return pid in _waiting and _waiting[pid].is_alive()


def _find(path: Path) -> DetachedCapture | None:
    return next((capture for capture in _running() if capture.path == path), None)


def _running() -> Iterator[DetachedCapture]:
    for file in _folder().glob("*.json"):
        try:
            account = _read(file)
            if account.error is not None or _is_locked(file):
                yield DetachedCapture(file, account)
            elif time.time() - file.stat().st_mtime > _KEPT:
                _forget(file)
        except FileNotFoundError:  # it has just been forgotten
            continue
        except (OSError, ValueError) as error:
            if file not in _mentioned:
                _mentioned.add(file)
                _LOGGER.warning("%s is not the entry of a capture, and passed over: %s", file, one_line(error))


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.with_suffix(".lock").unlink(missing_ok=True)


def _lock(file: Path) -> FileLock:
    return FileLock(file.with_suffix(".lock"), mode=0o600)


def _is_locked(file: Path) -> bool:
    with FileLock(file.with_name("asking.lock"), mode=0o600):  # two that ask at once would take each other for it
        try:
            with _lock(file).acquire(timeout=0):
                return False
        except Timeout:
            return True


def _read(file: Path) -> Account:
    """Return what an entry says; what newer versions say besides is passed over.

    Raises:
        FileNotFoundError: there is none.
        OSError, ValueError: it is none.
    """
    size = file.stat().st_size
    if not file.is_file() or size > _LARGEST_ENTRY:
        raise ValueError(f"it is not a file of at most {_LARGEST_ENTRY:,} bytes")
    try:
        account = msgspec.json.decode(file.read_bytes(), type=Account)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if file.stem != str(account.pid) or account.pid <= 0:
        raise ValueError(f"it is the entry of process {account.pid}")
    return account


def _folder() -> Path:
    return home() / "captures"


def _writable_folder() -> Path:
    """Return the folder of the entries, to write there.

    Raises:
        CaptureError: that is impossible.
    """
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        why = f"{folder}, where captures are listed, can't be written: {error.strerror}"
        raise CaptureError(f"{why}; set {HOME_VARIABLE} to a folder that can be written") from None
    return folder
