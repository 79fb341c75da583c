"""Rows of events as an Arrow table, and such a table as a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from ..client.events import Event

if TYPE_CHECKING:
    import pandas as pd

Marker: TypeAlias = tuple[str, float, int, bytes]
"""kind, seconds since 1970, epoch, payload."""
Row: TypeAlias = Event | Marker

NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    {
        "time": pa.timestamp("ns", "UTC"),
        "epoch": pa.int32(),
        "seq": pa.int64(),
        "event": NAME,
        "kind": NAME,
        "payload": pa.string(),
    }
)


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table with `SCHEMA`.

    Args:
        rows: events and markers, oldest first.
    """
    times: list[int] = []
    epochs: list[int] = []
    seqs: list[int | None] = []
    events: list[str | None] = []
    kinds: list[str] = []
    payloads: list[bytes] = []
    for row in rows:
        if isinstance(row, Event):
            kind, received, epoch, payload = "event", row.received, row.epoch, bytes(row.raw)
            events.append(row.event)
            seqs.append(row.seq)
        else:
            kind, received, epoch, payload = row
            events.append(None)
            seqs.append(None)
        kinds.append(kind)
        times.append(nanoseconds(received))
        epochs.append(epoch)
        payloads.append(payload)
    columns = [
        pa.array(times, SCHEMA.field("time").type),
        pa.array(epochs, pa.int32()),
        pa.array(seqs, pa.int64()),
        pa.array(events, pa.string()).dictionary_encode(),
        pa.array(kinds, pa.string()).dictionary_encode(),
        text_array(payloads),
    ]
    return pa.table(columns, schema=SCHEMA)


def nanoseconds(seconds: float) -> int:
    """Return seconds since 1970 as nanoseconds; a float of seconds holds microseconds, no more."""
    return round(seconds * 1e6) * 1000


def text_array(payloads: list[bytes]) -> Any:
    """Return payloads as an Arrow string array; what is not UTF-8 is shown as far as it can be."""
    try:
        return pa.array(payloads, pa.string())
    except pa.ArrowInvalid:
        return pa.array([payload.decode("utf-8", "replace") for payload in payloads], pa.string())


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame, with the same dtypes when it is empty."""
    import pandas as pd

    mapping: dict[Any, Any] = {pa.string(): pd.StringDtype("pyarrow"), pa.int64(): pd.Int64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=mapping.get)
    return frame
