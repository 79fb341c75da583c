"""A recording: captures read back as a stream, one frame, a query, or Parquet."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ..client.redaction.redactor import Redactor
from ..errors import CaptureError, one_line, printable
from ..events import widgets
from ..events.payloads import PayloadReader, Steps
from ..events.rows import EMPTY, PLAIN, frame_of, joined, table_of
from ..events.runs import RunReader
from ..events.sql import Stream
from ..events.view import EventView
from ..protocol.lines import REQUEST_KINDS, DamagedLine, Dropped, Gap, Line, TornEndWarning, detail, read_line
from ..protocol.units import size, span
from .files import new_file
from .parquet import write_parquet
from .reading import open_read, texts

if TYPE_CHECKING:
    import pandas as pd

    from ..events.rows import Row
    from ..events.widgets import EventTable
    from ..server.local_gateway import LocalGateway

BATCH_ROWS = 65_536
BATCH_BYTES = 64 * 1024 * 1024
CHUNK_ROWS = 8192
_READ_FOR_REPR = 32_000_000  # bytes: a fifth of a second
_SHOWN_NAMES, _SHOWN_NAME = 4, 40
_LEAVE_OUT = "load(..., errors='skip') leaves such lines out"


@dataclass(frozen=True, slots=True)
class RecordingStats:
    """What a recording holds.

    Attributes:
        rows: lines, marks included.
        events: rows by event name.
        start: first receive time, or ``None`` if it is empty.
        end: last receive time, or ``None``.
        seconds: between them.
        rate: events per second over that span.
        connections: connections the events came on.
        gaps: holes in the sequence numbers.
        missed: events in those holes.
        dropped: events, requests, answers and marks the capture was too slow for.
        damaged: lines that were left out with ``errors="skip"``.
    """

    rows: int
    events: dict[str, int]
    start: pd.Timestamp | None
    end: pd.Timestamp | None
    seconds: float
    rate: float
    connections: int
    gaps: int
    missed: int
    dropped: int
    damaged: int


class Recording(EventView):
    """Captured events. Made by `gateway_nb.load`.

    Args:
        files: journals, read one after the other.
        skip: leave damaged lines out.

    Attributes:
        files: the journals.
    """

    _plain = PLAIN
    """The schema of the rows for a query and an export."""

    def __init__(self, files: list[Path], *, skip: bool = False) -> None:
        self.files = files
        self._skip = skip
        self._damaged = 0
        self.redactor = Redactor()  # what is in a file was cleaned when it was written
        self._payloads = PayloadReader()
        self._reading_runs = threading.Lock()
        self._runs = RunReader()

    def batches(self) -> Iterator[pa.Table]:
        """Yield the events as Arrow tables of at most 65,536 rows or about 64 MiB; needs memory for one of them.

        Raises:
            CaptureError: a line is damaged; says file and line.
        """
        for file in self.files:
            rows: list[Line] = []
            held = 0
            for line in self._lines(file):
                if line.kind in REQUEST_KINDS:
                    continue
                rows.append(line)
                held += len(line.raw) + len(line.event or line.kind)
                if len(rows) >= BATCH_ROWS or held >= BATCH_BYTES:
                    yield table_of(rows)
                    rows, held = [], 0
            if rows:
                yield table_of(rows)

    def lines(self) -> Iterator[Line]:
        """Yield every line as it was written, recorded requests included."""
        self._damaged = 0
        for file in self.files:
            yield from self._lines(file)

    def to_arrow(self) -> pa.Table:
        """Return all events as one Arrow table."""
        return joined(self.batches())

    @property
    def df(self) -> pd.DataFrame:
        """All events as a DataFrame, like `EventLog.df`: time, epoch, seq, event, kind, payload."""
        return self._frame.copy(deep=False)

    @functools.cached_property
    def _frame(self) -> pd.DataFrame:
        return frame_of(self._whole)

    @functools.cached_property
    def _whole(self) -> pa.Table:
        return self.to_arrow()

    def _payload_columns(self, paths: Sequence[Steps]) -> tuple[pd.DataFrame, list[pa.ChunkedArray]]:
        return self.df, self._payloads.columns([self._whole], EMPTY, paths)

    @contextlib.contextmanager
    def _run_reader(self) -> Iterator[RunReader]:
        with self._reading_runs:
            self._runs.extend(self._whole.slice(self._runs.rows))
            yield self._runs

    def table(self) -> EventTable:
        """Return a table of the events, a widget; needs memory for all of them."""
        return widgets.backend.event_table(
            Held(self._whole, lambda: self.df), ", ".join(file.name for file in self.files[:3])
        )

    def _rows(self) -> pa.Table:
        return self._whole

    def _table(self) -> Stream:
        return Stream(self._plain, self._plain_batches)

    def to_parquet(self, folder: str | Path, partition_by: Iterable[str] = ("date", "event")) -> Path:
        """Write the events as Parquet, one folder per value (Hive layout), readable by pandas, DuckDB, Dask and Spark.

        A mark's `event` is its kind, since folders can't be named after nothing. The first 256 names of at most 200
        bytes have folders of their own, the others share ``event=__other__``; the column ``event_name`` holds every
        name in full. The same goes for `kind`.

        Args:
            folder: where to; it must be empty or new, and the folder around it must exist.
            partition_by: columns, of ``date`` (of the receive time, UTC), ``event``, ``kind`` and ``epoch``.

        Returns:
            The folder.

        Raises:
            CaptureError: the folder holds something or can't be written, a line is damaged, or there would be more
                than 10,000 folders. Nothing is left then.
            ValueError: a column can't name folders.
        """
        write_parquet(self._plain_batches(), self._plain, Path(folder), tuple(partition_by))
        return Path(folder)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write the recording as one journal; a name that ends in ``.zst`` is compressed.

        Raises:
            CaptureError: the file exists, its folder does not, a line is damaged, or the disk failed.
        """
        target = Path(path)
        with new_file(target) as out:
            for text in self._texts():
                out.write(text if text.endswith(b"\n") else text + b"\n")
        return target

    def _texts(self) -> Iterator[bytes]:
        return (text for file in self.files for _, text in self._read(file))

    @property
    def stats(self) -> RecordingStats:
        """Span, rates, gaps and missed events, counts by event; reads every line once."""
        import pandas as pd

        rows = gaps = missed = dropped = 0
        first, last = math.inf, -math.inf
        events: Counter[str] = Counter()
        epochs: set[int] = set()
        for line in self.lines():
            if line.kind in REQUEST_KINDS:
                continue
            rows += 1
            first, last = min(first, line.received), max(last, line.received)
            if line.event is not None:
                events[line.event] += 1
                epochs.add(line.epoch)
                continue
            match detail(line):
                case Gap() as gap:
                    gaps, missed = gaps + 1, missed + gap.missed
                case Dropped() as lost:
                    dropped += lost.events
        seconds = last - first if rows else 0.0
        return RecordingStats(
            rows=rows,
            events=dict(events.most_common()),
            start=pd.Timestamp(first, unit="s", tz="UTC") if rows else None,
            end=pd.Timestamp(last, unit="s", tz="UTC") if rows else None,
            seconds=seconds,
            rate=events.total() / seconds if seconds else 0.0,
            connections=len(epochs),
            gaps=gaps,
            missed=missed,
            dropped=dropped,
            damaged=self._damaged,
        )

    def replay(self, speed: float | None = 1.0) -> LocalGateway:
        """Return a gateway that does again what was recorded; see `gateway_nb.server.replay`.

        Args:
            speed: 1.0 keeps the gaps in time, 2.0 halves them, ``None`` leaves them out.
        """
        from ..server.replay import ReplayGateway

        return ReplayGateway(self.lines, speed=speed)

    def __repr__(self) -> str:
        """Files, size, rows, span and events; of what takes long to read (32 MB, or compressed), files and size."""
        names = ", ".join(file.name for file in self.files[:3])
        more = f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        held = sum(file.stat().st_size for file in self.files if file.exists())
        quick = held <= _READ_FOR_REPR and not any(file.suffix == ".zst" for file in self.files)
        rows = self._described() if quick else ".stats counts its rows"
        return printable(f"<Recording {names}{more}: {size(held)}, {rows}>")

    def _described(self) -> str:
        """Return what is in it, or what is wrong with it, as a line."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TornEndWarning)  # reading it warns; looking at it does not
                stats = self.stats
        except CaptureError as error:
            return one_line(error)
        names = list(stats.events)
        counts = [f"{one_line(name, _SHOWN_NAME)} {stats.events[name]:,}" for name in names[:_SHOWN_NAMES]]
        counts += [f"{len(names) - _SHOWN_NAMES:,} more names"] if len(names) > _SHOWN_NAMES else []
        since = "" if stats.start is None else f" in {span(stats.seconds)} from {stats.start:%Y-%m-%d %H:%M:%S}"
        return f"{stats.rows:,} rows{since}{': ' if counts else ''}{', '.join(counts)}"

    def _lines(self, file: Path) -> Iterator[Line]:
        return (line for line, _ in self._read(file))

    def _read(self, file: Path) -> Iterator[tuple[Line, bytes]]:
        """Yield a file's lines, with their texts; what can't be decompressed is one damaged line, and the last."""
        number = 0
        with open_read(file) as source:
            try:
                for number, text in enumerate(texts(source), 1):
                    if (line := self._checked(file, number, text)) is not None:
                        assert text is not None
                        yield line, text
            except OSError as error:
                if not self._skip:
                    raise CaptureError(
                        f"{file} is damaged, and can't be read to its end: line {number + 1}: "
                        f"{error.strerror or error}; {_LEAVE_OUT}"
                    ) from None
                self._damaged += 1

    def _checked(self, file: Path, number: int, text: bytes | None) -> Line | None:
        try:
            if text is None:
                raise DamagedLine("it is too long")
            return read_line(text)
        except DamagedLine as error:
            if number == 1 and ".jsonl" not in file.suffixes and not self._skip:
                raise CaptureError(f"{file} is not a capture: no capture begins with its first line") from None
            if text is not None and not text.endswith(b"\n"):
                warnings.warn(f"{file}: its last line is torn, and is left out", TornEndWarning, stacklevel=2)
            elif self._skip:
                self._damaged += 1
            else:
                raise CaptureError(f"{file}: line {number} is damaged: {error}; {_LEAVE_OUT}") from None
        return None

    def _plain_batches(self) -> Iterator[pa.RecordBatch]:
        for table in self.batches():
            yield from table.cast(self._plain).combine_chunks().to_batches()


class Held:
    """Rows in memory, for their table.

    Args:
        whole: the rows.
        frame: returns them as a DataFrame.
        dropped: how many there were before them.
    """

    def __init__(self, whole: pa.Table, frame: Callable[[], pd.DataFrame], dropped: int = 0) -> None:
        self.redactor = Redactor()
        self.dropped = dropped
        self._frame = frame
        self._chunks = tuple(whole.slice(at, CHUNK_ROWS) for at in range(0, whole.num_rows, CHUNK_ROWS))

    @property
    def df(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        return self._frame()

    def pieces(self) -> tuple[tuple[pa.Table, ...], list[Row]]:
        """Return the rows as `EventLog.pieces` does."""
        return self._chunks, []
