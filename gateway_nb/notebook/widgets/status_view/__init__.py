"""The panel's first tab: how the connection is."""

from __future__ import annotations

import time
from typing import Any, TypeGuard

from ....faces.gateway import Gateway
from ....protocol.units import span
from ...current import latest
from ..live import LiveWidget, bundle

_PERIOD = 0.5
_LOG_LINES = 100
_LONGEST_TIME = 1e15  # milliseconds; a gateway may send any number


class StatusView(LiveWidget):
    """State, server, rates, counters and the log of a connection."""

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
        status = gateway.status
        rows = {label: text for label, text in status.rows.items() if label != "State"}
        rows["Events"] += f" · {self._rate:,.0f}/s"
        snapshot = (gateway.hello or {}).get("snapshot")
        uptime = snapshot.get("uptimeMs") if isinstance(snapshot, dict) else None
        if _is_time(uptime):
            rows["Uptime when connected"] = span(uptime / 1000)
        return {
            "state": status.state,
            "text": status.state_text,
            "rows": list(map(list, rows.items())),
            "log": gateway.log[-_LOG_LINES:],
        }


def _is_time(milliseconds: Any) -> TypeGuard[float]:
    return isinstance(milliseconds, (int, float)) and 0 <= milliseconds < _LONGEST_TIME
