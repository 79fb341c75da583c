"""The event log: what arrived, in memory, as Arrow chunks, bounded.

Only the loop thread appends; any thread reads, at any time, without stopping it.
"""

from __future__ import annotations

import contextlib
import html
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa

from ..client.event import Event
from ..client.redaction.redactor import Redactor
from ..errors import printable
from ..protocol.frames import encode
from .frame import FrameBuilder
from .payloads import PayloadReader, Steps
from .rows import EMPTY, PLAIN, Mark, Row, frame_of, joined, redacted, table_of
from .runs import RunReader
from .view import EventView

if TYPE_CHECKING:
    import pandas as pd

    from .traces.trace import Trace

CHUNK_ROWS = 8192
_CHUNK_BYTES = 32 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_BYTES = 512 * 1024 * 1024
_CHUNKS = 8  # at least, of what a log may hold: rows are dropped by chunks
_SHOWN_ROWS = 5
_SHOWN_NAMES = 6
_SHOWN_TEXT = 120


@dataclass(frozen=True, slots=True)
class LogStats:
    """What a log holds.

    Attributes:
        rows: rows now, marks included.
        bytes: of the sealed chunks in memory.
        dropped: rows dropped for newer ones.
        events: rows by event name.
    """

    rows: int
    bytes: int
    dropped: int
    events: dict[str, int]


class Place(NamedTuple):
    """Where a reader of a log has come to.

    Attributes:
        clearings: how often the log had been cleared by then.
        rows: that the log had held by then since it was cleared, dropped ones included.
    """

    clearings: int = 0
    rows: int = 0


class _State(NamedTuple):
    chunks: tuple[pa.Table, ...]
    tail: list[Row]
    dropped: int


def _content(row: Row) -> tuple[str, str | None, bytes]:
    return row.kind, row.event, bytes(row.raw)


