"""`Transport` over picows, a WebSocket library in Cython: extra ``fast``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

import picows
from picows import WSFrame, WSHandshakeError, WSInvalidStatusError, WSMsgType, WSTransport

from ...protocol.close_codes import ABNORMAL, NO_CODE, PROTOCOL_ERROR
from ...protocol.endpoint import Endpoint
from ...protocol.frames import MAX_FRAME_BYTES
from . import tcp
from .interface import Transport, answered_http
from .messages import Fragments, Pings, TooLarge

# It logs by a child of this logger for each connection: a level is inherited, being disabled is not.
_silent = logging.getLogger("gateway_nb.wire.picows")
_silent.setLevel(logging.CRITICAL + 1)
_READ_BUFFER = 256 * 1024
_RECEIVE_BUFFER = 256 * 1024  # of the system's: the library's own grows, and one turn of the loop takes in all of it
_TEXT, _CONTINUATION = WSMsgType.TEXT, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE


async def open_socket(endpoint: Endpoint, tls: ssl.SSLContext | None) -> Transport:
    """Return an open socket.

    Args:
        endpoint: where to.
        tls: how to talk TLS, ``None`` for plain text.

    Raises:
        OSError, Refused: see `gateway_nb.client.transport.interface.connect_error`.
    """
    line = await tcp.connect(await tcp.resolve(endpoint.host, endpoint.port), _RECEIVE_BUFFER)
    upgrading = asyncio.ensure_future(
        picows.ws_connect(
            _Listener,
            endpoint.url,
            ssl_context=tls,
            socket_factory=lambda _: line,
            websocket_handshake_timeout=None,
            max_frame_size=MAX_FRAME_BYTES,
            max_redirects=0,  # policy allowed this endpoint, not the one that a server names
            read_buffer_init_size=_READ_BUFFER,
            extra_headers={"User-Agent": "gateway-nb"},
            logger_name=_silent,
            enable_auto_pong=False,  # a frame the library keeps to itself may be the last of those that came together
            use_aiofastnet=False,  # its TLS knows no pins, and without TLS it gains nothing
        )
    )
    try:
        _, listener = await asyncio.shield(upgrading)
    except WSInvalidStatusError as error:
        raise answered_http(error.response.status) from None
    except WSHandshakeError:
        raise EOFError from None
    except asyncio.CancelledError:
        # The library leaves its socket open then; one that is shut down ends the upgrade by itself.
        with contextlib.suppress(OSError):  # closed already
            line.shutdown(socket.SHUT_RDWR)
        await asyncio.gather(upgrading, return_exceptions=True)
        raise
    if listener is None:  # the server hung up
        raise EOFError
    found: Transport = listener
    return found


class _Listener(picows.WSListener):  # type: ignore[misc]
    """A `Transport`: pushes its text messages.

    What the library is told to raise, or finds wrong by itself, ends the connection: with a close frame, and without
    the peer's help soon after.
    """

    def __init__(self) -> None:
        self._socket: WSTransport
        self._loop = asyncio.get_running_loop()
        self._messages: list[bytes] = []
        self._on_messages: Callable[[list[bytes]], object] | None = None
        self._fragments = Fragments()
        self._in_binary = self._in_message = False
        self._pings = Pings()
        self._writing = True
        self._owed: bytes | None = None
        self._peer_closed: tuple[int, str] | None = None
        self._disconnected: asyncio.Future[None] = self._loop.create_future()
        self._ending: asyncio.Future[None] | None = None
        self.binary_frames = 0

    # Called by the library

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._socket = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise picows.WSProtocolError(PROTOCOL_ERROR, "reserved bits must be 0")
        if kind is _TEXT and frame.fin and not self._in_message:
            self._messages.append(frame.get_payload_as_bytes())
        elif kind is _PING:
            self._answer_ping(frame.get_payload_as_bytes())
        elif kind is _PONG:
            self._pings.settle(frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._take_close(frame.get_payload_as_bytes())
        else:
            self._take_fragment(kind, frame)
        if frame.last_in_buffer:
            self._deliver()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._pings.end()
        # Why the library ended the connection is in the close frame that it sent. Its own future of that has to be
        # asked, since asyncio prints what nobody asked for.
        self._ending = asyncio.ensure_future(transport.wait_disconnected())
        self._ending.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._disconnected.set_result(None)

    def pause_writing(self) -> None:
        self._writing = False

    def resume_writing(self) -> None:
        self._writing = True
        owed, self._owed = self._owed, None
        if owed is not None and self._can_send:
            self._socket.send_pong(owed)

    def _answer_ping(self, payload: bytes) -> None:
        if not self._writing:
            self._owed = payload  # the last pong answers all pings of a peer that does not read (RFC 6455, 5.5.3)
        elif self._can_send:
            self._socket.send_pong(payload)

    def _take_close(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if payload else NO_CODE
        self._peer_closed = (code, payload[2:].decode())
        if not self._socket.is_close_frame_sent:
            self._socket.send_close(code if payload else 0)
        self._socket.disconnect()

    def _take_fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if (kind is _CONTINUATION) is not self._in_message:
            raise picows.WSProtocolError(PROTOCOL_ERROR, "a message inside another")
        if not self._in_message:
            self._in_binary = kind is not _TEXT
            self.binary_frames += self._in_binary
        self._in_message = not frame.fin
        if self._socket.is_close_frame_sent:
            return
        piece = b"" if self._in_binary else frame.get_payload_as_bytes()
        try:
            message = self._fragments.add(piece, frame.fin)
        except TooLarge as error:
            raise picows.WSProtocolError(error.code, str(error)) from None
        if message is not None and not self._in_binary:
            self._messages.append(message)

    def _deliver(self) -> None:
        if self._on_messages is not None and self._messages:
            messages, self._messages = self._messages, []
            self._on_messages(messages)

    @property
    def _can_send(self) -> bool:
        return not (self._socket.is_close_frame_sent or self._socket.underlying_transport.is_closing())

    # Called by the connection: see `Transport`

    def listen(self, on_messages: Callable[[list[bytes]], object]) -> None:
        self._on_messages = on_messages
        self._deliver()

    def pause(self) -> None:
        self._socket.underlying_transport.pause_reading()

    def resume(self) -> None:
        self._socket.underlying_transport.resume_reading()

    async def closed(self) -> tuple[int, str]:
        await asyncio.shield(self._disconnected)
        if self._peer_closed is not None:
            return self._peer_closed
        ours = self._socket.close_handshake
        return (int(ours.sent.code), ours.sent.reason) if ours and ours.sent else (ABNORMAL, "")

    def write(self, data: bytes) -> None:
        if self._can_send:
            self._socket.send(_TEXT, data)

    async def ping(self) -> float:
        pong = self._pings.start()
        if self._can_send:
            self._socket.send_ping(self._pings.payload)
        return await pong

    async def close(self, code: int, reason: str, grace: float) -> None:
        if self._can_send:
            self._socket.send_close(code, reason.encode())
        try:
            async with asyncio.timeout(grace):
                await asyncio.shield(self._disconnected)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        self._socket.disconnect(graceful=False)
