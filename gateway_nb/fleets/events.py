"""What arrived of every gateway of a fleet, as one view: rows of the connections' event logs, and whose they are."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from ..client.redaction.redactor import Redactor
from ..errors import printable
from ..events.log import EventLog, LogStats
from ..events.payloads import PayloadReader, Steps
from ..events.rows import EMPTY, NAME, PLAIN, frame_of
from ..events.runs import RunReader
from ..events.view import EventView

if TYPE_CHECKING:
    import pandas as pd

    from ..faces.gateway import Gateway

GATEWAY = "gateway"
_PLAIN = PLAIN.insert(0, pa.field(GATEWAY, pa.string()))


def with_gateway(name: str, rows: pa.Table) -> pa.Table:
    """Return rows of an event log with the name of their gateway as the first column."""
    codes = pa.repeat(pa.scalar(0, pa.int32()), rows.num_rows)
    names = pa.DictionaryArray.from_arrays(codes, pa.array([name] if rows.num_rows else [], pa.string()))
    return rows.add_column(0, pa.field(GATEWAY, NAME), names)


EMPTY_OF_FLEET = with_gateway("", EMPTY)


def merged(tables: Sequence[pa.Table]) -> pa.Table:
    """Return rows of several gateways as one table, in the order in which they were received."""
    table = pa.concat_tables([EMPTY_OF_FLEET, *tables]).unify_dictionaries()
    if len(tables) < 2:
        return table
    times = table.column("time").cast(pa.int64()).to_numpy()
    return table.take(pa.array(times.argsort(kind="stable")))


class FleetEvents(EventView):
    """The events of several connections, in the order in which they were received: ``fleet.events``.

    It holds nothing of its own: each read joins what the connections' logs hold now. Beside the columns of
    `EventLog.df`, every DataFrame has ``gateway``, the connection's name.

    Args:
        gateways: the connections.

    Example:
        >>> counts = fleet.events.df.groupby(["gateway", "event"], observed=True).size()
    """

    def __init__(self, gateways: Sequence[Gateway]) -> None:
        self._gateways = tuple(gateways)
        self._redactor: tuple[int, Redactor] | None = None

    @property
    def redactor(self) -> Redactor:  # type: ignore[override]  # the connections' secrets, as they are now
        """What takes every connection's secrets out of what is shown."""
        changes = sum(gateway.redactor.changes for gateway in self._gateways)
        if self._redactor is None or self._redactor[0] != changes:
            self._redactor = changes, Redactor.of(gateway.redactor for gateway in self._gateways)
        return self._redactor[1]

    @property
    def logs(self) -> dict[str, EventLog]:
        """The connections' logs, by their names."""
        return {gateway.name: gateway.events for gateway in self._gateways}

    def to_arrow(self) -> pa.Table:
        """Return a snapshot as an Arrow table: gateway, time, epoch, seq, event, kind, payload."""
        return merged([with_gateway(name, log.to_arrow()) for name, log in self.logs.items()])

    @property
    def df(self) -> pd.DataFrame:
        """A snapshot as a DataFrame: gateway (category), and the columns of `EventLog.df`; costs its whole length."""
        return frame_of(self.to_arrow())

    def tail(self, n: int = 10) -> pd.DataFrame:
        """Return the newest rows of all connections as a DataFrame.

        Args:
            n: how many.
        """
        return frame_of(self._newest(n))

    def _newest(self, count: int) -> pa.Table:
        newest = merged([with_gateway(name, log.newest(count)) for name, log in self.logs.items()])
        return newest.slice(max(newest.num_rows - count, 0))

    @property
    def stats(self) -> LogStats:
        """Rows, bytes, dropped rows, and rows by event name, of all connections together."""
        each = [log.stats for log in self.logs.values()]
        events: Counter[str] = Counter()
        for stats in each:
            events.update(stats.events)
        return LogStats(
            rows=sum(stats.rows for stats in each),
            bytes=sum(stats.bytes for stats in each),
            dropped=sum(stats.dropped for stats in each),
            events=dict(events.most_common()),
        )

    def __len__(self) -> int:
        return sum(map(len, self.logs.values()))

    def _payload_columns(self, paths: Sequence[Steps]) -> tuple[pd.DataFrame, list[pa.ChunkedArray]]:
        table = self.to_arrow()
        rows = table.drop_columns([GATEWAY])
        return frame_of(table), PayloadReader().columns([rows], EMPTY, paths)

    def _table(self) -> pa.Table:
        return self.to_arrow().cast(_PLAIN)

    def _rows(self) -> pa.Table:
        return self.to_arrow().drop_columns([GATEWAY])

    def runs(self) -> pd.DataFrame:
        """Return one row per agent run: `gateway`, and the columns of `EventView.runs`."""
        return self._of_each(lambda log: log.runs())

    def tool_calls(self) -> pd.DataFrame:
        """Return one row per tool call of an agent's runs: `gateway`, and the columns of `EventView.tool_calls`."""
        return self._of_each(lambda log: log.tool_calls())

    def _of_each(self, read: Callable[[EventLog], pd.DataFrame]) -> pd.DataFrame:
        import pandas as pd

        frames = {name: read(log) for name, log in self.logs.items()}
        for name, frame in frames.items():
            frame.insert(0, GATEWAY, pd.Series(name, frame.index, "string"))
        joined: pd.DataFrame = pd.concat(frames.values(), ignore_index=True)
        return joined

    @contextlib.contextmanager
    def _run_reader(self) -> Iterator[RunReader]:
        reader = RunReader()
        reader.extend(self._rows())
        yield reader

    def __repr__(self) -> str:
        stats = self.stats
        older = f" · {stats.dropped:,} older ones were dropped" if stats.dropped else ""
        gateways = f"{len(self._gateways):,} gateway{'' if len(self._gateways) == 1 else 's'}"
        return printable(f"<FleetEvents {stats.rows:,} rows of {gateways}{older}>")
