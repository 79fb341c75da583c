"""Rows of a log that grows and gives way, by ids that stay the same. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd  # noqa: F401 - pyarrow would import it in the middle of the first window
import pyarrow as pa
import pyarrow.compute as compute

from ...events.log import CHUNK_ROWS, MAX_ROWS
from ...events.rows import EMPTY, Row, table_of
from ...fleets.events import EMPTY_OF_FLEET, GATEWAY

Numbers = npt.NDArray[np.int64]


class Segment:
    """A chunk of the log, or the rows that are in no chunk yet.

    Attributes:
        first: id of its first row; ids count the rows since the log was first read, and never change.
        table: the chunk, or ``None``.
        tail: the rows, where there is no chunk yet.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.table: pa.Table | None = None
        self.tail: Sequence[Row] = ()
        self.counts: Counter[str] = Counter()
        self._counted = 0

    def __len__(self) -> int:
        return len(self.tail) if self.table is None else int(self.table.num_rows)

    @property
    def end(self) -> int:
        """Id after that of its last row."""
        return self.first + len(self)

    def rows(self, start: int, stop: int) -> pa.Table:
        """Return some of its rows, counted from its own first."""
        return table_of(self.tail[start:stop]) if self.table is None else self.table.slice(start, stop - start)

    def take(self, offsets: Numbers) -> pa.Table:
        """Return rows in the order asked for, counted from its own first."""
        if self.table is None:
            return table_of([self.tail[offset] for offset in offsets])
        return self.table.take(offsets)

    def count(self) -> Counter[str]:
        """Count what was not counted yet; return how many more there are of each name, marks by their kind."""
        new = self.rows(self._counted, len(self))
        self._counted = len(self)
        more: Counter[str] = Counter()
        if new.num_rows:
            named = compute.coalesce(new.column("event").cast(pa.string()), new.column("kind").cast(pa.string()))
            for entry in named.value_counts().to_pylist():
                more[entry["values"]] = entry["counts"]
        self.counts += more
        return more


class LogRows:
    """The rows of a log by ids that stay the same while the log grows and its oldest rows give way.

    Attributes:
        segments: its parts, oldest first; the last is the one that grows.
        counts: rows by event name, marks by their kind.
        columns: that rows can be sorted by.
    """

    columns: tuple[str, ...] = ("time", "seq", "epoch", "event")
    _empty = EMPTY

    def __init__(self) -> None:
        self.segments: list[Segment] = [Segment(0)]
        self.counts: Counter[str] = Counter()

    @property
    def first(self) -> int:
        """Id of the oldest row, which is also the number of rows that were dropped."""
        return self.segments[0].first

    @property
    def end(self) -> int:
        """Id after that of the newest row."""
        return self.segments[-1].end

    def follow(self, chunks: Sequence[pa.Table], tail: Sequence[Row]) -> None:
        """Take note of what the log holds now: its sealed chunks, and the rows after them."""
        sealed = self.segments[:-1]
        kept = next((at for at, segment in enumerate(sealed) if chunks and segment.table is chunks[0]), len(sealed))
        self._forget(sealed[:kept])
        held = len(self.segments) - 1
        growing = self.segments[-1]
        if not _goes_on(growing, chunks[held] if len(chunks) > held else None, tail):
            self._forget(self.segments[:])
            held = 0
        for chunk in chunks[held:]:
            last = self.segments[-1]
            last.table, last.tail = chunk, ()
            self.counts += last.count()
            self.segments.append(Segment(last.end))
        self.segments[-1].tail = tail
        self.counts += self.segments[-1].count()

    def _forget(self, segments: list[Segment]) -> None:
        for segment in segments:
            self.counts -= segment.counts
        end = self.end
        self.segments = self.segments[len(segments) :] or [Segment(end)]

    def take(self, ids: Numbers) -> tuple[Numbers, pa.Table]:
        """Return rows by their ids, in that order, without those that were dropped.

        Returns:
            The ids that are there, and their rows.
        """
        ids = ids[(ids >= self.first) & (ids < self.end)]
        firsts = [segment.first for segment in self.segments]
        places = np.searchsorted(firsts, ids, side="right") - 1
        parts, order = [self._empty], []
        for place in np.unique(places):
            at = np.flatnonzero(places == place)
            order.append(at)
            parts.append(self.segments[place].take(ids[at] - firsts[place]))
        table = pa.concat_tables(parts).unify_dictionaries()
        if len(order) > 1:
            table = table.take(np.argsort(np.concatenate(order), kind="stable"))
        return ids, table

    def rates(self, now: float, seconds: int = 60) -> list[int]:
        """Return the rows received in each of the last seconds, oldest first."""
        found = np.zeros(seconds, "int64")
        for segment in reversed(self.segments):
            times = segment.rows(0, len(segment)).column("time").cast(pa.int64()).to_numpy() / 1e9
            ages = np.floor(now - times).astype("int64")
            recent = ages[(ages >= 0) & (ages < seconds)]
            found += np.bincount(recent, minlength=seconds)
            if len(times) and not len(recent):
                break
        return [int(count) for count in found[::-1]]


class FleetRows(LogRows):
    """Rows of many logs, in the order in which they were read; the oldest give way to newer ones.

    Args:
        max_rows: that are held.
    """

    columns = (GATEWAY, *LogRows.columns)
    _empty = EMPTY_OF_FLEET

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        super().__init__()
        self._max_rows = max_rows

    def extend(self, rows: pa.Table) -> None:
        """Add rows with the column ``gateway``."""
        if not rows.num_rows:
            return
        last = self.segments[-1]
        last.table = rows if last.table is None else pa.concat_tables([last.table, rows]).unify_dictionaries()
        self.counts += last.count()
        if len(last) >= CHUNK_ROWS:
            last.table = last.table.combine_chunks()
            self.segments.append(Segment(last.end))
        while len(self.segments) > 1 and self.end - self.first > self._max_rows:
            self._forget(self.segments[:1])


def _goes_on(growing: Segment, chunk: pa.Table | None, tail: Sequence[Row]) -> bool:
    """Return whether the rows that were in no chunk yet are where they should be: a cleared log starts anew."""
    if not len(growing):
        return True
    if chunk is None:
        return len(tail) >= len(growing) and tail[0] is growing.tail[0]
    first = table_of(growing.tail[:1]).column("time")[0]
    return chunk.num_rows >= len(growing) and bool(chunk.column("time")[0] == first)
