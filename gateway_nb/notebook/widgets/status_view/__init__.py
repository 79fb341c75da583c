"""The panel's first tab: how the connection is."""

from __future__ import annotations

import time
from typing import Any, TypeGuard

from ....faces.gateway import Gateway
from ...current import latest
from ..live import LiveWidget, bundle

_PERIOD = 0.5
_LOG_LINES = 100
_LONGEST_TIME = 1e15  # milliseconds; a gateway may send any number


class StatusView(LiveWidget):
    """State, server, rates, counters and the log of a connection.

    Args:
        gateway: whose.
    """

    _esm = bundle("status_view", "js")
    _css = bundle("status_view", "css")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._posted: Any = None
        self._measured: tuple[float, int] | None = None
        self._rate = 0.0
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view everything."""
        self.post("status", self._describe(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views what differs from half a second ago."""
        now, events = time.monotonic(), latest(self._gateway).status.counters.events
        since, before = self._measured or (now, events)
        if self._measured is not None and now - since < _PERIOD:
            return
        self._rate = (events - before) / (now - since) if now > since else 0.0
        self._measured = (now, events)
        status = self._describe()
        if status != self._posted:
            self._posted = status
            self.post("status", status)

    def html(self) -> str:
        """Return the status as a table."""
        return latest(self._gateway).status._repr_html_()

    def __repr__(self) -> str:
        return f"<StatusView {self._gateway.name}>"

    def _describe(self) -> dict[str, Any]:
        gateway = latest(self._gateway)
        status, counters = gateway.status, gateway.status.counters
        snapshot = (gateway.hello or {}).get("snapshot")
        up = snapshot.get("uptimeMs") if isinstance(snapshot, dict) else None
        server = f"OpenClaw {status.server_version}, protocol {status.protocol}" if status.server_version else None
        missed = f", {counters.missed:,} events missed" if counters.missed else ""
        rows = {
            "Why": status.reason,
            "Warning": status.warning,
            "Problem": " · ".join(status.problems),
            "Gateway": status.url,
            "Server": server,
            "Uptime when connected": _span(up / 1000) if _is_time(up) else None,
            "Role and scopes": status.role and f"{status.role}: {', '.join(status.scopes) or 'none'}",
            "Round trip": status.rtt and f"{status.rtt * 1000:.1f} ms",
            "Events": f"{counters.events:,} · {self._rate:,.0f}/s",
            "Gaps": f"{counters.gaps:,}{missed}",
            "Jumps": f"{counters.jumps:,}" if counters.jumps else None,
            "Reconnects": f"{counters.reconnects:,}",
            "Requests in flight": f"{counters.in_flight:,}"
            + (f", {counters.queued:,} queued" if counters.queued else ""),
            "Requests repeated": f"{counters.retries:,}" if counters.retries else None,
            "Malformed frames": f"{counters.malformed:,}" if counters.malformed else None,
            "Errors in handlers": f"{counters.handler_errors:,}" if counters.handler_errors else None,
            "Calls of handlers left out": f"{counters.handler_missed:,}" if counters.handler_missed else None,
        }
        state = status.state if status.retry_in is None else f"{status.state} in {status.retry_in:.0f} s"
        return {
            "state": status.state,
            "text": state,
            "rows": [[name, text] for name, text in rows.items() if text],
            "log": gateway.log[-_LOG_LINES:],
        }


def _is_time(milliseconds: Any) -> TypeGuard[float]:
    return isinstance(milliseconds, (int, float)) and 0 <= milliseconds < _LONGEST_TIME


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
