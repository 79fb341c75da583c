"""The panel: status, events, requests, runs, records, tools and approvals of one connection, in tabs."""

from __future__ import annotations

from typing import Any

import ipywidgets

from ....faces.gateway import Gateway
from ....faces.tools import Tools
from ...current import latest
from ..approvals_view import ApprovalsView
from ..data_view import DataView
from ..event_table import EventTable
from ..live import display, register
from ..request_box import RequestBox
from ..runs_view import RunsView
from ..status_view import StatusView
from ..tools_view import ToolsView
from ..trace_view import TraceView


class Panel(ipywidgets.Tab):  # type: ignore[misc]  # ipywidgets has no types
    """Everything about a connection, in tabs. Made by ``gw.panel()``.

    Args:
        gateway: whose.

    Attributes:
        table: the table of its events.
        data: the tab of its gateway's records; ``panel.data.df`` is the DataFrame that was read last.

    Example:
        >>> panel = gw.panel()
        >>> frame = panel.table.df
    """

    def __init__(self, gateway: Gateway) -> None:
        self._name = gateway.name
        self.status = StatusView(gateway)
        self.table: EventTable = gateway.table()
        self.request = RequestBox(gateway)
        self.trace = TraceView()
        self.runs = RunsView(gateway.events, gateway.name, lambda run: self.trace.show(gateway.events.trace(run)))
        self._runs = ipywidgets.VBox([self.runs, self.trace])
        self.data = DataView(gateway)
        self.tools = ToolsView(lambda: _tools_of(latest(gateway)))
        self.approvals = ApprovalsView(lambda: latest(gateway).approvals)
        tabs = {
            "Status": self.status,
            "Events": self.table,
            "Request": self.request,
            "Runs": self._runs,
            "Data": self.data,
            "Tools": self.tools,
            "Approvals": self.approvals,
        }
        super().__init__(children=list(tabs.values()), titles=list(tabs))
        self.approvals.observe(self._show_count, "count")
        register(self)

    def _show_count(self, change: Any) -> None:
        """Show how many approvals and questions wait, also while another tab is open."""
        self.set_title(self.children.index(self.approvals), f"Approvals ({change.new})" if change.new else "Approvals")

    def close(self) -> None:
        """End it, and what is in it."""
        if self.comm is None:  # closed before
            return
        for child in (self.runs, self.trace, *self.children):
            child.close()
        layouts = self.layout, self._runs.layout
        super().close()
        for layout in layouts:
            layout.close()

    def picture(self) -> str:
        """Return what is seen where no kernel runs."""
        return self.status.picture() + self.table.picture()

    def text(self) -> str:
        """Return the same for a terminal."""
        return self.table.text()

    def _ipython_display_(self) -> None:
        display(self, self._repr_mimebundle_())

    def __repr__(self) -> str:
        return f"<Panel {self._name}>"


def _tools_of(gateway: Gateway) -> Tools | None:
    """Return a connection's tools if there have been any: a look must not make them, on a thread of the widgets'."""
    return gateway.tools if "tools" in vars(gateway) else None
