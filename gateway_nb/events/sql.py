"""SQL over events: a query sees its table ``events``, and nothing else of this computer."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ..errors import CaptureError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_TABLE = "events"
_SETTINGS = {
    "enable_progress_bar": "false",  # it would be in the output of whoever prints the answer
    "memory_limit": "'2GB'",
    "python_enable_replacements": "false",  # the caller's variables are not tables
    "enable_external_access": "false",
    "lock_configuration": "true",
}
_ANSWERING = ("SELECT", "EXPLAIN", "MULTI")  # a pivot is MULTI
_QUOTED_PATH = re.compile(r'"[^"]*[/\\][^"]*"')


class Doubled(NamedTuple):
    """A table in two parts: one in which each row is there once, and one in which rows may be there again.

    Attributes:
        once: an Arrow dataset.
        doubled: another one.
        key: the columns that name a row.
    """

    once: Any
    doubled: Any
    key: tuple[str, ...]


@contextlib.contextmanager
def database(table: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB with the table ``events`` and nothing else: no files, no network, no variables.

    What does not fit into 2 GB of memory is in a temporary folder until it is closed.

    Args:
        table: an Arrow table or dataset, a `Stream`, or `Doubled`.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="gateway-nb-") as spill, duckdb.connect() as connection:
        connection.execute("set temp_directory = ?", [spill])
        for name, value in _SETTINGS.items():
            connection.execute(f"set {name} = {value}")
        if isinstance(table, Doubled):
            connection.register("once", table.once)
            connection.register("doubled", table.doubled)
            connection.execute(
                f"create view {_TABLE} as select * from once union all "
                f"select distinct on ({', '.join(table.key)}) * from doubled"
            )
        else:
            connection.register(_TABLE, table)
        yield connection


def query(sql: str, table: Any) -> pd.DataFrame:
    """Return the answer of one DuckDB query.

    Args:
        sql: one statement that answers with rows.
        table: ``events``, as for `database`.

    Raises:
        CaptureError: DuckDB refuses it, or the rows can't be read.
    """
    import duckdb

    if any("\ud800" <= character <= "\udfff" for character in sql):
        raise CaptureError("query: it holds half a surrogate pair, which is not a character")
    with database(table) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type.name not in _ANSWERING:
                raise CaptureError("query: pass one statement that answers with rows, like select * from events")
            answer: pd.DataFrame = connection.execute(statements[0]).df()
            return answer
        except duckdb.Error as error:
            raise (isinstance(table, Stream) and table.error) or _refused(error) from None


class Stream:
    """Batches as a table that a query may read more than once; DuckDB asks for a stream each time.

    Args:
        schema: of the table.
        batches: its rows, read anew wherever the query names the table.

    Attributes:
        error: what reading them raised: DuckDB would only quote it.
    """

    def __init__(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self._schema = schema
        self._batches = batches
        self.error: BaseException | None = None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.RecordBatchReader.from_batches(self._schema, self._read()).__arrow_c_stream__(requested_schema)

    def _read(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches()
        except (Exception, KeyboardInterrupt) as error:
            self.error = error
            raise


def _refused(error: Exception) -> CaptureError:
    import duckdb

    if isinstance(error, duckdb.PermissionException):
        return CaptureError(f"query: it sees the table {_TABLE} and nothing else: no files, no network, no extensions")
    reason, _, place = str(error).partition("\n\nLINE ")
    if isinstance(error, duckdb.IOException):
        reason = _QUOTED_PATH.sub("a file", reason)
    refused = CaptureError(f"query: {' '.join(reason.split())}")
    refused.excerpt = f"LINE {place}" if place else ""
    return refused
