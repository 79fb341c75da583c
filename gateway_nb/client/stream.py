"""Events as an async iterator, with an end to what waits for a slow reader."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import msgspec

from ..protocol.frames import encode
from .event import Dropped, Event

STREAM_BYTES = 64 * 1024 * 1024


class EventStream:
    """Events as an async iterator. It ends when the client is closed.

    Args:
        limit: bytes of events kept for a reader that lags. Beyond it the oldest are dropped, and a `Dropped` says in
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
