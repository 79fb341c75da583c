"""`LakeRecording`: the captures of many gateways in a Delta table, as a recording."""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pyarrow as pa

from ...errors import BadArgumentError, CaptureError, one_line, printable
from ...events import widgets
from ...events.log import MAX_ROWS
from ...events.plots import Plots
from ...events.rows import NAME, PLAIN, frame_of
from ...events.rows import SCHEMA as EVENTS
from ...events.sql import database
from ...events.traces.trace import Trace, Traces
from ...protocol.frames import encode
from ...protocol.lines import Dropped, Gap, Line, detail
from ...protocol.units import size
from ..recording import BATCH_ROWS, Held, Recording, RecordingStats
from . import tracing
from .columns import SCHEMA
from .delta import Lake
from .shuffle import shuffled
from .table import LakeTable, Part, batches

if TYPE_CHECKING:
    import dask.dataframe
    import distributed
    import pandas as pd

    from ...events.widgets import EventTable

_GATEWAY = pa.field("gateway", NAME)
_ROWS = pa.schema([_GATEWAY, *EVENTS])
_IN_ORDER = "order by time, capture, line"
_Result = TypeVar("_Result")


def open_lake(
    address: str, version: int | None, storage_options: Mapping[str, str] | None, client: distributed.Client | None
) -> LakeRecording:
    """Open a lake; see `gateway_nb.load`."""
    if version is not None and (not isinstance(version, int) or version < 0):
        raise BadArgumentError(f"version must be the number of a version, from 0, not {version!r}")
    lake = Lake(address, storage_options)
    if client is not None:
        dask = sys.modules.get("distributed")  # who has a client has imported it
        if dask is None or not isinstance(client, dask.Client):
            raise BadArgumentError(f"client must be a distributed.Client, not {type(client).__name__}")
        lake.portable()
    return LakeRecording(LakeTable(lake, version), client)


