"""An event as the user meets it: the frame, when it came, and on which connection."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import msgspec

from ..errors import printable
from ..protocol.frames import NULL, decode_payload
from .redaction.redactor import hidden

_REPR_TEXT = 80
_REPR_BYTES = 16_384

_OBJECT_BYTES = 512  # an event's own, with its name


class Event(msgspec.Struct, gc=False, frozen=True):
    """One event of a gateway.

    Attributes:
        received: seconds since 1970 when it was received, by the local clock.
        epoch: number of the connection it came on, from 1; `seq` starts again on each.
        event: its name, e.g. ``"agent"``.
        seq: its number on that connection, or ``None``.
        raw: the payload as JSON bytes; `payload` decodes it.

    Example:
        >>> Event(0.0, 1, "tick", 7, msgspec.Raw(b'{"ts":5}')).payload
        {'ts': 5}
    """

    kind: ClassVar[str] = "event"

    received: float
    epoch: int
    event: str
    seq: int | None
    raw: msgspec.Raw = NULL

    @property
    def payload(self) -> Any:
        """The payload as Python objects, decoded at each access."""
        return decode_payload(self.raw)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return len(self.raw) + _OBJECT_BYTES

    @property
    def time(self) -> dt.datetime:
        """When it came, in UTC."""
        return dt.datetime.fromtimestamp(self.received, dt.UTC)

    def __repr__(self) -> str:
        text = bytes(memoryview(self.raw)[:_REPR_BYTES]).decode("utf-8", "replace")
        name = hidden(self.event, _REPR_TEXT)
        return printable(f"Event({name!r}, seq={self.seq}, payload={hidden(text, _REPR_TEXT)})")


def size_of(events: list[Event]) -> int:
    """Return the bytes that events take in memory, about."""
    return sum([len(event.raw) for event in events]) + len(events) * _OBJECT_BYTES


class Dropped(Event, gc=False, frozen=True):
    """A mark in a stream of events: here so many were dropped, since they were not read fast enough.

    Its `kind` is ``"dropped"`` instead of ``"event"``, and its payload ``{"events": N}``.
    """

    kind: ClassVar[str] = "dropped"
