"""Where a log, a recording or a connection finds its widgets: in a room above, which is loaded on first use.

It is found by its name, as pandas finds a backend for plots: nothing below `gateway_nb.notebook` imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..notebook.widgets.approvals_view import ApprovalsView as ApprovalsView
    from ..notebook.widgets.event_table import EventTable as EventTable
    from ..notebook.widgets.panel import Panel as Panel

BACKEND = "gateway_nb.notebook.widgets.backend"
"""A module with functions of the same names as those here."""


def event_table(source: Any, title: str) -> EventTable:
    """Return a table widget of a source's rows."""
    table: EventTable = importlib.import_module(BACKEND).event_table(source, title)
    return table


def connection_table(gateway: Any) -> EventTable:
    """Return a live table widget of a connection's events."""
    table: EventTable = importlib.import_module(BACKEND).connection_table(gateway)
    return table


def panel(gateway: Any) -> Panel:
    """Return a panel widget of a connection."""
    panel: Panel = importlib.import_module(BACKEND).panel(gateway)
    return panel


def show_tools(tools: Any) -> bool:
    """Show a connection's tools where a notebook can show them; return whether it can."""
    shown: bool = importlib.import_module(BACKEND).show_tools(tools)
    return shown


def approvals_table(approvals: Any) -> ApprovalsView:
    """Return a widget of what waits for a person."""
    view: ApprovalsView = importlib.import_module(BACKEND).approvals_table(approvals)
    return view


def show_approvals(approvals: Any) -> bool:
    """Show what waits for a person where a notebook can show it; return whether it can."""
    shown: bool = importlib.import_module(BACKEND).show_approvals(approvals)
    return shown
