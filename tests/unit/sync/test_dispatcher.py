"""The handler thread: in order, bounded, and gone when it is told to stop."""

from __future__ import annotations

import threading

import pytest

from gateway_nb.sync import dispatcher as dispatching
from gateway_nb.sync.dispatcher import Dispatcher
from tests.helpers.support import until


def handlers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "gateway_nb-handlers"]


def test_calls_in_order() -> None:
    """Calls are made in order on one thread, and after a stop those that were asked for are still made."""
    dispatcher, heard = Dispatcher(), list[int]()
    for number in range(1000):
        assert dispatcher.call(lambda number=number: heard.append(number))  # type: ignore[misc]
    dispatcher.stop()
    until(lambda: not handlers())
    assert heard == list(range(1000))


def test_a_full_queue_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls beyond the bound are refused, and a thread whose queue is full ends all the same."""
    monkeypatch.setattr(dispatching, "_DISPATCH_BYTES", 4 * dispatching._CALL_BYTES)
    dispatcher, gate, heard = Dispatcher(), threading.Event(), list[int]()
    begun = threading.Event()
    dispatcher.call(lambda: (begun.set(), gate.wait(10)))
    assert begun.wait(10)
    taken = [dispatcher.call(lambda number=number: heard.append(number)) for number in range(5)]  # type: ignore[misc]
    assert taken == [True, True, True, False, False]
    dispatcher.stop()
    again = threading.Event()
    assert dispatcher.call(again.set)
    assert again.wait(10), "the next thread waits for nobody"
    gate.set()
    dispatcher.stop()
    until(lambda: not handlers())
    assert heard == [0, 1, 2]


def test_the_bound_is_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits has at most 64 MiB, 512 bytes for each call included; what was called makes room."""
    assert (dispatching._DISPATCH_BYTES, dispatching._CALL_BYTES) == (64 * 1024 * 1024, 512)
    monkeypatch.setattr(dispatching, "_DISPATCH_BYTES", 10_000)
    dispatcher, gate, begun = Dispatcher(), threading.Event(), threading.Event()
    assert not dispatcher.call(gate.set, 9_489)
    for _ in range(2):
        gate.clear()
        begun.clear()
        until(lambda: dispatcher.call(lambda: (begun.set(), gate.wait(10)), 9_488 - 2 * 512))
        assert begun.wait(10)
        assert [dispatcher.call(lambda: None, size) for size in (513, 512, 0)] == [False, True, False]
        gate.set()
        until(lambda: dispatcher.call(lambda: None, 9_488))
    dispatcher.stop()
    until(lambda: not handlers())


def test_catching_up() -> None:
    """Who waits for the handlers waits for all that was asked for before, not for ever, and never on their thread."""
    dispatcher, gate, heard = Dispatcher(), threading.Event(), list[str]()
    dispatcher.catch_up(10)
    assert not handlers(), "nothing was asked for"
    dispatcher.stop()
    dispatcher.call(lambda: gate.wait(10))
    dispatcher.call(lambda: (dispatcher.catch_up(10), heard.append("itself")))
    dispatcher.catch_up(0.001)
    assert heard == []
    gate.set()
    dispatcher.catch_up(10)
    assert heard == ["itself"]
    assert [thread.daemon for thread in handlers()] == [True]
    dispatcher.stop()
    until(lambda: not handlers())