class LakeRecording(Recording):
    """The events of many gateways in a Delta table, as one recording. Made by `gateway_nb.load`.

    Its DataFrames have the column `gateway` first. `query`, `runs`, `tool_calls`, `usage`, `trace`, `replay`, `stats`,
    `to_parquet` and `plot` need little memory, however large it is; `df` and what is made of it (`where`, `between`,
    `expand`, `payloads`) need all of it in memory, `traces` all of its spans. The table ``events`` of a query has
    these columns:

    ======= =========================== ==================================================================
    column  type                        what
    ======= =========================== ==================================================================
    date    date                        the day it was received, in UTC; a query that names it reads that day
    gateway text                        the gateway's name; none where a mark is the capture's own
    time    timestamp with time zone    when it was received
    epoch   bigint                      number of the connection
    seq     bigint                      the event's number on it
    event   text                        the event's name; none of a mark
    kind    text                        event, or the kind of a mark
    payload text                        JSON
    capture text                        the capture's id
    line    bigint                      number of the line in the capture
    ======= =========================== ==================================================================

    Args:
        table: where it lies.
        client: of a Dask cluster that computes what takes long; ``None``: this process.

    Example:
        >>> lake = gnb.load("lake/")
        >>> counts = lake.query("select gateway, count(*) from events where date = '2026-11-26' group by gateway")
    """

    _plain = pa.schema([_GATEWAY.with_type(pa.string()), *PLAIN])

    def __init__(self, table: LakeTable, client: distributed.Client | None) -> None:
        super().__init__([])
        self._version = table
        self._client = client

    @property
    def version(self) -> int:
        """The number of the version that is read."""
        return self._version.version

    def batches(self) -> Iterator[pa.Table]:
        """Yield the events by the time they were received, as Arrow tables of at most 65,536 rows.

        A day is sorted at a time, with at most 2 GB of memory.
        """
        for table in self.in_order(_ROWS.names):
            yield table.cast(_ROWS)

    def lines(self) -> Iterator[Line]:
        """Yield every row as a line of a capture, by the time it was received."""
        for table in self.in_order([*EVENTS.names, "gateway"]):
            table = table.set_column(0, "time", table["time"].cast(pa.int64()))
            columns = map(pa.ChunkedArray.to_pylist, table.columns)
            for time, epoch, seq, event, kind, payload, gateway in zip(*columns, strict=True):
                yield Line(time / 1e6, epoch, msgspec.Raw(payload.encode()), event, kind, seq, gateway)

    def _texts(self) -> Iterator[bytes]:
        return map(_text, self.lines())

    def in_order(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of the rows by the time they were received, a batch at a time."""
        with database(self._version.rows) as connection:
            for day in self._version.dates:
                sql = f"select {', '.join(columns)} from events where date = ? {_IN_ORDER}"
                for batch in connection.sql(sql, params=[day]).to_arrow_reader(BATCH_ROWS):
                    yield pa.Table.from_batches([batch])

    def to_arrow(self) -> pa.Table:
        """Return all events as one Arrow table; needs memory for all of them."""
        return pa.concat_tables([_ROWS.empty_table(), *self.batches()]).unify_dictionaries()

    def _table(self) -> Any:
        return self._version.rows

    # What is computed of parts, here or on the workers

    def runs(self) -> pd.DataFrame:
        """Return one row per agent run; see `Recording.runs`. The column `gateway` comes first."""
        return self._sorted(self._shuffled(("gateway", "run"), tracing.runs), "run")

    def tool_calls(self) -> pd.DataFrame:
        """Return one row per tool call; see `Recording.tool_calls`. The column `gateway` comes first."""
        return self._sorted(self._shuffled(("gateway", "run"), tracing.tool_calls), "run")

    def usage(self, by: str = "model") -> pd.DataFrame:
        """Return the model calls and their output tokens, as far as the events tell them.

        Cost and input tokens are in the gateways' own records: see `Data.usage`.

        Args:
            by: ``"model"``, ``"day"`` (UTC), ``"session"``, ``"agent"`` or ``"gateway"``.

        Returns:
            A column of that name (string), `calls` and `output_tokens` (Int64).

        Raises:
            BadArgumentError: `by` is none of these.
        """
        if by not in tracing.USAGE_BY:
            raise BadArgumentError(f"usage: by must be one of {', '.join(tracing.USAGE_BY)}, not {by!r}")
        import pandas as pd

        shares = self._shuffled(("gateway",), partial(tracing.usage, by=by))
        return tracing.summed(pd.concat(shares, ignore_index=True), by)

    def traces(self) -> Traces:
        """Return the traces of all runs, by their start; the attribute ``gateway`` of a span says where it was."""
        found = [trace for traces in self._shuffled(("gateway",), tracing.traces) for trace in traces]
        return Traces(sorted(found, key=lambda trace: (trace.tree[0].start or 0, trace.run)))

    def trace(self, run: str, *, complete: bool = False, gateway: str | None = None) -> Trace:
        """Return what an agent did in a run and in the runs it started; see `Recording.trace`.

        Args:
            run: the run's id, or a `Run`.
            complete: not of a lake.
            gateway: where it was, if several gateways have a run of this id.

        Raises:
            BadArgumentError: there is no event of such a run; or of several gateways, and `gateway` says not which.
        """
        if complete:
            raise BadArgumentError("complete=True asks the gateway, which only gw.events can, not a recording")
        with database(self._version.rows) as connection:
            return tracing.trace(connection, getattr(run, "run_id", run), gateway, self.redactor)

    def _shuffled(self, by: tuple[str, ...], joined: Callable[[pa.Table], _Result]) -> list[_Result]:
        return shuffled(self._version, self._client, by, joined)

    @staticmethod
    def _sorted(frames: list[pd.DataFrame], *then: str) -> pd.DataFrame:
        import pandas as pd

        return pd.concat(frames, ignore_index=True).sort_values(["start", "gateway", *then], ignore_index=True)

    def dask(self) -> dask.dataframe.DataFrame:
        """Return the rows as a Dask DataFrame, of which a cluster reads what is asked for.

        Its columns are those of a query's table. Of a lake in a store, the workers read what is secret of
        `storage_options` in their own environment.

        Raises:
            BadArgumentError: `storage_options` holds a secret.
        """
        import dask.dataframe

        read = partial(_part_frame, self._version.lake.place, self._version.lake.portable())
        rows: dask.dataframe.DataFrame = dask.dataframe.from_map(
            read, self._version.parts(), meta=_frame(SCHEMA.empty_table())
        )
        return rows

    # What is shown

    def table(self) -> EventTable:
        """Return a table of the newest 1,000,000 events, a widget."""
        newest: deque[pa.Table] = deque()
        rows = 0
        for batch in self.batches():
            newest.append(batch.drop_columns(["gateway"]))
            rows += batch.num_rows
            while rows - newest[0].num_rows >= MAX_ROWS:
                rows -= newest.popleft().num_rows
        whole = pa.concat_tables([EVENTS.empty_table(), *newest]).unify_dictionaries()
        dropped = self._rows_stored - rows
        return widgets.backend.event_table(Held(whole, partial(frame_of, whole), dropped), self._version.lake.place)

    @property
    def plot(self) -> Plots:
        """Plots: ``.plot.rate()``, ``.plot.timeline()``, ``.plot.latency()``."""
        return Plots(_WithoutPayloads(self))

    @property
    def stats(self) -> RecordingStats:
        """Span, rates, gaps and missed events, counts by event."""
        import pandas as pd

        with database(self._version.rows) as connection:
            sql = (
                "select event, count(*), min(epoch_us(time)), max(epoch_us(time)) from events "
                "group by event order by count(*) desc"
            )
            groups = connection.execute(sql).fetchall()
            sql = "select count(*) from (select distinct gateway, capture, epoch from events where event is not null)"
            (connections,) = connection.execute(sql).fetchall()[0]
            sql = "select kind, epoch, payload from events where event is null and kind in ('gap', 'jump', 'dropped')"
            marks = connection.execute(sql).fetchall()
        gaps, missed, dropped = self._lost(marks)
        events = {event: count for event, count, *_ in groups if event is not None}
        first = min((group[2] for group in groups), default=None)
        last = max((group[3] for group in groups), default=None)
        seconds = 0.0 if first is None or last is None else (last - first) / 1e6
        return RecordingStats(
            rows=sum(group[1] for group in groups),
            events=events,
            start=None if first is None else pd.Timestamp(first, unit="us", tz="UTC"),
            end=None if last is None else pd.Timestamp(last, unit="us", tz="UTC"),
            seconds=seconds,
            rate=sum(events.values()) / seconds if seconds else 0.0,
            connections=connections,
            gaps=gaps,
            missed=missed,
            dropped=dropped,
            damaged=0,
        )

    def _lost(self, marks: list[tuple[str, int, str]]) -> tuple[int, int, int]:
        """Return the gaps, the events in them, and the events that were dropped."""
        gaps = missed = dropped = 0
        for kind, epoch, payload in marks:
            try:
                match detail(Line(0.0, epoch, msgspec.Raw(payload.encode()), kind=kind)):
                    case Gap() as gap:
                        gaps, missed = gaps + 1, missed + gap.missed
                    case Dropped() as lost:
                        dropped += lost.events
            except ValueError as error:
                raise CaptureError(f"{self._version.lake.place}: a mark is damaged: {one_line(error)}") from None
        return gaps, missed, dropped

    @property
    def _rows_stored(self) -> int:
        return int(self._version.files["num_records"].sum())

    def __repr__(self) -> str:
        """Address, version, files and rows, as Delta's log tells them."""
        held, files = size(int(self._version.files["size_bytes"].sum())), len(self._version.files)
        return printable(
            f"<Recording {one_line(self._version.lake.place)} version {self.version}: {held} in {files:,} files, "
            f"{self._rows_stored:,} rows>"
        )


class _WithoutPayloads:
    """What pictures are made of; the payloads would need the memory."""

    def __init__(self, lake: LakeRecording) -> None:
        self.runs, self.tool_calls = lake.runs, lake.tool_calls
        self._lake = lake

    @functools.cached_property
    def df(self) -> pd.DataFrame:
        """Time, name and kind of each row."""
        fields = ("time", "event", "kind")
        kept = pa.schema([EVENTS.field(name) for name in fields])
        tables = [table.cast(kept) for table in self._lake.in_order(fields)]
        return frame_of(pa.concat_tables([kept.empty_table(), *tables]).unify_dictionaries())


def _text(line: Line) -> bytes:
    """Return a line as a capture writes it."""
    fields: dict[str, Any] = {"t": line.received, "epoch": line.epoch}
    fields |= {"kind": line.kind} if line.event is None else {"event": line.event}
    fields |= {} if line.seq is None else {"seq": line.seq}
    fields |= {} if line.gateway is None else {"gateway": line.gateway}
    return encode({**fields, "payload": line.raw})


def _part_frame(place: str, options: Mapping[str, str], part: Part, columns: list[str] | None = None) -> pd.DataFrame:
    names = SCHEMA.names if columns is None else columns
    schema = pa.schema([SCHEMA.field(name) for name in names])
    return _frame(pa.Table.from_batches(batches(Lake(place, options), part, names), schema))


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    kinds = {
        pa.string(): pd.StringDtype("pyarrow"),
        pa.int64(): pd.Int64Dtype(),
        pa.date32(): pd.ArrowDtype(pa.date32()),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get)
    return frame
