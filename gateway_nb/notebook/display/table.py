"""A list of objects as a table for people: the columns worth most first, what says nothing folded. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from ...errors import one_line

Kind = Literal["text", "number", "time", "nested"]

_TIME_NAME = re.compile(r"(.*(At|AtMs|Ts|Time|TimeMs)|ts|tsMs|time|timestamp)\Z")
# Milliseconds since 1970 from 1973 to 2100: a number elsewhere is a duration, or a count.
_TIMES = range(100_000_000_000, 4_102_444_800_000)
_WORTH = (
    re.compile(r"(ok|key|id|name|method|event)\Z", re.IGNORECASE),
    re.compile(r".*(label|title|displayName|subject)\Z", re.IGNORECASE),
    re.compile(r".*(status|state|phase|enabled|error|level|kind|type)\Z", re.IGNORECASE),
    re.compile(r"(model|provider|agent|session|channel|role)", re.IGNORECASE),
    re.compile(r"(updated|last).*(At|Ts|Time)(Ms)?\Z"),
    re.compile(r".*(cost|tokens|count|total|bytes|size|duration|Ms)(Usd)?\Z", re.IGNORECASE),
)
"""Names of columns, the most telling first; columns whose names match none come after them."""
_OPAQUE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}")
_ROWS, _COLUMNS, _CELL = 20, 12, 40
_ENOUGH = 3  # columns; beyond them none is shown of ids that say nothing, and of nested values
_WIDTH = 100  # characters of HTML: a notebook's font is wider than they are counted here
_ALL_CELLS, _ALL_ROWS, _LONG_CELL = 2000, 400, 200
_LINE = 160


def are_times(name: str, values: Iterable[Any]) -> bool:
    """Return whether a field's values are times: its name says so, and each can be one in milliseconds since 1970."""
    given = [value for value in values if value is not None]
    return (
        _TIME_NAME.match(name) is not None
        and bool(given)
        and all(type(value) is int and value in _TIMES for value in given)
    )


@dataclass(frozen=True)
class Column:
    """A field of a list of objects.

    Attributes:
        name: the field's.
        values: decoded JSON, a value for each object; ``None`` where it has no such field.
    """

    name: str
    values: list[Any]

    @cached_property
    def kind(self) -> Kind:
        """What its values are."""
        types = {type(value) for value in self.values if value is not None}
        if types & {dict, list}:
            return "nested"
        if types and types <= {int, float}:
            return "time" if are_times(self.name, self.values) else "number"
        return "text"

    @cached_property
    def worth(self) -> int:
        """How early a person wants to see it; smaller is earlier."""
        if self.kind == "nested":
            return len(_WORTH) + 2
        if any(isinstance(value, str) and _OPAQUE.fullmatch(value) for value in self.values):
            return len(_WORTH) + 1
        return next((rank for rank, name in enumerate(_WORTH) if name.match(self.name)), len(_WORTH))

    def texts(self, longest: int, count: int | None = None) -> list[str]:
        """Return its values, each as a line.

        Args:
            longest: characters of each; longer ones are cut, and end with ``…``.
            count: of the first so many values; default: of all.
        """
        is_time = self.kind == "time"
        return [_text(value, longest, is_time=is_time) for value in self.values[:count]]


def _text(value: Any, longest: int, *, is_time: bool = False) -> str:
    if value is None:
        return ""
    if is_time:
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    window = value[: 4 * longest]
    shown = one_line(window, longest)
    return shown if len(window) == len(value) or shown.endswith("…") else f"{shown[: longest - 1]}…"


