"""The lake's columns, and the lines of a journal as its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as compute

from ...events.rows import PLAIN, names_array, text_array
from ...events.rows import table_of as events_table
from ...protocol.lines import Line

PARTITION = "date"
SCHEMA = pa.schema(
    {
        "date": pa.date32(),
        "gateway": pa.string(),
        "time": pa.timestamp("us", "UTC"),
        "epoch": pa.int64(),
        "seq": pa.int64(),
        "event": pa.string(),
        "kind": pa.string(),
        "payload": pa.string(),
        "capture": pa.string(),
        "line": pa.int64(),
    }
)
"""`date` is the day of `time` in UTC, when the line was received. A mark has no `event` and no `seq`, and no `gateway`
where it is the capture's own. `line` counts the lines of a capture from 1: with `capture` it names one row.
"""
ORDER = ("gateway", "capture", "line")
"""How the rows of a file are sorted: a reader of one gateway skips the rest by the statistics."""


def table_of(lines: Sequence[Line], capture: str, first: int) -> pa.Table:
    """Return lines of a capture's journal as rows of the lake, sorted by `ORDER`.

    Args:
        lines: all of them, in the journal's order; each becomes a row.
        capture: the capture's id.
        first: the number of the first line.

    Returns:
        A table with `SCHEMA`.
    """
    rows = events_table(lines).cast(PLAIN)
    time = rows.column("time").cast(SCHEMA.field("time").type)
    columns = {
        "date": time.cast(pa.date32()),
        "gateway": names_array([line.gateway for line in lines]).dictionary_decode(),
        "time": time,
        "capture": _repeated(capture, len(lines)),
        "line": _integers(np.arange(first, first + len(lines), dtype="int64")),
        **{name: rows.column(name) for name in ("seq", "event", "kind", "payload")},
        "epoch": rows.column("epoch").cast(pa.int64()),
    }
    table = pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
    return table.take(compute.sort_indices(table, [("gateway", "ascending"), ("line", "ascending")]))


def _integers(values: npt.NDArray[Any]) -> Any:
    """Return integers as an array; `pa.array`, as `pa.repeat`, would import pandas first."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _repeated(text: str, count: int) -> Any:
    codes = _integers(np.zeros(count, "int32"))
    return pa.DictionaryArray.from_arrays(codes, text_array([text.encode()])).dictionary_decode()
