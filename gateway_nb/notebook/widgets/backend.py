"""The functions by which `gateway_nb.events.widgets` finds the widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...faces.gateway import Gateway
    from .event_table import EventTable, Source
    from .panel import Panel


def event_table(source: Source, title: str) -> EventTable:
    """Return a table of a source's rows."""
    from .event_table import EventTable

    return EventTable(source, title)


def connection_table(gateway: Gateway) -> EventTable:
    """Return a live table of a connection's events."""
    from ..current import latest
    from .event_table import EventTable

    return EventTable(gateway.events, gateway.name, lambda: latest(gateway).status.state)


def panel(gateway: Gateway) -> Panel:
    """Return status, events, requests and runs in tabs."""
    from .panel import Panel

    return Panel(gateway)
