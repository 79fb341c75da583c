"""``gateway-nb call``: one method, its answer as JSON."""

from __future__ import annotations

import json

import click

from ..faces.connections import connect
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
def call(
    method: str, params: str | None, url: str | None, token_env: str | None, password_env: str | None, final: bool
) -> None:
    """Call a method and print its answer as JSON.

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
    say(json.dumps(answer, indent=2, ensure_ascii=False))
