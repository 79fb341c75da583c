"""Runs and traces of a lake of any size: read in parts, shuffled by what belongs together, and joined, here or on Dask.

Of each part only what tells of runs is kept, with the pieces of an answer as one row. What is of one run, or of one
gateway, comes to one place, in the order in which it was received: so the answer is the same wherever it is made.
"""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from ...events.rows import SCHEMA as EVENTS
from ...events.runs import RUN_EVENTS, condensed
from .delta import Lake
from .table import PART_BYTES, LakeTable, Part, batches

if TYPE_CHECKING:
    import distributed

_ORDER = ("gateway", "time", "capture", "line")
_READ = ("gateway", "time", "event", "kind", "payload", "capture", "line")
_KEPT = pa.schema(
    {
        "gateway": pa.string(),
        "time": pa.int64(),
        "event": pa.string(),
        "kind": pa.string(),
        "payload": pa.string(),
        "capture": pa.string(),
        "line": pa.int64(),
        "run": pa.string(),
        "session": pa.string(),
        "is_piece": pa.bool_(),
        "count": pa.int64(),
    }
)
_Result = TypeVar("_Result")


def shuffled(
    table: LakeTable,
    client: distributed.Client | None,
    by: Sequence[str],
    joined: Callable[[pa.Table], _Result],
) -> list[_Result]:
    """Return what is made of the events of runs in a lake, of each share of them.

    Args:
        table: the lake.
        client: of a Dask cluster that does it; ``None``: this process.
        by: ``gateway``, or ``gateway`` and ``run``: rows that are equal in these are in the same share. By gateway
            the marks are among them, too; those of no gateway are in each share.
        joined: makes the result of a share's rows, in their order; with ``row``, their place.
    """
    parts = table.parts()
    weight = int(table.files["size_bytes"].sum())
    count = -(-weight // PART_BYTES) or 1
    if client is not None:
        count = max(count, 2 * sum(client.nthreads().values()))
    join = partial(_joined, joined)
    if client is None:
        read = partial(_shares, table.lake, by=tuple(by), count=count)
        with tempfile.TemporaryDirectory(prefix="gateway-nb-") as folder:
            return [join([share]) for share in _on_disk(map(read, parts), Path(folder), count)]
    read = partial(_shares_there, table.lake.place, table.lake.portable(), by=tuple(by), count=count)
    return _on_dask(client, read, join, parts, count)


def _on_dask(
    client: distributed.Client,
    read: Callable[[Part], list[pa.Table]],
    join: Callable[[Sequence[pa.Table]], _Result],
    parts: Sequence[Part],
    count: int,
) -> list[_Result]:
    from dask.delayed import delayed

    reading = delayed(read, nout=count, pure=False)
    columns = [list(reading(part)) for part in parts]
    shares = [delayed(join, pure=False)([column[number] for column in columns]) for number in range(count)]
    return list(client.gather(client.compute(shares)))


def _on_disk(read: Iterable[list[pa.Table]], folder: Path, count: int) -> Iterator[pa.Table]:
    """Yield the shares of all parts, of which one at a time is in memory."""
    paths = [folder / f"{number}.arrow" for number in range(count)]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(pa.ipc.new_stream(path, _KEPT)) for path in map(str, paths)]
        for shares in read:
            for file, share in zip(files, shares, strict=True):
                file.write_table(share)
    for path in paths:
        with pa.ipc.open_stream(str(path)) as reader:
            yield reader.read_all()
        path.unlink()


def _shares_there(
    place: str, options: Mapping[str, str], part: Part, *, by: tuple[str, ...], count: int
) -> list[pa.Table]:
    """Do `_shares` on a worker, with the secrets of its own environment."""
    return _shares(Lake(place, options), part, by=by, count=count)


def _shares(lake: Lake, part: Part, *, by: tuple[str, ...], count: int) -> list[pa.Table]:
    """Return what is kept of a part, one table for each share."""
    from pyarrow import dataset

    event, with_marks = dataset.field("event"), "run" not in by
    where = event.isin(RUN_EVENTS) | event.is_null() if with_marks else event.isin(RUN_EVENTS)
    kept = [_kept(batch) for batch in batches(lake, part, _READ, where)]
    table = pa.concat_tables([_KEPT.empty_table(), *kept])
    if count == 1:
        return [table]
    numbers = _numbers(table, by, count)
    everywhere = np.asarray(table["gateway"].is_null())
    return [table.filter(pa.array((numbers == number) | everywhere)) for number in range(count)]


def _numbers(table: pa.Table, by: tuple[str, ...], count: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Return the number of each row's share: the same in every process, as Python's own hash is not."""
    numbers = np.zeros(table.num_rows, "uint32")
    for name in by:
        column = table[name].combine_chunks().dictionary_encode()
        hashes = [zlib.crc32((text or "").encode()) for text in column.dictionary.to_pylist()]
        found = np.array([*hashes, 0], "uint32")[column.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        numbers = numbers * np.uint32(31) + found
    return numbers % np.uint32(count)


def _kept(batch: pa.RecordBatch) -> pa.Table:
    """Return what tells of runs in a batch, and its marks."""
    table = pa.Table.from_batches([batch])
    for name in ("time", "event", "kind"):
        table = table.set_column(table.schema.names.index(name), name, table[name].cast(EVENTS.field(name).type))
    found = condensed(table)
    place = table.select(["capture", "line"]).take(found["row"])
    found = found.append_column("capture", place["capture"]).append_column("line", place["line"])
    marks = table.filter(table["event"].is_null())
    marks = marks.set_column(table.schema.names.index("time"), "time", marks["time"].cast(pa.int64()))
    return pa.concat_tables([_as_kept(found), _as_kept(marks)])


def _as_kept(table: pa.Table) -> pa.Table:
    columns = {name: table[name] for name in table.schema.names}
    columns.setdefault("is_piece", pa.nulls(table.num_rows, pa.bool_()))
    columns.setdefault("count", pa.array(np.ones(table.num_rows, "int64")))
    empty = pa.nulls(table.num_rows, pa.string())
    return pa.table([columns.get(name, empty) for name in _KEPT.names], names=_KEPT.names).cast(_KEPT)


def _joined(make: Callable[[pa.Table], _Result], shares: Sequence[pa.Table]) -> _Result:
    """Make a result of the parts of a share: in order, and with the pieces of an answer as one row."""
    table = pa.concat_tables(shares).sort_by([(name, "ascending") for name in _ORDER])
    table = table.append_column("row", pa.array(np.arange(table.num_rows)))
    pieces = table.filter(table["is_piece"].fill_null(False)).select(["gateway", "run", "session", "count", "row"])
    firsts = pieces.group_by(["gateway", "run", "session"]).aggregate([("row", "min"), ("count", "sum")])
    counts = table["count"].to_numpy().copy()
    counts[pieces["row"].to_numpy()] = 0
    counts[firsts["row_min"].to_numpy()] = firsts["count_sum"].to_numpy()
    table = table.set_column(table.schema.names.index("count"), "count", pa.array(counts))
    return make(table.filter(pa.array(counts > 0)))
