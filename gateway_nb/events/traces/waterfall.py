"""Spans as a picture: a tree at the left, bars to scale beside it, as SVG that needs nothing else, and as text. Pure.

A notebook shows SVG as an image, which knows neither the page's theme nor its fonts' colours: inks and colours are
readable on light and on dark. They are attributes of each element, since sites that show notebooks, as GitHub, put SVG
into their page without its ``style``: what has its colour from there is black. Nothing of what a gateway wrote acts in
it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...errors import printable
from .spans import Span

MAX_BYTES = 290_000
_MAX_LINES = 200
_WIDTH, _TREE, _ROW, _HEAD = 780, 290, 18, 46  # a notebook is narrow, and cuts what is wider off
_BARS = _WIDTH - _TREE - 112
_INDENT, _DEEPEST = 12, 12
_LABEL, _TITLE = 34, 160
_TICKS = 4
_TEXT_BAR = 30
COLOURS = {"run": "#4a7fb5", "model": "#d1802a", "tool": "#4a9a4a"}
_ERROR = "#d9534f"
_INK = "#7a7a7a"  # as far from white as from a dark page, as in `events.plots`
_SIGNS = {"error": "✕ ", "aborted": "■ ", "unknown": "? ", "running": "… "}
_NOT_XML = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True)
class Bar:
    """A span's bar, in seconds since the beginning of the picture.

    Attributes:
        kind: run, model or tool.
        start: where it begins.
        end: where it ends.
        is_open: its end was not seen.
        failed: its status is error.
    """

    kind: str
    start: float
    end: float
    is_open: bool
    failed: bool


@dataclass(frozen=True)
class Row:
    """A line of the picture.

    Attributes:
        depth: in the tree.
        label: what it is.
        figure: at its right.
        title: what is shown where the pointer rests.
        bars: one, or of a comparison two.
    """

    depth: int
    label: str
    figure: str
    title: str
    bars: tuple[Bar, ...]


def depths(spans: Iterable[Span]) -> list[int]:
    """Return how deep each span of a tree lies; the root has 0."""
    found: dict[str | None, int] = {None: -1}
    return [found.setdefault(span.span, found.get(span.parent, -1) + 1) for span in spans]


def bounds(spans: Iterable[Span]) -> tuple[int, int]:
    """Return the first and the last time of spans, in nanoseconds."""
    times = [time for span in spans for time in (span.start, span.end) if time is not None]
    return min(times, default=0), max(times, default=0)


def bar(span: Span, first: int, last: int) -> Bar:
    """Return a span's bar; one whose end was not seen goes on to the last time, one without a start is an instant."""
    start = span.start if span.start is not None else span.end if span.end is not None else first
    end = span.end if span.end is not None else last
    is_open = span.end is None
    return Bar(span.kind, (start - first) / 1e9, (max(end, start) - first) / 1e9, is_open, span.status == "error")


def label(span: Span) -> str:
    """Return a span's name with a sign where it did not end well, and one where something is wrong with it."""
    return _SIGNS.get(span.status, "") + ("⚠ " if span.problems else "") + span.name


def rows(spans: Sequence[Span]) -> list[Row]:
    """Return a row for each span of a trace."""
    first, last = bounds(spans)
    return [
        Row(depth, label(span), duration(span.seconds), _title(span), (bar(span, first, last),))
        for depth, span in zip(depths(spans), spans, strict=True)
    ]


