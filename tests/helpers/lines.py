"""A transport without a socket: a test plays the gateway, and sees at once what the client does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from gateway_nb.client.transport.interface import TransportClosed
from tests.helpers.frames import HELLO, event, response


class Line:
    """A `Transport`, and the gateway at its other end.

    Attributes:
        sent: frames that the client sent, decoded.
        calls: what else it asked of the transport, in order.
        pinged: pings, each becomes the seconds to its answer.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.calls: list[Any] = []
        self.pinged: asyncio.Queue[asyncio.Future[float]] = asyncio.Queue()
        self._ping: asyncio.Future[float] | None = None
        self.binary_frames = 0
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._push: Callable[[list[bytes]], object]

    # The gateway

    def push(self, *messages: bytes) -> None:
        """Send messages that come together."""
        self._push(list(messages))

    def challenge(self) -> None:
        """Send the challenge."""
        self.push(event("connect.challenge", {"nonce": "n", "ts": 1}))

    def welcome(self, **changes: Any) -> None:
        """Do the handshake."""
        self.challenge()
        self.answer(HELLO | changes)

    def answer(self, payload: Any = None, **fields: Any) -> None:
        """Answer the last request."""
        self.push(response(self.sent[-1]["id"], payload, **fields))

    def hang_up(self, code: int = 1006, reason: str = "") -> None:
        """Close the socket."""
        if not self._ended.done():
            self._ended.set_result((code, reason))
            if self._ping is not None and not self._ping.done():
                self._ping.set_exception(TransportClosed())

    # The client's side

    def listen(self, on_messages: Callable[[list[bytes]], object]) -> None:
        self._push = on_messages

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    async def closed(self) -> tuple[int, str]:
        return await asyncio.shield(self._ended)

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    async def ping(self) -> float:
        self._ping = asyncio.get_running_loop().create_future()
        self.pinged.put_nowait(self._ping)
        return await self._ping

    async def close(self, code: int, reason: str, grace: float) -> None:
        self.calls.append((code, reason, grace))
        self.hang_up(code, reason)

    def abort(self) -> None:
        self.calls.append("abort")
        self.hang_up()
