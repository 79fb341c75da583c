"""What a user sees of a fleet at a glance: a grid of states, and a DataFrame. Pure."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..client.status import Status
from ..errors import one_line, printable
from .config import LABEL_COLUMN, Member

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = {
    "connected": "var(--jp-success-color1, #388e3c)",
    "paused": "var(--jp-error-color1, #d32f2f)",
    "closed": "var(--jp-border-color1, #9e9e9e)",
}
_WAITING = "var(--jp-warn-color1, #f57c00)"
_TILES, _PROBLEMS, _REASON = 1000, 20, 200
_TILE = "padding:1px 8px;border:1px solid var(--jp-border-color2,#ccc);overflow:hidden;text-overflow:ellipsis"
_GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(12em,1fr));gap:4px;white-space:nowrap;margin:4px 0"


@dataclass(frozen=True, repr=False)
class FleetStatus:
    """A snapshot of a fleet's connections. In a notebook it shows itself as a grid.

    Attributes:
        members: the gateways.
        states: how the connection to each is.
        collectors: of those that the workers of a cluster capture, which one does, and how that goes.
    """

    members: Sequence[Member]
    states: Sequence[Status]
    collectors: Mapping[str, str] = field(default_factory=dict)

    @property
    def df(self) -> pd.DataFrame:
        """One row per gateway.

        Columns: `gateway`, `state`, `reason` (why it is not connected), `url`, `server_version`, `rtt` (seconds),
        `retry_in` (seconds until the next attempt), `events`, `gaps`, `missed` (events), `reconnects`, `problems`,
        `collector` (while a cluster captures: by which worker, and how that goes), and a column for each label:
        ``labels.region``.
        """
        import pandas as pd

        states, labels = self.states, dict.fromkeys(label for member in self.members for label in member.labels)
        counts = {
            name: pd.array([getattr(status.counters, name) for status in states], "Int64")
            for name in ("events", "gaps", "missed", "reconnects")
        }
        texts: dict[str, list[Any]] = {
            "gateway": [member.name for member in self.members],
            "state": [status.state for status in states],
            "reason": [status.reason for status in states],
            "url": [status.url for status in states],
            "server_version": [status.server_version for status in states],
            "problems": [" · ".join(status.problems) or None for status in states],
            **({"collector": [self.collectors.get(member.name) for member in self.members]} if self.collectors else {}),
            **{LABEL_COLUMN + label: [member.labels.get(label) for member in self.members] for label in labels},
        }
        strings = {name: pd.array(values, "string") for name, values in texts.items()}
        times = {
            name: pd.array([getattr(status, name) for status in states], "Float64") for name in ("rtt", "retry_in")
        }
        first = [name for name in texts if name not in ("problems", "collector") and not name.startswith(LABEL_COLUMN)]
        last = [name for name in texts if name not in first]
        return pd.DataFrame({**strings, **times, **counts})[[*first, *times, *counts, *last]]

    @property
    def counts(self) -> dict[str, int]:
        """How many connections are in each state, the most frequent first."""
        return dict(Counter(status.state for status in self.states).most_common())

    def __str__(self) -> str:
        """One line: how many gateways, and in which states."""
        counts = ", ".join(f"{count:,} {state}" for state, count in self.counts.items())
        return f"{len(self.members):,} gateway{'' if len(self.members) == 1 else 's'}: {counts}"

    def __repr__(self) -> str:
        problems, more = self._problems()
        return printable("\n".join([str(self), *(f"  {name}: {why}" for name, why in problems), *more]))

    def _repr_html_(self) -> str:
        collectors = [self.collectors.get(member.name) for member in self.members]
        tiles = "".join(map(_tile, self.members[:_TILES], self.states, collectors))
        left = len(self.members) - _TILES
        beyond = f"<div>and {left:,} more; .df has all</div>" if left > 0 else ""
        problems, more = self._problems()
        lines = "".join(
            f"<div><b>{html.escape(name)}</b>: {html.escape(why)}</div>" for name, why in problems
        ) + "".join(f"<div>{line}</div>" for line in more)
        return f"<div>{self}</div><div style='{_GRID}'>{tiles}</div>{beyond}{lines}"

    def wrong(self) -> list[tuple[str, str]]:
        """Return the names of the gateways of which something is wrong, each with what that is, in a line."""
        return [
            (member.name, one_line(" · ".join((status.state_text, *what)), _REASON))
            for member, status in zip(self.members, self.states, strict=True)
            if (what := [*filter(None, [status.reason]), *status.problems])
        ]

    def _problems(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the first of what is wrong, and a line about the rest."""
        found = self.wrong()
        left = len(found) - _PROBLEMS
        return found[:_PROBLEMS], [f"and {left:,} more of which something is wrong; .df has all"] if left > 0 else []


def _tile(member: Member, status: Status, collector: str | None) -> str:
    about = one_line(status, _REASON) + ("" if collector is None else f"; captured: {one_line(collector, _REASON)}")
    state = status.state if status.rtt is None else f"{status.rtt * 1000:.1f} ms"
    colour = _COLOURS.get(status.state, _WAITING)
    return (
        f"<div style='{_TILE};border-left:5px solid {colour}' title='{html.escape(about)}'>"
        f"<b>{html.escape(member.name)}</b> {html.escape(state)}"
        f"{'' if collector is None else f' · {html.escape(one_line(collector, _REASON))}'}</div>"
    )
