"""``gateway-nb demo``: the main job, end to end, over a real socket."""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from ..errors import GatewayError, GatewayTimeoutError
from ..faces.connections import connect
from ..faces.gateway import Gateway
from ..sync.handle import RequestHandle
from .output import own_gateway, password_env, say, secret, token_env

if TYPE_CHECKING:
    import pandas as pd

EVENTS = 1000
ROUND_TRIPS = 200
_IN_FLIGHT = 64
_TURN_SECONDS = 120.0
_METHODS = ("health", "status", "sessions.list")
_NEXT = """\
  import gateway_nb as gnb
  gw = {connected}
  gw.table()"""


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured.

    Attributes:
        server_version: the gateway's.
        protocol: negotiated version.
        answers: method -> top-level fields of its answer.
        run: the agent's answer, ``None`` where there is none.
        run_error: why the agent's turn failed, ``None`` if it did not.
        events: events captured.
        gaps: holes in their numbers.
        missed: events in those holes.
        rtt_p50_ms: median round trip of a request, milliseconds.
        rtt_p99_ms: 99th percentile, milliseconds.
        saved: the capture's file.
        seconds: how long all of it took.
    """

    server_version: str | None
    protocol: int | None
    answers: dict[str, list[str]]
    run: str | None
    run_error: str | None
    events: int
    gaps: int
    missed: int
    rtt_p50_ms: float
    rtt_p99_ms: float
    saved: str
    seconds: float


@click.command()
@click.option("--openclaw", is_flag=True, help="Against a real gateway, installed and started for it.")
@click.option("--url", help="Against a gateway of yours: nothing on it is changed, and no agent is run.")
@click.option("--agent", is_flag=False, flag_value="main", metavar="[NAME]", help="With --url: run a turn of an agent.")
@token_env
@password_env
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
    """Connect, call, run an agent, capture events.

    It causes a thousand events, prints the first of them, and measures.
    On a gateway of yours (--url) it causes no events, and runs an agent with --agent only: that may cost money.
    """
    yours = url is not None
    if (agent is not None and not yours) or (openclaw and yours):
        raise click.UsageError("--agent goes with --url, and --openclaw without")
    work: dict[str, Any] = {"agent": "main", "prompt": "count:5:20", "events": EVENTS}
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {"name": "demo"}
        if yours:
            work = {"agent": agent, "prompt": "Answer with one word: hello.", "events": 0}
            options |= {"token": secret(token_env), "password": secret(password_env, "password")}
        else:
            server = stack.enter_context(own_gateway(openclaw))
            # The gateway is this process's own: its token is enough, and no device key need be left behind.
            url = server.url
            options |= {"token": server.token, "device_identity": None}
        gateway = stack.enter_context(connect(url, **options))
        # disable=None: a bar on a terminal, nothing in a pipe; delay=1: nothing for what is quick
        bar = tqdm(total=work["events"], desc="events", unit="", disable=None, delay=1, leave=False)
        result, frame = run(gateway, progress=stack.enter_context(bar), **work)
    if as_json:
        say(json.dumps(asdict(result), indent=2))
    else:
        _show(result, frame, work["agent"], url=url if yours else None)
    context.exit(1 if result.run_error else 0)


def _show(result: DemoResult, frame: pd.DataFrame, agent: str | None, *, url: str | None) -> None:
    say(f"connected to OpenClaw {result.server_version}, protocol {result.protocol}")
    for method, fields in result.answers.items():
        say(f"{method}: {', '.join(fields[:6])}{', …' if len(fields) > 6 else ''}")
    if agent is None:
        say("no agent was run, and no event caused: it is your gateway; --agent runs a turn of an agent")
    elif result.run_error:
        say(f"the agent's turn failed: {result.run_error}")
    else:
        say(f"the agent answered: {result.run}")
    if agent is not None and url is not None:
        say(f"the session of the turn in your gateway: {session_of(agent)}")
    say(f"\n{frame.head().to_string(max_colwidth=60)}")
    say(
        f"\n{result.events:,} events, {result.gaps} gaps, round trip p50 {result.rtt_p50_ms:.2f} ms, "
        f"p99 {result.rtt_p99_ms:.2f} ms, {result.seconds:.1f} s\nsaved in {result.saved}"
    )
    connected = f"gnb.connect({url!r})" if url is not None else "gnb.playground()"
    say(f"\nnext, in a notebook (gateway-nb lab opens some):\n{_NEXT.format(connected=connected)}")


def run(
    gateway: Gateway, *, agent: str | None, prompt: str, events: int, progress: Any, path: Path | None = None
) -> tuple[DemoResult, pd.DataFrame]:
    """Call three methods, run an agent's turn, capture events, and measure.

    Args:
        gateway: a connected gateway.
        agent: whose turn; ``None`` for no turn: it may cost the gateway's owner money.
        prompt: what to say to the agent.
        events: how many to cause; each tells every client of the gateway that talk mode is off.
        progress: has ``update(n)``; called `events` times in all.
        path: where the events go; default: a new file in the temporary folder.

    Returns:
        The figures, and the DataFrame of what arrived.

    Raises:
        GatewayError: a call failed; a failure of the agent's turn is part of the result instead.
    """
    began = time.perf_counter()
    path = path or Path(tempfile.mkdtemp(prefix="gateway-nb-demo-")) / "events.jsonl"
    with gateway.capture(path) as capture:
        answers = {method: sorted(gateway.request(method)) for method in _METHODS}
        answer, error = (None, None) if agent is None else _turn(gateway, agent, prompt)
        if events:
            _cause_events(gateway, events, progress)
        times = sorted(_round_trip(gateway) for _ in range(ROUND_TRIPS))
    status = gateway.status
    result = DemoResult(
        server_version=status.server_version,
        protocol=status.protocol,
        answers=answers,
        run=answer,
        run_error=error,
        events=capture.stats.events,
        gaps=status.counters.gaps,
        missed=status.counters.missed,
        rtt_p50_ms=round(statistics.median(times) * 1000, 3),
        rtt_p99_ms=round(times[int(len(times) * 0.99)] * 1000, 3),
        saved=str(path),
        seconds=round(time.perf_counter() - began, 2),
    )
    return result, gateway.events.df


def session_of(agent: str) -> str:
    """Return the key of the session in which an agent's turn of the demo stays."""
    return f"agent:{agent}:gateway-nb-demo"


