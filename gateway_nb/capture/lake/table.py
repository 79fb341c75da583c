"""A lake as it lies in its store: its files, the parts in which they are read, and what is in them twice."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ...errors import CaptureError, one_line
from ...events.sql import Doubled, database
from .columns import PARTITION, SCHEMA

if TYPE_CHECKING:
    import pandas as pd
    from deltalake import DeltaTable

KEY = ("capture", "epoch", "line")
"""What names a row: one that is there again is the same one."""
PART_BYTES = 64 * 1024 * 1024
_BATCH_ROWS = 65_536
_AHEAD = {"batch_readahead": 4, "fragment_readahead": 1}
"""What is read before it is asked for: Arrow's own 16 and 4 are a gigabyte."""
_RANGES = ("min.capture", "max.capture", "min.line", "max.line")


class File(NamedTuple):
    """A file of a lake, or some of it.

    Attributes:
        path: below the lake's address.
        date: of its rows.
        group: the number of its row group, ``None`` for all of them.
    """

    path: str
    date: dt.date
    group: int | None = None


class Part(NamedTuple):
    """What is read at once: small files together, or a row group of a large one.

    Attributes:
        files: of which it consists.
        doubled: a row may be there again, but not in another part.
    """

    files: tuple[File, ...]
    doubled: bool = False


class LakeTable:
    """One version of a lake.

    Args:
        address: its folder, or its address in a store.
        version: ``None`` for the newest.
        options: how to reach the store.

    Raises:
        CaptureError: there is no such lake or version, it is another table, or files of that version are gone.
        ImportError: the extra ``fleet`` is not installed.

    Attributes:
        address: as it was given.
        options: likewise.
        version: the number.
    """

    def __init__(self, address: str, version: int | None, options: Mapping[str, str]) -> None:
        self.address, self.options = address, dict(options)
        newest = _opened(address, self.options)
        self._delta = newest if version in (None, newest.version()) else _opened(address, self.options, version)
        self.version: int = self._delta.version()
        _check_columns(self._delta, address)
        if self._delta is not newest:
            self._check_files(set(_files(newest)["path"]))

    def _check_files(self, kept: set[str]) -> None:
        """Raise an error where files of an older version were removed."""
        from pyarrow.fs import FileType

        older = [path for path in self.files["path"] if path not in kept]
        found = filesystem(self.address, self.options).get_file_info(older) if older else []
        if gone := sum(info.type == FileType.NotFound for info in found):
            raise CaptureError(
                f"version {self.version} of {self.address} can't be read any more: {gone:,} of its {len(self.files):,} "
                "files were removed by vacuum, which keeps seven days of versions; load it without version="
            )

    @functools.cached_property
    def files(self) -> pd.DataFrame:
        """What Delta's log says of the files, by their date: `path`, `date`, `size_bytes`, `num_records`, ranges."""
        return _files(self._delta)

    @functools.cached_property
    def doubled(self) -> list[dt.date]:
        """The dates on which rows are there again; only files whose ranges overlap are looked into."""
        suspected = [day for day in self.dates if _overlap(self.files[self.files[PARTITION] == day])]
        if not suspected:
            return []
        sql = f"select distinct {PARTITION} from events group by {PARTITION}, {', '.join(KEY)} having count(*) > 1"
        with database(self._dataset(suspected)) as connection:
            return sorted(row[0] for row in connection.execute(sql).fetchall())

    @functools.cached_property
    def rows(self) -> Any:
        """The rows, each once, as `gateway_nb.events.sql.database` takes them."""
        if not self.doubled:
            return self._dataset(None)
        return Doubled(self._dataset(self.doubled, others=True), self._dataset(self.doubled), (PARTITION, *KEY))

    @property
    def dates(self) -> list[dt.date]:
        """The days on which rows were received, in order."""
        return sorted(self.files[PARTITION].unique())

    def parts(self) -> list[Part]:
        """Return in which parts to read it, so that each needs a bounded amount of memory."""
        parts: list[Part] = []
        whole = self.files[~self.files[PARTITION].isin(self.doubled)]
        together: list[File] = []
        held = 0
        for path, day, weight in zip(whole["path"], whole[PARTITION], whole["size_bytes"], strict=True):
            if weight > PART_BYTES:
                parts += [Part((File(path, day, group),)) for group in range(self._groups(path, day))]
                continue
            if held + weight > PART_BYTES:
                parts.append(Part(tuple(together)))
                together, held = [], 0
            together.append(File(path, day))
            held += weight
        if together:
            parts.append(Part(tuple(together)))
        for day in self.doubled:
            paths = self.files["path"][self.files[PARTITION] == day]
            parts.append(Part(tuple(File(path, day) for path in paths), doubled=True))
        return parts

    def _groups(self, path: str, day: dt.date) -> int:
        return int(next(_part_dataset(self.address, self.options, [File(path, day)]).get_fragments()).num_row_groups)

    def _dataset(self, dates: Sequence[dt.date] | None, *, others: bool = False) -> Any:
        """Return an Arrow dataset of the rows, of all or some dates, or of all others."""
        chosen = None if dates is None else [(PARTITION, "not in" if others else "in", [str(day) for day in dates])]
        return self._delta.to_pyarrow_dataset(
            filesystem=filesystem(self.address, self.options), file_pruning_predicate=chosen
        )


