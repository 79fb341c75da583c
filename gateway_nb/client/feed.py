"""Everything that happened, in order: events, and marks between them, to whoever keeps them and to the handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from .event import Event
from .handlers import Handlers
from .redaction.redactor import Log


class Sink(Protocol):
    """Something that keeps events: the event log, a journal."""

    def extend(self, events: list[Event]) -> None:
        """Keep events that came together. Called on the loop thread: it must be quick."""

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Keep a note in the events' order: ``gap`` or ``reconnect``, with what is known of it."""


class Feed:
    """The events of one client, across its connections.

    Args:
        log: where holes in the numbers are noted.

    Attributes:
        handlers: the user's handlers, called after the sinks.
        events: events received.
        gaps: holes in their numbers.
        missed: events in those holes.
        jumps: events whose number goes back, or too far ahead to be a gap.
    """

    def __init__(self, log: Log) -> None:
        self.handlers = Handlers(log)
        self.events = self.gaps = self.missed = self.jumps = 0
        self._log = log
        self._sinks: tuple[Sink, ...] = ()
        self._changing = threading.Lock()
        self._started = False

    def add_sink(self, sink: Sink) -> Callable[[], None]:
        """Give every event to a sink, before any handler; return what takes it out again. From any thread."""
        with self._changing:
            self._sinks = (*self._sinks, sink)

        def remove() -> None:
            with self._changing:
                self._sinks = tuple(other for other in self._sinks if other is not sink)

        return remove

    def extend(self, events: list[Event]) -> None:
        """Pass on events that came together."""
        self.events += len(events)
        for sink in self._sinks:
            sink.extend(events)
        self.handlers(events)

    def start(self, epoch: int, detail: dict[str, Any]) -> None:
        """A connection begins: the first, or one more."""
        self._mark("reconnect" if self._started else "start", epoch, detail)
        self._started = True

    def stop(self, epoch: int) -> None:
        """The user closed the client."""
        if self._started:
            self._started = False
            self._mark("stop", epoch, {})

    def gap(self, epoch: int, expected: int, received: int) -> None:
        """Events are missing."""
        self.gaps += 1
        self.missed += received - expected
        self._log.warning(f"missed {received - expected} events: expected {expected}, received {received}")
        self._mark("gap", epoch, {"expected": expected, "received": received})

    def jump(self, epoch: int, expected: int, received: int) -> None:
        """An event's number is not the next, and not one of those soon after it."""
        self.jumps += 1
        self._log.warning(f"the events' numbers jump: expected {expected}, received {received}")
        self._mark("jump", epoch, {"expected": expected, "received": received})

    def _mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        for sink in self._sinks:
            sink.mark(kind, epoch, detail)
