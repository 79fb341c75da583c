"""The panel's tab of the gateway's own records: a book as a table to sort, filter and export.

The DataFrame stays in the kernel; a browser gets the rows that it shows.
"""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....capture.files import new_file
from ....errors import GatewayError, printable
from ....faces.gateway import Gateway
from ....records.data import Data
from ....records.reading import Reader
from ....records.steps import Pause
from ....records.usage import BYS
from ....sync.loop_thread import loop_thread
from ...current import latest
from ...magics.records import BOOKS, read_book, taken
from ..event_table.export import FORMATS
from ..live import LiveWidget, bundle

if TYPE_CHECKING:
    import pandas as pd

    from ....sync.handle import RequestHandle

_PAGE = 100
_LONGEST = 120
_OPTIONS = ("session", "by", "since", "job", "limit", "n")
"""The arguments of books that the tab has a field for."""
_EXPORTS = (".csv", ".parquet")


class DataView(LiveWidget):
    """Shows the books of ``gw.data``. Reading one does not keep the kernel waiting.

    Args:
        gateway: whose.

    Attributes:
        df: the book that was read last, whole; ``None`` before.
    """

    _esm = bundle("data_view", "js")
    _css = bundle("data_view", "css")
    MESSAGES = ("read", "cancel", "query", "page", "export")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._reading: RequestHandle[pd.DataFrame] | None = None
        self._book = ""
        self._query: dict[str, Any] = {}
        self._shown: pd.DataFrame | None = None
        self._start = 0
        self.df: pd.DataFrame | None = None
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view the books, and the rows that the others see."""
        books = {book: [name for name in taken(book) if name in _OPTIONS] for book in BOOKS}
        self.post("books", {"books": books, "bys": BYS}, to=view)
        if self._shown is not None:
            self.post("rows", self._rows(), to=view)

    def __repr__(self) -> str:
        return f"<DataView {self._gateway.name}>"

    def close(self) -> None:
        """Take it away, and read no more."""
        if self._reading is not None:
            self._reading.cancel()
        super().close()

    def _on_read(self, view: str, content: Mapping[str, Any]) -> None:
        book, options = str(content["book"]), dict(content["options"])
        core = latest(self._gateway).core

        def show(step: Any) -> None:
            self.post("progress", step.why if isinstance(step, Pause) else f"reading: {step.rows:,}")

        def submitted(make: Callable[[], Any], title: str) -> RequestHandle[pd.DataFrame]:
            return loop_thread().submit(Reader(core).read_silently(make(), show), title)

        if self._reading is not None:
            self._reading.cancel()
        self._reading = handle = read_book(Data(submitted), book, options)

        def done(_: object) -> None:
            # Called on the loop's thread, which has other work than to make texts of a page's rows.
            threading.Thread(target=self._finish, args=(book, handle), name="gateway_nb-data", daemon=True).start()

        handle.add_done_callback(done)

    def _finish(self, book: str, handle: RequestHandle[pd.DataFrame]) -> None:
        problem = None
        try:
            frame = handle.result()
        except concurrent.futures.CancelledError:
            problem = "cancelled"
        except (GatewayError, ValueError) as error:
            problem = printable(str(error))
        except Exception as error:  # noqa: BLE001 - nobody else would say it
            problem = printable(f"{type(error).__name__}: {error}")
        with self._lock:
            if handle is not self._reading:  # another book was asked for meanwhile
                return
            if problem is not None:
                self.post("problem", problem)
                return
            self.df, self._book, self._query = frame, book, {}
            self._select()

    def _on_cancel(self, view: str, content: Mapping[str, Any]) -> None:
        if self._reading is not None:
            self._reading.cancel()

    def _on_query(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            self._query = {name: content.get(name) for name in ("text", "sort", "descending")}
            self._select()

    def _on_page(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            self._start = max(int(content["start"]), 0)
            self.post("rows", self._rows())

    def _on_export(self, view: str, content: Mapping[str, Any]) -> None:
        import pyarrow as pa

        with self._lock:
            shown, book, suffix = self._shown, self._book, str(content["format"])
        if shown is None or suffix not in _EXPORTS:
            return
        path = Path(f"{book}-{dt.datetime.now():%Y%m%d-%H%M%S}{suffix}")
        with new_file(path) as file:
            FORMATS[suffix](pa.Table.from_pandas(shown, preserve_index=False), file)
        self.post("note", f"{len(shown):,} rows written to {path.absolute()}", to=view)

    def _select(self) -> None:
        """Filter and sort anew, and show the first page."""
        if self.df is not None:
            self._shown, self._start = selected(self.df, **self._query), 0
            self.post("rows", self._rows())

    def _rows(self) -> dict[str, Any]:
        assert self._shown is not None
        assert self.df is not None
        page = self._shown.iloc[self._start : self._start + _PAGE]
        columns = [[_text(value) for value in page[name]] for name in page.columns]
        return {
            "book": self._book,
            "columns": [{"name": name, "number": dtype.kind in "iuf"} for name, dtype in page.dtypes.items()],
            "rows": list(zip(*columns, strict=True)),
            "start": self._start,
            "shown": len(self._shown),
            "all": len(self.df),
            "page": _PAGE,
            **self._query,
        }


def selected(
    frame: pd.DataFrame, text: str | None = None, sort: str | None = None, descending: bool | None = None
) -> pd.DataFrame:
    """Return the rows in which a text is found, sorted.

    Args:
        frame: any.
        text: found in any column, in either case; default: all rows.
        sort: a column's name; default: as they are.
        descending: the largest first; what is missing stays last.
    """
    if text:
        contains = partial(_contains, text=text)
        frame = frame[frame.apply(contains).any(axis=1)] if len(frame) else frame
    if sort is None or sort not in frame:
        return frame
    return frame.sort_values(sort, ascending=not descending, kind="stable")


def _contains(column: pd.Series[Any], text: str) -> pd.Series[bool]:
    return column.astype("string").str.contains(text, case=False, regex=False).fillna(False).astype(bool)


def _text(value: Any) -> str:
    """Return a cell's value as a line of text, in which nothing acts."""
    import pandas as pd

    if pd.isna(value):
        return ""
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, dt.datetime) else str(value)
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").replace("\n", " ")
