"""Rows of events as an Arrow table, and such a table as a DataFrame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..client.event import Event
from ..client.feed import matches
from ..client.redaction.redactor import Redactor
from ..protocol.frames import encode
from ..protocol.lines import Line
from ..protocol.spelling import closest

if TYPE_CHECKING:
    import pandas as pd


class Mark(msgspec.Struct, gc=False, frozen=True):
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


Row: TypeAlias = Event | Mark | Line

_MISSPELT = 0.75  # more than names of one family are alike
_REPAIRED_BYTES = 1024 * 1024
_ASCII = bytes(range(128)) + b"?" * 128

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
PLAIN = pa.schema([field.with_type(pa.string()) if field.type == NAME else field for field in SCHEMA])
"""The same without dictionaries, which differ from batch to batch."""


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Return events and marks, oldest first, as a table with `SCHEMA`.

    Its columns are made of buffers: `pa.array` of a list would import pandas first, and keep the event loop for that.
    """
    columns = [
        _column(nanoseconds(np.array([row.received for row in rows], "float64")), "time"),
        _column(np.array([row.epoch for row in rows], "int32"), "epoch"),
        _numbers([row.seq for row in rows], "seq", "int64"),
        names_array([row.event for row in rows]),
        names_array([row.kind for row in rows]),
        text_array([row.raw for row in rows]),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _column(values: npt.NDArray[Any], name: str, valid: npt.NDArray[np.bool_] | None = None) -> Any:
    kind = SCHEMA.field(name).type
    kind = kind.index_type if pa.types.is_dictionary(kind) else kind
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bitmap, pa.py_buffer(values)])


def _numbers(values: list[int | None], name: str, dtype: str) -> Any:
    if None not in values:
        return _column(np.array(values, dtype), name)
    valid = np.array([value is not None for value in values])
    return _column(np.array([value or 0 for value in values], dtype), name, valid)


def names_array(names: list[str | None]) -> Any:
    """Return names as a dictionary and codes; no name is null."""
    words = [word for word in dict.fromkeys(names) if word is not None]
    code_of = {word: code for code, word in enumerate(words)}
    codes = _numbers([None if word is None else code_of[word] for word in names], "event", "int32")
    return pa.DictionaryArray.from_arrays(codes, text_array([word.encode("utf-8", "replace") for word in words]))


def nanoseconds(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return seconds since 1970 as nanoseconds; a float of seconds holds microseconds, no more."""
    return np.rint(seconds * 1e6).astype("int64") * 1000


def text_array(payloads: Sequence[bytes | msgspec.Raw]) -> Any:
    """Return payloads as an Arrow string array; what is not UTF-8 is repaired.

    Args:
        payloads: JSON as bytes. One join is half the price of a Python object per payload.
    """
    ends = np.zeros(len(payloads) + 1, "int32")
    np.cumsum(np.fromiter(map(len, payloads), "int32", len(payloads)), out=ends[1:])
    array = pa.StringArray.from_buffers(len(payloads), pa.py_buffer(ends), pa.py_buffer(b"".join(payloads)))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        much = ends[-1] > _REPAIRED_BYTES
        return text_array([_repaired(bytes(payload), much) for payload in payloads])
    return array


def _repaired(data: bytes, much: bool) -> bytes:
    """Return what may not be UTF-8 as UTF-8; of much only the ASCII, since the event loop waits for it."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.translate(_ASCII) if much else data.decode("utf-8", "replace").encode()
    return data


EMPTY = table_of([])


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """Return tables of rows as one, whose names have one dictionary."""
    return pa.concat_tables([EMPTY, *tables]).unify_dictionaries()


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame, with the same dtypes when it is empty."""
    import pandas as pd

    mapping: dict[Any, Any] = {pa.string(): pd.StringDtype("pyarrow"), pa.int64(): pd.Int64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=mapping.get)
    return frame


def of_events(frame: pd.DataFrame, event: str) -> pd.DataFrame:
    """Return the rows of a frame whose event's name matches a name or a glob pattern; warn of what looks misspelt."""
    names = frame["event"].cat.categories
    wanted = [name for name in names if matches(event, name)]
    if not wanted and (near := closest(event, names, 1, _MISSPELT)):
        warnings.warn(f"there is no event {event!r} so far; did you mean {near[0]}?", stacklevel=3)
    chosen = frame["event"].isin(wanted)
    return frame if chosen.all() else frame[chosen]  # a mask copies every payload


def named(table: pa.Table, names: Container[str], *, or_mark: bool) -> npt.NDArray[np.bool_]:
    """Return which rows of a table are of these events.

    Args:
        table: rows with `SCHEMA`.
        names: of events.
        or_mark: whether a row without a name, a mark, is among them.
    """
    parts: list[npt.NDArray[np.bool_]] = []
    for chunk in table.column("event").chunks:
        # One flag more than names: the last is that of no name, which index -1 finds.
        wanted = np.array([*(name in names for name in chunk.dictionary.to_pylist()), or_mark])
        parts.append(wanted[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)])
    return np.concatenate(parts) if parts else np.ones(0, bool)


def redacted(table: pa.Table, redactor: Redactor) -> pa.Table:
    """Return rows of `SCHEMA` without secrets in their names and payloads, for what is shown or exported."""
    if redactor.expression is not None:
        for name in ("event", "kind", "payload"):
            clean = redactor.json_text if name == "payload" else redactor.text
            table = _cleaned(table, name, redactor.expression, clean)
    return table


def _cleaned(table: pa.Table, name: str, suspect: str, clean: Callable[[str], str]) -> pa.Table:
    import pyarrow.compute as compute

    texts = table.column(name).cast(pa.string())
    found = compute.match_substring_regex(texts, suspect)
    if not compute.any(found).as_py():
        return table
    pairs = zip(texts.to_pylist(), found.to_pylist(), strict=True)
    column = pa.array([clean(text) if suspected else text for text, suspected in pairs], pa.string())
    field = table.schema.field(name)
    column = column.dictionary_encode() if pa.types.is_dictionary(field.type) else column
    return table.set_column(table.schema.names.index(name), field, column)


def typed_column(values: list[Any]) -> Any:
    """Return decoded JSON values as a column of the narrowest type that holds all: Int64, Float64, boolean or string.

    Args:
        values: ``None`` is null; what is nested becomes its JSON. Integers beyond 64 bits are
            floats, and beyond those texts.
    """
    import pandas as pd

    values = [_text(value) if isinstance(value, (dict, list)) else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.array(values, "boolean")
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pd.array(values, "Int64")
    if kinds and kinds <= {int, float}:
        try:
            return pd.array([None if value is None else float(value) for value in values], "Float64")
        except OverflowError:  # an integer beyond every float
            pass
    return pd.array([None if value is None else _text(value) for value in values], pd.StringDtype("pyarrow"))


def _text(value: Any) -> str | None:
    try:
        return value if isinstance(value, str) else encode(value).decode()
    except RecursionError:  # nested as deep as it could just be read
        return None
