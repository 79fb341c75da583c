"""A trace to click through: its tree and its bars, live while the run goes on. In a cell, and in the panel."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from IPython.display import DisplayHandle, publish_display_data
from IPython.display import display as show

from ....errors import GatewayError, printable
from ....events.traces import waterfall
from ....events.traces.spans import Span
from ....events.traces.trace import Trace
from ..live import LiveWidget, bundle

MAX_ROWS = 1000
_NAME, _LINE, _DETAIL = 200, 400, 20_000  # characters
_PERIOD = 0.5
_REST = 10.0  # times as long as it took to read and draw a trace, it is left alone
_OWN = ("kind", "name", "status", "model", "start", "end", "seconds", "input_tokens", "output_tokens", "cost")


class TraceView(LiveWidget):
    """Shows a trace. Shown by a `Trace`, and in the panel below the runs.

    The picture that stays in the notebook is an output of its own, which a live view hides by its style.

    Args:
        trace: what is shown first; ``None`` for nothing.
    """

    _esm = bundle("trace_view", "js")
    _css = bundle("trace_view", "css")
    MESSAGES = ("find", "details")

    def __init__(self, trace: Trace | None = None) -> None:
        self._trace = trace
        self._again = trace.again if trace else None
        self._text = ""
        self._next = 0.0
        self._picture: DisplayHandle | None = None
        super().__init__()

    def show(self, trace: Trace) -> None:
        """Show a trace instead of the one before."""
        with self._lock:
            self._trace, self._again, self._text = trace, trace.again, ""
            self.post("trace", self._describe())

    def opened(self, view: str) -> None:
        """Send a new view what the others see."""
        self.post("trace", self._describe(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views the trace where it went on; the longer it takes to read it, the rarer it is read."""
        with self._lock:
            began = time.monotonic()
            before, again = self._trace, self._again
            if before is None or again is None or not before.is_open or began < self._next:
                return
            try:
                trace = again()
            except GatewayError as error:  # its rows are gone
                self._again = None
                self.post("problem", printable(str(error)))
                return
            if trace is not None:
                self._trace, self._again = trace, trace.again
                if trace.tree != before.tree:
                    self.post("trace", self._describe())
                    if self._picture is not None:
                        self._picture.update(trace._repr_mimebundle_(), raw=True)
            now = time.monotonic()
            self._next = now + _PERIOD + _REST * (now - began)

    def _ipython_display_(self) -> None:
        bundle: Any = self._repr_mimebundle_()
        publish_display_data({**bundle[0], "text/plain": repr(self)})
        if self._trace is not None:
            self._picture = show(self._trace._repr_mimebundle_(), raw=True, display_id=True)

    def __repr__(self) -> str:
        return printable(f"<TraceView {self._trace.run}>") if self._trace else "<TraceView>"

    def _on_find(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            self._text = str(content.get("text", ""))[:_NAME]
            self.post("trace", self._describe())

    def _on_details(self, view: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            spans = self._trace.tree if self._trace else []
        for span in spans:
            if span.span == content.get("span"):
                self.post("details", {"span": span.span, "texts": details(span)}, to=view)

    def _describe(self) -> dict[str, Any] | None:
        trace = self._trace
        if trace is None:
            return None
        rows = waterfall.rows(trace.tree)
        places, hits = matching(trace.tree, rows, self._text)
        return {
            "run": waterfall.cut(trace.run, _NAME),
            "title": waterfall.cut(repr(trace).strip("<>"), _LINE),
            "colours": waterfall.COLOURS,
            "open": trace.is_open and self._again is not None,
            "end": max(bar.end for row in rows for bar in row.bars),
            "text": self._text,
            "spans": len(rows),
            "hits": len(hits),
            "left": max(len(places) - MAX_ROWS, 0),
            "rows": [_row(trace.tree[at], rows[at], at in hits) for at in places[:MAX_ROWS]],
        }


def matching(spans: Sequence[Span], rows: Sequence[waterfall.Row], text: str) -> tuple[list[int], set[int]]:
    """Return the places of the spans that contain a text, in either case, with those above them; and of them alone.

    Args:
        spans: of a trace.
        rows: of its picture.
        text: looked for in what is seen of a span, in its tool call's id, arguments and result; empty for all spans.
    """
    wanted = text.casefold()
    hits = {
        at
        for at, (span, row) in enumerate(zip(spans, rows, strict=True))
        if not wanted or any(wanted in part.casefold() for part in _texts(span, row))
    }
    place = {span.span: at for at, span in enumerate(spans)}
    chosen: set[int] = set()
    for hit in hits:
        at: int | None = hit
        while at is not None and at not in chosen:
            chosen.add(at)
            at = place.get(spans[at].parent or "")
    return sorted(chosen), hits


def _texts(span: Span, row: waterfall.Row) -> list[str]:
    return [row.label, row.title, span.model or "", span.attributes.get("tool_call", ""), *span.content.values()]


def _row(span: Span, row: waterfall.Row, hit: bool) -> dict[str, Any]:
    bar = row.bars[0]
    return {
        "id": span.span,
        "depth": row.depth,
        "label": waterfall.cut(row.label, _NAME),
        "figure": row.figure,
        "title": waterfall.cut(row.title, _LINE),
        "kind": bar.kind,
        "start": bar.start,
        "end": bar.end,
        "open": bar.is_open,
        "failed": bar.failed,
        "hit": hit,
    }


def details(span: Span) -> list[tuple[str, str]]:
    """Return everything that is known of a span as names and texts, in which nothing acts; of long ones the start."""
    values: dict[str, Any] = {name: getattr(span, name) for name in _OWN}
    values |= {name: _time(getattr(span, name)) for name in ("start", "end")}
    values |= {name: value for name, value in span.attributes.items() if name != "problems"}
    values |= {f"problem {number}": text for number, text in enumerate(span.problems, 1)}
    values |= {name: _indented(text) for name, text in span.content.items()}
    return [(name, _cut(str(value))) for name, value in values.items() if value is not None]


def _time(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    return f"{dt.datetime.fromtimestamp(nanoseconds / 1e9, dt.UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


def _indented(text: str) -> str:
    """Return JSON with a line for each value; other texts, and long ones, as they are."""
    if len(text) > _DETAIL:
        return text
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


def _cut(text: str) -> str:
    left = len(text) - _DETAIL
    return printable(text[:_DETAIL]) + (
        f"\n… {left:,} more characters; to_otlp(path, content=True) has all" if left > 0 else ""
    )
