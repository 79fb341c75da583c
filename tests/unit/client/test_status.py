"""What a status says at a glance."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import msgspec
import pytest

import gateway_nb as gnb
from gateway_nb.client.event import Event
from gateway_nb.client.status import Counters, Status

URL = "ws://127.0.0.1:18789"
LINES: list[tuple[dict[str, Any], str]] = [
    ({"state": "closed"}, f"closed · {URL}"),
    ({"state": "closed", "reason": "it ended"}, f"closed · {URL} · it ended"),
    ({"state": "reconnecting", "retry_in": 2.6}, f"reconnecting in 3 s · {URL}"),
    (
        {"state": "connected", "protocol": 4, "server_version": "2026.9.6"},
        f"connected · {URL} · OpenClaw 2026.9.6, protocol 4",
    ),
    ({"state": "connected", "rtt": 0.00125}, f"connected · {URL} · round trip 1.2 ms"),
    ({"state": "connected", "silence": 14.9}, f"connected · {URL}"),
    ({"state": "connected", "silence": 15.0}, f"connected · {URL} · nothing received for 15 s"),
    ({"state": "connected", "problems": ("a full disk", "another")}, f"connected · {URL} · a full disk · another"),
]


@pytest.mark.parametrize(("fields", "line"), LINES, ids=range(len(LINES)))
def test_lines(fields: dict[str, Any], line: str) -> None:
    """A status is one line: state, URL, server, round trip, and what is wrong."""
    assert str(Status(url=URL, **fields)) == line


ROWS: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({}, {("Events", "0")}),
    ({"retry_in": 3.0, "reason": "<b>"}, {("State", "closed in 3 s"), ("Why", "&lt;b&gt;")}),
    ({"silence": 20.0, "problems": ("a", "b")}, {("Warning", "nothing received for 20 s"), ("Problem", "a · b")}),
    ({"server_version": "1", "protocol": 3, "rtt": 0.5}, {("Server", "OpenClaw 1, protocol 3")}),
    ({"rtt": 0.5}, {("Round trip", "500.0 ms")}),
    ({"role": "node"}, {("Role and scopes", "node: none")}),
    ({"role": "operator", "scopes": ("a", "b")}, {("Role and scopes", "operator: a, b")}),
    ({"counters": Counters(events=1234, missed=5)}, {("Gaps", "0, 5 events missed"), ("Events", "1,234")}),
    ({"counters": Counters(handler_missed=1000)}, {("Calls of handlers left out", "1,000")}),
    ({"counters": Counters(reconnects=2)}, {("Reconnects", "2")}),
]


@pytest.mark.parametrize(("fields", "rows"), ROWS, ids=range(len(ROWS)))
def test_tables(fields: dict[str, Any], rows: set[tuple[str, str]]) -> None:
    """In a notebook a status is a table of what there is to say; what a gateway says is text in it."""
    shown = Status(**{"state": "closed", "url": URL, **fields})._repr_html_()
    cells = [cell.partition("<")[0] for cell in shown.split("left'>")[1:]]
    found = set(zip(cells[::2], cells[1::2], strict=True))
    assert found >= rows
    always = {"State", "Gateway", "Events", "Gaps", "Reconnects", "Requests in flight"}
    assert {name for name, _ in found} == always | {name for name, _ in rows} | (
        {"Round trip"} if "rtt" in fields else set()
    )


def test_before_the_first_connection() -> None:
    """A client that has not connected is closed, and has counted nothing."""
    status = gnb.AsyncGateway(URL, device_identity=None).status
    assert (status.state, status.url, status.epoch, status.problems) == ("closed", URL, 0, ())
    assert set(dataclasses.astuple(status.counters)) == {0}
    assert [status.protocol, status.server_version, status.role, status.rtt, status.silence] == [None] * 5
    assert Status("closed", URL) == Status("closed", URL, counters=Counters(**dict.fromkeys(NAMES, 0)), epoch=0)


NAMES = [field.name for field in dataclasses.fields(Counters)]


def test_an_event() -> None:
    """An event shows 80 characters of its name and of its payload; of longer ones the beginning, and that it is one."""
    event = Event(1.5, 1, "n" * 80, None, msgspec.Raw(b'"' + b"x" * 78 + b'"'))
    assert repr(event) == f"Event('{'n' * 80}', seq=None, payload=\"{'x' * 78}\")"
    event = Event(1.5, 1, "n" * 81, 7, msgspec.Raw(b'"' + b"x" * 79 + b'"'))
    assert re.fullmatch(r"Event\('n{0,79}…', seq=7, payload=\"?x{0,78}…\)", repr(event))
