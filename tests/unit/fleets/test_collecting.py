"""A collector's lease: what a process that was stopped finds in its sockets is another's by then."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from gateway_nb.fleets.collecting import Collector, Plan
from gateway_nb.fleets.leases import OVER


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def collector() -> Collector:
    return Collector(Plan((), {}, "lake", {}, ("*",)), cast(Any, None))


def test_a_lease_is_over_in_time(collector: Collector, clock: list[float]) -> None:
    """It lasts from the moment the beat was asked for, however late the answer came."""
    collector.renew(98.0)
    assert collector.has_lease()
    clock[0] = 98.0 + OVER
    assert not collector.has_lease()


def test_what_came_late_is_let_go_of(collector: Collector, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that was over does not go on by itself: its gateways are let go of before it is renewed."""
    held: list[Any] = []
    monkeypatch.setattr(collector, "hold", held.append)
    collector.renew(100.0)
    clock[0] += OVER / 2
    collector.renew(clock[0])
    assert held == []
    clock[0] += OVER
    collector.renew(clock[0])
    assert held == [()]
    assert collector.has_lease()


def test_what_was_noticed_late_is_let_go_of(
    collector: Collector, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once events were not taken, the gateways are let go of, though the clock were right again."""
    held: list[Any] = []
    monkeypatch.setattr(collector, "hold", held.append)
    collector.renew(100.0)
    clock[0] += OVER
    assert not collector.has_lease()
    clock[0] -= 1
    assert not collector.has_lease()
    collector.renew(clock[0])
    assert held == [()]
