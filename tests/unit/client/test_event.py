"""An event as users and bounds see it."""

from __future__ import annotations

import datetime as dt
import weakref

import msgspec
import pytest

from gateway_nb.client.event import Dropped, Event, size_of
from gateway_nb.client.redaction import redactor


def event(raw: bytes, name: str = "x") -> Event:
    return Event(1_000_000_000.5, 1, name, 7, msgspec.Raw(raw))


def test_size() -> None:
    """An event counts with its payload and 512 bytes, by itself and among others."""
    events = [event(b"1"), event(b'"abc"')]
    assert [item.size for item in events] == [513, 517]
    assert size_of(events) == 513 + 517
    assert size_of([]) == 0


def test_what_it_holds() -> None:
    """An event has its time in UTC, and its payload decoded; a mark of dropped events is told apart."""
    assert event(b'{"a":1}').payload == {"a": 1}
    assert event(b"1").time == dt.datetime(2001, 9, 9, 1, 46, 40, 500_000, dt.UTC)
    assert (event(b"1").kind, Dropped(0.0, 1, "dropped", None).kind) == ("event", "dropped")


@pytest.mark.parametrize(
    ("raw", "name", "shown"),
    [
        (b'{"a":1}', "x", "Event('x', seq=7, payload={\"a\":1})"),
        (b"x" * 80, "n" * 80, f"Event('{'n' * 80}', seq=7, payload={'x' * 80})"),
        (b"x" * 81, "n" * 81, f"Event('{'n' * 79}…', seq=7, payload={'x' * 79}…)"),
        (b"\x1b[2J\xff", "\x1b", "Event('\\x1b', seq=7, payload=\\u001b[2J�)"),
    ],
)
def test_repr(monkeypatch: pytest.MonkeyPatch, raw: bytes, name: str, shown: str) -> None:
    """An event shows the beginning of its name and payload, as text that a terminal may have."""
    monkeypatch.setattr(redactor, "_live", weakref.WeakValueDictionary())  # not the connections of other tests
    assert repr(event(raw, name)) == shown
