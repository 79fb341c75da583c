"""The live table of events. Its rows stay in the kernel; a browser gets those that it shows."""

from __future__ import annotations

import datetime as dt
import html
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa

from ....client.redaction.redactor import Redactor
from ....errors import printable
from ....events.rows import Row, frame_of, redacted
from ....fleets.events import GATEWAY
from ..live import LiveWidget, bundle, ticker
from ..row_ids import LogRows
from . import export
from .matches import Matches
from .preview import paths_of, preview, static_row
from .query import FilterError, Query, steps

if TYPE_CHECKING:
    import pandas as pd

PUSHED_ROWS = 500
_PUSHED_SUMMARIES = 60
"""Those that may be in sight: the others are asked for if they come to be."""
_SLOW_ROWS = 50
_SHOWN_NAMES = 40
_CHIP_TEXT = 120
_EXPANDED = 8
_STATIC_ROWS = 10
STATIC_COLUMNS = {"time": 12, "seq": 20, "event": 40, "summary": 80, "payload": 40}
"""What a static table shows, and of how many characters."""
_STATIC_TEXTS = ("event", "summary", "payload")
_READ_SECONDS = 0.02
_SELECTED_ROWS = 10_000
_READ_ROWS = 200
"""Of which the paths are offered."""
_INSPECTED_BYTES = 1_000_000


class Source(Protocol):
    """Where rows come from: an event log, or a recording's rows that are all there.

    Attributes:
        redactor: takes the secrets out of what is shown of them.
    """

    redactor: Redactor

    def pieces(self) -> tuple[tuple[pa.Table, ...], list[Row]]:
        """Return chunks, and the rows after them."""

    @property
    def dropped(self) -> int:
        """Rows that were dropped."""

    @property
    def df(self) -> pd.DataFrame:
        """All rows."""


