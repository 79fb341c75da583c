"""A lake as it lies in its store: its files, the parts in which they are read, and what is in them twice."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ...errors import CaptureError
from ...events.sql import Doubled, database
from .columns import PARTITION, SCHEMA
from .delta import Lake

if TYPE_CHECKING:
    import pandas as pd
    from deltalake import DeltaTable

KEY = ("capture", "epoch", "line")
"""What names a row: one that is there again is the same one."""
PART_BYTES = 64 * 1024 * 1024
_BATCH_ROWS = 65_536
_AHEAD = {"batch_readahead": 4, "fragment_readahead": 1}
"""What is read before it is asked for: Arrow's own 16 and 4 are a gigabyte."""
_NAMES = ("gateway", "capture", "line")
_RANGES = tuple(f"{end}.{name}" for name in _NAMES for end in ("min", "max"))


_NAMES_OF = {"gateway", "event", "kind", "capture"}
"""Columns of few values: read as they are packed, a query over them takes a third of the time."""


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
        lake: which.
        version: ``None`` for the newest.

    Raises:
        CaptureError: as for `Lake.open`; or files of that version are gone.

    Attributes:
        lake: which.
        version: the number.
    """

    def __init__(self, lake: Lake, version: int | None = None) -> None:
        self.lake = lake
        newest = lake.open()
        self._delta = newest if version in (None, newest.version()) else lake.open(version)
        self.version: int = self._delta.version()
        if self._delta is not newest:
            self._check_files(set(_files(newest)["path"]))

    def _check_files(self, kept: set[str]) -> None:
        """Raise an error where files of an older version were removed."""
        from pyarrow.fs import FileType

        older = [path for path in self.files["path"] if path not in kept]
        found = self._filesystem.get_file_info(older) if older else []
        if gone := sum(info.type == FileType.NotFound for info in found):
            raise CaptureError(
                f"version {self.version} of the lake {self.lake.place} can't be read any more: {gone:,} of its "
                f"{len(self.files):,} files were removed by vacuum, which keeps seven days of versions; "
                "load it without version="
            )

    @functools.cached_property
    def files(self) -> pd.DataFrame:
        """What Delta's log says of the files, by their date: `path`, `date`, `size_bytes`, `num_records`, ranges."""
        return _files(self._delta)

    @functools.cached_property
    def doubled(self) -> list[dt.date]:
        """The dates on which rows are there again; only files whose ranges overlap are looked into."""
        suspected = [day for day in self.dates if may_overlap(self.files[self.files[PARTITION] == day])]
        if not suspected:
            return []
        sql = f"select distinct {PARTITION} from events group by {PARTITION}, {', '.join(KEY)} having count(*) > 1"
        with database(self._rows_of(suspected)) as connection:
            return sorted(row[0] for row in connection.execute(sql).fetchall())

    @functools.cached_property
    def rows(self) -> Any:
        """The rows, each once, as `gateway_nb.events.sql.database` takes them."""
        if not self.doubled:
            return self._rows_of(None)
        return Doubled(self._rows_of(self.doubled, others=True), self._rows_of(self.doubled), (PARTITION, *KEY))

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
        return int(next(_dataset(self._filesystem, [File(path, day)]).get_fragments()).num_row_groups)

    @functools.cached_property
    def _filesystem(self) -> Any:
        return filesystem(self.lake)

    def _rows_of(self, dates: Sequence[dt.date] | None, *, others: bool = False) -> Any:
        """Return an Arrow dataset of the rows, of all or some dates, or of all others."""
        from pyarrow import dataset

        chosen = None if dates is None else [(PARTITION, "not in" if others else "in", [str(day) for day in dates])]
        return self._delta.to_pyarrow_dataset(
            filesystem=self._filesystem,
            file_pruning_predicate=chosen,
            parquet_read_options=dataset.ParquetReadOptions(dictionary_columns=_NAMES_OF),
        )


def batches(lake: Lake, part: Part, columns: Sequence[str], where: Any = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a part, in no order.

    Args:
        lake: of which it is.
        part: which.
        columns: their names.
        where: an Arrow expression that they fulfil.
    """
    dataset = _dataset(filesystem(lake), part.files)
    if not part.doubled:
        yield from dataset.scanner(columns=list(columns), filter=where, batch_size=_BATCH_ROWS, **_AHEAD).to_batches()
        return
    with database(dataset) as connection:
        once = connection.sql(f"select distinct on ({', '.join(KEY)}) * from events")
        for batch in once.to_arrow_reader(_BATCH_ROWS):
            table = pa.Table.from_batches([batch]).cast(SCHEMA)
            yield from (table if where is None else table.filter(where)).select(list(columns)).to_batches()


def _dataset(place: Any, files: Sequence[File]) -> Any:
    from pyarrow import dataset

    parquet, fragments = dataset.ParquetFileFormat(), []
    for path, day, group in files:
        is_of_day = dataset.field(PARTITION) == pa.scalar(day, pa.date32())
        fragment = parquet.make_fragment(path, filesystem=place, partition_expression=is_of_day)
        fragments.append(fragment if group is None else fragment.subset(row_group_ids=[group]))
    return dataset.FileSystemDataset(fragments, SCHEMA, parquet, place)


def filesystem(lake: Lake) -> Any:
    """Return where a lake's files are, by paths below its place: a folder, or a store as delta-rs reads it."""
    from pyarrow import fs

    if lake.folder is not None:
        return fs.SubTreeFileSystem(str(lake.folder), fs.LocalFileSystem())
    from deltalake.fs import DeltaStorageHandler

    return fs.PyFileSystem(DeltaStorageHandler(lake.place, lake.storage()))


def _files(table: DeltaTable) -> pd.DataFrame:
    import pandas as pd

    adds = pa.table(table.get_add_actions(flatten=True)).to_pandas()
    adds = adds.rename(columns={f"partition.{PARTITION}": PARTITION})
    missing = [name for name in _RANGES if name not in adds]  # where no file has statistics
    files: pd.DataFrame = adds.assign(**dict.fromkeys(missing, pd.NA))
    return files.sort_values([PARTITION, "path"], ignore_index=True)


def may_overlap(files: pd.DataFrame) -> bool:
    """Return whether a row of one file of a day may be in another, going by the ranges that Delta's log tells.

    Args:
        files: the smallest and the largest gateway, capture and line of each, as ``min.gateway``.
    """
    if len(files) < 2:
        return False
    if files[list(_RANGES)].isna().any(axis=None):
        return True
    single = files["min.capture"] == files["max.capture"]
    by_capture = files[single].sort_values("min.line").groupby("min.capture")
    until = by_capture["max.line"].transform(lambda lines: lines.cummax().shift())
    if (files["min.line"].reindex(until.index) <= until).any():
        return True
    # Files of several captures are what compaction writes: few.
    for _, file in files[~single].iterrows():
        within = (
            files[f"min.{name}"].le(file[f"max.{name}"]) & files[f"max.{name}"].ge(file[f"min.{name}"])
            for name in _NAMES
        )
        beside = functools.reduce(operator.and_, within)
        if beside.sum() > 1:
            return True
    return False
