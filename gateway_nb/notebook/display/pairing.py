"""What the gateway's owner has to do before this device may connect: in a cell, and in the form."""

from __future__ import annotations

import html

from ...errors import PairingRequiredError, printable

TITLE = "The gateway's owner has to approve this device"


class PairingCard:
    """What the gateway's owner has to do, with the command to copy.

    Args:
        error: the gateway's refusal.
        waiting: somebody waits for it.
    """

    def __init__(self, error: PairingRequiredError, *, waiting: bool = False) -> None:
        then = "nothing more: this cell continues by itself" if waiting else "run this cell again"
        self._rows = {**error.rows, "then": then}

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'><code style='user-select:all'>{html.escape(text)}</code></td></tr>"
            for name, text in self._rows.items()
        )
        return f"<div><b>{TITLE}</b></div><table>{cells}</table>"

    def __repr__(self) -> str:
        rows = [f"  {name}: {text}" for name, text in self._rows.items()]
        return printable("\n".join([TITLE, *rows]))
