"""The functions by which `gateway_nb.events.widgets` finds the widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

if TYPE_CHECKING:
    from ...events.traces.trace import Trace
    from ...experiments.experiment import Experiment
    from ...experiments.marking import Marking
    from ...faces.approvals import Approvals
    from ...faces.gateway import Gateway
    from ...faces.tools import Tools
    from ...fleets.fleet import Fleet
    from ...records.following import Following
    from .annotate_view import AnnotateView
    from .approvals_view import ApprovalsView
    from .event_table import EventTable, Source
    from .experiment_view import ExperimentView
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


def fleet_table(fleet: Fleet) -> EventTable:
    """Return a live table of the events of all connections of a fleet."""
    from .event_table.fleet import FleetTable

    return FleetTable(fleet)


def panel(gateway: Gateway) -> Panel:
    """Return status, events, requests and runs in tabs."""
    from .panel import Panel

    return Panel(gateway)


def show_tools(tools: Tools) -> bool:
    """Show a connection's tools where a notebook can show them; return whether it can."""
    if not hasattr(get_ipython(), "kernel"):  # a terminal, or no IPython at all
        return False
    from .tools_view import ToolsView

    ToolsView(lambda: tools)._ipython_display_()
    return True


def show_trace(trace: Trace) -> bool:
    """Show a trace where a notebook can show it, live while it grows; return whether it can."""
    if not hasattr(get_ipython(), "kernel"):
        return False
    from .trace_view import TraceView

    TraceView(trace)._ipython_display_()
    return True


def show_following(following: Following[Any]) -> None:
    """Show a transcript, and let it grow where it is shown."""
    from ..display.following import FollowingView

    FollowingView(following).show()


def approvals_table(approvals: Approvals) -> ApprovalsView:
    """Return what waits for a person, live."""
    from .approvals_view import ApprovalsView

    return ApprovalsView(lambda: approvals)


def show_approvals(approvals: Approvals) -> bool:
    """Show what waits for a person where a notebook can show it; return whether it can."""
    if not hasattr(get_ipython(), "kernel"):
        return False
    approvals.table()._ipython_display_()
    return True


def experiment_view(experiment: Experiment) -> ExperimentView:
    """Return an experiment's cells, live."""
    from .experiment_view import ExperimentView

    return ExperimentView(experiment)


def annotate_view(marking: Marking, clean: Callable[[str], str]) -> AnnotateView:
    """Return the answers of an experiment, to be marked."""
    from .annotate_view import AnnotateView

    return AnnotateView(marking, clean)
