"""Rows of a log that grows and gives way, which of them a query shows, and what a browser is told of them. Pure."""

from __future__ import annotations

import bisect
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd  # noqa: F401 - pyarrow would import it in the middle of the first window
import pyarrow as pa
import pyarrow.compute as compute

from ....client.redaction.redactor import Redactor
from ....events.paths import decoded, value_at
from ....events.rows import EMPTY, Row, table_of
from .query import SORTS, FilterError, Query, steps

Numbers = npt.NDArray[np.int64]

PREVIEW_BYTES = 160
_PREVIEW_NAME = 120
_PREVIEW_CELL = 80
_WORDS = {"start": "● connected", "stop": "○ closed", "reconnect": "↻ reconnected"}
LARGEST_SORT = 200_000
"""Rows beyond which they are not sorted by a field of their payloads: each has to be decoded."""
_PIECE = 65_536


class Segment:
    """A chunk of the log, or the rows that are in no chunk yet.

    Attributes:
        first: id of its first row; ids count the rows since the table was made, and never change.
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
        """Count what was not counted yet; return how many more there are of each name, markers by their kind."""
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
        counts: rows by event name, markers by their kind.
    """

    def __init__(self) -> None:
        self.segments: list[Segment] = [Segment(0)]
        self.counts: Counter[str] = Counter()

    @property
    def first(self) -> int:
        """Id of the oldest row, which is also the number of rows that gave way."""
        return self.segments[0].first

    @property
    def end(self) -> int:
        """Id after that of the newest row."""
        return self.segments[-1].end

    def follow(self, chunks: Sequence[pa.Table], tail: Sequence[Row]) -> None:
        """Take note of what the log holds now.

        Args:
            chunks: its sealed chunks.
            tail: the rows after them.
        """
        sealed = self.segments[:-1]
        kept = next((at for at, one in enumerate(sealed) if chunks and one.table is chunks[0]), len(sealed))
        self._forget(sealed[:kept])
        known = len(self.segments) - 1
        growing = self.segments[-1]
        if not _goes_on(growing, chunks[known] if len(chunks) > known else None, tail):
            self._forget(self.segments[:])
            known = 0
        for chunk in chunks[known:]:
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
        """Return rows by their ids, in that order, without those that gave way.

        Returns:
            The ids that are there, and their rows.
        """
        ids = ids[(ids >= self.first) & (ids < self.end)]
        firsts = [segment.first for segment in self.segments]
        places = np.searchsorted(firsts, ids, side="right") - 1
        parts, order = [EMPTY], []
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


def _goes_on(growing: Segment, chunk: pa.Table | None, tail: Sequence[Row]) -> bool:
    """Return whether the rows that were in no chunk yet are where they should be: a cleared log starts anew."""
    if not len(growing):
        return True
    if chunk is None:
        return len(tail) >= len(growing) and tail[0] is growing.tail[0]
    first = table_of(growing.tail[:1]).column("time")[0]
    return chunk.num_rows >= len(growing) and bool(chunk.column("time")[0] == first)


