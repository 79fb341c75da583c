"""``gateway-nb serve`` and ``gateway-nb replay``: a gateway on this machine, until Ctrl-C."""

from __future__ import annotations

import os

import click

from ..capture.loading import load
from ..client.environment import TOKEN_VARIABLE
from .output import Number, announce, own_gateway, stopped_by_signals


@click.command()
@click.option("--openclaw", is_flag=True, help="The real gateway instead of the embedded one.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Default: a free one.")
@click.option("--show-token", is_flag=True, help="Print the token, too.")
def serve(openclaw: bool, port: int | None, show_token: bool) -> None:
    """Start a gateway on this machine, until Ctrl-C."""
    stop = stopped_by_signals()
    with own_gateway(openclaw, os.environ.get(TOKEN_VARIABLE, "").strip() or None, port or 0) as server:
        announce(server, show_token=show_token)
        stop.wait()


@click.command()
@click.argument("path")
@click.option("--speed", type=Number(0, "speed"), default=1.0, show_default=True, help="0 leaves the gaps in time out.")
def replay(path: str, speed: float) -> None:
    """Serve a recording as a gateway, until Ctrl-C.

    PATH is a journal, a folder of them, or a pattern.
    """
    stop = stopped_by_signals()
    with load(path).replay(speed or None) as server:
        announce(server, show_token=True)
        stop.wait()
