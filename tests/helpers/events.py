"""Events as a gateway sends them."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_nb.client.event import Event
from gateway_nb.protocol.frames import encode


def event(number: int, name: str = "x", payload: Any = None, seq: int | None = 0) -> Event:
    """Return an event of its own time, and with its number as `seq` unless another one, or none, is given."""
    raw = msgspec.Raw(encode({"n": number} if payload is None else payload))
    return Event(1_000_000_000 + number / 1000, 1, name, number if seq == 0 else seq, raw)
