"""What one can ask of events, live or recorded: parts of them, and columns out of their payloads."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Never

import pyarrow as pa

from ..client.redaction.redactor import Redactor
from ..errors import BadArgumentError
from .paths import decoded, steps_of
from .payloads import Steps, pandas_column
from .rows import of_events
from .sql import Stream, query

if TYPE_CHECKING:
    import pandas as pd

    from .plots import Plots
    from .runs import RunReader
    from .traces.trace import Trace, Traces


class EventView(ABC):
    """Events to select from. The DataFrames that it returns have the columns of `df`, and keep its index."""

    @property
    @abstractmethod
    def df(self) -> pd.DataFrame:
        """All rows: time, epoch, seq, event, kind, payload."""

    @abstractmethod
    def _payload_columns(self, paths: Sequence[Steps]) -> tuple[pd.DataFrame, list[pa.ChunkedArray]]:
        """Return `df`, and for each path what its rows' payloads hold there."""

    @abstractmethod
    def _table(self) -> pa.Table | Stream:
        """Return the rows for a query, with the schema `PLAIN`."""

    @abstractmethod
    def _run_reader(self) -> AbstractContextManager[RunReader]:
        """Return what has read the runs of all rows; until it is left, nobody reads on."""

    @abstractmethod
    def _rows(self) -> pa.Table:
        """Return the rows, with the schema of the event log."""

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

    def where(self, event: str = "*", text: str | None = None) -> pd.DataFrame:
        """Return the events whose name matches and whose payload contains a text.

        Args:
            event: name or glob pattern.
            text: searched for in the raw JSON; upper and lower case differ.
        """
        frame = of_events(self.df, event)
        return frame if text is None else frame[frame["payload"].str.contains(text, regex=False).fillna(False)]

    def between(self, start: str | dt.datetime | None = None, end: str | dt.datetime | None = None) -> Any:
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

    def payloads(self, event: str = "*") -> Iterator[Any]:
        """Yield the decoded payloads of the events whose name matches, one at a time.

        Args:
            event: name or glob pattern.
        """
        for text in self.where(event)["payload"]:
            yield decoded(text)

    def expand(self, *paths: str, event: str = "*") -> pd.DataFrame:
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
        frame, columns = self._payload_columns([tuple(steps_of(path)) for path in paths])
        for path, column in zip(paths, columns, strict=True):
            frame[path] = pandas_column(column)
        return of_events(frame, event)

    def query(self, sql: str) -> pd.DataFrame:
        """Return the answer of a DuckDB query over the table ``events``; a recording's is streamed from its files.

        The query sees this table and nothing else: no files, no network, no variables.

        Args:
            sql: one statement, e.g. ``select event, count(*) from events group by event``; payloads are JSON text,
                so that ``payload->>'$.runId'`` works.

        Raises:
            CaptureError: DuckDB refuses it, or a line is damaged.

        Example:
            >>> counts = gw.events.query("select event, count(*) as count from events group by event")
        """
        return query(sql, self._table())

    @property
    def plot(self) -> Plots:
        """Plots: ``.plot.rate()``, ``.plot.timeline()``, ``.plot.latency()``."""
        from .plots import Plots

        return Plots(self)

    def runs(self) -> pd.DataFrame:
        """Return one row per agent run.

        Returns:
            Columns: `run` and `session` (string), `start`, `end` and `first_token` (receive times), `status` (running,
            ok, error, aborted), `seconds` and `first_token_s` (Float64), `deltas`, `tool_calls` and `tokens` (Int64;
            output tokens of all model calls of the run, where the gateway reports them).

        Example:
            >>> slow = gw.events.runs().query("seconds > 10")
        """
        with self._run_reader() as reader:
            return reader.runs()

    def tool_calls(self) -> pd.DataFrame:
        """Return one row per tool call of an agent's runs.

        Returns:
            Columns: `run` and `tool` (string), `start` and `end` (receive times; `end` is missing where it was not
            seen).

        Example:
            >>> counts = gw.events.tool_calls()["tool"].value_counts()
        """
        with self._run_reader() as reader:
            return reader.tool_calls()

    redactor: Redactor
    complete: Callable[[Trace], Trace] | None = None
    """Completes a trace with what the gateway keeps, where these events are a connection's."""

    def trace(self, run: str, *, complete: bool = False) -> Trace:
        """Return what an agent did in a run and in the runs it started, as a tree of spans.

        The events tell the first byte of a model call, and its output tokens. When it was asked, its input tokens and
        its cost are in the session's messages.

        Args:
            run: the run's id, or a `Run`.
            complete: read these messages, too, and the gateway's audit of the runs.

        Returns:
            A `Trace`; it is of the whole tree, also where the run was started by another.

        Raises:
            BadArgumentError: there is no event of such a run; or `complete`, and these are not a connection's events.
            GatewayRequestError, GatewayTimeoutError, GatewayClosedError: with `complete`, as for a request.

        Example:
            >>> run = gw.run("hello")
            >>> text = run.result().text
            >>> frame = gw.events.trace(run).spans
        """
        from .traces.trace import naming, read_trace

        if complete and self.complete is None:
            raise BadArgumentError("complete=True asks the gateway, which only gw.events can, not a recording")
        again = self._again()
        trace = read_trace(partial(naming, self._rows()), getattr(run, "run_id", run), self.redactor)
        trace.again = again and partial(again, trace.run)
        return self.complete(trace) if complete and self.complete is not None else trace

    def traces(self) -> Traces:
        """Return the traces of all runs, by their start; those of sub-agents are part of their parents'.

        Example:
            >>> frame = gw.events.traces().spans
            >>> slowest = frame[frame["kind"] == "tool"].nlargest(5, "seconds")
        """
        from .traces.trace import read_traces

        again = self._again()
        traces = read_traces(self._rows(), self.redactor)
        for trace in traces:
            trace.again = again and partial(again, trace.run)
        return traces

    def _again(self) -> Callable[[str], Trace | None] | None:
        """Return what reads a run's trace if events have come by then, where they may come."""
        return None


def _utc(when: str | dt.datetime) -> pd.Timestamp:
    import pandas as pd

    time = pd.Timestamp(when)
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
