"""The command ``gateway-nb``: its subcommands, each loaded when it is used."""

from __future__ import annotations

import importlib
from typing import Any

import click

from ..errors import GatewayError, with_options
from ..protocol.spelling import closest
from .output import say

_MODULES = {
    "call": "call",
    "capture": "capture",
    "demo": "demo",
    "docs": "docs",
    "doctor": "doctor",
    "experiment": "experiment",
    "export": "export",
    "fingerprint": "doctor",
    "lab": "lab",
    "lake": "lake",
    "replay": "serve",
    "schema": "schema",
    "serve": "serve",
    "tools": "tools",
}
"""Subcommand -> the module that has a command of its name."""


class _Group(click.Group):
    """Loads a subcommand on first use; shows an expected error as its one line, with exit code 1."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _MODULES:
            return None
        command: click.Command = getattr(importlib.import_module(f".{_MODULES[name]}", __package__), name)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = [] if args[0] in _MODULES else closest(args[0], _MODULES, 1)
        if near and not args[0].startswith("-"):
            context.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(context, args)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except GatewayError as error:
            say(f"gateway-nb: {with_options(str(error))}", err=True)
            context.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gateway-nb", prog_name="gateway-nb")
def main() -> None:
    """The notebook client for the OpenClaw Gateway, from a shell."""
