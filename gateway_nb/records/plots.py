"""Pictures of records: ``gw.plot.cost()``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from ..events.plots import Plot, cost_plot
from .frames import CURRENCY
from .history import History
from .messages import read_histories
from .steps import Steps
from .times import When
from .usage import Span, own_usage, span_of

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F")


class RecordPlots(Generic[F]):
    """What can be drawn of a gateway's records.

    Args:
        read: goes through steps, under a name.
    """

    def __init__(self, read: Callable[[Steps[Plot], str], F]) -> None:
        self._read = read

    def __repr__(self) -> str:
        return "<pictures of the gateway's records: .cost()>"

    def cost(self, since: When = "30d", until: When = None) -> F:
        """Draw what the messages that can be read cost, by day and model.

        Args:
            since: the first day, as for `Data.usage`.
            until: the last day; default: today.

        Raises:
            ImportError: the extra ``plot`` is not installed.
            BadArgumentError: these are no times.
        """
        return self._read(read_cost(since, until), "cost")


def read_cost(since: When, until: When) -> Steps[Plot]:
    """Read the messages of some days, and draw their cost."""
    span = span_of(since, until)
    return cost_plot(cost_frame((yield from read_histories(None)), span), span.days, CURRENCY)


def cost_frame(histories: list[History], span: Span) -> pd.DataFrame:
    """Return day, model and cost of what was spent in a span."""
    import pandas as pd

    spent = own_usage(lambda session, model, day: (day, model[1] or "unknown"), histories, span, {})
    rows = [(day, model, sums["cost"]) for (day, model), sums in sorted(spent.items())]
    return pd.DataFrame(rows, columns=["day", "model", "cost"]).astype({"cost": "float64"})
