"""A process that captures: ``gateway-nb capture``."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..capture.detached import Account, Registration
from ..capture.files import parse_rotation
from ..capture.journal import Capture
from ..errors import CaptureError, printable
from ..faces.connections import connect
from ..faces.gateway import Gateway

_LOOK_EVERY = 0.5
_TELL_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to capture.

    Attributes:
        output: the file.
        events: patterns of the event names to keep.
        append: continue a capture that exists.
        rotate: when to continue in another file, like ``100MB`` or ``1h``.
        duration: how long, like ``90s`` or ``1h``; default: until it is stopped.

    Raises:
        ValueError: `rotate` or `duration` says no size or time.
    """

    output: Path
    events: tuple[str, ...] = ("*",)
    append: bool = False
    rotate: str | None = None
    duration: str | None = None

    def __post_init__(self) -> None:
        if self.rotate is not None:
            parse_rotation(self.rotate)
        self.seconds  # noqa: B018 - refuses a wrong one early

    @property
    def seconds(self) -> float | None:
        """The duration in seconds."""
        if self.duration is None:
            return None
        with contextlib.suppress(ValueError):
            seconds = parse_rotation(self.duration).seconds
            if seconds is not None:
                return seconds
        raise ValueError(f"--duration {self.duration}: write it like 90s, 30m or 1h")


def carry_out(job: Job, connection: Mapping[str, Any], stopped: Callable[[], threading.Event]) -> None:
    """Capture until told to stop, or for the job's duration.

    Args:
        job: what to capture.
        connection: arguments of `gateway_nb.connect`.
        stopped: called when it captures; the event it returns is set when it is time to end.

    Raises:
        GatewayConnectError: it could not connect.
        CaptureError: the file can't be written.
    """
    with connect(**connection, name="capture") as gateway:
        writing = gateway.capture(job.output, events=job.events, append=job.append, rotate=job.rotate)
        stop = stopped()
        said = f"capturing {gateway.status.url} into {writing.path}"
        print(printable(f"{said}; Ctrl-C ends it"), file=sys.stderr, flush=True)
        first = Account(os.getpid(), str(job.output.absolute()), gateway.status.url, time.time())
        account = _account(first, gateway, writing, gateway.status.state)
        with contextlib.closing(Registration(account)) as registration:
            try:
                _watch(gateway, writing, registration, account, stop, job.seconds)
            finally:
                error = _stopped(writing)
                state = "ended" if error is None else "failed"
                account = _account(account, gateway, writing, state, error)
                registration.tell(account)
    if error is not None:
        raise error
    print(f"{account.events:,} events, {account.bytes:,} bytes, {account.missed:,} missed", file=sys.stderr)


def _stopped(writing: Capture) -> CaptureError | None:
    """End the writing, however long a slow disk takes for the rest; return why it had ended before."""
    while True:
        try:
            writing.stop()
            return None
        except CaptureError as error:
            if not writing.alive:
                return error


def _account(
    first: Account, gateway: Gateway, writing: Capture, state: str, error: CaptureError | None = None
) -> Account:
    stats = writing.stats
    return dataclasses.replace(
        first,
        state=state,
        events=stats.events,
        bytes=stats.bytes,
        missed=gateway.status.counters.missed,
        error=None if error is None else str(error),
        torn=None if stats.torn is None else str(stats.torn),
    )


def _watch(
    gateway: Gateway,
    writing: Capture,
    registration: Registration,
    account: Account,
    stop: threading.Event,
    seconds: float | None,
) -> None:
    """Wait for the end; on a terminal with a live line of rates."""
    end = None if seconds is None else time.monotonic() + seconds
    told = 0.0
    # disable=None: a line on a terminal, nothing in a pipe
    with tqdm(unit=" events", unit_scale=True, disable=None, leave=False) as line:
        while writing.stats.error is None:
            now, stats, status = time.monotonic(), writing.stats, gateway.status
            line.set_description_str(status.state)
            line.update(stats.events - line.n)
            if now - told >= _TELL_EVERY:
                told = now
                registration.tell(_account(account, gateway, writing, status.state))
            left = _LOOK_EVERY if end is None else min(end - now, _LOOK_EVERY)
            if left <= 0 or stop.wait(left):
                break