def _turn(gateway: Gateway, agent: str, prompt: str) -> tuple[str | None, str | None]:
    """Return the agent's answer, or why there is none."""
    turn = gateway.run(prompt, agent=agent, session=session_of(agent), timeout=_TURN_SECONDS)
    try:
        return turn.result().text, None
    except GatewayError as error:
        if isinstance(error, GatewayTimeoutError):
            with contextlib.suppress(GatewayError):  # a gateway that is stuck: that its turn failed is the result
                turn.abort()
        return None, str(error)


def _cause_events(gateway: Gateway, count: int, progress: Any) -> None:
    """Each ``talk.mode`` call causes one event; the phase is free text, here a counter."""
    last, came = f"demo {count - 1}", threading.Event()
    open_calls: deque[RequestHandle[Any]] = deque()
    with gateway.on("talk.mode", lambda event: came.set() if event.payload.get("phase") == last else None):
        for number in range(count):
            if len(open_calls) >= _IN_FLIGHT:
                open_calls.popleft().result()
            open_calls.append(gateway.submit("talk.mode", {"enabled": False, "phase": f"demo {number}"}))
            progress.update(1)
        while open_calls:
            open_calls.popleft().result()
        if not came.wait(30):
            raise GatewayTimeoutError("the last event of the demo did not come within 30 s; is the gateway busy?")


def _round_trip(gateway: Gateway) -> float:
    began = time.perf_counter()
    gateway.request("last-heartbeat")
    return time.perf_counter() - began
