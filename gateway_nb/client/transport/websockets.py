"""`Transport` over websockets: the library that is always there."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException
from websockets.frames import DATA_OPCODES, Frame, Opcode

from ...protocol.close_codes import ABNORMAL
from ...protocol.endpoint import Endpoint
from ...protocol.frames import MAX_FRAME_BYTES
from .interface import Refused, Transport, TransportClosed, answered_http

# The library logs the ends of frames at DEBUG level, and a connect frame ends in secrets.
_silent = logging.getLogger("gateway_nb.wire")
_silent.disabled = True


async def open_socket(endpoint: Endpoint, tls: ssl.SSLContext | None) -> Transport:
    """Return an open socket.

    Args:
        endpoint: where to.
        tls: how to talk TLS, ``None`` for plain text.

    Raises:
        OSError, Refused: see `gateway_nb.client.transport.interface.connect_error`.
    """
    try:
        socket = await _Connect(
            endpoint.url,
            create_connection=_Socket,
            ssl=tls,
            compression=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=None,
            ping_interval=None,  # the session's watchdog looks for signs of life
            proxy=None,
            user_agent_header="gateway-nb",
            logger=_silent,
        )
    except InvalidStatus as error:
        raise answered_http(error.response.status_code) from None
    except InvalidMessage:
        raise EOFError from None
    except WebSocketException as error:
        raise Refused(f"refused the WebSocket: {error}; is this a gateway's port?") from None
    return _WebSocketTransport(socket)


class _Connect(connect):
    """Follows no redirect: policy allowed this endpoint, not the one that a server names."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _Socket(ClientConnection):
    """A WebSocket that pushes its text messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.binary_frames = 0
        self.on_messages: Callable[[list[bytes]], object] | None = None
        self._messages: list[bytes] = []
        self._fragments: list[bytes] = []
        self._in_binary = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.deliver()

    def deliver(self) -> None:
        """Hand over what has come so far."""
        if self.on_messages is not None and self._messages:
            messages, self._messages = self._messages, []
            self.on_messages(messages)

    def process_event(self, event: Any) -> None:
        if type(event) is not Frame or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif event.opcode is Opcode.TEXT and event.fin:
            self._messages.append(event.data)  # type: ignore[arg-type]
        else:
            self._take_fragment(event)

    def _take_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._in_binary = frame.opcode is Opcode.BINARY
            self.binary_frames += self._in_binary
            self._fragments = []
        if self._in_binary:
            return
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            self._messages.append(b"".join(self._fragments))
            self._fragments = []


class _WebSocketTransport:
    """`Transport` over the websockets library."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @property
    def binary_frames(self) -> int:
        return int(self._socket.binary_frames)

    def listen(self, on_messages: Callable[[list[bytes]], object]) -> None:
        self._socket.on_messages = on_messages
        self._socket.deliver()

    async def closed(self) -> tuple[int, str]:
        await self._socket.wait_closed()
        # The peer's close frame if there is one, else ours (a frame too large, say), else 1006.
        close = self._socket.protocol.close_rcvd or self._socket.protocol.close_sent
        return (close.code, close.reason) if close else (ABNORMAL, "")

    def write(self, data: bytes) -> None:
        broadcast([self._socket], data, text=True)

    async def ping(self) -> float:
        try:
            return float(await (await self._socket.ping()))
        except ConnectionClosed:
            raise TransportClosed from None

    async def close(self, code: int, reason: str, grace: float) -> None:
        try:
            async with asyncio.timeout(grace):
                await self._socket.close(code, reason)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        self._socket.transport.abort()