class Matches:
    """The rows that a query shows, found piece by piece, by positions that stay the same while rows give way.

    Args:
        query: which rows, in which order.
        log: the log's rows. With a sort, those it holds now, and no later ones.

    Attributes:
        query: the query.
        end: position after that of the last row found.
        until: id after that of the last row that is looked at, or ``None`` where it goes on with the log.
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
        """Leave out of a sorted order the rows that gave way; return whether the others have other positions now."""
        if self._order is None or not len(self._order) or self._order.min() >= self._log.first:
            return False
        self._order = self._order[self._order >= self._log.first]
        self.end = len(self._order)
        return True

    @property
    def complete(self) -> bool:
        """Whether every row was looked at, and sorted."""
        return self._seen >= self._last and (not self.query.sort or self._order is not None)

    @property
    def _last(self) -> int:
        return self._log.end if self.until is None else self.until

    @property
    def progress(self) -> float:
        """The part of the rows that was looked at, from 0 to 1."""
        return (self._seen - self._start) / max(self._last - self._start, 1)

    def advance(self, seconds: float) -> bool:
        """Look at rows that were not looked at yet, for about so long; return whether that was all of them.

        Raises:
            FilterError: there are too many rows to sort by a field of their payloads.
        """
        until = time.perf_counter() + seconds
        self._seen = max(self._seen, self._log.first)
        firsts = [segment.first for segment in self._log.segments]
        while self._seen < self._last:
            segment = self._log.segments[bisect.bisect_right(firsts, self._seen) - 1]
            self._look(segment, min(segment.end, self._last))
            if time.perf_counter() >= until and self._seen < self._last:
                return False
        if self.query.sort and self._order is None:
            self._sort()
        return True

    def _look(self, segment: Segment, stop: int) -> None:
        start, self._seen = self._seen, stop
        if self.query.is_all and not self.query.sort:
            ids = np.arange(start, stop)
        else:
            rows = segment.rows(start - segment.first, stop - segment.first)
            mask = self.query.mask(rows)
            ids = np.flatnonzero(mask) + start
            if self.query.sort:
                self._keys += _keys(rows.filter(mask), self.query.sort)
                if self.query.sort not in SORTS and len(self._keys) > LARGEST_SORT:
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
        if self.query.sort in SORTS:
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


def _keys(table: pa.Table, sort: str) -> list[Any]:
    """Return what to sort by: columns, or a key per row where it is a field of the payloads."""
    if sort in SORTS:
        column = table.column(sort)
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


def told(positions: int, ids: Numbers, table: pa.Table, paths: Sequence[str], redactor: Redactor) -> dict[str, Any]:
    """Return what a browser is told of rows: columns, with payloads cut short, without secrets.

    Args:
        positions: position of the first of them.
        ids: their ids.
        table: the rows.
        paths: columns out of the payloads.
        redactor: what knows the secrets.

    Returns:
        Lists of equal length: `ids`, `t` (microseconds since 1970), `seq`, `epoch`, `name`, `kind`, `text` (the first
        160 bytes of the payload, or what a marker means), `size` (bytes of the payload); `cells` has a list per path.
    """
    payload = table.column("payload")
    columns = [steps(path) for path in paths]
    payloads = [decoded(text) for text in payload.to_pylist()] if columns else []
    kinds = [kind or "" for kind in _names(table.column("kind").to_pylist(), redactor)]
    starts = compute.utf8_slice_codeunits(payload, 0, PREVIEW_BYTES + redactor.overlap + 1).to_pylist()
    texts = [_cut(text) for text in redactor.starts(starts, PREVIEW_BYTES, json=True)]
    return {
        "at": positions,
        "ids": ids.tolist(),
        "t": (table.column("time").cast(pa.int64()).to_numpy() // 1000).tolist(),
        "seq": table.column("seq").to_pylist(),
        "epoch": table.column("epoch").to_pylist(),
        "name": _names(table.column("event").to_pylist(), redactor),
        "kind": kinds,
        "text": [text if kind == "event" else marker(kind, text) for kind, text in zip(kinds, texts, strict=True)],
        "size": compute.binary_length(payload).to_pylist(),
        "cells": [_cells([value_at(value, path) for value in payloads], redactor) for path in columns],
    }


def _names(names: list[str | None], redactor: Redactor) -> list[str | None]:
    texts = iter(redactor.starts([name for name in names if name is not None], _PREVIEW_NAME))
    return [None if name is None else next(texts)[:_PREVIEW_NAME] for name in names]


def _cells(values: list[Any], redactor: Redactor) -> list[str]:
    texts = ["" if value is None else value if isinstance(value, str) else str(value) for value in values]
    return [text[:_PREVIEW_CELL] for text in redactor.starts(texts, _PREVIEW_CELL)]


def marker(kind: str, text: str) -> str:
    """Return what a row between the events means, in words.

    Args:
        kind: ``gap``, ``reconnect``, ...
        text: its detail, as JSON.
    """
    detail = decoded(text)
    if isinstance(detail, dict) and all(isinstance(detail.get(name), int) for name in ("expected", "received")):
        expected, received = detail["expected"], detail["received"]
        if kind == "gap":
            return f"▲ gap: {received - expected:,} events are missing (expected {expected}, received {received})"
        if kind == "jump":
            return f"▲ jump: event {received} came where {expected} was due"
    return _WORDS.get(kind) or f"● {kind[:_PREVIEW_NAME]} {text}"


def _cut(text: str) -> str:
    data = text.encode()
    return text if len(data) <= PREVIEW_BYTES else data[:PREVIEW_BYTES].decode(errors="ignore")
