"""Records as DataFrames: named columns of fixed dtypes, the same when there are no rows. Pure."""

from __future__ import annotations

import datetime as dt
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import pyarrow as pa

from ..protocol.frames import encode

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["time", "text", "count", "number", "seconds", "flag", "json"]
DTYPES: dict[Kind, str] = {
    "time": "datetime64[ms, UTC]",
    "text": "string",
    "count": "Int64",
    "number": "Float64",
    "seconds": "Float64",
    "flag": "boolean",
    "json": "string",
}
_ARROW: dict[Kind, pa.DataType] = {
    "time": pa.timestamp("ms", "UTC"),
    "text": pa.string(),
    "count": pa.int64(),
    "number": pa.float64(),
    "seconds": pa.float64(),
    "flag": pa.bool_(),
    "json": pa.string(),
}
_FITTING: dict[Kind, type] = {"text": str, "count": int, "flag": bool}
"""What Arrow takes for a kind, or refuses, without a look at each value."""
MORE = "more"
CURRENCY = "USD"
_YEARS = range(-62_135_596_800_000, 253_402_300_800_000)  # milliseconds of the years 1 to 9999
_INT64 = range(-(2**63), 2**63)
_FUNCTION = TypeVar("_FUNCTION", bound=Callable[..., Any])


class Column(NamedTuple):
    """A column of a book.

    Attributes:
        name: of the column.
        kind: what its values are; ``seconds`` come from milliseconds.
        source: the record's field, with dots into objects; of several, with ``|``, the first that is there.
        about: what it means, with its unit.
    """

    name: str
    kind: Kind
    source: str
    about: str

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """The fields it may come from."""
        return [tuple(path.split(".")) for path in self.source.split("|")]


@dataclass(frozen=True)
class Book:
    """One kind of records as a table.

    Attributes:
        source: the method they come from.
        columns: without `MORE`, which has what is in no column, as JSON.
    """

    source: str
    columns: tuple[Column, ...]

    def frame(self, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Return records as a DataFrame. A value that its column can't hold is missing there, and in ``more``."""
        return self.joined([self.table(records)])

    def table(self, records: Sequence[dict[str, Any]]) -> pa.Table:
        """Return records as a table for `joined`."""
        rest = _rest(records, self._consumed)
        at: dict[tuple[str, ...], list[Any]] = {(): list(records)}
        columns = {column.name: _filled(column, at, rest) for column in self.columns}
        columns[MORE] = _array("json", [each or None for each in rest])
        return pa.table(columns)

    def joined(self, tables: Sequence[pa.Table]) -> pd.DataFrame:
        """Return tables of records as one DataFrame."""
        frame = _frame(pa.concat_tables(tables or [self.table([])]))
        if any("USD" in column.about for column in self.columns):
            frame.attrs["currency"] = CURRENCY
        return frame

    @cached_property
    def _consumed(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for column in self.columns:
            for *parents, leaf in column.paths:
                branch = tree
                for parent in parents:
                    branch = branch.setdefault(parent, {})
                branch[leaf] = None
        return tree

    @property
    def documentation(self) -> str:
        """What each column holds, for docstrings."""
        lines = [
            f"    - ``{column.name}`` ({DTYPES[column.kind]}): {column.about} [``{column.source}``]"
            for column in self.columns
        ]
        last = f"    - ``{MORE}`` (string): what else a newer gateway says of it, as JSON"
        return "\n".join([f"Columns, from ``{self.source}``:", "", *lines, last])


def documented(book: Book) -> Callable[[_FUNCTION], _FUNCTION]:
    """Add a book's columns to the docstring of the method that reads it."""

    def add(function: _FUNCTION) -> _FUNCTION:
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{book.documentation}"
        return function

    return add


def value_at(record: Any, path: Iterable[str]) -> Any:
    """Return what is at a path of names in objects, ``None`` for nothing."""
    for name in path:
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record


def json_text(value: Any) -> str | None:
    """Return a decoded value as JSON text; ``None`` of one that is nested too deep to be written."""
    try:
        return encode(value).decode()
    except RecursionError:
        return None


def _rest(records: Sequence[dict[str, Any]], consumed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what of each record is in no column; fields without a value say nothing."""
    kept: dict[tuple[str, ...], list[str]] = {}  # by the names of a record, which few records have of their own
    found: list[dict[str, Any]] = []
    for record in records:
        names = kept.get(shape := tuple(record))
        if names is None:
            names = kept[shape] = [name for name in shape if name not in consumed]
        found.append({name: record[name] for name in names if record[name] is not None} if names else {})
    for name, branch in consumed.items():
        if branch is not None:
            values = [record.get(name) for record in records]
            inner = _rest([value if isinstance(value, dict) else {} for value in values], branch)
            for rest, value, left in zip(found, values, inner, strict=True):
                if left or not isinstance(value, dict | None):
                    rest[name] = left or value
    return found


def _filled(column: Column, at: dict[tuple[str, ...], list[Any]], rest: list[dict[str, Any]]) -> pa.Array:
    found, *others = (_values_at(path, at) for path in column.paths)
    for other in others:
        found = [value if value is not None else instead for value, instead in zip(found, other, strict=True)]
    if column.kind in _FITTING and set(map(type, found)) <= {_FITTING[column.kind], type(None)}:
        try:
            return pa.array(found, _ARROW[column.kind])
        except (UnicodeEncodeError, OverflowError):  # one of them does not fit: find out which
            pass
    read = _READERS[column.kind]
    values = [None if value is None else read(value) for value in found]
    for number, (value, fitting) in enumerate(zip(found, values, strict=True)):
        if fitting is None and value is not None:
            rest[number][column.source] = value
    return _array(column.kind, values)


def _values_at(path: tuple[str, ...], at: dict[tuple[str, ...], list[Any]]) -> list[Any]:
    """Return what is at a path in each record; a level at a time is several times as fast as a record at a time.

    Args:
        path: of names.
        at: what was found at other paths, the records at the empty one.
    """
    if path not in at:
        *parents, name = path
        outer = _values_at(tuple(parents), at)
        at[path] = [value.get(name) if isinstance(value, dict) else None for value in outer]
    return at[path]


def _array(kind: Kind, values: list[Any]) -> pa.Array:
    if kind == "json":
        values = [None if value is None else json_text(value) for value in values]
    return pa.array(values, _ARROW[kind])


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    dtypes: dict[Any, Any] = {
        pa.string(): pd.StringDtype("pyarrow"),
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=dtypes.get)
    return frame


def _time(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
            value = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000
        except (ValueError, OverflowError):
            return None
    number = _number(value)
    return int(number) if number is not None and int(number) in _YEARS else None


def _number(value: Any) -> float | None:
    if type(value) is int:
        return float(value) if value in _INT64 else None
    return value if type(value) is float and math.isfinite(value) else None


def _seconds(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else number / 1000


def _count(value: Any) -> int | None:
    return value if type(value) is int and value in _INT64 else None


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


_READERS: dict[Kind, Callable[[Any], Any]] = {
    "time": _time,
    "text": _text,
    "count": _count,
    "number": _number,
    "seconds": _seconds,
    "flag": lambda value: value if isinstance(value, bool) else None,
    "json": lambda value: value,
}