def duration(seconds: float | None) -> str:
    """Return seconds as a short text; nothing of what is not known."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def _title(span: Span) -> str:
    tokens = [
        f"{count:,} {name} tokens"
        for count, name in ((span.input_tokens, "input"), (span.output_tokens, "output"))
        if count is not None
    ]
    cost = [] if span.cost is None else [f"{span.cost:.6g} USD"]
    parts = [f"{span.kind} {span.status}", duration(span.seconds), *tokens, *cost, *span.problems]
    return " · ".join(part for part in parts if part)


def svg(title: str, lines: Sequence[Row]) -> str:
    """Return rows as an SVG document of at most 300 KB; of more the first, which is said.

    Args:
        title: over it.
        lines: of a trace, or of a comparison.
    """
    last = max(each.end for line in lines for each in line.bars)
    scale = _BARS / last if last > 0 else 0.0
    parts: list[str] = []
    size = 0
    for number, line in enumerate(lines):
        part = _row(line, _HEAD + number * _ROW, scale)
        size += len(part.encode())
        if size > MAX_BYTES:
            break
        parts.append(part)
    left = len(lines) - len(parts)
    height = _HEAD + (len(parts) + (left > 0)) * _ROW + 4
    note = f'<text x="4" y="{height - 8}">{left:,} further spans are not shown; .spans has all</text>' if left else ""
    name = _escaped(title.strip("<>"), _TITLE)
    head = _head(name, last, scale, height - 4)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="{name}" font-family="system-ui,sans-serif" font-size="12" fill="{_INK}">'
        f"{head}{''.join(parts)}{note}</svg>"
    )


def _head(name: str, last: float, scale: float, height: int) -> str:
    """Return title, legend and the axis of time."""
    parts = [f'<text x="4" y="14">{name}</text>']
    legend = [(kind, _paint(kind)) for kind in COLOURS]
    legend += [("error", _paint("run", failed=True)), ("no end", _paint("run", is_open=True))]
    for number, (kind, paint) in enumerate(legend):
        x = 4 + number * 55
        parts.append(f'<rect {paint} x="{x}" y="26" width="10" height="10"/><text x="{x + 14}" y="35">{kind}</text>')
    step = _step(last)
    for tick in range(_TICKS * 3):
        if (at := tick * step) > last or not scale:
            break
        left = round(_TREE + at * scale, 1)
        parts.append(
            f'<line x1="{left}" x2="{left}" y1="38" y2="{height}" stroke="{_INK}" stroke-opacity=".3"/>'
            f'<text x="{left + 2}" y="35">{at:g} s</text>'
        )
    return "".join(parts)


def _step(last: float) -> float:
    """Return a round number of seconds between ticks."""
    power = 10.0 ** (len(f"{int(last * 1e6)}") - 8)
    return next(
        (nice * power * ten for ten in (1, 10, 100) for nice in (1, 2, 5) if nice * power * ten * _TICKS >= last), last
    )


def _row(line: Row, y: int, scale: float) -> str:
    x = 4 + min(line.depth, _DEEPEST) * _INDENT
    high = (_ROW - 6) // len(line.bars)
    bars = "".join(
        f'<rect {_paint(each.kind, each.failed, each.is_open)} x="{_TREE + each.start * scale:.1f}" '
        f'y="{y + 3 + place * high}" width="{max((each.end - each.start) * scale, 1):.1f}" height="{high}"/>'
        for place, each in enumerate(line.bars)
    )
    figure = (
        f'<text text-anchor="end" x="{_WIDTH - 4}" y="{y + 13}">{_escaped(line.figure, _LABEL)}</text>'
        if line.figure
        else ""
    )
    title = f"<title>{_escaped(line.title, _TITLE)}</title>"
    return f'<g>{title}<text x="{x}" y="{y + 13}">{_escaped(line.label, _LABEL)}</text>{bars}{figure}</g>'


def _paint(kind: str, failed: bool = False, is_open: bool = False) -> str:
    """Return the attributes of a bar; one without an end is dashed, also where it failed."""
    edge = _ERROR if failed else _INK
    return (
        f'fill="{COLOURS[kind]}"'
        + (f' stroke="{edge}"' if failed or is_open else "")
        + (' stroke-width="2"' if failed else "")
        + (' fill-opacity=".35" stroke-dasharray="3"' if is_open else "")
    )


def cut(text: str, longest: int) -> str:
    """Return a text's first characters, in which nothing acts."""
    text = printable(text[: longest + 1])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _escaped(text: str, longest: int) -> str:
    return html.escape(_NOT_XML.sub("\ufffd", cut(text, longest)))


def text(title: str, lines: Sequence[Row]) -> str:
    """Return rows as text, at most 200 lines; of more the first, which is said."""
    last = max(each.end for line in lines for each in line.bars)
    shown = [printable(title)]
    for line in lines[:_MAX_LINES]:
        name = cut("  " * min(line.depth, _DEEPEST) + line.label.replace("\n", " "), 40)
        shown += [f"{name:40} {line.figure:>10}  {_text_bar(each, last)}".rstrip() for each in line.bars[:1]]
    if len(lines) > _MAX_LINES:
        shown.append(f"{len(lines) - _MAX_LINES:,} further spans are not shown; .spans has all")
    return "\n".join(shown)


def _text_bar(each: Bar, last: float) -> str:
    if last <= 0:
        return ""
    start = min(int(each.start / last * _TEXT_BAR), _TEXT_BAR - 1)
    width = max(round((each.end - each.start) / last * _TEXT_BAR), 1)
    return " " * start + ("░" if each.is_open else "█") * min(width, _TEXT_BAR - start)
