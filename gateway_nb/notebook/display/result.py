"""How a result looks: its rows as a table, a JSON tree that folds, plain text in a terminal."""

from __future__ import annotations

import html
import json
import shutil
from typing import Any

from ...errors import printable
from .table import Table, fields, folded

_OPEN_DEPTH = 2
_CHILDREN = 100
_NODES = 1000
_TEXT = 500
_LINES = 60
_WIDTH = 118

STYLE = (
    "<style>.gnb-result details>:not(summary){margin-left:1.2em}"
    ".gnb-frame{overflow-x:auto}.gnb-result .gnb-frame :is(td,th){white-space:nowrap;text-align:left}"
    ".gnb-result .gnb-frame .gnb-number{text-align:right}.gnb-result .gnb-record td{white-space:pre-wrap}"
    ".gnb-result summary{cursor:pointer}.gnb-name{color:var(--jp-mirror-editor-attribute-color,#0050b0)}"
    ".gnb-caption{color:var(--jp-ui-font-color2,#666);font-size:90%}</style>"
)


class Result:
    """The payload of an answer, as a notebook shows it.

    Args:
        payload: decoded JSON.
        caption: what it is the answer to.
        rows: the list of objects in it that is shown as a table, before the whole.
        as_json: let the front end show the JSON its own way.
    """

    def __init__(
        self, payload: Any, caption: str, *, rows: list[dict[str, Any]] | None = None, as_json: bool = False
    ) -> None:
        self._payload = payload
        self._table = Table(rows) if rows else None
        beside = self._table is not None and isinstance(payload, dict)
        self._lines = [text for text in (caption, fields(payload) if beside else "") if text]
        self._as_json = as_json

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._html()}
        if self._as_json:
            bundle["application/json"] = self._payload
        return bundle

    def _html(self) -> str:
        lines = "".join(f'<div class="gnb-caption">{html.escape(text)}</div>' for text in self._lines)
        if self._table is None:
            content = tree(self._payload)
        else:
            content = self._table.html() + folded("the whole answer", tree(self._payload))
        return f'{STYLE}<div class="gnb-result">{lines}{content}</div>'

    def __repr__(self) -> str:
        if self._table is not None:
            shown = [self._table.text(shutil.get_terminal_size((_WIDTH, 0)).columns)]
        else:
            shown = json.dumps(self._payload, indent=2, ensure_ascii=False).splitlines()
            if len(shown) > _LINES:
                shown = [*shown[:_LINES], f"… {len(shown) - _LINES:,} more lines; -o NAME keeps the whole"]
        return printable("\n".join([*self._lines, *shown]))  # no terminal sequence of a gateway's gets through


class Elapsed:
    """Which method is called, and for how many seconds so far; nothing of it is left when it has ended."""

    def __init__(self, what: str, seconds: float) -> None:
        self._text = f"{what} … {seconds:.0f} s"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        note = f'{STYLE}<div class="gnb-result"><div class="gnb-caption">{html.escape(self._text)}</div></div>'
        return {"text/plain": self._text, "text/html": note}


def tree(payload: Any) -> str:
    """Return decoded JSON as HTML that folds: nested ``details``, no more than 1,000 values."""
    return _Tree().html(payload)


class _Tree:
    """Writes nested ``details``; stops after `_NODES` values, however they are nested."""

    def __init__(self) -> None:
        self._left = _NODES

    def html(self, value: Any, key: str = "", depth: int = 0) -> str:
        self._left -= 1
        label = f'<span class="gnb-name">{html.escape(key)}</span>: ' if key else ""
        if isinstance(value, (dict, list)) and value:
            return self._branch(value, label, depth)
        text = json.dumps(value, ensure_ascii=False)
        if len(text) > _TEXT:
            text = text[:_TEXT] + f"… ({len(text):,} characters)"
        return f"<div>{label}<code>{html.escape(text)}</code></div>"

    def _branch(self, value: dict[str, Any] | list[Any], label: str, depth: int) -> str:
        if isinstance(value, dict):
            items, what = [(str(key), item) for key, item in value.items()], f"{{{len(value)}}}"
        else:
            items, what = [(str(index), item) for index, item in enumerate(value)], f"[{len(value)}]"
        parts = []
        for name, item in items[:_CHILDREN]:
            if self._left <= 0:
                break
            parts.append(self.html(item, name, depth + 1))
        if len(parts) < len(items):
            parts.append(f'<div class="gnb-caption">… {len(items) - len(parts):,} more</div>')
        opened = " open" if depth < _OPEN_DEPTH and len(items) <= 20 else ""
        return f"<details{opened}><summary>{label}{what}</summary>{''.join(parts)}</details>"
