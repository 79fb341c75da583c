"""Upkeep of a lake: the many small files of a day that is over become few, sorted, and old versions go."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...errors import CaptureError, one_line
from .columns import ORDER, PARTITION
from .delta import KEPT_DAYS, Lake, writer_properties

if TYPE_CHECKING:
    from deltalake import DeltaTable

FILE_BYTES = 128 * 1024 * 1024
_BATCH_ROWS = 20_000
_SORT_MEMORY = "256MB"
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was done with a day.

    Attributes:
        day: the date of its rows.
        before: files that it had.
        after: files that it has.
    """

    day: dt.date
    before: int
    after: int


def compact(lake: Lake, today: dt.date | None = None) -> list[Compaction]:
    """Write each day that is over anew: a file per 128 MiB, sorted by gateway; then remove what no version needs.

    Captures may go on meanwhile, and readers read. It needs memory for 256 MB of rows, and a folder for temporary files
    for more. Files of versions older than seven days are removed: those can't be read any more.

    Args:
        lake: which.
        today: the day that is not over; default: of the clock, in UTC.

    Returns:
        The days that were written anew.

    Raises:
        CaptureError: there is no such lake, or it can't be reached or written; it is as it was, or a part of its days
            is done.
    """
    today = today or dt.datetime.now(dt.UTC).date()
    table = lake.open()
    first = table.version()
    done = [_rewrite(lake, table, day) for day in _open_days(table) if day < today]
    with lake.errors("can't be cleaned"):
        table.update_incremental()
        table.vacuum(retention_hours=24 * KEPT_DAYS, dry_run=False, full=True)
        table.create_checkpoint()
        table.cleanup_metadata()
    for version in range(first + 1, table.version() + 1):
        lake.settle(version)
    return done


def _open_days(table: DeltaTable) -> list[dt.date]:
    """Return the days with more files than they need, oldest first."""
    sizes: dict[dt.date, list[int]] = {}
    for file in _files(table):
        sizes.setdefault(file[f"partition.{PARTITION}"], []).append(file["size_bytes"])
    return sorted(day for day, found in sizes.items() if len(found) > -(-sum(found) // FILE_BYTES))


def _files(table: DeltaTable) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return rows


def _rewrite(lake: Lake, table: DeltaTable, day: dt.date) -> Compaction:
    from deltalake.exceptions import CommitFailedError

    for _ in range(_ATTEMPTS):
        with lake.errors("can't be compacted"):
            table.update_incremental()
            before = _count(table, day)
            try:
                _write_sorted(table, day)
            except CommitFailedError:  # rows of that day came meanwhile, or another compaction: on what is there now
                continue
            return Compaction(day, before, _count(table, day))
    raise CaptureError(f"the day {day} of the lake {lake.place} changes all the time; compact it later")


def _count(table: DeltaTable, day: dt.date) -> int:
    return sum(file[f"partition.{PARTITION}"] == day for file in _files(table))


def _write_sorted(table: DeltaTable, day: dt.date) -> None:
    """Replace a day's files, with the same rows in `ORDER`; sorted by DuckDB, which puts aside what is too much."""
    import duckdb
    from deltalake import QueryBuilder, write_deltalake

    chosen = f"{PARTITION} = '{day}'"
    found = QueryBuilder().register("lake", table).execute(f"select * from lake where {chosen}")
    folder = Path(tempfile.mkdtemp(prefix="gateway-nb-"))
    try:
        settings: dict[str, Any] = {
            "memory_limit": _SORT_MEMORY,
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
        }
        with duckdb.connect(":memory:", config=settings) as database:
            rows = database.from_arrow(pa.RecordBatchReader.from_stream(found)).order(", ".join(ORDER))
            write_deltalake(
                table,
                rows.to_arrow_reader(_BATCH_ROWS),
                mode="overwrite",
                predicate=chosen,
                target_file_size=FILE_BYTES,
                writer_properties=writer_properties(),
            )
    except duckdb.Error as error:
        raise CaptureError(f"the day {day} can't be sorted: {one_line(error, 300)}") from None
    finally:
        shutil.rmtree(folder)
