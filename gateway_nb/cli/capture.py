"""``gateway-nb capture``: a process that captures."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from ..capture.detached import Account, Registration, launch
from ..capture.files import parse_rotation
from ..capture.journal import Capture
from ..errors import CaptureError
from ..faces.connections import connect
from ..faces.gateway import Gateway
from ..fleets.fleet import fleet
from .output import password_env, say, secret, stopped_by_signals, token_env

_POLL_SECONDS = 0.5
_UPDATE_SECONDS = 1.0


@click.command()
@click.argument("url", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The journal.")
@click.option(
    "--fleet", "config", type=click.Path(path_type=Path), help="Capture the gateways of this YAML or TOML file."
)
@click.option("--to", "lake", metavar="LAKE", help="With --fleet: the lake, a folder or s3://BUCKET/PATH.")
@click.option("--events", multiple=True, metavar="GLOB", default=("*",), help="Names to keep; may be given again.")
@click.option("--duration", metavar="TIME", help="End after this long: 90s, 30m, 1h.")
@click.option("--rotate", metavar="LIMIT", help="Continue in another file after 100MB, 30m or 1h.")
@click.option("--append", is_flag=True, help="Continue a capture that exists.")
@click.option("--detach", is_flag=True, help="In the background: return when it captures, and print its process id.")
@click.option("--connection-from-stdin", "piped", is_flag=True, hidden=True)
@token_env
@password_env
def capture(
    url: str | None,
    output: Path | None,
    config: Path | None,
    lake: str | None,
    token_env: str | None,
    password_env: str | None,
    duration: str | None,
    piped: bool,
    detach: bool,
    **options: Any,
) -> None:
    """Write a gateway's events to a file, or those of many gateways into a lake.

    It continues until Ctrl-C or SIGTERM, across reconnects.

    Exit codes: 0 ended as asked, 1 could not connect or the disk failed, 2 wrong usage.
    """
    seconds = _checked(duration, options["rotate"])
    if config is not None or lake is not None:
        alone = [url, output, token_env, password_env, options["rotate"], options["append"] or None, detach or None]
        if config is None or lake is None or any(value is not None for value in alone):
            raise click.UsageError("--fleet FILE and --to LAKE go together, with --events and --duration alone")
        _write_lake(config, lake, options["events"], seconds)
        return
    if output is None:
        raise click.UsageError("name the journal with -o, or a fleet with --fleet and its lake with --to")
    if piped:
        connection = json.load(sys.stdin)
    else:
        connection = {"url": url, "token": secret(token_env), "password": secret(password_env, "password")}
    if detach:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it started must not be left alone
        say(launch(connection, output, duration=duration, **options).pid)
    else:
        _write(connection, output, seconds, options)


def _checked(duration: str | None, rotate: str | None) -> float | None:
    """Return the duration in seconds; refuse what is not a time, or not a limit."""
    try:
        if rotate is not None:
            parse_rotation(rotate)
        if duration is None:
            return None
        with contextlib.suppress(ValueError):
            if (seconds := parse_rotation(duration).seconds) is not None:
                return seconds
        raise ValueError(f"--duration {duration}: write it like 90s, 30m or 1h")
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _write(connection: Mapping[str, Any], output: Path, seconds: float | None, options: Mapping[str, Any]) -> None:
    """Capture until a signal, or for a while.

    Args:
        connection: arguments of `gateway_nb.connect`.
        output: the file.
        seconds: how long; ``None`` for no limit.
        options: of `Gateway.capture`.
    """
    with connect(**connection, name="capture") as gateway:
        writing = gateway.capture(output, **options)
        stop = stopped_by_signals()
        say(f"capturing {gateway.status.url} into {writing.path}; Ctrl-C ends it", err=True)
        first = Account(os.getpid(), str(output.absolute()), gateway.status.url, time.time())
        account = _account(first, gateway, writing, gateway.status.state)
        with contextlib.closing(Registration(account)) as registration:
            try:
                _watch(gateway, writing, registration, account, stop, seconds)
            finally:
                error = _stopped(writing)
                state = "ended" if error is None else "failed"
                account = _account(account, gateway, writing, state, error)
                registration.update(account)
    if error is not None:
        raise error
    say(f"{account.events:,} events, {account.bytes:,} bytes, {account.missed:,} missed", err=True)


def _write_lake(config: Path, lake: str, events: tuple[str, ...], seconds: float | None) -> None:
    """Capture the gateways of a file into a lake until a signal, or for a while."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    problem: str | None = None
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # what is wrong with some is printed below
        gateways = fleet(config)
    with gateways, gateways.capture(lake, events) as writing:
        stop = stopped_by_signals()
        say(f"capturing {len(gateways):,} gateways into {writing.stats.lake}; Ctrl-C ends it", err=True)
        if gateways.status.wrong():
            say(repr(gateways.status), err=True)
        with tqdm(unit=" events", unit_scale=True, disable=None, leave=False) as line:
            while writing.alive and not stop.wait(min(max(end - time.monotonic(), 0), _POLL_SECONDS)):
                stats = writing.stats
                if stats.problem is not None and stats.problem != problem:
                    say(f"gateway-nb: {stats.problem}", err=True)
                problem = stats.problem
                line.set_description_str(f"{stats.rows:,} rows in the lake")
                line.update(stats.events - line.n)
                if time.monotonic() >= end:
                    break
    stats = writing.stats
    missed = sum(gateway.status.counters.missed for gateway in gateways)
    say(
        f"{stats.events:,} events, {stats.rows:,} rows in the lake, {missed:,} missed, {stats.dropped:,} dropped",
        err=True,
    )
    if absent := sum(gateway.status.epoch == 0 for gateway in gateways):
        say(f"never connected: {absent:,} of {len(gateways):,} gateways", err=True)


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
    updated = 0.0
    # disable=None: a line on a terminal, nothing in a pipe
    with tqdm(unit=" events", unit_scale=True, disable=None, leave=False) as line:
        while writing.stats.error is None:
            now, stats, status = time.monotonic(), writing.stats, gateway.status
            line.set_description_str(status.state)
            line.update(stats.events - line.n)
            if now - updated >= _UPDATE_SECONDS:
                updated = now
                registration.update(_account(account, gateway, writing, status.state))
            left = _POLL_SECONDS if end is None else min(end - now, _POLL_SECONDS)
            if left <= 0 or stop.wait(left):
                break
