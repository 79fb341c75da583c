"""The live table of many connections, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.client.status import Status
from gateway_nb.events.log import EventLog
from gateway_nb.fleets.config import Member
from gateway_nb.fleets.events import EMPTY_OF_FLEET, FleetEvents, merged, with_gateway
from gateway_nb.fleets.status import FleetStatus
from gateway_nb.notebook.widgets.event_table.fleet import FleetTable
from gateway_nb.notebook.widgets.row_ids import FleetRows
from tests.helpers.events import event
from tests.helpers.heard import Heard

NAMES = ("north", "south")


class FakeFleet:
    """Two connections' logs, without connections."""

    def __init__(self) -> None:
        self.logs = {name: EventLog() for name in NAMES}
        self.states = ["connected", "connected"]
        gateways: Any = [
            SimpleNamespace(name=name, events=log, redactor=Redactor([f"s3cret-of-{name}"]))
            for name, log in self.logs.items()
        ]
        self.events = FleetEvents(gateways)

    @property
    def status(self) -> FleetStatus:
        members = [Member(name, "ws://127.0.0.1:9") for name in NAMES]
        return FleetStatus(members, [Status(state, "ws://127.0.0.1:9") for state in self.states])

    def emit(self, name: str, number: int, text: str = "") -> None:
        self.logs[name].extend([event(number, payload={"text": text})])


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


@pytest.fixture
def table(fleet: FakeFleet) -> Iterator[Heard]:
    widget = FleetTable(fleet)  # type: ignore[arg-type]
    yield Heard(widget)
    widget.close()


def test_rows_of_all(table: Heard, fleet: FakeFleet) -> None:
    """Rows of all connections come as they are received, each with its gateway, once."""
    for number in range(4):
        fleet.emit(NAMES[number % 2], number)
    table.say("open")
    snapshot = table.of("snapshot")[0]
    assert snapshot["gateways"] is True
    assert snapshot["title"] == "2 gateways"
    assert snapshot["rows"]["gateway"] == ["north", "south", "north", "south"]
    fleet.emit("south", 4)
    table.widget.refresh(False)
    assert table.of("push")[-1]["rows"]["gateway"][-1] == "south"
    assert table.of("push")[-1]["end"] == 5
    assert table.widget.df["gateway"].tolist() == ["north", "south", "north", "south", "south"]
    fleet.states[1] = "reconnecting"
    table.widget.refresh(False)
    assert table.of("push")[-1]["state"] == "2 gateways: 1 connected, 1 reconnecting"


def test_filters_and_sorts(table: Heard, fleet: FakeFleet) -> None:
    """A text is looked for in gateways' names, too, and rows can be sorted by them."""
    for number in range(4):
        fleet.emit(NAMES[number % 2], number)
    table.widget.filter(text="SOUTH")
    assert table.widget.df["gateway"].tolist() == ["south", "south"]
    table.widget.filter(sort="gateway", descending=True)
    assert table.widget.df["gateway"].tolist() == ["south", "south", "north", "north"]


def test_what_is_saved(table: Heard, fleet: FakeFleet, tmp_path: Any) -> None:
    """The picture and exported files name the gateways, and hold no connection's secret."""
    fleet.emit("south", 1, "s3cret-of-north s3cret-of-south")
    assert "south" in table.widget.html()
    assert "gateway" in table.widget.text().splitlines()[1]
    files = [table.widget.export(tmp_path / f"a.{kind}") for kind in ("jsonl", "csv", "parquet")]
    assert '"gateway":"south"' in files[0].read_text()
    assert len(gnb.load(files[0]).df) == 1
    assert "s3cret" not in table.widget.html() + table.widget.text() + files[0].read_text() + files[1].read_text()


def test_rows_give_way() -> None:
    """The oldest rows give way to newer ones, and keep their ids until then."""
    rows, log = FleetRows(max_rows=20_000), EventLog()
    rows.extend(EMPTY_OF_FLEET)
    assert (rows.first, rows.end) == (0, 0)
    for start in range(0, 50_000, 5_000):
        log.clear()
        log.extend([event(number) for number in range(start, start + 5_000)])
        rows.extend(merged([with_gateway("north", log.to_arrow())]))
    assert rows.end == 50_000
    assert 10_000 <= rows.end - rows.first <= 30_000
    import numpy as np

    ids, found = rows.take(np.array([49_999, rows.first, 0]))
    assert ids.tolist() == found.column("seq").to_pylist() == [49_999, rows.first]
    assert sum(rows.counts.values()) == rows.end - rows.first
