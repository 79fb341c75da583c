"""Lists of names and of connections."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import printable
from ...faces.gateway import Gateway


@dataclass(frozen=True, repr=False)
class Listing:
    """Names in columns, under what they are, for ``%gateway methods`` and ``%gateway events``."""

    title: str
    names: list[str]

    def _repr_html_(self) -> str:
        items = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in self.names)
        style = "columns:3 16em;list-style:none;padding:0;margin:0"
        return f'<div>{html.escape(self.title)}</div><ul style="{style}">{items}</ul>'

    def __repr__(self) -> str:
        return "\n".join([self.title, *(json.dumps(name)[1:-1] for name in self.names)])


class Connections:
    """The connections, and which of them the magics use.

    Args:
        gateways: those that are open.
        used: the name of the one that the magics use.
    """

    def __init__(self, gateways: Sequence[Gateway], used: str) -> None:
        self._rows = [("→" if gateway.name == used else "", gateway.name, str(gateway.status)) for gateway in gateways]
        several = "→ is the one that the magics use; %gateway use NAME changes it"
        self._note = several if len(gateways) > 1 else ""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{arrow}</td><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(status)}</td></tr>"
            for arrow, name, status in self._rows
        )
        return f"<table>{rows}</table><div>{html.escape(self._note)}</div>"

    def __repr__(self) -> str:
        width = max(len(name) for _, name, _ in self._rows)
        lines = [f"{arrow:1} {name:{width}}  {status}" for arrow, name, status in self._rows]
        return printable("\n".join([*lines, *([self._note] if self._note else [])]))
