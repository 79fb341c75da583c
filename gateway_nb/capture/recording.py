"""A recording: captures read back as a stream, one frame, a query, or Parquet."""

from __future__ import annotations

import contextlib
import glob
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from ..client.redact import Redactor
from ..protocol.errors import CaptureError
from .files import Output, open_read
from .journal import REQUEST_KINDS
from .table import SCHEMA, Line, frame_of, joined, table_of
from .view import EventView

if TYPE_CHECKING:
    import pandas as pd

    from ..local.gateway import LocalGateway
    from ..notebook.widgets.event_table import EventTable
    from .table import Row

BATCH_ROWS = 65_536
BATCH_BYTES = 64 * 1024 * 1024
_COPY_BYTES = 1024 * 1024
CHUNK_ROWS = 8192
_QUERY_NAME = "events"


class TornEndWarning(UserWarning):
    """The last line of a journal is torn: its writer was killed. All before it is there."""


@dataclass(frozen=True, slots=True)
class RecordingStats:
    """What a recording holds.

    Attributes:
        rows: lines, markers included.
        events: rows by event name.
        start: first receive time, or ``None`` if it is empty.
        end: last receive time, or ``None``.
        seconds: between them.
        rate: events per second over that span.
        connections: connections the events came on.
        gaps: holes in the sequence numbers.
        missed: events in those holes.
        dropped: events the capture was too slow for.
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


def load(path: str | Path, *, errors: str = "raise") -> Recording:
    """Open a capture, or many as one.

    Args:
        path: a journal (``.jsonl``, ``.jsonl.zst``), a folder of them, or a glob pattern.
        errors: ``"raise"`` refuses a damaged line, ``"skip"`` leaves it out and counts it. A torn last line is what
            a crash leaves: it is left out with a warning either way.

    Returns:
        A `Recording`; nothing is read until it is asked.

    Raises:
        CaptureError: there is no such file.
        ValueError: `errors` is neither.

    Example:
        >>> gnb.load("run.jsonl").df                                     # doctest: +SKIP
    """
    if errors not in ("raise", "skip"):
        raise ValueError(f"errors must be 'raise' or 'skip', not {errors!r}")
    return Recording(_files(Path(path)), skip=errors == "skip")


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.zst")])
    elif path.is_file():
        found = [path]
    else:
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    if not found:
        raise CaptureError(f"there is no capture {path}; give a .jsonl file, a folder of them, or a pattern")
    return found


class Recording(EventView):
    """Captured events. Made by `load`.

    Args:
        files: journals, read one after the other.
        skip: leave damaged lines out.

    Attributes:
        files: the journals.
    """

    def __init__(self, files: list[Path], *, skip: bool = False) -> None:
        self.files = files
        self._skip = skip
        self._damaged = 0
        self._frame: pd.DataFrame | None = None

    def batches(self) -> Iterator[pa.Table]:
        """Yield the events as Arrow tables of at most 65,536 rows or about 64 MiB; needs memory for one of them.

        Raises:
            CaptureError: a line is damaged; says file and line.
        """
        self._damaged = 0
        for file in self.files:
            rows: list[Line] = []
            size = 0
            for line in self._lines(file):
                if line.kind in REQUEST_KINDS:
                    continue
                rows.append(line)
                size += len(line.raw)
                if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
                    yield table_of(rows)
                    rows, size = [], 0
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
        if self._frame is None:
            self._frame = frame_of(self.to_arrow())
        return self._frame.copy(deep=False)

    def table(self) -> EventTable:
        """Return a table of the events, a widget; needs memory for all of them."""
        from ..notebook.widgets.event_table import EventTable

        return EventTable(_Held(self), ", ".join(file.name for file in self.files[:3]))

    def query(self, sql: str) -> pd.DataFrame:
        """Return the answer of a DuckDB query over the table ``events``, streamed from the files.

        Args:
            sql: e.g. ``select event, count(*) from events group by event``; payloads are JSON text, so that
                ``payload->>'$.runId'`` works.

        Raises:
            ImportError: the extra ``query`` is not installed.
        """
        duckdb = _duckdb()
        reader = pa.RecordBatchReader.from_batches(_PLAIN, self._plain_batches())
        with duckdb.connect() as connection:
            connection.execute(
                "set enable_progress_bar = false"
            )  # it would be in the output of whoever prints the answer
            connection.register(_QUERY_NAME, reader)
            answer: pd.DataFrame = connection.execute(sql).df()
            return answer

    def to_parquet(self, folder: str | Path, partition_by: Iterable[str] = ("date", "event")) -> Path:
        """Write the events as Parquet, one folder per value (Hive layout), readable by pandas, DuckDB, Dask and Spark.

        A marker's `event` is its kind, since folders can't be named after nothing.

        Args:
            folder: where to; it must be empty or new.
            partition_by: columns, of those of `df` and ``date`` (of the receive time, UTC).

        Returns:
            The folder.

        Raises:
            CaptureError: the folder holds something, or can't be written.
        """
        import pyarrow.dataset as dataset

        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise CaptureError(f"{target} is not empty; choose another folder")
        schema = _PLAIN.append(pa.field("date", pa.string()))
        partitioning = dataset.partitioning(pa.schema([schema.field(name) for name in partition_by]), flavor="hive")
        batches = (_with_date(batch) for batch in self._plain_batches())
        parquet = dataset.ParquetFileFormat()
        # Spark reads no nanoseconds; a receive time has none.
        options = parquet.make_write_options(coerce_timestamps="us")
        try:
            dataset.write_dataset(
                batches,
                target,
                schema=schema,
                format=parquet,
                file_options=options,
                partitioning=partitioning,
                max_partitions=65_536,
            )
        except OSError as error:
            raise CaptureError(f"{target} can't be written: {error}") from None
        return target

    def to_jsonl(self, path: str | Path) -> Path:
        """Write the recording as one journal; a name that ends in ``.zst`` is compressed.

        Raises:
            CaptureError: the file exists.
        """
        target = Path(path)
        with contextlib.closing(Output(target)) as out:
            for file in self.files:
                with open_read(file) as source:
                    while lines := source.readlines(_COPY_BYTES):
                        if not lines[-1].endswith(b"\n"):  # torn: the next file's first line would be glued to it
                            lines.pop()
                        out.write(b"".join(lines))
        return target

    @property
    def stats(self) -> RecordingStats:
        """Span, rates, gaps and missed events, counts by event; reads every line once."""
        import pandas as pd

        rows = gaps = missed = dropped = 0
        first = last = None
        events: Counter[str] = Counter()
        epochs: set[int] = set()
        for line in self.lines():
            if line.kind in REQUEST_KINDS:
                continue
            rows += 1
            first = line.received if first is None else min(first, line.received)
            last = line.received if last is None else max(last, line.received)
            if line.event is not None:
                events[line.event] += 1
                epochs.add(line.epoch)
            elif line.kind == "gap":
                detail = msgspec.json.decode(line.raw)
                gaps, missed = gaps + 1, missed + detail["received"] - detail["expected"]
            elif line.kind == "dropped":
                dropped += msgspec.json.decode(line.raw)["events"]
        seconds = 0.0 if first is None or last is None else last - first
        return RecordingStats(
            rows=rows,
            events=dict(events.most_common()),
            start=None if first is None else pd.Timestamp(first, unit="s", tz="UTC"),
            end=None if last is None else pd.Timestamp(last, unit="s", tz="UTC"),
            seconds=seconds,
            rate=events.total() / seconds if seconds else 0.0,
            connections=len(epochs),
            gaps=gaps,
            missed=missed,
            dropped=dropped,
            damaged=self._damaged,
        )

    def replay(self, speed: float | None = 1.0) -> LocalGateway:
        """Return a gateway that does again what was recorded; see `gateway_nb.capture.replay`.

        Args:
            speed: 1.0 keeps the gaps in time, 2.0 halves them, ``None`` leaves them out.
        """
        from .replay import ReplayGateway

        return ReplayGateway(self, speed=speed)

    def __repr__(self) -> str:
        names = ", ".join(file.name for file in self.files[:3])
        more = f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        return f"<Recording {names}{more}>"

    def _lines(self, file: Path) -> Iterator[Line]:
        decoder = msgspec.json.Decoder(Line)
        with open_read(file) as source:
            for number, text in enumerate(self._texts(source), 1):
                try:
                    yield decoder.decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    if not text.endswith(b"\n"):
                        warnings.warn(f"{file}: its end is torn, and left out", TornEndWarning, stacklevel=2)
                    elif self._skip:
                        self._damaged += 1
                    else:
                        raise CaptureError(
                            f"{file}: line {number} is damaged; load(..., errors='skip') leaves such lines out"
                        ) from None

    def _texts(self, source: IO[bytes]) -> Iterator[bytes]:
        """Yield a file's lines; what can't be decompressed is one damaged line, and the last."""
        try:
            yield from source
        except CaptureError:
            if not self._skip:
                raise
            self._damaged += 1

    def _plain_batches(self) -> Iterator[pa.RecordBatch]:
        for table in self.batches():
            yield from table.cast(_PLAIN).combine_chunks().to_batches()


class _Held:
    """A recording's rows in memory, for its table."""

    dropped = 0

    def __init__(self, recording: Recording) -> None:
        self.redactor = Redactor()
        self._recording = recording
        whole = recording.to_arrow()
        self._chunks = tuple(whole.slice(at, CHUNK_ROWS) for at in range(0, whole.num_rows, CHUNK_ROWS))

    @property
    def df(self) -> pd.DataFrame:
        return self._recording.df

    def pieces(self) -> tuple[tuple[pa.Table, ...], list[Row]]:
        return self._chunks, []


# Without dictionaries, which differ from batch to batch
_PLAIN = pa.schema([field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in SCHEMA])


def _with_date(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow.compute as compute

    table = pa.Table.from_batches([batch])
    named = compute.coalesce(table.column("event"), table.column("kind"))
    table = table.set_column(table.schema.get_field_index("event"), "event", named)
    dated = table.append_column("date", compute.strftime(table.column("time"), "%Y-%m-%d").cast(pa.string()))
    (one,) = dated.combine_chunks().to_batches()
    return one


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise ImportError("queries need DuckDB; run: pip install 'gateway-nb[query]'") from None
    return duckdb
