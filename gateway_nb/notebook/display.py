"""How a result looks: a JSON tree that folds, plain text in a terminal. Everything from a gateway is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import PairingRequiredError, printable

if TYPE_CHECKING:
    import pandas as pd

_OPEN_DEPTH = 2
_CHILDREN = 100
_NODES = 1000
_TEXT = 500
_LINES = 60
_ROWS, _COLUMNS, _CELL = 20, 12, 60

_STYLE = (
    "<style>.gnb-result details>:not(summary){margin-left:1.2em}"
    ".gnb-frame{overflow-x:auto}.gnb-frame :is(td,th){white-space:nowrap}"
    ".gnb-result summary{cursor:pointer}.gnb-name{color:var(--jp-mirror-editor-attribute-color,#0050b0)}"
    ".gnb-caption{color:var(--jp-ui-font-color2,#666);font-size:90%}</style>"
)


class Result:
    """The payload of an answer, as a notebook shows it.

    Args:
        payload: decoded JSON.
        caption: what it is the answer to.
        frame: its rows, where it has some; shown first, and the whole folded below.
        notes: what else to know, a line each.
        as_json: let the front end show the JSON its own way.
    """

    def __init__(
        self,
        payload: Any,
        caption: str,
        *,
        frame: pd.DataFrame | None = None,
        notes: Sequence[str] = (),
        as_json: bool = False,
    ) -> None:
        self._payload = payload
        self._caption = caption
        self._frame = frame
        self._notes = notes
        self._as_json = as_json

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._html()}
        if self._as_json:
            bundle["application/json"] = self._payload
        return bundle

    def _html(self) -> str:
        notes = "".join(f'<div class="gnb-caption">{html.escape(line)}</div>' for line in (self._caption, *self._notes))
        folded = self._frame is not None
        tree = _Tree().html(self._payload, "answer" if folded else "", _OPEN_DEPTH if folded else 0)
        rows = "" if self._frame is None else _frame_html(self._frame)
        return f'{_STYLE}<div class="gnb-result">{notes}{rows}{tree}</div>'

    def __repr__(self) -> str:
        if self._frame is not None:
            shown = self._frame.to_string(
                max_rows=_ROWS, max_cols=_COLUMNS, max_colwidth=_CELL, show_dimensions=True, index=False
            )
            return printable("\n".join([self._caption, *self._notes, shown]))
        lines = json.dumps(self._payload, indent=2, ensure_ascii=False).splitlines()
        if len(lines) > _LINES:
            lines = [*lines[:_LINES], f"… {len(lines) - _LINES:,} more lines; -o NAME keeps the whole"]
        return printable("\n".join([*self._notes, *lines]))  # no terminal sequence of a gateway's gets through


def _frame_html(frame: pd.DataFrame) -> str:
    import pandas as pd

    with pd.option_context("display.max_colwidth", _CELL):
        rows = frame.to_html(
            max_rows=_ROWS, max_cols=_COLUMNS, escape=True, index=False, border=0, show_dimensions=True
        )
    return f'<div class="gnb-frame">{rows}</div>'


class Elapsed:
    """What is going on, and for how long; nothing of it is left when it has ended.

    Args:
        what: a method.
        seconds: since it began.
    """

    def __init__(self, what: str, seconds: float) -> None:
        self._text = f"{what} … {seconds:.0f} s"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        note = f'{_STYLE}<div class="gnb-result"><div class="gnb-caption">{html.escape(self._text)}</div></div>'
        return {"text/plain": self._text, "text/html": note}


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


class PairingCard:
    """What the gateway's owner has to do, with the command to copy.

    Args:
        error: the gateway's refusal.
        waiting: somebody waits for it.
    """

    def __init__(self, error: PairingRequiredError, *, waiting: bool = False) -> None:
        self._rows = {
            "why": error.reason or "this device is not approved",
            "asked for": ", ".join(error.requested_scopes) or None,
            "approved before": ", ".join(error.approved_scopes) or None,
            "request": error.request_id,
            "on the gateway's host run": error.approve_command or "openclaw devices list",
            "then": "nothing more: this cell goes on by itself" if waiting else "run this cell again",
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'><code style='user-select:all'>{html.escape(text)}</code></td></tr>"
            for name, text in self._rows.items()
            if text
        )
        title = "<div><b>The gateway's owner has to approve this device</b></div>"
        return {"text/plain": repr(self), "text/html": f"{title}<table>{cells}</table>"}

    def __repr__(self) -> str:
        rows = [f"  {name}: {text}" for name, text in self._rows.items() if text]
        return printable("\n".join(["the gateway's owner has to approve this device", *rows]))


class Listing:
    """Names in columns, for ``%gateway methods`` and ``%gateway events``.

    Args:
        title: what they are.
        names: the names.
    """

    def __init__(self, title: str, names: list[str]) -> None:
        self._title = title
        self._names = names

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        items = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in self._names)
        style = "columns:3 16em;list-style:none;padding:0;margin:0"
        return {
            "text/plain": repr(self),
            "text/html": f'<div>{html.escape(self._title)}</div><ul style="{style}">{items}</ul>',
        }

    def __repr__(self) -> str:
        return "\n".join([self._title, *(json.dumps(name)[1:-1] for name in self._names)])
