"""``gateway-nb tools``: the functions of a module as tools of agents, until Ctrl-C."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import click

from ..errors import one_line
from ..faces.connections import connect
from ..protocol.spelling import closest
from ..tools.tool import Tool
from .output import password_env, say, secret, stopped_by_signals, token_env

_POLL_SECONDS = 0.5


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="MODULE[:FUNCTION]...")
@click.option(
    "--sessions",
    multiple=True,
    required=True,
    metavar="PATTERN",
    help="Which sessions may call, such as 'agent:main:*'; may be given again. '*': every session of every agent.",
)
@click.option("--approve", is_flag=True, help="Allow it as this operator, where the gateway's owner has not.")
@click.option("--url", help="Default: OPENCLAW_GATEWAY_URL, else this machine.")
@token_env
@password_env
def tools(
    sources: tuple[str, ...],
    sessions: tuple[str, ...],
    approve: bool,
    url: str | None,
    token_env: str | None,
    password_env: str | None,
) -> None:
    """Offer Python functions to a gateway's agents, until Ctrl-C.

    MODULE is importable from here: all of its public functions are offered, or the one that is named.
    """
    if "own" in sessions:
        raise click.UsageError("--sessions own: this command starts no runs, so nobody could call; give a pattern")
    offered = [_tool(function, sessions) for source in sources for function in _functions(source)]
    stop = stopped_by_signals()
    token, password = secret(token_env), secret(password_env, "password")
    with connect(url, token=token, password=password, name="tools") as gateway:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that nobody allowed it yet is said below, in a shell's words
            for tool in offered:
                gateway.tools.offer(tool)
        if approve:
            gateway.tools.approve()
        say(f"offering {', '.join(gateway.tools.names)} at {gateway.status.url}; Ctrl-C ends it", err=True)
        shown: str | None = ""
        while True:
            if (notice := gateway.tools.notice) != shown:
                ways = (notice or "agents can call them").replace("gw.tools.approve() here", "this with --approve")
                say(one_line(ways), err=True)
                shown = notice
            if stop.wait(_POLL_SECONDS):
                break
        calls = len(gateway.tools.calls)
    say(f"{calls:,} call{'' if calls == 1 else 's'}", err=True)


def _functions(source: str) -> Iterator[Callable[..., Any]]:
    """Yield the functions that ``MODULE`` or ``MODULE:FUNCTION`` names."""
    module_name, colon, name = source.partition(":")
    sys.path.insert(0, os.getcwd())  # as python -m does; a function may import more of it later
    try:
        module = importlib.import_module(module_name)
    except (ModuleNotFoundError, ValueError, TypeError) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{module_name}.".startswith(f"{error.name}."):
            raise  # it exists, and misses another
        raise click.UsageError(f"{module_name!r} can't be imported from here: {error}") from None
    public = {
        each: value
        for each, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not each.startswith("_")
    }
    if not colon:
        if not public:
            raise click.UsageError(f"{module_name} has no public function of its own")
        yield from public.values()
        return
    found = getattr(module, name, None)
    if not callable(found):
        near = closest(name, public, 1)
        advice = f"; did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"{module_name} has no function {name!r}{advice}")
    yield found


def _tool(function: Callable[..., Any], sessions: tuple[str, ...]) -> Tool:
    try:
        return Tool.of(function, sessions="*" if "*" in sessions else sessions)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None
