"""Values out of a column of payloads: what they hold at chosen paths, as Arrow arrays, read by DuckDB.

DuckDB reads paths out of JSON about ten times as fast as Python can, without making an object per payload.
"""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import pyarrow as pa

from ..protocol.frames import encode
from .paths import pointer

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_ORDER = (pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string())
_MAX_KEPT = 256 * 1024 * 1024
_SETTINGS = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "temp_directory": "",  # else what does not fit into memory would be written into the user's folder
}
_lock = threading.Lock()

Steps: TypeAlias = tuple[str, ...]
"""Names and list indices, as `gateway_nb.events.paths.steps_of` returns them."""


@functools.cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """Return a database of this process: the threads of one do not survive a fork."""
    import duckdb

    database = duckdb.connect(config=dict(_SETTINGS))
    database.execute("set enable_progress_bar = false")  # of what takes long it would be in the output of whoever asks
    database.execute("set lock_configuration = true")
    return database


def read_texts(payloads: pa.ChunkedArray, paths: Sequence[Sequence[str]]) -> list[pa.ChunkedArray]:
    """Return what payloads hold at some paths, as JSON text.

    Args:
        payloads: JSON texts.
        paths: names and list indices, as `gateway_nb.events.paths.steps_of` returns them.

    Returns:
        For each path as many texts as there are payloads, compact as `json.dumps` with the shortest separators; null
        where the payload is not JSON, or holds nothing or ``null`` there.

    Example:
        >>> import pyarrow as pa
        >>> read_texts(pa.chunked_array([['{"a": {"b": [1, 2]}}', "{}"]]), [["a", "b"]])[0].to_pylist()
        ['[1,2]', None]
    """
    found = ", ".join(f"nullif(found[{number}], 'null') path{number}" for number in range(1, len(paths) + 1))
    columns: list[pa.ChunkedArray] = query(pa.table({"payload": payloads}), paths, f"select {found} from rows").columns
    return columns


def query(table: pa.Table, paths: Sequence[Sequence[str]], sql: str) -> pa.Table:
    """Return the answer of DuckDB to a question about payloads.

    Args:
        table: with a column ``payload`` of JSON texts.
        paths: names and list indices.
        sql: a query over the table ``rows``: the columns given, and ``found``, a list with the JSON text at each path;
            SQL's null where the payload is not JSON, or has no such path.
    """
    import duckdb

    pointers = ", ".join("'" + pointer(path).replace("'", "''") + "'" for path in paths)
    read = f"json_extract(payload, [{pointers}])"
    with _lock:
        rows = _database(os.getpid()).from_arrow(table)
        try:
            return _answer(rows, read, sql)
        except duckdb.InvalidInputException:  # one of them is not JSON; always to `try` takes half as long again
            return _answer(rows, f"try({read})", sql)


def _answer(rows: duckdb.DuckDBPyRelation, read: str, sql: str) -> pa.Table:
    answer = rows.project(f"* exclude (payload), {read} found").query("rows", sql)
    assert answer is not None  # as it is of a statement that answers with no rows
    return answer.to_arrow_table()


def typed(texts: pa.Array) -> pa.Array:
    """Return JSON texts as an array of the narrowest type that holds all: null, boolean, int64, double or string.

    Args:
        texts: as `read_texts` returns them; integers beyond 64 bits are floats, and beyond those texts; what is nested
            stays JSON.
    """
    import pyarrow.compute as compute

    first = set(compute.unique(compute.utf8_slice_codeunits(texts, 0, 1)).to_pylist()) - {None}
    if not first:
        return pa.nulls(len(texts))
    if first <= {"t", "f"}:
        return compute.equal(texts, "true")
    if first <= set("-0123456789"):
        for number in (pa.int64(), pa.float64()):
            try:
                found = texts.cast(number)
            except pa.ArrowInvalid:
                continue
            if number == pa.int64() or compute.all(compute.is_finite(found)).as_py() is not False:
                return found
    return _unquoted(texts)


