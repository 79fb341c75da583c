"""What ``gateway-nb demo`` does: the main job, end to end, over a real socket."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bridge import RequestHandle
from .facade import Gateway
from .protocol.errors import GatewayTimeoutError

if TYPE_CHECKING:
    import pandas as pd

EVENTS = 1000
ROUND_TRIPS = 200
_IN_FLIGHT = 64
_METHODS = ("health", "status", "sessions.list")


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured.

    Attributes:
        server_version: the gateway's.
        protocol: negotiated version.
        answers: method -> top-level fields of its answer.
        run: the agent's answer.
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
    run: str
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


def run(gateway: Gateway, *, prompt: str, progress: Any, path: Path | None = None) -> tuple[DemoResult, pd.DataFrame]:
    """Call three methods, run an agent's turn, capture a thousand events, and measure.

    Args:
        gateway: a connected gateway.
        prompt: what to say to the agent.
        progress: has ``update(n)``; called `EVENTS` times in all.
        path: where the events go; default: a new file in the temporary folder.

    Returns:
        The figures, and the DataFrame of what arrived.
    """
    began = time.perf_counter()
    path = path or Path(tempfile.mkdtemp(prefix="gateway-nb-demo-")) / "events.jsonl"
    with gateway.capture(path) as capture:
        answers = {method: sorted(gateway.request(method)) for method in _METHODS}
        answer = gateway.run(prompt, session="agent:main:gateway-nb-demo").result(timeout=120).text
        _cause_events(gateway, progress)
        times = sorted(_round_trip(gateway) for _ in range(ROUND_TRIPS))
    status = gateway.status
    result = DemoResult(
        server_version=status.server_version,
        protocol=status.protocol,
        answers=answers,
        run=answer,
        events=capture.stats.events,
        gaps=status.counters.gaps,
        missed=status.counters.missed,
        rtt_p50_ms=round(statistics.median(times) * 1000, 3),
        rtt_p99_ms=round(times[int(len(times) * 0.99)] * 1000, 3),
        saved=str(path),
        seconds=round(time.perf_counter() - began, 2),
    )
    return result, gateway.events.df


def _cause_events(gateway: Gateway, progress: Any) -> None:
    """Each ``talk.mode`` call causes one event; the phase is free text, here a counter."""
    last, came = f"demo {EVENTS - 1}", threading.Event()
    open_calls: deque[RequestHandle[Any]] = deque()
    with gateway.on("talk.mode", lambda event: came.set() if event.payload.get("phase") == last else None):
        for number in range(EVENTS):
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