class EventLog(EventView):
    """Events in the order in which they came, with marks where some are missing.

    Args:
        max_rows: the oldest rows are dropped beyond this many.
        max_bytes: and beyond this many bytes.
        redactor: takes the secrets out of what is shown; the data itself is the gateway's, unchanged.

    Example:
        >>> counts = gw.events.df.groupby("event").size()
    """

    def __init__(
        self, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES, *, redactor: Redactor | None = None
    ) -> None:
        self.redactor = redactor or Redactor()
        self._max_rows, self._chunk_rows = max_rows, CHUNK_ROWS
        self._max_bytes, self._chunk_bytes = max_bytes, _CHUNK_BYTES
        # One attribute, replaced as a whole: a reader always sees what belongs together.
        self._state = _State((), [], 0)
        self._clearings = 0
        self._sealing = threading.Lock()
        self._framing = threading.Lock()
        self._tail_bytes = self._builder_start = self._runs_start = 0
        self._builder = FrameBuilder()
        self._payloads = PayloadReader()
        self._reading_runs = threading.Lock()
        self._runs = RunReader()

    def limit(self, max_rows: int, max_bytes: int) -> None:
        """Keep no more than this from now on: one log of many has a part of the memory.

        It packs its rows in small chunks, since what is not packed yet takes several times the memory.
        """
        self._max_rows, self._chunk_rows = max_rows, min(CHUNK_ROWS, max(max_rows // _CHUNKS, 1))
        self._max_bytes, self._chunk_bytes = max_bytes, min(_CHUNK_BYTES, max_bytes // _CHUNKS)

    # Written by the loop thread

    def extend(self, events: list[Event]) -> None:
        """Keep events."""
        tail = self._state.tail
        tail += events
        self._tail_bytes += sum([len(event.raw) for event in events])
        if len(tail) >= self._chunk_rows or self._tail_bytes >= self._chunk_bytes:
            self._seal()

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Keep a note between the events: ``gap``, ``reconnect``, ... with its detail as the payload."""
        self._state.tail.append(Mark(kind, time.time(), epoch, msgspec.Raw(encode(detail))))

    def join(self, newer: EventLog) -> None:
        """Append the rows of a log to which nothing is written any more; an event that came to both is kept once.

        Args:
            newer: of a connection that was made while this log's was still open.
        """
        chunks, tail, dropped = self._state
        later, rows, _ = newer._state
        both = Counter(_content(row) for row in tail if rows and row.received >= rows[0].received)
        kept = []
        for row in rows:  # not the chunks: no connection receives that many in the moment between the two
            if both[content := _content(row)]:
                both[content] -= 1
            else:
                kept.append(row)
        with self._sealing:
            self._state = _State((*chunks, table_of(tail), *later), kept, dropped)
            self._tail_bytes = newer._tail_bytes

    def _seal(self) -> None:
        with self._sealing:
            self._tail_bytes = 0
            chunks, tail, dropped = self._state
            chunks = (*chunks, table_of(tail))
            rows = sum(chunk.num_rows for chunk in chunks)
            size = sum(chunk.nbytes for chunk in chunks)
            while len(chunks) > 1 and (rows > self._max_rows or size > self._max_bytes):
                rows -= chunks[0].num_rows
                size -= chunks[0].nbytes
                dropped += chunks[0].num_rows
                chunks = chunks[1:]
            self._state = _State(chunks, [], dropped)

    # Read by anybody

    def __len__(self) -> int:
        chunks, tail, _ = self._state
        return len(tail) + sum(int(chunk.num_rows) for chunk in chunks)

    def pieces(self) -> tuple[tuple[pa.Table, ...], list[Row]]:
        """Return a snapshot as it lies in memory: the sealed chunks, and the rows after them."""
        chunks, tail, _ = self._state
        return chunks, tail[:]

    @property
    def dropped(self) -> int:
        """Rows dropped for newer ones."""
        return self._state.dropped

    def to_arrow(self) -> pa.Table:
        """Return a snapshot as an Arrow table: time, epoch, seq, event, kind, payload."""
        chunks, tail = self.pieces()
        return joined([*chunks, table_of(tail)])

    def since(self, place: Place) -> tuple[pa.Table, int, Place]:
        """Return what came since another read.

        Args:
            place: what that one returned; ``Place()`` for the beginning.

        Returns:
            The rows, as `to_arrow` returns them; how many more there were that are dropped by now; and the new place.
        """
        clearings, (chunks, tail, dropped) = self._clearings, self._state
        tail = tail[:]
        seen = place.rows if place.clearings == clearings else 0
        end = dropped + sum(chunk.num_rows for chunk in chunks) + len(tail)
        parts, first = [], dropped
        for chunk in chunks:
            if first + chunk.num_rows > seen:
                parts.append(chunk.slice(max(seen - first, 0)))
            first += chunk.num_rows
        parts.append(table_of(tail[max(seen - first, 0) :]))
        return joined(parts), max(dropped - seen, 0), Place(clearings, end)

    @property
    def df(self) -> pd.DataFrame:
        """A snapshot as a DataFrame; the next one costs what came since.

        Columns: `time` (datetime64[ns, UTC], local clock), `epoch` (int32, connection number), `seq` (Int64),
        `event` (category, null for a mark), `kind` (category: event, or a mark between events: start, gap, jump,
        reconnect or stop), `payload` (string, raw JSON).
        """
        return self._snapshot()[0]

    def _snapshot(self) -> tuple[pd.DataFrame, tuple[pa.Table, ...], list[Row]]:
        """Return the frame, and the rows it is made of."""
        with self._framing:
            chunks, tail, dropped = self._state
            tail = tail[:]
            if self._builder_start != dropped:
                self._builder, self._builder_start = FrameBuilder(), dropped  # the oldest rows were dropped: begin anew
            seen_of_tail = self._builder.rows - sum(chunk.num_rows for chunk in chunks)
            self._builder.extend(pa.concat_tables([EMPTY, *chunks]).slice(self._builder.rows))
            self._builder.extend(table_of(tail[max(seen_of_tail, 0) :]))
            return self._builder.frame(chunks, tail), chunks, tail

    def _payload_columns(self, paths: Sequence[Steps]) -> tuple[pd.DataFrame, list[pa.ChunkedArray]]:
        frame, chunks, tail = self._snapshot()
        return frame, self._payloads.columns(chunks, table_of(tail), paths)

    def _rows(self) -> pa.Table:
        return self.to_arrow()

    def _again(self) -> Callable[[str], Trace | None]:
        rows = len(self) + self.dropped
        return lambda run: None if len(self) + self.dropped == rows else self.trace(run)

    def _table(self) -> pa.Table:
        return self.to_arrow().cast(PLAIN)

    @contextlib.contextmanager
    def _run_reader(self) -> Iterator[RunReader]:
        with self._reading_runs:
            chunks, tail, dropped = self._state
            if self._runs_start != dropped:
                self._runs, self._runs_start = RunReader(), dropped  # rows were dropped: begin anew
            self._runs.extend(pa.concat_tables([EMPTY, *chunks, table_of(tail)]).slice(self._runs.rows))
            yield self._runs

    def tail(self, n: int = 10) -> pd.DataFrame:
        """Return the newest rows as a DataFrame.

        Args:
            n: how many.
        """
        return frame_of(self.newest(n))

    def newest(self, count: int) -> pa.Table:
        """Return the newest rows as an Arrow table.

        Args:
            count: how many.
        """
        chunks, tail = self.pieces()
        parts = [table_of(tail[max(len(tail) - count, 0) :])]
        missing = count - len(tail)
        for chunk in reversed(chunks):
            if missing <= 0:
                break
            parts.append(chunk.slice(max(chunk.num_rows - missing, 0)))
            missing -= chunk.num_rows
        return joined(reversed(parts))

    def clear(self) -> None:
        """Forget every row."""
        with self._sealing, self._framing, self._reading_runs:
            self._clearings += 1
            self._state = _State((), [], 0)
            self._builder = FrameBuilder()
            self._payloads = PayloadReader()
            self._runs = RunReader()

    @property
    def stats(self) -> LogStats:
        """Rows, bytes, dropped rows, and rows by event name."""
        chunks, tail, dropped = self._state
        counts: Counter[str] = Counter(row.event for row in tail[:] if row.event is not None)
        for chunk in chunks:
            names = chunk.column("event").combine_chunks()
            for entry in names.value_counts().to_pylist():
                if entry["values"] is not None:
                    counts[entry["values"]] += entry["counts"]
        return LogStats(
            rows=sum(chunk.num_rows for chunk in chunks) + len(tail),
            bytes=sum(chunk.nbytes for chunk in chunks),
            dropped=dropped,
            events=dict(counts.most_common()),
        )

    def __repr__(self) -> str:
        counts = self.stats.events
        shown = list(counts.items())[:_SHOWN_NAMES]
        texts = self.redactor.starts([name for name, _ in shown], _SHOWN_TEXT)
        names = [f"{text[:_SHOWN_TEXT]}: {count:,}" for text, (_, count) in zip(texts, shown, strict=True)]
        names += [f"{len(counts) - len(shown):,} more names"] if len(counts) > len(shown) else []
        older = f" · {self.dropped:,} older ones were dropped" if self.dropped else ""
        return printable(f"<EventLog {len(self):,} rows{older}{' · ' if names else ''}{', '.join(names)}>")

    def _repr_html_(self) -> str:
        shown = frame_of(redacted(self.newest(_SHOWN_ROWS), self.redactor))
        shown["payload"] = shown["payload"].str.slice(0, _SHOWN_TEXT)
        caption = html.escape(repr(self).strip("<>"))
        return f"<div>{caption}</div>" + shown.to_html(escape=True, index=False, border=0)
