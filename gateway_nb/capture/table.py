"""Rows of events as an Arrow table, and such a table as a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..client.events import Event
from ..protocol.frames import NULL, encode

if TYPE_CHECKING:
    import pandas as pd


class Marker(msgspec.Struct, gc=False, frozen=True):
    """A note between events, with the attributes of an event.

    Attributes:
        kind: ``gap``, ``reconnect``, ...
        received: seconds since 1970.
        epoch: number of the connection.
        raw: its detail as JSON.
    """

    event: ClassVar[None] = None
    seq: ClassVar[None] = None

    kind: str
    received: float
    epoch: int
    raw: msgspec.Raw


class Line(msgspec.Struct, gc=False, rename={"received": "t", "raw": "payload"}):
    """One line of a journal, with the attributes of an event."""

    received: float
    epoch: int
    event: str | None = None
    kind: str = "event"
    seq: int | None = None
    raw: msgspec.Raw = NULL


Row: TypeAlias = Event | Marker | Line

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
    columns = [
        pa.array(nanoseconds(np.array([row.received for row in rows])), SCHEMA.field("time").type),
        pa.array([row.epoch for row in rows], pa.int32()),
        pa.array([row.seq for row in rows], pa.int64()),
        pa.array([row.event for row in rows], pa.string()).dictionary_encode(),
        _kinds(rows),
        text_array([row.raw for row in rows]),
    ]
    return pa.table(columns, schema=SCHEMA)


def _kinds(rows: Sequence[Row]) -> Any:
    if all(type(row) is Event for row in rows):
        return pa.DictionaryArray.from_arrays(np.zeros(len(rows), "int32"), pa.array([Event.kind], pa.string()))
    return pa.array([row.kind for row in rows], pa.string()).dictionary_encode()


def nanoseconds(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return seconds since 1970 as nanoseconds; a float of seconds holds microseconds, no more."""
    return np.rint(seconds * 1e6).astype("int64") * 1000


def text_array(payloads: Sequence[bytes | msgspec.Raw]) -> Any:
    """Return payloads as an Arrow string array; what is not UTF-8 is shown as far as it can be.

    Args:
        payloads: JSON as bytes. One join is half the price of a Python object per payload.
    """
    ends = np.zeros(len(payloads) + 1, "int32")
    np.cumsum(np.fromiter(map(len, payloads), "int32", len(payloads)), out=ends[1:])
    array = pa.StringArray.from_buffers(len(payloads), pa.py_buffer(ends), pa.py_buffer(b"".join(payloads)))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([bytes(payload).decode("utf-8", "replace") for payload in payloads], pa.string())
    return array


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame, with the same dtypes when it is empty."""
    import pandas as pd

    mapping: dict[Any, Any] = {pa.string(): pd.StringDtype("pyarrow"), pa.int64(): pd.Int64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=mapping.get)
    return frame


def typed_column(values: list[Any]) -> Any:
    """Return decoded JSON values as a column of the narrowest type that holds all: Int64, Float64, boolean or string.

    Args:
        values: ``None`` is null; what is nested becomes its JSON.
    """
    import pandas as pd

    values = [encode(value).decode() if isinstance(value, (dict, list)) else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.array(values, "boolean")
    if kinds == {int}:
        try:
            return pd.array(values, "Int64")
        except OverflowError:
            pass
    if kinds and kinds <= {int, float}:
        return pd.array([None if value is None else float(value) for value in values], "Float64")
    return pd.array([None if value is None else _text(value) for value in values], pd.StringDtype("pyarrow"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
