"""What both WebSocket libraries leave to us: fragments put together within bounds, and pings that know their pongs."""

from __future__ import annotations

import asyncio
import itertools

from ...protocol.close_codes import TOO_LARGE
from ...protocol.frames import MAX_FRAME_BYTES
from .interface import TransportClosed

MAX_FRAGMENTS = 16_384  # 25 MiB in pieces of 1.6 kB; nobody cuts a message smaller but to do harm


class TooLarge(Exception):
    """A message is larger, or in more pieces, than any that is meant.

    Attributes:
        code: WebSocket close code to end the connection with.
    """

    code = TOO_LARGE


class Fragments:
    """A text message that comes in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes, last: bool) -> bytes | None:
        """Return the message if this piece, the last by its FIN bit, ends it.

        Raises:
            TooLarge: the message has more bytes or pieces than the limits allow.
        """
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > MAX_FRAME_BYTES or len(self._pieces) > MAX_FRAGMENTS:
            self._pieces, self._size = [], 0
            raise TooLarge(f"a message of more than {MAX_FRAME_BYTES:,} bytes or {MAX_FRAGMENTS:,} fragments")
        if not last:
            return None
        message = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return message


class Pings:
    """Measures round trips: one ping at a time, told from earlier ones by its payload.

    Attributes:
        payload: of the newest ping.
    """

    def __init__(self) -> None:
        self.payload = b""
        self._numbers = itertools.count(1)
        self._sent = 0.0
        self._pong: asyncio.Future[float] | None = None
        self._ended = False

    def start(self) -> asyncio.Future[float]:
        """Return what becomes the seconds to the answer of the ping to send now; it has a new `payload`.

        Raises:
            TransportClosed: the socket is closed.
        """
        if self._ended:
            raise TransportClosed
        loop = asyncio.get_running_loop()
        self.payload = b"%d" % next(self._numbers)
        self._sent, self._pong = loop.time(), loop.create_future()
        return self._pong

    def settle(self, payload: bytes) -> None:
        """Take in a pong: an answer to the newest ping ends its measurement, any other is an old or unasked one."""
        if self._pong is not None and not self._pong.done() and payload == self.payload:
            self._pong.set_result(self._pong.get_loop().time() - self._sent)

    def end(self) -> None:
        """No pong comes any more: the socket is closed."""
        self._ended = True
        if self._pong is not None and not self._pong.done():
            self._pong.set_exception(TransportClosed())
            self._pong.exception()  # retrieved: nobody need wait for it
