"""Captures in processes of their own: they outlive the kernel that started them, and any of them is found again.

A capturing process keeps a small file about itself, and a lock on it for as long as it lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from .identity.files import home, write_private
from .protocol.errors import CaptureError

_START_PATIENCE = 60.0
_STOP_PATIENCE = 15.0
_LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Account:
    """What a capturing process tells of itself.

    Attributes:
        pid: its process.
        path: the file it was asked to write.
        url: the gateway.
        started: seconds since 1970.
        state: of its connection.
        events: events written.
        bytes: bytes written.
        missed: events that were missed.
        error: why it ended by itself, or ``None``.
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


class Registration:
    """A capturing process's own entry; gone when it ends, however it ends, unless it told of an error.

    Args:
        account: what to tell first.
    """

    def __init__(self, account: Account) -> None:
        self._file = _folder() / f"{account.pid}.json"
        self._lock = FileLock(self._file.with_suffix(".lock"), mode=0o600)
        self._lock.acquire(timeout=0)
        self.tell(account)

    def tell(self, account: Account) -> None:
        """Replace what is told."""
        self._failed = account.error is not None
        write_private(self._file, json.dumps(asdict(account)).encode())

    def close(self) -> None:
        """Take the entry out; one with an error stays until somebody stops that capture."""
        if not self._failed:
            self._file.unlink(missing_ok=True)
        self._lock.release()
        self._file.with_suffix(".lock").unlink(missing_ok=True)


class DetachedCapture:
    """A capture in a process of its own. Made by ``gw.capture(path, detached=True)``, found by `captures`.

    Args:
        file: its entry.
        account: what that said when it was found.

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
        return self._file.exists() and _is_locked(self._file)

    @property
    def stats(self) -> Account:
        """What it told last; it tells once a second. `Account.error` says why it ended by itself."""
        with contextlib.suppress(OSError, ValueError):  # it has just ended: what it told before is the last word
            self._account = _read(self._file)
        return self._account

    def stop(self, timeout: float = _STOP_PATIENCE) -> Account:
        """End it, and wait until its file is closed. Calling it again does nothing.

        Args:
            timeout: seconds to wait.

        Raises:
            CaptureError: it did not end in time, or its disk had failed.
        """
        last = self.stats
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)
        until = time.monotonic() + timeout
        while self.alive:
            if time.monotonic() > until:
                raise CaptureError(f"the capture {self.path} (process {self.pid}) did not end within {timeout:g} s")
            last = self.stats
            time.sleep(_LOOK_EVERY)
        if (error := self.stats.error) is not None:
            _forget(self._file)
            raise CaptureError(error)
        return last

    def __repr__(self) -> str:
        account = self.stats
        state = account.error or (account.state if self.alive else "ended")
        return f"<DetachedCapture {self.path}: {state}, {account.events:,} events, process {self.pid}>"


def captures() -> list[DetachedCapture]:
    """Return the captures of this user in processes of their own, oldest first: those that run, and those that failed.

    Example:
        >>> for capture in gnb.captures():               # doctest: +SKIP
        ...     capture.stop()
    """
    return sorted(_running(), key=lambda capture: capture.stats.started)


def start(
    connection: Mapping[str, Any],
    path: Path,
    *,
    events: Iterable[str] = ("*",),
    append: bool = False,
    rotate: str | None = None,
) -> DetachedCapture:
    """Start a capture in a process of its own, or return the one that writes this file already.

    Args:
        connection: arguments of `gateway_nb.connect`; they go through a pipe, so that no list of processes shows them.
        path: the file to write.
        events: patterns of the event names to keep.
        append: go on with a file that exists.
        rotate: when to go on in another file.

    Raises:
        CaptureError: it did not start; says why.
    """
    path = path.absolute()
    found = _find(path)
    if found is not None:
        if found.alive:
            return found
        with contextlib.suppress(CaptureError):  # it failed, and makes way
            found.stop()
    command = [sys.executable, "-m", "gateway_nb", "capture", "--detach", "--connection-from-stdin", "-o", str(path)]
    command += [part for pattern in events for part in ("--events", pattern)]
    command += ["--append"] if append else []
    command += ["--rotate", rotate] if rotate else []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as starting:
        try:
            _, said = starting.communicate(json.dumps(dict(connection)))
        except BaseException:
            starting.terminate()  # it takes with it what it started
            starting.communicate()
            raise
    found = _find(path)
    if starting.returncode or found is None:
        raise CaptureError(said.strip().removeprefix("gateway-nb: ") or f"the capture {path} ended at once")
    return found


def launch(connection: Mapping[str, Any], command: list[str]) -> int:
    """Run ``gateway-nb`` in a session of its own, and wait until it captures; return its process id.

    Args:
        connection: arguments of `gateway_nb.connect`, given to it through its standard input.
        command: its arguments.

    Raises:
        CaptureError: it ended, with what it said.
    """
    log = _folder() / f"{os.getpid()}.log"
    with open(log, "w+b") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway_nb", *command],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            words = _registered(process, json.dumps(dict(connection)).encode(), said)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            log.unlink()
    if process.poll() is not None:
        raise CaptureError(words.removeprefix("gateway-nb: ") or f"it ended with {process.returncode}")
    return process.pid


def _registered(process: subprocess.Popen[bytes], connection: bytes, said: IO[bytes]) -> str:
    """Wait until a process tells of itself, or has ended; return what it said."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(connection)
        process.stdin.close()
    until = time.monotonic() + _START_PATIENCE
    while process.poll() is None and not (_folder() / f"{process.pid}.json").exists():
        if time.monotonic() > until:
            process.terminate()
        time.sleep(_LOOK_EVERY)
    said.seek(0)
    return said.read().decode().strip()


def _find(path: Path) -> DetachedCapture | None:
    return next((capture for capture in _running() if capture.path == path), None)


def _running() -> Iterator[DetachedCapture]:
    for file in _folder().glob("*.json"):
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            account = _read(file)
            if account.error is None and not _is_locked(file):  # its process was killed
                _forget(file)
                continue
            yield DetachedCapture(file, account)


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.with_suffix(".lock").unlink(missing_ok=True)


def _is_locked(file: Path) -> bool:
    try:
        with FileLock(file.with_suffix(".lock"), timeout=0, mode=0o600):
            return False
    except Timeout:
        return True


def _read(file: Path) -> Account:
    return Account(**json.loads(file.read_bytes()))


def _folder() -> Path:
    folder = home() / "captures"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
