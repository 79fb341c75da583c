"""Which rows of a log a query shows, found piece by piece. Pure."""

from __future__ import annotations

import bisect
import time
from collections import deque
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from ....events.paths import decoded, value_at
from ..row_ids import LogRows, Numbers, Segment
from .query import FilterError, Query, steps

LARGEST_SORT = 200_000
"""Rows beyond which they are not sorted by a field of their payloads: each has to be decoded."""
_PIECE = 65_536


class Matches:
    """The rows that a query shows, found piece by piece, by positions that stay the same while rows give way.

    Args:
        query: which rows, in which order.
        log: the log's rows. With a sort, those it holds now, and no later ones.

    Attributes:
        query: the query.
        end: position after that of the last row found.
        until: id after that of the last row that is read, or ``None`` where it goes on with the log.
    """

    def __init__(self, query: Query, log: LogRows) -> None:
        self.query = query
        self.end = 0
        self._log = log
        self._seen = self._start = log.first
        self.until = log.end if query.sort else None
        self._found: deque[Numbers] = deque()
        self._keys: list[Any] = []
        self._order: Numbers | None = None
        self._by_column = query.sort in log.columns

    @property
    def first(self) -> int:
        """Position of the first row that is still there."""
        if self._order is not None:
            return 0
        while self._found and self._found[0][-1] < self._log.first:
            self._found.popleft()
        left = sum(map(len, self._found))
        return self.end - left + (int(np.searchsorted(self._found[0], self._log.first)) if self._found else 0)

    def forget(self) -> bool:
        """Leave out of a sorted order the rows that were dropped; return whether positions changed."""
        if self._order is None or not len(self._order) or self._order.min() >= self._log.first:
            return False
        self._order = self._order[self._order >= self._log.first]
        self.end = len(self._order)
        return True

    @property
    def complete(self) -> bool:
        """Whether every row was read, and sorted."""
        return self._seen >= self._last and (not self.query.sort or self._order is not None)

    @property
    def _last(self) -> int:
        return self._log.end if self.until is None else self.until

    @property
    def progress(self) -> float:
        """The part of the rows that was read, from 0 to 1."""
        return (self._seen - self._start) / max(self._last - self._start, 1)

    def advance(self, seconds: float) -> bool:
        """Read rows that were not read yet, for about so long; return whether that was all of them.

        Raises:
            FilterError: there are too many rows to sort by a field of their payloads.
        """
        until = time.perf_counter() + seconds
        self._seen = max(self._seen, self._log.first)
        firsts = [segment.first for segment in self._log.segments]
        while self._seen < self._last:
            segment = self._log.segments[bisect.bisect_right(firsts, self._seen) - 1]
            self._read(segment, min(segment.end, self._last))
            if time.perf_counter() >= until and self._seen < self._last:
                return False
        if self.query.sort and self._order is None:
            self._sort()
        return True

    def _read(self, segment: Segment, stop: int) -> None:
        start, self._seen = self._seen, stop
        if self.query.is_all and not self.query.sort:
            ids = np.arange(start, stop)
        else:
            rows = segment.rows(start - segment.first, stop - segment.first)
            mask = self.query.mask(rows)
            ids = np.flatnonzero(mask) + start
            if self.query.sort:
                self._keys += _keys(rows.filter(mask), self.query.sort, self._by_column)
                if not self._by_column and len(self._keys) > LARGEST_SORT:
                    raise FilterError(
                        f"more than {LARGEST_SORT:,} rows can't be sorted by a payload's field; filter them first"
                    )
        if not len(ids):
            return
        self.end += len(ids)
        if self._found and len(self._found[-1]) + len(ids) <= _PIECE:
            ids = np.concatenate([self._found.pop(), ids])
        self._found.append(ids)

    def _sort(self) -> None:
        ids = np.concatenate([np.zeros(0, "int64"), *self._found])
        keys, self._keys = self._keys, []
        if self._by_column:
            order = "descending" if self.query.descending else "ascending"
            ranks = compute.array_sort_indices(pa.chunked_array(keys), order=order).to_numpy() if keys else []
            self._order = ids[ranks]
        else:
            self._order = ids[sorted(range(len(ids)), key=keys.__getitem__, reverse=self.query.descending)]

    def ids(self, start: int, stop: int) -> Numbers:
        """Return the ids of the rows at these positions."""
        first = self.first
        start, stop = max(start, first), min(stop, self.end)
        if stop <= start or (self.query.sort and self._order is None):
            return np.zeros(0, "int64")
        if self._order is not None:
            return self._order[start:stop]
        parts = []
        at = self.end - sum(map(len, self._found))
        for piece in self._found:
            if at + len(piece) > start:
                parts.append(piece[max(start - at, 0) : stop - at])
            at += len(piece)
            if at >= stop:
                break
        return np.concatenate(parts)


def _keys(table: pa.Table, sort: str, by_column: bool) -> list[Any]:
    """Return what to sort by: columns, or a key per row where it is a field of the payloads."""
    if by_column:
        column = table.column(sort).cast(pa.string()) if sort == "gateway" else table.column(sort)
        if sort == "event":
            column = compute.coalesce(column.cast(pa.string()), table.column("kind").cast(pa.string()))
        return list(column.chunks)
    path = steps(sort)
    return [_key(value_at(decoded(text), path)) for text in table.column("payload").to_pylist()]


def _key(value: Any) -> tuple[int, Any]:
    """Numbers before texts, and what is missing last."""
    if isinstance(value, (int, float)):
        return 0, value
    if value is None:
        return 2, 0
    return 1, value if isinstance(value, str) else repr(value)
