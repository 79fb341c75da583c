"""Who wants to hear of which events: handlers by name pattern, and streams with an end to their length."""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import re
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from ..protocol.frames import encode
from .event import Dropped, Event
from .redaction.redactor import Log

STREAM_BYTES = 64 * 1024 * 1024
_NAMES_KEPT = 1024


@functools.lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))


@functools.lru_cache(maxsize=4096)
def matches(glob: str, name: str) -> bool:
    """Return whether an event's name matches a pattern such as ``chat``, ``session.*`` or ``*``."""
    return glob == "*" or glob == name or _pattern(glob).match(name) is not None


class Subscription:
    """A handler's place in the list; `cancel` takes it out. Also a context manager.

    Attributes:
        event: the pattern it listens to.
    """

    __slots__ = ("_remove", "event")

    def __init__(self, event: str, remove: Callable[[], None]) -> None:
        self.event = event
        self._remove = remove

    def cancel(self) -> None:
        """Hear nothing more; calling it again does nothing."""
        self._remove()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __repr__(self) -> str:
        return f"Subscription({self.event!r})"


class Handlers:
    """Handlers by pattern, called in the order in which they were added.

    Args:
        log: where a handler's exception is noted; it never stops the events.

    Attributes:
        dispatch: how the user's code is called, given what to call and the bytes that it keeps in memory until then;
            returns whether it will be. Default: here and now.
        errors: exceptions in the user's code.
        missed: calls of the user's code that were not made, since it was too slow.
    """

    def __init__(self, log: Log) -> None:
        self.dispatch: Callable[[Callable[[], object], int], bool] = _at_once
        self.errors = 0
        self.missed = 0
        self._log = log
        self._lock = threading.Lock()
        self._entries: dict[object, tuple[str, Callable[[Event], object]]] = {}
        self._by_name: dict[str, tuple[Callable[[Event], object], ...]] = {}

    def add(self, event: str, handler: Callable[[Event], object]) -> Subscription:
        """Call a function of the user's for each event whose name matches. From any thread.

        Args:
            event: name or glob pattern.
            handler: called with the `Event`, through `dispatch`.

        Raises:
            TypeError: the pattern is no string, or the handler not callable.
        """
        if not callable(handler):
            raise TypeError(f"handler must be callable, not {handler!r}")
        return self.listen(event, lambda item: self.call(f"a handler of {event!r}", handler, item, size=item.size))

    def listen(self, event: str, listener: Callable[[Event], object]) -> Subscription:
        """Call a function of this package's at once, on the loop, for each event whose name matches."""
        if not isinstance(event, str) or not event:
            raise TypeError(f"event must be a name or a pattern like 'chat' or 'session.*', not {event!r}")
        key = object()
        with self._lock:
            self._entries = {**self._entries, key: (event, listener)}
            self._by_name = {}

        def remove() -> None:
            with self._lock:
                self._entries = {other: entry for other, entry in self._entries.items() if other is not key}
                self._by_name = {}

        return Subscription(event, remove)

    def __call__(self, events: list[Event]) -> None:
        """Call every handler that wants them, event by event."""
        if self._entries:
            for event in events:
                for listener in self._wanting(event.event):
                    listener(event)

    def call(self, what: str, function: Callable[..., object], *arguments: object, size: int = 0) -> None:
        """Call a function of the user's; what it raises is counted and logged, and goes no further.

        Args:
            what: the function, for the log.
            function: the user's.
            arguments: for it.
            size: bytes that the arguments take.
        """

        def guarded() -> None:
            try:
                function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, even SystemExit
                self.errors += 1
                self._log.warning(f"{what} raised {type(error).__name__}: {error}")

        if not self.dispatch(guarded, size):
            self.missed += 1
            if self.missed.bit_count() == 1:  # the first, and whenever they have doubled
                self._log.warning(f"the handlers are too slow: {self.missed:,} calls of them were left out")

    def _wanting(self, name: str) -> tuple[Callable[[Event], object], ...]:
        by_name = self._by_name
        wanting = by_name.get(name)
        if wanting is None:
            wanting = tuple(listener for pattern, listener in self._entries.values() if matches(pattern, name))
            if len(by_name) < _NAMES_KEPT:  # names come from the other side; memory must not
                by_name[name] = wanting
        return wanting


def _at_once(call: Callable[[], object], _size: int) -> bool:
    call()
    return True


class EventStream:
    """Events as an async iterator. It ends when the client is closed.

    Args:
        limit: bytes of events kept for a reader that lags. Beyond it the oldest give way, and a `Dropped` says in
            their place how many did.
    """

    def __init__(self, limit: int = STREAM_BYTES) -> None:
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._limit = limit
        self._dropped = 0
        self._wake = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Add an event."""
        self._events.append(event)
        self._bytes += event.size
        while self._bytes > self._limit and len(self._events) > 1:
            self._bytes -= self._events.popleft().size
            self._dropped += 1
        self._wake.set()

    def end(self) -> None:
        """Let the reader finish what is there, and stop."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return Dropped(time.time(), self._events[0].epoch, "dropped", None, msgspec.Raw(encode({"events": count})))
        event = self._events.popleft()
        self._bytes -= event.size
        return event
