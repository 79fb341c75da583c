"""The command ``gateway-nb``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..errors import GatewayError, printable

_token_env = click.option("--token-env", metavar="NAME", help="Environment variable that holds the gateway's token.")
_password_env = click.option("--password-env", metavar="NAME", help="Likewise its password.")


def _say(text: object, *, err: bool = False) -> None:
    """Print a text in which what a gateway or a file says moves no cursor and turns no line around."""
    click.echo(printable(str(text)), err=err)


class _Group(click.Group):
    """Shows an expected error as its one line, with exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except GatewayError as error:
            _say(f"gateway-nb: {error}", err=True)
            context.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gateway-nb", prog_name="gateway-nb")
def main() -> None:
    """The notebook client for the OpenClaw Gateway, from a shell."""


@main.command()
@click.option("--openclaw", is_flag=True, help="Against a real gateway, installed and started for it.")
@click.option("--url", help="Against a gateway of yours: nothing on it is changed, and no agent is run.")
@click.option("--agent", is_flag=False, flag_value="main", metavar="[NAME]", help="With --url: run a turn of an agent.")
@_token_env
@_password_env
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def demo(
    context: click.Context,
    openclaw: bool,
    url: str | None,
    agent: str | None,
    token_env: str | None,
    password_env: str | None,
    as_json: bool,
) -> None:
    """Connect, call, run an agent, capture a thousand events, and print them.

    On a gateway of yours (--url) it causes no events, and runs an agent with --agent only: that may cost money.
    """
    from tqdm import tqdm

    from ..faces.connections import connect
    from . import demo as demo_

    yours = url is not None
    if (agent is not None and not yours) or (openclaw and yours):
        raise click.UsageError("--agent goes with --url, and --openclaw without")
    work: dict[str, Any] = {"agent": "main", "prompt": "count:5:20", "events": demo_.EVENTS}
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {"name": "demo", "caps": ["tool-events"]}
        if yours:
            work = {"agent": agent, "prompt": "Answer with one word: hello.", "events": 0}
            options |= {"token": _secret(token_env), "password": _secret(password_env, "password")}
        else:
            server = stack.enter_context(_server(openclaw))
            # The gateway is this process's own: its token is enough, and no device key need be left behind.
            url = server.url
            options |= {"token": server.token, "device_identity": None}
        gateway = stack.enter_context(connect(url, **options))
        # disable=None: a bar on a terminal, nothing in a pipe; delay=1: nothing for what is quick
        bar = tqdm(total=work["events"], desc="events", unit="", disable=None, delay=1, leave=False)
        result, frame = demo_.run(gateway, progress=stack.enter_context(bar), **work)
    if as_json:
        _say(json.dumps(result.as_dict(), indent=2))
    else:
        _show_demo(result, frame, work["agent"], yours=yours)
    context.exit(1 if result.run_error else 0)


def _show_demo(result: Any, frame: Any, agent: str | None, *, yours: bool) -> None:
    from .demo import session_of

    _say(f"connected to OpenClaw {result.server_version}, protocol {result.protocol}")
    for method, fields in result.answers.items():
        _say(f"{method}: {', '.join(fields[:6])}{', …' if len(fields) > 6 else ''}")
    if agent is None:
        _say("no agent was run, and no event caused: it is your gateway; --agent runs a turn of an agent")
    elif result.run_error:
        _say(f"the agent's turn failed: {result.run_error}")
    else:
        _say(f"the agent said: {result.run}")
    if agent is not None and yours:
        _say(f"the session of the turn in your gateway: {session_of(agent)}")
    _say(f"\n{frame.head().to_string(max_colwidth=60)}")
    _say(
        f"\n{result.events:,} events, {result.gaps} gaps, round trip p50 {result.rtt_p50_ms:.2f} ms, "
        f"p99 {result.rtt_p99_ms:.2f} ms, {result.seconds:.1f} s\nsaved in {result.saved}"
    )


