"""``gateway-nb call``: one method, its answer as JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from ..faces.connections import connect
from ..notebook.calls.results import frame_of_rows, part_at, rows_in
from ..notebook.magics.body import CommandError
from ..notebook.magics.grammar import parse_cell
from .output import password_env, say, secret, token_env


@click.command()
@click.argument("method")
@click.argument("params", required=False)
@click.option("--url", help="Default: OPENCLAW_GATEWAY_URL, else this machine.")
@token_env
@password_env
@click.option("--final", is_flag=True, help="Wait for the last answer of a two-phase method.")
@click.option("--path", metavar="/POINTER", default="", help="Print a part of the answer.")
@click.option(
    "-f", "--format", "shape", type=click.Choice(["json", "df"]), default="json", help="Print JSON or a table."
)
def call(
    method: str,
    params: str | None,
    url: str | None,
    token_env: str | None,
    password_env: str | None,
    final: bool,
    path: str,
    shape: str,
) -> None:
    """Call a method and print its answer, as JSON or as a table.

    PARAMS is a JSON object. This connection's secrets are not in what is printed.
    """
    try:
        parsed = parse_cell(method, params or "")
    except CommandError as error:
        raise CommandError(str(error).replace("the body", "PARAMS")) from None
    given = parsed.body.value  # as it stands: in a shell there are no variables to put in
    if isinstance(given, str):
        raise click.UsageError(f"PARAMS must be a JSON object, not {given}")
    token, password = secret(token_env), secret(password_env, "password")
    with connect(url, token=token, password=password, name="cli") as gateway:
        answer = gateway.redactor.value(gateway.request(parsed.method, given, expect_final=final))
    say(_table(parsed.method, part_at(answer, path)) if shape == "df" else _json(part_at(answer, path)))


def _json(answer: Any) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _table(method: str, answer: Any) -> str:
    found = rows_in(answer)
    if found is None:
        raise click.UsageError(f"the answer to {method} is not one list of objects; --path /NAME takes one of them")
    return frame_of_rows(found.rows).to_string()
