"""What a user sees of a connection at a glance."""

from __future__ import annotations

import html
from dataclasses import dataclass

SILENT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What went over the wire since the client was made.

    Attributes:
        frames: frames received.
        events: events received.
        gaps: holes in the sequence numbers.
        missed: events in those holes.
        jumps: events whose number goes back, or too far ahead to be a gap; they were kept, and marked.
        late: answers that came after their request had timed out or was cancelled.
        malformed: frames that were of no use.
        reconnects: connections after the first.
        retries: requests sent again because the gateway asked for it.
        in_flight: requests sent and not answered, now.
        queued: requests waiting for a place, now.
        handler_errors: exceptions in the user's handlers.
        handler_missed: calls of the user's handlers that were not made, since they were too slow.
    """

    frames: int = 0
    events: int = 0
    gaps: int = 0
    missed: int = 0
    jumps: int = 0
    late: int = 0
    malformed: int = 0
    reconnects: int = 0
    retries: int = 0
    in_flight: int = 0
    queued: int = 0
    handler_errors: int = 0
    handler_missed: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of a connection.

    Attributes:
        state: ``connecting``, ``connected``, ``reconnecting``, ``restarting``, ``paused`` or ``closed``.
        url: where to: scheme, host and port; ``/…`` stands for a path or query.
        protocol: negotiated protocol version, or ``None`` before the first hello-ok.
        server_version: e.g. ``"2026.9.6"``, or ``None``.
        role: granted role, or ``None``.
        scopes: granted scopes.
        epoch: number of the connection, from 1; 0 before the first.
        rtt: round trip of a WebSocket ping in seconds, or ``None``.
        silence: seconds since anything was heard, a ping's answer included, or ``None`` while not connected. A gateway
            is asked every 10 s: more than 15 s are worth a warning, which the text forms give.
        reason: why it is not connected, or ``None``.
        retry_in: seconds to the next attempt when the snapshot was taken, or ``None``.
        problems: what went wrong beside the connection, newest last: a capture whose disk is full.
        counters: what went over the wire.
    """

    state: str
    url: str
    protocol: int | None = None
    server_version: str | None = None
    role: str | None = None
    scopes: tuple[str, ...] = ()
    epoch: int = 0
    rtt: float | None = None
    silence: float | None = None
    reason: str | None = None
    retry_in: float | None = None
    problems: tuple[str, ...] = ()
    counters: Counters = Counters()

    @property
    def warning(self) -> str | None:
        """What is worth knowing of a connection that stands: that nothing is heard, or ``None``."""
        if self.silence is None or self.silence < SILENT_SECONDS:
            return None
        return f"nothing heard for {self.silence:.0f} s"

    def __str__(self) -> str:
        """One line: state, url, server, round trip."""
        parts = [self.state if self.retry_in is None else f"{self.state} in {self.retry_in:.0f} s", self.url]
        if self.server_version is not None:
            parts.append(f"OpenClaw {self.server_version}, protocol {self.protocol}")
        if self.rtt is not None:
            parts.append(f"round trip {self.rtt * 1000:.1f} ms")
        parts += [text for text in (self.warning, self.reason) if text is not None]
        parts += self.problems
        return " · ".join(parts)

    def _repr_html_(self) -> str:
        counters = self.counters
        rows = {
            "state": self.state if self.retry_in is None else f"{self.state} in {self.retry_in:.0f} s",
            "why": self.reason,
            "warning": self.warning,
            "problem": " · ".join(self.problems),
            "url": self.url,
            "server": self.server_version and f"OpenClaw {self.server_version}, protocol {self.protocol}",
            "role and scopes": self.role and f"{self.role}: {', '.join(self.scopes) or 'none'}",
            "round trip": self.rtt and f"{self.rtt * 1000:.1f} ms",
            "events": f"{counters.events:,}" + (f", {counters.missed:,} missed" if counters.missed else ""),
            "handlers": f"{counters.handler_missed:,} calls left out: too slow" if counters.handler_missed else None,
            "reconnects": f"{counters.reconnects:,}" if counters.reconnects else None,
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in rows.items()
            if text
        )
        return f"<table>{cells}</table>"
