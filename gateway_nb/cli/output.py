"""What the subcommands share: printing, credentials from the environment, signals, and a gateway of their own."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import click

from ..client.environment import TOKEN_VARIABLE, URL_VARIABLE
from ..errors import printable

token_env = click.option("--token-env", metavar="NAME", help="Environment variable that holds the gateway's token.")
password_env = click.option("--password-env", metavar="NAME", help="Environment variable that holds its password.")


class Number(click.FloatRange):
    """A number with a least value.

    Args:
        least: what it must be at least.
        name: what it is a number of, for messages.
    """

    def __init__(self, least: float, name: str) -> None:
        super().__init__(least)
        self.name = name


def say(text: object, *, err: bool = False) -> None:
    """Print a text in which what a gateway or a file says moves no cursor and turns no line around."""
    click.echo(printable(str(text)), err=err)


def secret(variable: str | None, kind: str = "token") -> str | None:
    """Return a credential of the environment.

    Args:
        variable: its name; ``None`` for no credential.
        kind: ``token`` or ``password``.

    Raises:
        click.UsageError: there is no such variable, or it is empty.
    """
    if variable is None:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise click.UsageError(f"--{kind}-env {variable}: the environment has no such variable, or it is empty")
    return value


def stopped_by_signals() -> threading.Event:
    """Return an event that is set by Ctrl-C, SIGTERM, or the end of the terminal."""
    stop = threading.Event()
    names = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it: so do we
        names.append(signal.SIGHUP)
    for name in names:
        signal.signal(name, lambda *_: stop.set())
    return stop


def announce(server: Any, *, show_token: bool) -> None:
    """Print where a gateway of ours listens, and how to sign in."""
    say(f"url: {server.url}")
    if show_token:
        say(f"token: {server.token}")
    else:
        say(f"token: run with --show-token to see it, or start with {TOKEN_VARIABLE} set to choose it")
    say("\nfor another shell:")
    say(f"export {URL_VARIABLE}={server.url}")
    if show_token:
        say(f"export {TOKEN_VARIABLE}={shlex.quote(server.token)}")
    sys.stdout.flush()


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        if os.name == "posix":  # as servers do: else a port that was just left counts as used
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"port {port} can't be used: {error.strerror}; choose another, or leave --port out for a free one"
            raise click.ClickException(why) from None


@contextlib.contextmanager
def own_gateway(openclaw: bool, token: str | None = None, port: int = 0) -> Iterator[Any]:
    """Run a gateway for as long as the context lasts.

    Args:
        openclaw: the real one instead of the embedded one.
        token: its shared token; default: a new one.
        port: where it listens; 0: a free one.

    Raises:
        click.ClickException: the port can't be used.
    """
    if port:
        _check_port(port)
    if openclaw:
        from ..openclaw.process import OpenClaw

        with OpenClaw(token=token, port=port, report=lambda line: say(line, err=True)) as server:
            yield server
    else:
        from ..server.local_gateway import LocalGateway

        with LocalGateway(token=token, port=port) as server:
            yield server