def _unquoted(texts: pa.Array) -> pa.Array:
    import pyarrow.compute as compute

    is_text = compute.starts_with(texts, '"')
    plain = compute.if_else(is_text, compute.utf8_slice_codeunits(texts, 1, -1), texts)
    escaped = compute.and_(is_text, compute.match_substring(texts, "\\"))
    if not compute.any(escaped).as_py():
        return plain
    decoded = [msgspec.json.decode(text) for text in texts.filter(escaped).to_pylist()]
    return compute.replace_with_mask(plain, escaped.fill_null(False), pa.array(decoded, pa.string()))


def column_of(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Return typed arrays, one after the other, as one column of the narrowest type that holds all."""
    kinds = {part.type for part in parts} - {pa.null()}
    if pa.bool_() in kinds and len(kinds) > 1:
        kinds = {pa.string()}
    kind = max(kinds, key=_ORDER.index, default=pa.string())
    return pa.chunked_array([_cast(part, kind) for part in parts], kind)


def pandas_column(column: pa.ChunkedArray) -> pd.Series:
    """Return a column as pandas has it: Int64, Float64, boolean or string."""
    import pandas as pd

    kinds = {
        pa.bool_(): pd.BooleanDtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.string(): pd.StringDtype("pyarrow"),
    }
    series: pd.Series = column.to_pandas(types_mapper=kinds.get)
    return series


def _cast(part: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == pa.string() and part.type in (pa.bool_(), pa.int64(), pa.float64()):
        return pa.array([None if value is None else encode(value).decode() for value in part.to_pylist()], kind)
    return part.cast(kind)


class PayloadReader:
    """Reads typed columns out of a log's payloads, and keeps what it read of sealed chunks.

    At most 256 MiB are kept: asking again of a log that grows reads what is new.
    """

    def __init__(self) -> None:
        self._kept: dict[Steps, dict[int, tuple[weakref.ref[pa.Table], pa.Array]]] = {}
        self._lock = threading.Lock()

    def columns(self, chunks: Sequence[pa.Table], tail: pa.Table, paths: Iterable[Steps]) -> list[pa.ChunkedArray]:
        """Return a column for each path, with a value for each row.

        Args:
            chunks: sealed tables with a column ``payload``; what is read of them is kept as long as they live.
            tail: the rows after them.
            paths: names and list indices.
        """
        wanted = list(paths)
        with self._lock:
            for path in wanted:
                kept = self._kept.pop(path, {})  # the one asked for last is the last to go
                self._kept[path] = {key: entry for key, entry in kept.items() if entry[0]() is not None}
            missing = [chunk for chunk in chunks if any(id(chunk) not in self._kept[path] for path in wanted)]
            read = _typed_parts([*missing, tail], wanted)
            for path, (*parts, _) in zip(wanted, read, strict=True):
                for chunk, part in zip(missing, parts, strict=True):
                    self._kept[path][id(chunk)] = (weakref.ref(chunk), part)
            found = [
                column_of([*(self._kept[path][id(chunk)][1] for chunk in chunks), parts[-1]])
                for path, parts in zip(wanted, read, strict=True)
            ]
            self._forget()
        return found

    def _forget(self) -> None:
        sizes = [sum(part.nbytes for _, part in kept.values()) for kept in self._kept.values()]
        for path, size in zip(list(self._kept), list(sizes), strict=True):
            if sum(sizes) <= _MAX_KEPT:
                break
            del self._kept[path]
            sizes.remove(size)


def _typed_parts(tables: Sequence[pa.Table], paths: Sequence[Steps]) -> list[list[pa.Array]]:
    """Return for each path an array for each table."""
    payloads = pa.chunked_array([part for table in tables for part in table.column("payload").chunks], pa.string())
    found: list[list[pa.Array]] = []
    for texts in read_texts(payloads, paths):
        at, parts = 0, []
        for table in tables:
            parts.append(typed(texts.slice(at, table.num_rows).combine_chunks()))
            at += table.num_rows
        found.append(parts)
    return found