def batches(
    address: str, options: Mapping[str, str], part: Part, columns: Sequence[str], where: Any = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a part, in no order.

    Args:
        address: the lake's.
        options: how to reach its store.
        part: which.
        columns: their names.
        where: an Arrow expression that they fulfil.
    """
    dataset = _part_dataset(address, options, part.files)
    if not part.doubled:
        yield from dataset.scanner(columns=list(columns), filter=where, batch_size=_BATCH_ROWS, **_AHEAD).to_batches()
        return
    with database(dataset) as connection:
        once = connection.sql(f"select distinct on ({', '.join(KEY)}) * from events")
        for batch in once.to_arrow_reader(_BATCH_ROWS):
            table = pa.Table.from_batches([batch]).cast(SCHEMA)
            yield from (table if where is None else table.filter(where)).select(list(columns)).to_batches()


def _part_dataset(address: str, options: Mapping[str, str], files: Sequence[File]) -> Any:
    from pyarrow import dataset

    place, parquet = filesystem(address, options), dataset.ParquetFileFormat()
    fragments = []
    for path, day, group in files:
        is_of_day = dataset.field(PARTITION) == pa.scalar(day, pa.date32())
        fragment = parquet.make_fragment(path, filesystem=place, partition_expression=is_of_day)
        fragments.append(fragment if group is None else fragment.subset(row_group_ids=[group]))
    return dataset.FileSystemDataset(fragments, SCHEMA, parquet, place)


def filesystem(address: str, options: Mapping[str, str]) -> Any:
    """Return where a lake's files are, by paths below its address: a folder, or a store as delta-rs reads it."""
    from pyarrow import fs

    if "://" not in address:
        return fs.SubTreeFileSystem(address, fs.LocalFileSystem())
    from deltalake.fs import DeltaStorageHandler

    return fs.PyFileSystem(DeltaStorageHandler(address, dict(options)))


def _opened(address: str, options: Mapping[str, str], version: int | None = None) -> DeltaTable:
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError
    except ImportError:
        raise ImportError("a lake needs deltalake; run: pip install 'gateway-nb[fleet]'") from None
    try:
        return DeltaTable(address, version=version, storage_options=dict(options) or None)
    except TableNotFoundError:
        raise CaptureError(f"there is no lake {address}; fleet.capture({address!r}) makes one") from None
    except (DeltaError, OSError, OverflowError) as error:
        what = address if version is None else f"version {version} of {address}"
        reasons = [one_line(line) for line in str(error).splitlines() if line.strip()]
        raise CaptureError(f"{what} can't be read: {reasons[-1].removeprefix('↳').strip()}") from None


def _files(table: DeltaTable) -> pd.DataFrame:
    import pandas as pd

    adds = pa.table(table.get_add_actions(flatten=True)).to_pandas()
    adds = adds.rename(columns={f"partition.{PARTITION}": PARTITION})
    missing = [name for name in _RANGES if name not in adds]  # where no file has statistics
    files: pd.DataFrame = adds.assign(**dict.fromkeys(missing, pd.NA))
    return files.sort_values([PARTITION, "path"], ignore_index=True)


def _check_columns(table: DeltaTable, address: str) -> None:
    there = pa.schema(table.schema().to_arrow())
    for field in SCHEMA:
        if field.name not in there.names or there.field(field.name).type != field.type:
            raise CaptureError(
                f"{address} is a Delta table, but no lake of events: it has no column {field.name} of type {field.type}"
            )


def _overlap(files: pd.DataFrame) -> bool:
    """Return whether rows of one file of a day may be in another, going by the captures and lines they hold."""
    if len(files) < 2:
        return False
    if files[list(_RANGES)].isna().any(axis=None):
        return True
    single = files["min.capture"] == files["max.capture"]
    by_capture = files[single].sort_values("min.line").groupby("min.capture")
    until = by_capture["max.line"].transform(lambda lines: lines.cummax().shift())
    if (files["min.line"].reindex(until.index) <= until).any():
        return True
    return any(
        (
            (files["min.capture"] <= high)
            & (files["max.capture"] >= low)
            & (files["min.line"] <= last)
            & (files["max.line"] >= first)
        ).sum()
        > 1
        for low, high, first, last in files.loc[~single, list(_RANGES)].itertuples(index=False)
    )