class Table:
    """A list of objects, arranged: what varies as columns, what is the same in every row or empty apart.

    Args:
        rows: decoded JSON objects, at least one.

    Attributes:
        count: how many rows.
        columns: those that vary, by worth; of a single row all that are not empty.
        constant: those with the same value in every row.
        empty: names of those without a value.
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.count = len(rows)
        self.columns: list[Column] = []
        self.constant: list[Column] = []
        self.empty: list[str] = []
        variety: dict[str, int] = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            column = Column(name, [row.get(name) for row in rows])
            variety[name] = len({json.dumps(value) for value in column.values})
            if all(value in (None, "", [], {}) for value in column.values):
                self.empty.append(name)
            elif variety[name] == 1 and self.count > 1:
                self.constant.append(column)
            else:
                self.columns.append(column)
        self.columns.sort(key=lambda column: (column.worth, -variety[column.name]))
        self.constant.sort(key=lambda column: column.worth)

    def fitting(self, width: int) -> list[tuple[Column, list[str]]]:
        """Return the columns that fit side by side into a width, with their texts; none that only repeats another."""
        fitting: list[tuple[Column, list[str]]] = []
        for column in self.columns:
            texts = column.texts(_CELL, _ROWS)
            if any(texts == others for _, others in fitting):
                continue  # a label that is the name again
            wide = max(len(text) for text in (column.name, *texts)) + 2
            enough = _COLUMNS if column.worth <= len(_WORTH) else _ENOUGH
            if fitting and (wide > width or len(fitting) >= enough):
                continue
            width -= wide
            fitting.append((column, texts))
        return fitting

    def html(self) -> str:
        """Return it as HTML: what fits side by side, and everything else folded."""
        if self.count == 1:
            return _record_html(self.columns) + self._folded(())
        shown = self.fitting(_WIDTH)
        return _table_html(shown) + self._folded([column for column, _ in shown])

    def _folded(self, shown: Sequence[Column]) -> str:
        parts = []
        if self.count > 1 and (len(shown) < len(self.columns) or self.count > _ROWS):
            rows = max(min(_ALL_CELLS // len(self.columns), _ALL_ROWS), _ROWS)
            left_out = f"; the first {rows:,} of them here, -o NAME keeps all" if rows < self.count else ""
            every = _table_html([(column, column.texts(_LONG_CELL, rows)) for column in self.columns])
            parts.append(folded(f"{self.rest(shown)}{left_out}", every))
        if self.constant:
            summary = line(f"{column.name} {column.texts(_CELL, 1)[0]}" for column in self.constant)
            parts.append(folded(f"the same in every row: {summary}", _record_html(self.constant)))
        if self.empty:
            parts.append(folded(f"{len(self.empty)} without a value", html.escape(", ".join(self.empty))))
        return "".join(parts)

    def rest(self, shown: Sequence[Column]) -> str:
        """Return in words how much of it there is, and how much is shown."""
        columns = f"{len(self.columns):,} columns" if len(self.columns) > 1 else "1 column"
        rows = f"{self.count:,} rows"
        rows += f" ({_ROWS} shown)" if self.count > _ROWS else ""
        columns += f" ({len(shown)} shown)" if len(shown) < len(self.columns) else ""
        return f"all {rows}, {columns}"

    def text(self, width: int) -> str:
        """Return it for a terminal, `width` characters wide: what fits side by side, and in words what does not."""
        if self.count == 1:
            longest = max(width - 20, _CELL)
            lines = [f"{column.name}: {column.texts(longest)[0]}" for column in self.columns]
        else:
            shown = self.fitting(width)
            lines = _aligned(shown)
            if len(shown) < len(self.columns) or self.count > _ROWS:
                lines.append(f"… of {self.rest([column for column, _ in shown])}; -f df -o NAME keeps all")
        if self.constant:
            same = line((f"{column.name} {column.texts(_CELL, 1)[0]}" for column in self.constant), width)
            lines.append(f"the same in every row: {same}")
        return "\n".join(lines)


def _aligned(columns: Sequence[tuple[Column, list[str]]]) -> list[str]:
    padded = []
    for column, texts in columns:
        width = max(len(text) for text in (column.name, *texts))
        right = column.kind == "number"
        padded.append([text.rjust(width) if right else text.ljust(width) for text in (one_line(column.name), *texts)])
    return ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]


def fields(payload: dict[str, Any]) -> str:
    """Return the plain values of an object as one line, what tells most first.

    Args:
        payload: decoded JSON; what is nested in it, and what is null, is left out.
    """
    columns = [Column(name, [value]) for name, value in payload.items() if not isinstance(value, (dict, list))]
    columns = sorted((column for column in columns if column.values != [None]), key=lambda column: column.worth)
    return line(f"{column.name}: {column.texts(_CELL)[0]}" for column in columns)


def line(parts: Iterable[str], width: int = _LINE) -> str:
    """Return the first parts that fit into a line of so many characters, with the number of the others."""
    parts = [one_line(part) for part in parts]
    shown: list[str] = []
    for part in parts:
        if shown and sum(len(text) + 3 for text in (*shown, part)) > width:
            break
        shown.append(part)
    more = [f"{len(parts) - len(shown)} more"] if len(shown) < len(parts) else []
    return " · ".join([*shown, *more])


def folded(summary: str, content: str) -> str:
    """Return HTML that opens at a click on its summary, a text, without a script."""
    return f'<details><summary class="gnb-caption">{html.escape(summary)}</summary>{content}</details>'


def _table_html(columns: Sequence[tuple[Column, list[str]]]) -> str:
    styles = [' class="gnb-number"' if column.kind == "number" else "" for column, _ in columns]
    head = "".join(
        f"<th{style}>{html.escape(one_line(column.name))}</th>"
        for style, (column, _) in zip(styles, columns, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{style}>{html.escape(text)}</td>" for style, text in zip(styles, texts, strict=True))
        + "</tr>"
        for texts in zip(*(texts for _, texts in columns), strict=True)
    )
    return f'<div class="gnb-frame"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _record_html(columns: Sequence[Column]) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(one_line(column.name))}</th><td>{html.escape(column.texts(_LONG_CELL, 1)[0])}</td></tr>"
        for column in columns
    )
    return f'<div class="gnb-frame gnb-record"><table>{rows}</table></div>'
