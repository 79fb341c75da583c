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
        malformed: frames that could not be used.
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
        silence: seconds since anything was received, a ping's answer included, or ``None`` while not connected. A
            ping is sent every 10 s: the text forms warn of more than 15 s.
        reason: why it is not connected, or ``None``.
        retry_in: seconds to the next attempt when the snapshot was taken, or ``None``.
        problems: what went wrong beside the connection, newest last: a capture whose disk is full, a handler's first
            exception.
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
        """A warning about an open connection: that nothing was received for a while; else ``None``."""
        if self.silence is None or self.silence < SILENT_SECONDS:
            return None
        return f"nothing received for {self.silence:.0f} s"

    @property
    def server(self) -> str | None:
        """The gateway's version and protocol, in words; ``None`` before the first hello-ok."""
        if self.server_version is None:
            return None
        return f"OpenClaw {self.server_version}, protocol {self.protocol}"

    @property
    def state_text(self) -> str:
        """The state, with the seconds until the next attempt if there will be one."""
        return self.state if self.retry_in is None else f"{self.state} in {self.retry_in:.0f} s"

    @property
    def rows(self) -> dict[str, str]:
        """Everything there is to show, by label; what is empty is left out."""
        counters = self.counters
        missed = f", {counters.missed:,} events missed" if counters.missed else ""
        queued = f", {counters.queued:,} queued" if counters.queued else ""
        rows = {
            "State": self.state_text,
            "Why": self.reason,
            "Warning": self.warning,
            "Problem": " · ".join(self.problems),
            "Gateway": self.url,
            "Server": self.server,
            "Role and scopes": self.role and f"{self.role}: {', '.join(self.scopes) or 'none'}",
            "Round trip": self.rtt and f"{self.rtt * 1000:.1f} ms",
            "Events": f"{counters.events:,}",
            "Gaps": f"{counters.gaps:,}{missed}",
            "Jumps": f"{counters.jumps:,}" if counters.jumps else None,
            "Reconnects": f"{counters.reconnects:,}",
            "Requests in flight": f"{counters.in_flight:,}{queued}",
            "Requests repeated": f"{counters.retries:,}" if counters.retries else None,
            "Malformed frames": f"{counters.malformed:,}" if counters.malformed else None,
            "Errors in handlers": f"{counters.handler_errors:,}" if counters.handler_errors else None,
            "Calls of handlers left out": f"{counters.handler_missed:,}" if counters.handler_missed else None,
        }
        return {label: text for label, text in rows.items() if text}

    def __str__(self) -> str:
        """One line: state, url, server, round trip."""
        parts = [self.state_text, self.url, self.server]
        if self.rtt is not None:
            parts.append(f"round trip {self.rtt * 1000:.1f} ms")
        return " · ".join(part for part in (*parts, self.warning, self.reason, *self.problems) if part)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{label}</th><td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self.rows.items()
        )
        return f"<table>{cells}</table>"
