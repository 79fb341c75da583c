"""``gateway-nb schema``: the table of methods and their params."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ..openclaw.npm import fetch
from ..schema import reading
from ..schema.facts import method_facts
from ..schema.stubs import STUB, stub
from .output import say


@click.group()
def schema() -> None:
    """Show or update the table of methods."""


@schema.command()
@click.argument("path", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the table there; default: your cache.")
def update(path: Path | None, output: Path | None) -> None:
    """Read the methods of a newer gateway.

    They are in a protocol.schema.json: at PATH, or in the newest @openclaw/gateway-protocol, fetched by npm.
    """
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            fetch(Path(folder), "@openclaw/gateway-protocol")
            path = Path(folder, "node_modules", "@openclaw", "gateway-protocol", "protocol.schema.json")
        facts = reading.read(path)
    say(f"{len(facts.methods)} methods of {facts.source}, in {reading.update(facts, output)}")


@schema.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write them there; default: in this package.")
def stubs(output: Path | None) -> None:
    """Write the methods with their params and answers as types, which editors and type checkers then know.

    The package has them of the gateway that it was made with; after an update of the table, run this once.
    """
    facts, output = method_facts(), output or STUB
    try:
        output.write_text(stub(facts), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output} can't be written: {error.strerror}; name another file with -o") from None
    say(f"{len(facts.methods)} methods of {facts.source}, in {output}")


@schema.command()
@click.argument("method")
@click.pass_context
def show(context: click.Context, method: str) -> None:
    """Show a method's scope and params.

    Exit codes: 0 there is such a method, 1 there is none in the table.
    """
    facts = method_facts()
    say(facts.describe(method), err=method not in facts.methods)
    context.exit(0 if method in facts.methods else 1)