class EventTable(LiveWidget):
    """A live table of events: filter, sort, pause, inspect, select, export. Made by ``gw.table()``.

    The browser gets counters and the newest rows at most ten times a second; older rows, and payloads, when it asks.

    Args:
        log: whose rows.
        title: what it is of, for the caption.
        state: returns the connection's state, or ``None`` where there is no connection.

    Example:
        >>> table = gw.table()
        >>> frame, selected = table.df, table.selected
    """

    _esm = bundle("event_table", "js")
    _css = bundle("event_table", "css")
    MESSAGES = ("query", "columns", "window", "row", "select", "paths", "export")

    _static: ClassVar[Mapping[str, int]] = STATIC_COLUMNS

    def __init__(self, log: Source, title: str, state: Any = None) -> None:
        self._log = log
        self._title = title
        self._state = state or (lambda: None)
        self._rows = self._no_rows()
        self._matches = Matches(Query(), self._rows)
        self._version = 0
        self._columns: tuple[str, ...] = ()
        self._selected: Any = np.zeros(0, "int64")
        self._pushed = 0
        self._posted: Any = None
        super().__init__()

    def _no_rows(self) -> LogRows:
        return LogRows()

    # For the user

    @property
    def df(self) -> pd.DataFrame:
        """What the filter shows, in its order, as a DataFrame.

        Columns: `time` (when it was received, UTC), `epoch` (number of the connection), `seq` (number of the event in
        its connection), `event` (its name), `kind` (``event``, or ``gap``, ``reconnect``, ...), `payload` (its JSON).
        """
        query = self._matches.query
        return self._log.df if query.is_all and not query.sort else frame_of(self._shown())

    @property
    def selected(self) -> pd.DataFrame:
        """The rows selected in the browser, as a DataFrame, without those dropped for newer ones."""
        with self._lock:
            return frame_of(self._rows.take(self._selected)[1])

    def filter(self, **query: Any) -> None:
        """Show other rows, in every view.

        Args:
            **query: the fields of `gateway_nb.notebook.widgets.event_table.query.Query`: events, text, start, end,
                path, sort and descending; what is left out does not filter.

        Raises:
            FilterError: a field is wrong.

        Example:
            >>> table = gw.table()
            >>> table.filter(events=["agent"], path="data.phase=end")
        """
        unknown = set(query) - set(Query.__dataclass_fields__)
        if unknown:
            raise FilterError(f"a filter has no {sorted(unknown)[0]!r}; it has {', '.join(Query.__dataclass_fields__)}")
        self._ask(Query.parse(query))

    def expand(self, *paths: str) -> None:
        """Show columns from the payloads, in every view, instead of the former ones.

        Args:
            *paths: ``"runId"``, ``"data.phase"`` or a JSON pointer ``"/data/phase"``; at most 8, none for none.

        Raises:
            FilterError: there are more than 8, or one is not a path.

        Example:
            >>> table = gw.table()
            >>> table.expand("data.phase", "data.delta")
        """
        if len(paths) > _EXPANDED:
            raise FilterError(f"a table shows at most {_EXPANDED} columns from payloads, not {len(paths)}")
        for path in paths:
            steps(path)
        with self._lock:
            self._columns = paths
            self._ask(self._matches.query)
            self.post("columns", paths)

    def export(self, path: str | Path) -> Path:
        """Write what the filter shows to a new file on the kernel's disk.

        Args:
            path: its suffix chooses the format: ``.jsonl`` (`gateway_nb.load` reads it), ``.parquet`` or ``.csv``.

        Raises:
            CaptureError: the suffix is another, the file exists, or it can't be written.
        """
        target = Path(path)
        export.write(redacted(self._shown(), self._log.redactor), target)
        return target

    def html(self) -> str:
        """Return the newest rows as a static table."""
        caption, rows = self._newest()
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in self._static)
        lines = "".join(f"<tr>{''.join(map(_html_cell, self._static, row))}</tr>" for row in rows)
        return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{lines}</table>"

    def text(self) -> str:
        """Return the newest rows as lines of text."""
        caption, rows = self._newest()
        lines = [[printable(cell) for cell in line[:-1]] for line in (tuple(self._static), *rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join([printable(caption), *(line.rstrip() for line in padded)])

    def _newest(self) -> tuple[str, list[tuple[str, ...]]]:
        """Return a caption and the newest rows that are shown, as texts for `_static`, without secrets."""
        with self._lock:
            self._catch_up(_READ_SECONDS)
            table = redacted(self._last_rows(_STATIC_ROWS), self._log.redactor)
            count = self._rows.end - self._rows.first
        caption = f"{self._title}: {count:,} rows, the newest {table.num_rows} of them"
        longest = self._static.values()
        rows = (zip(static_row(row), longest, strict=True) for row in table.to_pylist())
        return caption, [tuple(_cut(cell, length) for cell, length in row) for row in rows]

    def __repr__(self) -> str:
        return printable(f"<EventTable {self._title}>")

    def _shown(self) -> pa.Table:
        with self._lock:
            self._catch_up(None)
            return self._rows.take(self._matches.ids(self._matches.first, self._matches.end))[1]

    def _last_rows(self, count: int) -> pa.Table:
        end = self._matches.end
        return self._rows.take(self._matches.ids(end - count, end))[1]

    def _follow(self) -> None:
        """Take note of the rows that came since the last time."""
        self._rows.follow(*self._log.pieces())

    def _catch_up(self, seconds: float | None) -> None:
        """Read the rows that came since the last time, and those that a new filter has not seen yet."""
        self._follow()
        while not self._matches.advance(1.0 if seconds is None else seconds) and seconds is None:
            pass

    # To the browser

    def refresh(self, slow: bool) -> None:
        """Send the views what came since the last time."""
        with self._lock:
            try:
                self._catch_up(_READ_SECONDS)
            except FilterError as error:
                self._ask(Query())
                self.post("problem", str(error))
                return
            if self._matches.forget():
                self._version += 1
                self.post("query", {"v": self._version, "query": self._matches.query})
            body = self._summary()
            if body == self._posted:
                return
            self._posted = body
            start = max(self._pushed, self._matches.end - (_SLOW_ROWS if slow else PUSHED_ROWS))
            self._pushed = self._matches.end
            # In another order the newest rows are not at the end: views ask for what they show.
            if self.watched and start < self._matches.end and not self._matches.query.sort:
                body = {**body, "rows": self._window(start, self._matches.end, _PUSHED_SUMMARIES)}
        self.post("push", body)

    def opened(self, view: str) -> None:
        """Send a new view the filter, the columns, the last minute's rates and the newest rows."""
        with self._lock:
            self._catch_up(_READ_SECONDS)
            end = self._matches.end
            body = {
                **self._summary(),
                "query": self._matches.query,
                "columns": self._columns,
                "gateways": GATEWAY in self._static,
                "title": self._title,
                "rates": self._rows.rates(time.time()),
                "rows": self._window(end - PUSHED_ROWS, end),
                "selected": self._selected.tolist(),
            }
        self.post("snapshot", body, to=view)

    def _summary(self) -> dict[str, Any]:
        matches, rows = self._matches, self._rows
        return {
            "v": self._version,
            "first": matches.first,
            "end": matches.end if matches.complete or not matches.query.sort else matches.first,
            "total": rows.end - rows.first,
            "came": rows.end,
            "dropped": self._dropped,
            "done": None if matches.complete else round(matches.progress, 2),
            "later": rows.end - matches.until if matches.until is not None else 0,
            "names": self._chips(),
            "state": self._state(),
        }

    @property
    def _dropped(self) -> int:
        """Rows that were dropped for newer ones."""
        return self._log.dropped

    def _chips(self) -> list[tuple[str, int]]:
        counts = self._rows.counts.most_common(_SHOWN_NAMES)
        names = self._log.redactor.starts([name for name, _ in counts], _CHIP_TEXT)
        return [(name[:_CHIP_TEXT], count) for name, (_, count) in zip(names, counts, strict=True)]

    def _window(self, start: int, stop: int, summaries: int = PUSHED_ROWS) -> dict[str, Any]:
        start = max(start, self._matches.first)
        ids, table = self._rows.take(self._matches.ids(start, stop))
        return preview(start, ids, table, self._columns, self._log.redactor, summaries)

    # From the browser

    def _ask(self, query: Query) -> None:
        with self._lock:
            self._follow()
            self._matches = Matches(query, self._rows)
            self._version += 1
            self._pushed = 0
            self._posted = None
            self.post("query", {"v": self._version, "query": query})
        if self._views:
            ticker.add(self)

    def _on_query(self, view: str, content: Mapping[str, Any]) -> None:
        self._ask(Query.parse(content["query"]))

    def _on_columns(self, view: str, content: Mapping[str, Any]) -> None:
        self.expand(*(str(path) for path in content["columns"]))

    def _on_window(self, view: str, content: Mapping[str, Any]) -> None:
        start, count = int(content["start"]), min(int(content["count"]), PUSHED_ROWS)
        with self._lock:
            if content["v"] != self._version:
                return
            rows = self._window(start, start + count)
        self.post("rows", {"v": self._version, "rows": rows}, to=view)

    def _on_row(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            ids, table = self._rows.take(np.array([int(content["id"])]))
        if not len(ids):
            self.post("problem", "this row has given way to newer ones", to=view)
            return
        row = redacted(table, self._log.redactor).to_pylist()[0]
        size = len(row["payload"].encode())
        self.post(
            "row",
            {
                "id": int(ids[0]),
                "name": row["event"] or row["kind"],
                **({GATEWAY: row[GATEWAY]} if GATEWAY in row else {}),
                "time": row["time"].isoformat(),
                "seq": row["seq"],
                "epoch": row["epoch"],
                "size": size,
                "text": row["payload"] if size <= _INSPECTED_BYTES else None,
            },
            to=view,
        )

    def _on_select(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            if "range" in content:
                start, stop = (int(position) for position in content["range"])
                self._selected = self._matches.ids(start, min(stop, start + _SELECTED_ROWS))
            else:
                self._selected = np.array([int(number) for number in content["ids"][:_SELECTED_ROWS]], "int64")
            self.post("selected", self._selected.tolist())

    def _on_paths(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            payloads = self._last_rows(_READ_ROWS).column("payload").to_pylist()
        self.post("paths", paths_of(payloads, self._log.redactor), to=view)

    def _on_export(self, view: str, content: Mapping[str, Any]) -> None:
        stamp = dt.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        path = self.export(f"events-{stamp}.{content['format']}")
        self.post("note", f"written to {path.absolute()}", to=view)


def _html_cell(column: str, text: str) -> str:
    # JupyterLab aligns cells to the right, which is no way to read text.
    style = " style='text-align:left'" if column in _STATIC_TEXTS else ""
    return f"<td{style}>{html.escape(text, quote=False)}</td>"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
