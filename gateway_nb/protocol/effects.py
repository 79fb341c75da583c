"""What a `Session` asks its driver to do, or tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from ..errors import GatewayConnectError, GatewayError
from .frames import EventFrame
from .handshake import Challenge, HelloOk


@dataclass(slots=True)
class Send:
    """Write these bytes as one text frame."""

    data: bytes = field(repr=False)


@dataclass(slots=True)
class Challenged:
    """The gateway sent its challenge: answer with `Session.connect`."""

    challenge: Challenge


@dataclass(slots=True)
class Welcomed:
    """The handshake is done. `secrets` are the values that no log may show."""

    hello: HelloOk
    secrets: list[str] = field(repr=False)


@dataclass(slots=True)
class Answered:
    """A request is settled with its payload."""

    request_id: str
    payload: msgspec.Raw = field(repr=False)


@dataclass(slots=True)
class Acknowledged:
    """A request was accepted; its final answer is still to come."""

    request_id: str
    payload: msgspec.Raw = field(repr=False)


@dataclass(slots=True)
class Failed:
    """A request is settled with an error."""

    request_id: str
    error: GatewayError


@dataclass(slots=True)
class Gap:
    """Events were missed: their numbers are `expected` to `received` - 1."""

    expected: int
    received: int


@dataclass(slots=True)
class Jump:
    """The events' numbers go back, or too far ahead to be a gap: `received` came where `expected` was due."""

    expected: int
    received: int


@dataclass(slots=True)
class Late:
    """A request was answered after it had timed out or was cancelled."""

    request_id: str


@dataclass(slots=True)
class Dropped:
    """An incoming frame was of no use; the connection goes on."""

    reason: str


@dataclass(slots=True)
class Close:
    """Close the socket with this code. `error` says why connecting failed, if that is what happened."""

    code: int
    reason: str
    error: GatewayConnectError | None = None


Effect: TypeAlias = (
    Send | Challenged | Welcomed | Answered | Acknowledged | Failed | Gap | Jump | Late | Dropped | Close | EventFrame
)
