"""What ``gateway-nb demo`` does: the main job, end to end, over a real socket."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GatewayError, GatewayTimeoutError
from ..faces.gateway import Gateway
from ..sync.handle import RequestHandle

if TYPE_CHECKING:
    import pandas as pd

EVENTS = 1000
ROUND_TRIPS = 200
_IN_FLIGHT = 64
_TURN_SECONDS = 120.0
_METHODS = ("health", "status", "sessions.list")


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

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


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
