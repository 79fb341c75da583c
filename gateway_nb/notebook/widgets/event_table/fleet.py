"""The live table of a fleet's events: rows of many connections, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ....events.log import Place
from ....fleets.events import GATEWAY, merged, with_gateway
from ..row_ids import FleetRows
from . import STATIC_COLUMNS, EventTable

if TYPE_CHECKING:
    from ....fleets.fleet import Fleet


class FleetTable(EventTable):
    """A live table of a fleet's events, with a column for the gateway. Made by ``fleet.table()``.

    Rows are in the order in which they were read, those that were read together by their times. It holds the newest
    1,000,000, beside the connections' logs.

    Args:
        fleet: whose.
    """

    _static: ClassVar = {GATEWAY: 24, **STATIC_COLUMNS}
    _rows: FleetRows

    def __init__(self, fleet: Fleet) -> None:
        self._events = fleet.events
        self._places: dict[str, Place] = {}
        self._missed = 0
        title = str(fleet.status).partition(":")[0]
        super().__init__(self._events, title, lambda: _state(fleet))  # type: ignore[arg-type]  # it is read by `_follow`

    def _no_rows(self) -> FleetRows:
        return FleetRows()

    def _follow(self) -> None:
        new = []
        for name, log in self._events.logs.items():
            rows, missed, self._places[name] = log.since(self._places.get(name, Place()))
            self._missed += missed
            if rows.num_rows:
                new.append(with_gateway(name, rows))
        self._rows.extend(merged(new))

    @property
    def _dropped(self) -> int:
        return self._rows.first + self._missed


def _state(fleet: Fleet) -> str:
    """Return what to say of the connections: ``connected``, or how many are in which state."""
    counts = fleet.status.counts
    return "connected" if list(counts) == ["connected"] else str(fleet.status)
