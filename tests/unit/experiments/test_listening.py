"""The events of an experiment's runs, among all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gateway_nb.client.event import Event
from gateway_nb.experiments.listening import RunEvents
from gateway_nb.experiments.store import Record


class Kept:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.marks: list[str] = []

    def extend(self, events: list[Event]) -> None:
        self.events += events

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        self.marks.append(kind)


def event(session: str, number: int = 1, **payload: Any) -> Event:
    return Event(1.0, 1, "chat", number, msgspec.Raw(msgspec.json.encode({"sessionKey": session, **payload})))


def test_events_of_its_own_sessions_are_passed_on() -> None:
    """Events that name a session of the experiment are kept, those of sub-agents among them; others are not."""
    kept = Kept()
    events = RunEvents("experiment-x-12-", Path("none")).into(kept)
    events.begin("experiment-x-12-1")
    own = [
        event("agent:main:experiment-x-12-1"),
        event("agent:main:experiment-x-12-10"),
        event("agent:main:experiment-x-12-1-2"),
        event("agent:main:subagent:s", spawnedBy="agent:main:experiment-x-12-1"),
    ]
    others = [event("agent:main:main"), event("agent:main:experiment-x-1-1"), event("agent:main:experiment-x-12-")]
    events.extend([*others, *own])
    events.extend(others)
    events.mark("reconnect", 2, {})
    assert kept.events == own
    assert kept.marks == ["reconnect"]
    log = events.end("experiment-x-12-1")
    assert list(log.df["kind"]) == ["event", "event", "reconnect"]
    assert not len(events.end("experiment-x-12-1"))


def test_traces_of_runs_that_were_not_heard_are_none() -> None:
    """A run whose events another process heard has no trace here."""
    kept = Kept()
    events = RunEvents("experiment-x-12-", Path("none")).into(kept)
    assert events.trace(events.end("experiment-x-12-1"), Record(1, "ok", run="r")) is None
