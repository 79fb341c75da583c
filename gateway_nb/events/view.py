"""What one can ask of events, live or recorded: parts of them, and columns out of their payloads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Never

from ..errors import BadArgumentError
from .paths import decoded, steps_of, value_at
from .rows import HasFrame, of_events, typed_column

if TYPE_CHECKING:
    import pandas as pd

    from .plots import Plots


class EventView:
    """Events to select from. The DataFrames that it returns have the columns of `df`, and keep its index."""

    if not TYPE_CHECKING:  # it is no DataFrame and no sequence, but tried as one

        def __getitem__(self, key: object) -> Never:
            raise BadArgumentError(f"{self._name} has no rows and columns of its own; .df is a DataFrame: .df[{key!r}]")

        def __iter__(self) -> Never:
            raise BadArgumentError(f"{self._name} is not iterable; .df is a DataFrame, .payloads() yields the payloads")

        def __getattr__(self, name: str) -> Never:
            import pandas as pd

            hint = f"; .df is a DataFrame: .df.{name}" if hasattr(pd.DataFrame, name) else ""
            raise AttributeError(f"{self._name} has no attribute {name!r}{hint}")

        @property
        def _name(self) -> str:
            return type(self).__name__

    def where(self: HasFrame, event: str = "*", text: str | None = None) -> pd.DataFrame:
        """Return the events whose name matches and whose payload contains a text.

        Args:
            event: name or glob pattern.
            text: searched for in the raw JSON; upper and lower case differ.
        """
        frame = of_events(self.df, event)
        return frame if text is None else frame[frame["payload"].str.contains(text, regex=False).fillna(False)]

    def between(self: HasFrame, start: str | dt.datetime | None = None, end: str | dt.datetime | None = None) -> Any:
        """Return the rows received from `start` up to, not including, `end`.

        Args:
            start: a time, or ``None`` for the beginning; without a zone it is UTC.
            end: likewise, or ``None`` for the end.
        """
        frame = self.df
        chosen = frame["time"].notna()
        if start is not None:
            chosen &= frame["time"] >= _utc(start)
        if end is not None:
            chosen &= frame["time"] < _utc(end)
        return frame[chosen]

    def payloads(self: HasFrame, event: str = "*") -> Iterator[Any]:
        """Yield the decoded payloads of the events whose name matches, one at a time.

        Args:
            event: name or glob pattern.
        """
        for text in EventView.where(self, event)["payload"]:
            yield decoded(text)

    def expand(self: HasFrame, *paths: str, event: str = "*") -> pd.DataFrame:
        """Return the events with columns from their payloads.

        Args:
            paths: ``"runId"``, ``"data.phase"`` or a JSON pointer ``"/data/phase"``; a column each, of type Int64,
                Float64, boolean or string; missing values are null, nested ones are JSON text.
            event: name or glob pattern.

        Raises:
            BadArgumentError: a path is empty.

        Example:
            >>> frame = gw.events.expand("runId", "data.phase", event="agent")
        """
        frame = EventView.where(self, event).copy()
        steps = [steps_of(path) for path in paths]
        values = [decoded(text) for text in frame["payload"]]
        for path, parts in zip(paths, steps, strict=True):
            frame[path] = typed_column([value_at(payload, parts) for payload in values])
        return frame

    @property
    def plot(self: HasFrame) -> Plots:
        """Plots: ``.plot.rate()``, ``.plot.timeline()``, ``.plot.latency()``."""
        from .plots import Plots

        return Plots(self)

    def runs(self: HasFrame) -> pd.DataFrame:
        """Return one row per agent run: see `gateway_nb.events.runs.runs_of`."""
        from .runs import runs_of

        return runs_of(self.df)


def _utc(when: str | dt.datetime) -> pd.Timestamp:
    import pandas as pd

    time = pd.Timestamp(when)
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
