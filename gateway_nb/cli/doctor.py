"""``gateway-nb doctor`` and ``gateway-nb fingerprint``: what one looks into before connecting."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from ..client.transport.opening import read_fingerprint
from ..diagnosis.doctor import doctor as examine
from ..errors import with_options
from ..protocol.endpoint import parse
from .output import Number, password_env, say, secret, token_env


@click.command()
@click.argument("url", required=False)
@token_env
@password_env
@click.option("--tls-fingerprint", metavar="FP", help="SHA-256 of the certificate to expect.")
@click.option(
    "--timeout", type=Number(0.1, "number of seconds"), default=15.0, show_default=True, help="Seconds for connecting."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(
    context: click.Context,
    url: str | None,
    token_env: str | None,
    password_env: str | None,
    tls_fingerprint: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Find out what prevents a connection.

    It says what to do about each fault.
    Exit codes: 0 connecting would work and nothing is wrong, 1 something is, 2 wrong usage.
    """
    token, password = secret(token_env), secret(password_env, "password")
    try:
        report = examine(url, token=token, password=password, tls_fingerprint=tls_fingerprint, timeout=timeout)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if as_json:
        say(report.to_json())
    else:
        click.echo(with_options("\n".join(report.lines(colour=colour))))  # with colours: printable but for these
    context.exit(0 if report.ok else 1)


@click.command()
@click.argument("url")
@click.option("--yes", is_flag=True, help="Do not ask.")
def fingerprint(url: str, yes: bool) -> None:
    """Print the SHA-256 of a server's certificate.

    URL begins with wss://; the fingerprint is for --tls-fingerprint and tls_fingerprint=.
    """
    endpoint = parse(url)
    if not endpoint.secure:
        raise click.UsageError("a fingerprint needs a wss:// URL")
    if not yes:
        say(
            f"do this on a network that you trust: what answers at {endpoint.display} now is what you will trust",
            err=True,
        )
        click.confirm("Connect to it and read its certificate?", abort=True, err=True)
    found = asyncio.run(read_fingerprint(endpoint, timeout=10))
    say(":".join(found[index : index + 2] for index in range(0, 64, 2)).upper())
    say("compare it with the gateway's own before you pin it", err=True)
