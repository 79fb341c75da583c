"""The requests of one connection that are not settled: in flight, in line, with their deadlines."""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from .frames import LONGEST_TIMER

_LATE_KEPT = 1024


@dataclass(slots=True)
class Pending:
    """A request that is not settled.

    Attributes:
        method: what it calls.
        deadline: when it fails, or ``None`` for never.
        expect_final: an answer with ``status: "accepted"`` is only an acknowledgement.
        timeout: seconds that it was given.
    """

    method: str
    deadline: float | None
    expect_final: bool
    timeout: float | None


class Requests:
    """Which requests are open, and which of them are sent: so many at most, the others wait in line."""

    def __init__(self, max_in_flight: int) -> None:
        self._max_in_flight = max_in_flight
        self._open: dict[str, Pending] = {}
        self._unbounded = 0
        self._deadlines: list[tuple[float, str]] = []
        self._line: OrderedDict[str, bytes] = OrderedDict()
        self._in_flight: set[str] = set()
        self._given_up: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Requests that wait for a free place."""
        return len(self._line)

    @property
    def all_have_deadlines(self) -> bool:
        """Whether there are requests, and each of them speaks for itself in the end."""
        return bool(self._open) and not self._unbounded

    def add(self, request_id: str, data: bytes, pending: Pending) -> bool:
        """Add a request and its frame; return whether to send it now."""
        self._open[request_id] = pending
        if pending.deadline is None:
            self._unbounded += 1
        else:
            heapq.heappush(self._deadlines, (pending.deadline, request_id))
        if len(self._in_flight) >= self._max_in_flight:
            self._line[request_id] = data
            return False
        self._in_flight.add(request_id)
        return True

    def get(self, request_id: str) -> Pending | None:
        """Return an open request."""
        return self._open.get(request_id)

    def settle(self, request_id: str) -> Pending | None:
        """Take a request out, if it is open."""
        pending = self._open.pop(request_id, None)
        if pending is None:
            return None
        if pending.deadline is None:
            self._unbounded -= 1
        self._line.pop(request_id, None)
        self._in_flight.discard(request_id)
        return pending

    def give_up(self, request_id: str) -> Pending | None:
        """Take out a request that was not answered; its answer may still come, and is late then."""
        pending = self.settle(request_id)
        if pending is not None:
            self._given_up[request_id] = None
            if len(self._given_up) > _LATE_KEPT:
                del self._given_up[next(iter(self._given_up))]
        return pending

    def was_given_up(self, request_id: str) -> bool:
        """Return whether this was a request, one of the last thousand or so that were given up."""
        return request_id in self._given_up

    def next_in_line(self) -> bytes | None:
        """Return the frame to send next, if there is a free place and one waits for it."""
        if not self._line or len(self._in_flight) >= self._max_in_flight:
            return None
        request_id, data = self._line.popitem(last=False)
        self._in_flight.add(request_id)
        return data

    def next_deadline(self) -> float:
        """Return when the next request fails; infinity for none."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][1] not in self._open:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else math.inf

    def expired(self, now: float) -> Iterator[tuple[str, Pending]]:
        """Give up the requests whose time is over, and yield them."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, request_id = heapq.heappop(self._deadlines)
            pending = self.give_up(request_id)
            if pending is not None:
                yield request_id, pending

    def clear(self) -> list[tuple[str, Pending]]:
        """Take out all requests, and return them."""
        requests = list(self._open.items())
        self._open.clear()
        self._line.clear()
        self._in_flight.clear()
        self._unbounded = 0
        return requests


def deadline(now: float, timeout: float | None) -> float | None:
    """Return when a request of so many seconds fails, ``None`` for never; clamped to what a timer can hold."""
    return None if timeout is None else now + min(max(timeout, 0.0), LONGEST_TIMER)
