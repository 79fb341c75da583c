"""How far an experiment is, in words."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future

import pandas as pd
import pytest

from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.progress import standings, summary, wait
from gateway_nb.experiments.store import Record
from gateway_nb.sync.handle import RequestHandle

WELL = Record(0, "ok", cost=0.5)


@pytest.mark.parametrize(
    ("records", "cells", "text"),
    [
        ([], 4, "4 waiting"),
        ([WELL], 4, "1 ok, 3 waiting, $0.5 of about $2"),
        ([WELL, Record(1, "failed", cost=0.0)], 4, "1 ok, 1 failed, 2 waiting, $0.5 of about $1"),
        ([Record(0, "running"), Record(1, "aborted", cost=0.1)], 2, "1 aborted, 1 running, $0.1"),
        ([WELL] * 2, 2, "2 ok, $1"),
        ([Record(0, "ok", cost=1234.5)] * 2, 2_000, "2 ok, 1,998 waiting, $2,469 of about $2.469e+06"),
    ],
)
def test_summary(records: list[Record], cells: int, text: str) -> None:
    """The cost of all is estimated from the cells that ended, and told so as soon as one has."""
    assert summary(records, cells) == text


class Ended(threading.Event):
    """The end of what was interrupted while somebody waited for it."""

    def wait(self, timeout: float | None = None) -> bool:
        if self.is_set():
            return True
        self.set()
        raise KeyboardInterrupt


class Cancelled(RequestHandle[None]):
    """What ended, and is marked as cancelled a moment later."""

    def __init__(self) -> None:
        super().__init__(Future(), "an experiment")

    def result(self, timeout: float | None = None) -> None:
        self.cancel()
        return super().result(timeout)


def test_waiting_for_what_is_cancelled() -> None:
    """Ctrl-C that cancels an experiment is an interrupt, however late that is known; else a cancellation is raised."""
    interrupts: list[int] = []
    assert wait(Cancelled, Ended(), "x", 1, {}, interrupts.append)
    assert interrupts == [1]
    ended = threading.Event()
    ended.set()
    with pytest.raises(CancelledError):
        wait(Cancelled, ended, "x", 1, {}, interrupts.append)


def test_standings() -> None:
    """Each condition has its runs, failures, cost, and the means of its scores that are numbers so far."""
    plan = Plan({"a": "x", "b": "y"}, pd.DataFrame({"n": [1, 2]}), models=("p/m", None))
    records = {
        0: Record(0, "ok", cost=0.5, scores={"right": True, "why": "so"}),
        2: Record(2, "ok", cost=0.25, scores={"right": False, "why": None}),
        1: Record(1, "failed", cost=0.1),
        3: Record(3, "running"),
    }
    assert [cell.model for cell in plan.cells[:4]] == ["p/m", None, "p/m", None]
    assert standings(plan, records) == [
        ("template", "agent", "model", "ended", "failed", "cost", "right", "why"),
        ("a", "main", "p/m", "2", "0", "$0.75", "0.500", "-"),
        ("a", "main", "its own", "1", "1", "$0.1", "-", "-"),
        ("b", "main", "p/m", "0", "0", "$0", "-", "-"),
        ("b", "main", "its own", "0", "0", "$0", "-", "-"),
    ]
