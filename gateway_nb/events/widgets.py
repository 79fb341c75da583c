"""Where a log, a recording or a connection finds its widgets: in a room above, which is loaded on first use.

It is found by its name, as pandas finds a backend for plots: nothing below `gateway_nb.notebook` imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..notebook.widgets import backend as backend
    from ..notebook.widgets.annotate_view import AnnotateView as AnnotateView
    from ..notebook.widgets.approvals_view import ApprovalsView as ApprovalsView
    from ..notebook.widgets.event_table import EventTable as EventTable
    from ..notebook.widgets.experiment_view import ExperimentView as ExperimentView
    from ..notebook.widgets.panel import Panel as Panel

BACKEND = "gateway_nb.notebook.widgets.backend"

if not TYPE_CHECKING:  # who checks types knows the name above

    def __getattr__(name: str) -> Any:
        if name == "backend":
            return importlib.import_module(BACKEND)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
