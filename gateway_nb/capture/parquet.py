"""Events as Parquet files in folders that are named after values (Hive layout)."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as compute

from ..errors import BadArgumentError, CaptureError
from .files import partial_name, unwritable

_OTHER = "__other__"
"""The folder of the names that have none of their own."""
_FOLDERS_BY = ("date", "event", "kind", "epoch")
_MOST_NAMES = 256
_LONGEST_NAME = 200  # bytes as a folder writes it; file systems end at 255
_MOST_FOLDERS = 10_000


def write_parquet(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path, partition_by: Sequence[str]
) -> None:
    """Write rows as Parquet, whole or not at all.

    Args:
        batches: the rows.
        schema: theirs.
        folder: where to; empty or new.
        partition_by: the columns that name folders.

    Raises:
        CaptureError: the folder holds something or can't be written, or there are too many folders to make.
        ValueError: a column can't name folders.
    """
    import pyarrow.dataset as dataset

    if not set(partition_by) <= set(_FOLDERS_BY):
        raise BadArgumentError(f"partition_by takes {', '.join(_FOLDERS_BY)}, not {', '.join(map(str, partition_by))}")
    folders = _Folders(partition_by)
    schema = schema.append(pa.field("date", pa.string()))
    for column in folders.named:
        schema = schema.append(pa.field(f"{column}_name", pa.string()))
    partitioning = dataset.partitioning(pa.schema([schema.field(name) for name in partition_by]), flavor="hive")
    parquet = dataset.ParquetFileFormat()
    # Spark reads no nanoseconds; a receive time has none.
    options = parquet.make_write_options(coerce_timestamps="us")
    with _new_folder(folder) as part:
        dataset.write_dataset(
            map(folders.assigned, batches),
            part,
            schema=schema,
            format=parquet,
            file_options=options,
            partitioning=partitioning,
            max_partitions=_MOST_FOLDERS,
            existing_data_behavior="overwrite_or_ignore",
        )


class _Folders:
    """Which folder a row goes to: names come from the other side, and a file system takes neither any nor many."""

    def __init__(self, partition_by: Sequence[str]) -> None:
        self.named = [column for column in partition_by if column in ("event", "kind")]
        self._partition_by = partition_by
        self._own: dict[str, dict[str, str]] = {column: {} for column in self.named}
        self._all: set[tuple[object, ...]] = set()

    def assigned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows with what names their folders."""
        table = pa.Table.from_batches([batch])
        named = compute.coalesce(table.column("event"), table.column("kind"))
        table = table.set_column(table.schema.get_field_index("event"), "event", named)
        dates = compute.strftime(table.column("time"), "%Y-%m-%d").cast(pa.string())
        table = table.append_column("date", dates)
        for column in self.named:
            names = table.column(column)
            table = table.append_column(f"{column}_name", names)
            table = table.set_column(table.schema.get_field_index(column), column, self._folders(column, names))
        self._count(table)
        (whole,) = table.combine_chunks().to_batches()
        return whole

    def _folders(self, column: str, names: pa.ChunkedArray) -> pa.ChunkedArray:
        encoded = names.combine_chunks().dictionary_encode()
        folders = [self._folder(self._own[column], name) for name in encoded.dictionary.to_pylist()]
        return pa.chunked_array([pa.array(folders, pa.string()).take(encoded.indices)])

    def _folder(self, own: dict[str, str], name: str) -> str:
        """A name has the same folder in every batch, or none: else a query for it would find a part of its rows."""
        key = name.casefold()  # some file systems take Chat and chat for one
        if key not in own and len(own) < _MOST_NAMES and len(quote(name, safe="")) <= _LONGEST_NAME:
            own[key] = name
        clear = name.isprintable() and not name.startswith("__")  # as _OTHER does, and Hive's name for nothing
        return name if clear and own.get(key) == name else _OTHER

    def _count(self, table: pa.Table) -> None:
        values = table.select(self._partition_by).group_by(self._partition_by).aggregate([])
        self._all.update(zip(*(column.to_pylist() for column in values.columns), strict=True))
        if len(self._all) > _MOST_FOLDERS:
            raise CaptureError(f"these are more than {_MOST_FOLDERS:,} folders; name fewer columns in partition_by")


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that gets its name once it is whole."""
    target = Path(os.path.realpath(path))
    part = partial_name(target)
    try:
        os.mkdir(part)
        if os.path.lexists(target):
            if os.listdir(target):
                raise CaptureError(f"{path} is not empty; choose another folder")
            shutil.copymode(target, part)
        yield part
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(target)
        os.rename(part, target)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