@main.command()
@click.argument("method")
@click.argument("params", required=False)
@click.option("--url", help="Default: OPENCLAW_GATEWAY_URL, else this machine.")
@_token_env
@_password_env
@click.option("--final", is_flag=True, help="Wait for the last answer of a two-phase method.")
def call(
    method: str, params: str | None, url: str | None, token_env: str | None, password_env: str | None, final: bool
) -> None:
    """Call METHOD with PARAMS (a JSON object) and print the answer as JSON, without this connection's secrets."""
    from ..faces.connections import connect
    from ..notebook.magics.grammar import parse_cell

    parsed = parse_cell(method, params or "")
    given = parsed.body.value  # as it stands: in a shell there are no variables to put in
    if isinstance(given, str):
        raise click.UsageError(f"PARAMS must be a JSON object, not {given}")
    token, password = _secret(token_env), _secret(password_env, "password")
    with connect(url, token=token, password=password, name="cli") as gateway:
        answer = gateway.redactor.value(gateway.request(parsed.method, given, expect_final=final))
    _say(json.dumps(answer, indent=2, ensure_ascii=False))


@main.command()
@click.argument("url", required=False)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The journal.")
@click.option("--events", multiple=True, metavar="GLOB", default=("*",), help="Names to keep; may be given again.")
@click.option("--duration", metavar="TIME", help="End after this long: 90s, 30m, 1h.")
@click.option("--rotate", metavar="LIMIT", help="Continue in another file after 100MB, 30m or 1h.")
@click.option("--append", is_flag=True, help="Continue a capture that exists.")
@click.option("--detach", is_flag=True, help="In the background: return when it captures, and print its process id.")
@click.option("--connection-from-stdin", "piped", is_flag=True, hidden=True)
@_token_env
@_password_env
def capture(
    url: str | None, token_env: str | None, password_env: str | None, piped: bool, detach: bool, **options: Any
) -> None:
    """Write the events of the gateway at URL to a file until Ctrl-C or SIGTERM, across reconnects.

    Exit codes: 0 ended as asked, 1 could not connect or the disk failed, 2 wrong usage.
    """
    from . import capture as capturing

    try:
        job = capturing.Job(**options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if piped:
        connection = json.load(sys.stdin)
    else:
        connection = {"url": url, "token": _secret(token_env), "password": _secret(password_env, "password")}
    if detach:
        from ..capture.detached import launch

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it started must not be left alone
        arguments = [one for one in sys.argv[1:] if one not in ("--detach", "--connection-from-stdin")]
        _say(launch(connection, [*arguments, "--connection-from-stdin"]))
    else:
        capturing.carry_out(job, connection, _stopped_by_signals)


@main.command()
@click.argument("path")
@click.option(
    "--speed", type=click.FloatRange(0), default=1.0, show_default=True, help="0 leaves the gaps in time out."
)
def replay(path: str, speed: float) -> None:
    """Serve the recording at PATH (a journal, a folder, a pattern) as a gateway, until Ctrl-C."""
    from ..capture.recording import load

    stop = _stopped_by_signals()
    with load(path).replay(speed or None) as server:
        _announce(server, show_token=True)
        stop.wait()


@main.group()
def schema() -> None:
    """What is known of the gateway's methods and their params."""


@schema.command()
@click.argument("path", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the table there; default: your cache.")
def update(path: Path | None, output: Path | None) -> None:
    """Read a protocol.schema.json: at PATH, or in the newest @openclaw/gateway-protocol, fetched by npm."""
    from ..openclaw.npm import fetch
    from ..schema import reading

    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            fetch(Path(folder), "@openclaw/gateway-protocol")
            path = Path(folder, "node_modules", "@openclaw", "gateway-protocol", "protocol.schema.json")
        facts = reading.read(path)
    _say(f"{len(facts.methods)} methods of {facts.source}, in {reading.update(facts, output)}")


@schema.command()
@click.argument("method")
def show(method: str) -> None:
    """Show what is known of METHOD."""
    from ..schema.facts import method_facts

    _say(method_facts().describe(method))


@main.command()
@click.argument("url")
@click.option("--yes", is_flag=True, help="Do not ask.")
def fingerprint(url: str, yes: bool) -> None:
    """Print the SHA-256 of the certificate of the server at URL (wss://), for tls_fingerprint=."""
    import asyncio

    from ..client.transport.opening import read_fingerprint
    from ..protocol.endpoint import parse

    endpoint = parse(url)
    if not endpoint.secure:
        raise click.UsageError("a fingerprint needs a wss:// URL")
    if not yes:
        _say(f"whoever answers at {endpoint.display} now is who you will trust", err=True)
        click.confirm("Connect to it and read its certificate?", abort=True, err=True)
    found = asyncio.run(read_fingerprint(endpoint, timeout=10))
    _say(":".join(found[index : index + 2] for index in range(0, 64, 2)).upper())
    _say("compare it with the gateway's own before you pin it", err=True)


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="gateway-nb-notebooks")
@click.option("--openclaw", is_flag=True, help="With a real gateway, installed and started for it.")
@click.option("--url", help="With a gateway of yours; default: OPENCLAW_GATEWAY_URL, else this machine.")
@_token_env
@click.option("--no-browser", is_flag=True, help="Only print where it is.")
def lab(folder: Path, openclaw: bool, url: str | None, token_env: str | None, no_browser: bool) -> None:
    """Open the notebooks in JupyterLab, connected to a gateway, until Ctrl-C.

    They are copied to FOLDER, where files of yours stay as they are. Where no gateway lets us in, a built-in one
    runs as long as this does.
    """
    from ..client.environment import endpoint_for
    from . import lab as lab_

    lab_.check()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started so far
    copied, kept = lab_.copy(folder)
    _say(f"notebooks: {folder} ({len(copied)} copied, {len(kept)} there already and left as they are)", err=True)
    with contextlib.ExitStack() as stack:
        token = _secret(token_env)
        refusal = None if openclaw else lab_.reachable(url, token)
        if refusal is not None and url is not None:
            where = endpoint_for(url).display
            raise lab_.LabError(f"{refusal}; gateway-nb doctor {where} says more; without --url there is one built in")
        if openclaw or refusal is not None:
            server = stack.enter_context(_server(openclaw))
            url, token = server.url, server.token
            kind = "OpenClaw" if openclaw else f"a built-in one, since {refusal}"
            _say(f"gateway: {url}, {kind}", err=True)
        surroundings = lab_.environment(url, token)
        process = stack.enter_context(lab_.running(folder, surroundings, browser=not no_browser))
        stop = _stopped_by_signals()
        _say("JupyterLab starts; Ctrl-C ends it, its kernels and the gateway", err=True)
        while process.poll() is None and not stop.wait(0.2):
            pass
        if process.returncode:
            raise lab_.LabError(f"JupyterLab ended with exit code {process.returncode}; what it said is above")
    _say("ended", err=True)


@main.command()
@click.argument("url", required=False)
@_token_env
@_password_env
@click.option("--tls-fingerprint", metavar="FP", help="SHA-256 of the certificate to expect.")
@click.option("--timeout", type=click.FloatRange(0.1), default=15.0, show_default=True, help="Seconds for connecting.")
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
    """Find out what is in the way of a connection to the gateway at URL, and what to do about it.

    Exit codes: 0 connecting would work and nothing is wrong, 1 something is, 2 wrong usage.
    """
    from ..diagnosis.doctor import doctor as examine

    token, password = _secret(token_env), _secret(password_env, "password")
    try:
        report = examine(url, token=token, password=password, tls_fingerprint=tls_fingerprint, timeout=timeout)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if as_json:
        _say(report.to_json())
    else:
        click.echo("\n".join(report.lines(colour=colour)))  # with colours: printable but for these
    context.exit(0 if report.ok else 1)


@main.command()
@click.option("--openclaw", is_flag=True, help="The real gateway instead of the embedded one.")
@click.option("--show-token", is_flag=True, help="Print the token, too.")
def serve(openclaw: bool, show_token: bool) -> None:
    """Start a gateway on this machine and keep it until Ctrl-C."""
    from ..client.environment import TOKEN_VARIABLE

    stop = _stopped_by_signals()
    with _server(openclaw, os.environ.get(TOKEN_VARIABLE, "").strip() or None) as server:
        _announce(server, show_token=show_token)
        stop.wait()


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    names = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it: so do we
        names.append(signal.SIGHUP)
    for name in names:
        signal.signal(name, lambda *_: stop.set())
    return stop


def _announce(server: Any, *, show_token: bool) -> None:
    _say(f"url: {server.url}")
    if show_token:
        _say(f"token: {server.token}")
    else:
        _say("token: run with --show-token to see it, or start with OPENCLAW_GATEWAY_TOKEN set to choose it")
    sys.stdout.flush()


@contextlib.contextmanager
def _server(openclaw: bool, token: str | None = None) -> Iterator[Any]:
    if openclaw:
        from ..openclaw.gateway import OpenClaw

        with OpenClaw(token=token, report=lambda line: _say(line, err=True)) as server:
            yield server
    else:
        from ..server.gateway import LocalGateway

        with LocalGateway(token=token) as server:
            yield server


def _secret(variable: str | None, kind: str = "token") -> str | None:
    if variable is None:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise click.UsageError(f"--{kind}-env {variable}: the environment has no such variable, or it is empty")
    return value
