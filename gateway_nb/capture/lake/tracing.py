"""Runs, tool calls, traces and usage of the rows of a lake's share: what `shuffled` joins them with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from ...client.redaction.redactor import Redactor
from ...errors import BadArgumentError, one_line
from ...events.payloads import read_texts
from ...events.rows import SCHEMA as EVENTS
from ...events.runs import RUN_EVENTS, AgentRun, RunReader, calls_frame, runs_frame
from ...events.traces.spans import Span
from ...events.traces.steps import StepReader
from ...events.traces.trace import Trace, read_trace, traces_of
from ...protocol.frames import encode

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_IN_ORDER = [("time", "ascending"), ("capture", "ascending"), ("line", "ascending")]
_OF_RUNS = f"(event is null or event in {RUN_EVENTS})"
_ROWS = f"select gateway, capture, line, {', '.join(EVENTS.names)} from events"
_SHOWN_NAME = 80
_NEXT = '{"next":true}'
"""What the mark holds with which a file of a capture ends that another one follows."""
USAGE_BY = ("model", "day", "session", "agent", "gateway")


def runs(rows: pa.Table) -> pd.DataFrame:
    """Return a row for each run, with its gateway first: see `EventView.runs`."""
    found = list(_runs(rows))
    frame = runs_frame([run for _, run in found])
    frame.insert(0, "gateway", _texts([gateway for gateway, _ in found]))
    return frame


def tool_calls(rows: pa.Table) -> pd.DataFrame:
    """Return a row for each tool call, with its gateway first: see `EventView.tool_calls`."""
    found = list(_runs(rows))
    frame = calls_frame([run for _, run in found])
    frame.insert(0, "gateway", _texts([gateway for gateway, run in found for _ in run.calls]))
    return frame


def traces(rows: pa.Table) -> list[Trace]:
    """Return the traces of all runs; the attribute ``gateway`` of their spans says where they ran."""
    marks = rows.filter(compute.is_null(rows["gateway"]))
    found: list[Trace] = []
    for gateway, own in _by_gateway(rows):
        whole = _with_losses(own, marks)
        whole = whole.set_column(whole.schema.names.index("row"), "row", pa.array(np.arange(whole.num_rows)))
        reader = StepReader(Redactor())  # what is in a lake was cleaned when it was written
        reader.take(whole.filter(compute.is_valid(whole["event"])), whole)
        found += [of_gateway(trace, gateway) for trace in traces_of(reader)]
    return found


def trace(connection: duckdb.DuckDBPyConnection, run: str, gateway: str | None, redactor: Redactor) -> Trace:
    """Return the trace that a run is part of.

    Args:
        connection: a database of the lake's rows.
        run: the run's id.
        gateway: where it was; ``None`` to find out.
        redactor: takes the secrets out of it.

    Raises:
        BadArgumentError: there is no event of such a run, or there are of several gateways.
    """
    text = encode(run).decode()
    first = _naming(connection, {text[1:-1]}, gateway)
    if gateway is None:
        ids = read_texts(first["payload"], [["runId"]])[0]
        found = compute.unique(first.filter(compute.equal(ids, text))["gateway"]).to_pylist()
        if len(found) > 1:
            names = ", ".join(one_line(name, _SHOWN_NAME) for name in sorted(found))
            raise BadArgumentError(f"trace: several gateways have a run of this id ({names}); say gateway=")
        gateway = found[0] if found else ""
    marks = connection.sql(f"{_ROWS} where gateway is null").to_arrow_table()

    def rows(texts: set[str] | None) -> pa.Table:
        named = first if texts == {text[1:-1]} else _naming(connection, texts, gateway)
        own = named.filter(compute.equal(named["gateway"], gateway))
        return _with_losses(own, marks).select(EVENTS.names).cast(EVENTS)

    return of_gateway(read_trace(rows, run, redactor), gateway)


def _naming(connection: duckdb.DuckDBPyConnection, texts: set[str] | None, gateway: str | None) -> pa.Table:
    """Return the events whose payload has one of some texts in it, or with ``None`` all of runs, and the marks."""
    wanted = sorted(texts or ())
    chosen = [_OF_RUNS] if texts is None else ["event is null", *["contains(payload, ?)"] * len(wanted)]
    where = f"({' or '.join(chosen)}) and gateway {'is not null' if gateway is None else '= ?'}"
    values = wanted if gateway is None else [*wanted, gateway]
    return connection.sql(f"{_ROWS} where {where}", params=values).to_arrow_table()


def _with_losses(own: pa.Table, marks: pa.Table) -> pa.Table:
    """Return a gateway's rows in their order, with the marks of its captures that tell of losses.

    A connection that begins is one that took the place of another, whose end nobody saw: of a process that was killed.
    A capture's end is the end of a gateway's rows in it, unless these ended before it: the gateway went to another.
    """
    begins = compute.and_(compute.is_null(own["event"]), compute.equal(own["kind"], "start"))
    kind = compute.if_else(begins, "reconnect", own["kind"])
    ended = own.filter(compute.equal(own["kind"], "stop"))["capture"]
    there, over = (compute.is_in(marks["capture"], compute.unique(ids)) for ids in (own["capture"], ended))
    is_end = compute.and_(compute.equal(marks["kind"], "stop"), compute.invert(compute.equal(marks["payload"], _NEXT)))
    lost = compute.or_(compute.equal(marks["kind"], "dropped"), compute.and_(is_end, compute.invert(over)))
    own = own.set_column(own.schema.names.index("kind"), "kind", kind)
    return pa.concat_tables([own, marks.filter(compute.and_(there, lost))]).sort_by(_IN_ORDER)


def of_gateway(trace: Trace, gateway: str) -> Trace:
    """Return a trace whose spans say on which gateway it was."""
    for span in trace.tree:
        span.attributes["gateway"] = gateway
    return trace


def usage(rows: pa.Table, by: str) -> pd.DataFrame:
    """Return model calls and their output tokens, as far as events tell them, by one of `USAGE_BY`."""
    import pandas as pd

    calls = [span for trace in traces(rows) for span in trace.tree if span.kind == "model"]
    frame = pd.DataFrame(
        {
            by: _texts([_of(span, by) for span in calls]),
            "calls": pd.array(np.ones(len(calls), "int64"), "Int64"),
            "output_tokens": pd.array([span.output_tokens for span in calls], "Int64"),
        }
    )
    return summed(frame, by)


def summed(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return a row for each value of a column, with the sums of the others; of nothing but missing values: missing."""
    return frame.groupby(by, dropna=False, sort=True).sum(min_count=1).reset_index()


def _of(span: Span, by: str) -> str | None:
    if by == "model":
        return span.model
    if by == "day":
        at = span.start if span.start is not None else span.end
        return None if at is None else str(np.datetime64(at, "ns").astype("datetime64[D]"))
    found = span.attributes[by]
    return None if found is None else str(found)


def _runs(rows: pa.Table) -> Iterator[tuple[str, AgentRun]]:
    for gateway, own in _by_gateway(rows):
        reader = RunReader()
        reader.take(own)
        for run in reader.runs_by_id.values():
            yield gateway, run


def _by_gateway(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield each gateway's name and its rows, which lie together."""
    names = rows["gateway"].combine_chunks().dictionary_encode()
    codes = names.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    bounds = np.flatnonzero(np.diff(codes, prepend=-2, append=-2))
    for start, end in itertools.pairwise(bounds):
        if codes[start] >= 0:
            yield names.dictionary[int(codes[start])].as_py(), rows.slice(start, end - start)


def _texts(values: list[str] | list[str | None]) -> pd.Series[str]:
    import pandas as pd

    return pd.Series(values, dtype=pd.StringDtype("pyarrow"))
