"""Everything that happened, in order: events, and marks between them, to whoever keeps them or listens."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import functools
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any, Protocol

from ..errors import BadArgumentError, GatewayClosedError, GatewayError, GatewayTimeoutError
from ..protocol.frames import EventFrame
from .event import Event
from .log import Log
from .registry import Registry
from .stream import EventStream

Listener = Callable[[Event], object]
_NAMES_KEPT = 1024


@functools.lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))


def patterns_of(events: str | Iterable[str]) -> tuple[str, ...]:
    """Return patterns of event names as a tuple.

    Raises:
        BadArgumentError: they are not strings, or there is none.
    """
    patterns = (events,) if isinstance(events, str) else tuple(events)
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise BadArgumentError(f"events must be name patterns like ('agent', 'chat.*'), not {events!r}")
    return patterns


@functools.lru_cache(maxsize=4096)
def matches(glob: str, name: str) -> bool:
    """Return whether an event's name matches a pattern such as ``chat``, ``session.*`` or ``*``."""
    return glob == "*" or glob == name or _pattern(glob).match(name) is not None


class Keeper(Protocol):
    """Something that keeps events: the event log, a journal."""

    def extend(self, events: list[Event]) -> None:
        """Keep events that came together. Called on the loop thread: it must be quick."""

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Keep a note in the events' order: ``gap`` or ``reconnect``, with its details."""


class Subscription:
    """A listener's place in the feed; `cancel` ends it. Also a context manager.

    Attributes:
        event: the pattern of the names that it listens to.
    """

    __slots__ = ("_remove", "event")

    def __init__(self, event: str, remove: Callable[[], None]) -> None:
        self.event = event
        self._remove = remove

    def cancel(self) -> None:
        """End the subscription; calling it again does nothing."""
        self._remove()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __repr__(self) -> str:
        return f"Subscription({self.event!r})"


class Feed:
    """The events of one client, across its connections.

    Args:
        log: where holes in the numbers are noted.
        on_gap: called with the expected and the received number where events are missing.

    Attributes:
        epoch: number of connections that reached hello-ok.
        events: events received.
        gaps: holes in their numbers.
        missed: events in those holes.
        jumps: events whose number goes back, or too far ahead to be a gap.
    """

    def __init__(self, log: Log, on_gap: Callable[[int, int], None] = lambda expected, received: None) -> None:
        self.epoch = self.events = self.gaps = self.missed = self.jumps = 0
        self._log = log
        self._on_gap = on_gap
        self._keepers: Registry[Keeper] = Registry()
        self._listeners: Registry[tuple[str, Listener]] = Registry()
        self._listening: tuple[tuple[str, Listener], ...] = ()
        self._by_name: dict[str, tuple[Listener, ...]] = {}
        self._streams: set[EventStream] = set()
        self._started = self._stopped = False

    # Who hears of it

    def keep(self, keeper: Keeper) -> Callable[[], None]:
        """Give everything to a keeper, before any listener; return the function that ends that. From any thread."""
        return self._keepers.add(keeper)

    def subscribe(self, event: str, listener: Listener) -> Subscription:
        """Call a function for each event whose name matches, on the loop and at once. From any thread.

        Args:
            event: name or glob pattern.
            listener: called with an `Event`; it must be quick, and must not raise.

        Raises:
            TypeError: the pattern is not a string.
        """
        if not isinstance(event, str) or not event:
            raise BadArgumentError(f"event must be a name or a pattern like 'chat' or 'session.*', not {event!r}")
        return Subscription(event, self._listeners.add((event, listener)))

    async def stream(self, event: str = "*") -> AsyncGenerator[Event, None]:
        """Yield events whose name matches, until the client is closed; see `AsyncGateway.stream`."""
        stream = EventStream()
        self._streams.add(stream)
        if self._stopped:
            stream.end()
        try:
            with self.subscribe(event, stream.put):
                async for item in stream:
                    yield item
        finally:
            self._streams.discard(stream)

    async def wait_for(self, event: str, where: Callable[[Event], object] | None, limit: float | None) -> Event:
        """Return the next event whose name matches and for which `where` is true; see `AsyncGateway.wait_for`."""
        if where is not None and not callable(where):
            seconds = f"; seconds are passed as timeout={where!r}" if isinstance(where, (int, float)) else ""
            raise BadArgumentError(f"where must be callable, or None, not {where!r}{seconds}")
        try:
            async with asyncio.timeout(limit), contextlib.aclosing(self.stream(event)) as events:
                async for item in events:
                    if item.kind == "event" and (where is None or where(item)):
                        return item
        except TimeoutError as error:
            if isinstance(error, GatewayError):
                raise
            raise GatewayTimeoutError(f"no event {event!r} within {limit:g} s") from None
        raise GatewayClosedError(f"no event {event!r}: gateway client stopped")

    # What happens

    def start(self, detail: dict[str, Any]) -> None:
        """A connection begins: the first, or another."""
        self.epoch += 1
        self._mark("reconnect" if self._started else "start", detail)
        self._started, self._stopped = True, False

    def stop(self) -> None:
        """The user closed the client: streams end."""
        if self._started:
            self._started = False
            self._mark("stop", {})
        self._stopped = True
        for stream in self._streams:
            stream.end()

    def receive(self, frames: list[EventFrame]) -> None:
        """Pass on events that came together: to keepers first, then to listeners."""
        now, epoch = time.time(), self.epoch
        events = [Event(now, epoch, frame.event, frame.seq, frame.payload) for frame in frames]
        self.events += len(events)
        for keeper in self._keepers.items:
            keeper.extend(events)
        if self._listeners.items:
            for event in events:
                for listener in self._wanting(event.event):
                    listener(event)

    def gap(self, expected: int, received: int) -> None:
        """Events are missing."""
        self.gaps += 1
        self.missed += received - expected
        self._log.warning(f"missed {received - expected} events: expected {expected}, received {received}")
        self._mark("gap", {"expected": expected, "received": received})
        self._on_gap(expected, received)

    def jump(self, expected: int, received: int) -> None:
        """An event's number is not the next, and not one of those soon after it."""
        self.jumps += 1
        self._log.warning(f"the events' numbers jump: expected {expected}, received {received}")
        self._mark("jump", {"expected": expected, "received": received})
        if received > expected:
            self._on_gap(expected, received)

    def _mark(self, kind: str, detail: dict[str, Any]) -> None:
        for keeper in self._keepers.items:
            keeper.mark(kind, self.epoch, detail)

    def _wanting(self, name: str) -> tuple[Listener, ...]:
        listening = self._listeners.items
        if listening is not self._listening:  # it changed since the names were sorted
            self._listening, self._by_name = listening, {}
        wanting = self._by_name.get(name)
        if wanting is None:
            wanting = tuple(listener for pattern, listener in listening if matches(pattern, name))
            if len(self._by_name) < _NAMES_KEPT:  # names come from the other side; memory must not
                self._by_name[name] = wanting
        return wanting
