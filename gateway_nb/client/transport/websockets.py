"""`Transport` over websockets, the library that is always there: an asyncio protocol around its Sans-I/O client."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from ...protocol.close_codes import ABNORMAL
from ...protocol.endpoint import Endpoint
from ...protocol.frames import MAX_FRAME_BYTES
from . import tcp
from .interface import CLOSE_GRACE, READ_BYTES, Refused, Transport, answered_http
from .messages import Fragments, Pings, TooLarge

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
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(
        lambda: _Socket(endpoint.url),
        sock=await tcp.connect(await tcp.resolve(endpoint.host, endpoint.port)),
        ssl=tls,
        server_hostname=endpoint.host if tls else None,
    )
    try:
        await socket.upgraded
    except InvalidStatus as error:  # a redirect, too: policy allowed this endpoint, not the one that a server names
        raise answered_http(error.response.status_code) from None
    except InvalidMessage:
        raise EOFError from None
    except InvalidHandshake as error:
        raise Refused(f"refused the WebSocket: {error}; is this a gateway's port?") from None
    finally:
        if not socket.is_open:
            socket.abort()
    return socket


class _Socket(asyncio.BufferedProtocol):
    """A `Transport`: pushes its text messages.

    It reads into a buffer of its own, since its size bounds what one turn of the event loop has to take in.
    """

    def __init__(self, url: str) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._protocol = ClientProtocol(parse_uri(url), max_size=MAX_FRAME_BYTES, logger=_silent)
        self._buffer = memoryview(bytearray(READ_BYTES))  # asyncio's TLS slices it, and must not get copies
        self._transport: asyncio.Transport
        self._messages: list[bytes] = []
        self._on_messages: Callable[[list[bytes]], object] | None = None
        self._fragments = Fragments()
        self._in_binary = False
        self._pings = Pings()
        self._writing = True
        self._owed: list[bytes] = []
        self._cutting: asyncio.TimerHandle | None = None
        self._disconnected: asyncio.Future[None] = loop.create_future()
        self.upgraded: asyncio.Future[None] = loop.create_future()
        self.binary_frames = 0

    @property
    def is_open(self) -> bool:
        """Whether the upgrade succeeded."""
        return self.upgraded.done() and not self.upgraded.cancelled() and self.upgraded.exception() is None

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request = self._protocol.connect()
        request.headers["User-Agent"] = "gateway-nb"
        self._protocol.send_request(request)
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._protocol.receive_data(bytes(self._buffer[:nbytes]))
        self._advance()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        self._advance()
        if self._cutting is not None:
            self._cutting.cancel()
        self._pings.end()
        self._disconnected.set_result(None)

    def pause_writing(self) -> None:
        self._writing = False

    def resume_writing(self) -> None:
        self._writing = True
        owed, self._owed = self._owed, []
        self._write(owed)

    # From the protocol to the connection

    def _advance(self) -> None:
        """Carry out what the protocol made of the bytes that came."""
        self._flush()
        for event in self._protocol.events_received():
            if not isinstance(event, Frame):
                continue  # the response to the upgrade, which the protocol has judged
            if event.opcode is Opcode.TEXT and event.fin:
                self._messages.append(event.data)  # type: ignore[arg-type]
            elif event.opcode is Opcode.PONG:
                self._pings.settle(bytes(event.data))
            elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._take_fragment(event)
        if not self.upgraded.done():
            if self._protocol.handshake_exc is not None:
                self.upgraded.set_exception(self._protocol.handshake_exc)
                self.upgraded.exception()  # retrieved: whoever opened the socket may have been cancelled
            elif self._protocol.state is not State.CONNECTING:
                self.upgraded.set_result(None)
        self._deliver()
        if self._cutting is None and self._protocol.close_expected():
            # The server is to hang up now; one that does not is cut off.
            self._cutting = self._loop.call_later(CLOSE_GRACE, self.abort)

    def _take_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._in_binary = frame.opcode is Opcode.BINARY
            self.binary_frames += self._in_binary
        piece = b"" if self._in_binary else bytes(frame.data)
        try:
            message = self._fragments.add(piece, frame.fin)
        except TooLarge as error:
            if self._protocol.state is State.OPEN:
                self._protocol.fail(error.code, str(error))
                self._flush()
            return
        if message is not None and not self._in_binary:
            self._messages.append(message)

    def _flush(self) -> None:
        data = self._protocol.data_to_send()
        if data and not self._writing and self._protocol.state is State.OPEN:
            # Pongs for a peer that does not read: the last one answers them all (RFC 6455, 5.5.3).
            self._owed = data[-1:]
        else:
            self._write(data)

    def _write(self, pieces: list[bytes]) -> None:
        for data in pieces:
            if self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _deliver(self) -> None:
        if self._on_messages is not None and self._messages:
            messages, self._messages = self._messages, []
            self._on_messages(messages)

    # Called by the connection: see `Transport`

    def listen(self, on_messages: Callable[[list[bytes]], object]) -> None:
        self._on_messages = on_messages
        self._deliver()

    def pause(self) -> None:
        self._transport.pause_reading()

    def resume(self) -> None:
        self._transport.resume_reading()

    async def closed(self) -> tuple[int, str]:
        await asyncio.shield(self._disconnected)
        ended = self._protocol.close_exc
        close = ended.rcvd or ended.sent  # ours where the peer sent none: a frame was too large, say
        return (close.code, close.reason) if close else (ABNORMAL, "")

    def write(self, data: bytes) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(data)
            self._write(self._protocol.data_to_send())

    async def ping(self) -> float:
        pong = self._pings.start()
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(self._pings.payload)
            self._write(self._protocol.data_to_send())
        return await pong

    async def close(self, code: int, reason: str, grace: float) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._write(self._protocol.data_to_send())
        try:
            async with asyncio.timeout(grace):
                await asyncio.shield(self._disconnected)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        self._transport.abort()
