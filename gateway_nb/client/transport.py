"""The socket: a WebSocket whose certificate pin is checked before a byte of HTTP is sent (protocol.md, 4).

`open_transport` is the only place that knows the websockets library.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import DATA_OPCODES, Frame, Opcode

from ..protocol.close_codes import ABNORMAL
from ..protocol.endpoint import Endpoint
from ..protocol.errors import GatewayConnectError, HandshakeTimeoutError, TlsPinError
from ..protocol.frames import MAX_FRAME_BYTES

# The library logs the ends of frames at DEBUG level, and a connect frame ends in secrets.
_silent = logging.getLogger("gateway_nb.wire")
_silent.disabled = True


class TransportClosed(Exception):
    """The socket is closed: nothing can be sent."""


class Transport(Protocol):
    """What a connection needs of a socket. Messages are pushed: a reader's queue and wake-ups would cost most of it."""

    @property
    def binary_frames(self) -> int:
        """Binary messages received and dropped: the protocol has none."""

    def listen(self, on_message: Callable[[bytes], object]) -> None:
        """Call a function with every text message, those that came already first. It must not raise."""

    async def closed(self) -> tuple[int, str]:
        """Wait until the socket is closed; return close code (1006 without a close frame) and reason."""

    def write(self, data: bytes) -> None:
        """Send one text message. Never waits: a request's deadline must not depend on a peer that does not read."""

    async def ping(self) -> float:
        """Return the seconds to the answer of a ping; raise `TransportClosed` at the end."""

    async def close(self, code: int, reason: str, grace: float) -> None:
        """Close with a close frame; cut the line if the peer does not answer within `grace` seconds."""

    def abort(self) -> None:
        """Cut the line now."""


async def open_transport(endpoint: Endpoint, *, timeout: float, ssl_context: ssl.SSLContext | None) -> Transport:
    """Return an open socket.

    Args:
        endpoint: where to, allowed by policy.
        timeout: seconds for TCP, TLS and the upgrade together.
        ssl_context: for ``wss`` without a pin; default: the system's certificate authorities.

    Raises:
        GatewayConnectError: nothing listens there, or it is no WebSocket server.
        TlsPinError: the certificate is not the pinned one; nothing was sent.
        HandshakeTimeoutError: no answer in time.
    """
    try:
        socket = await _Connect(
            endpoint.url,
            create_connection=_Socket.factory(endpoint),
            ssl=_tls(endpoint, ssl_context),
            compression=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=timeout,
            ping_interval=None,  # the session's watchdog looks for signs of life
            proxy=None,
            user_agent_header="gateway-nb",
            logger=_silent,
        )
    except (OSError, WebSocketException, TimeoutError, EOFError, UnicodeError) as error:
        raise _connect_error(endpoint, error, timeout) from None
    return _WebSocketTransport(socket)


async def read_fingerprint(endpoint: Endpoint, *, timeout: float) -> str:
    """Return the SHA-256 of a server's certificate; TLS is all that is spoken.

    Args:
        endpoint: a ``wss`` endpoint.
        timeout: seconds.

    Raises:
        GatewayConnectError: it can't be reached, or does not speak TLS.
    """
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=_unverified())
    except (OSError, TimeoutError, EOFError) as error:
        raise _connect_error(endpoint, error, timeout) from None
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return hashlib.sha256(certificate).hexdigest()


class _Connect(connect):
    """Follows no redirect: policy allowed this endpoint, not the one that a server names."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _Socket(ClientConnection):
    """A WebSocket that checks the pin before its upgrade request, and pushes its text messages."""

    endpoint: Endpoint

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.binary_frames = 0
        self.backlog: list[bytes] = []
        self.on_message: Callable[[bytes], object] = self.backlog.append
        self._fragments: list[bytes] = []
        self._in_binary = False

    @classmethod
    def factory(cls, endpoint: Endpoint) -> Any:
        def create(*args: Any, **kwargs: Any) -> _Socket:
            socket = cls(*args, **kwargs)
            socket.endpoint = endpoint
            return socket

        return create

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        # TLS is up, nothing has been sent over it: the last moment at which a wrong server learns nothing.
        if self.endpoint.pin is not None:
            certificate = self.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            found = hashlib.sha256(certificate).hexdigest()
            if found != self.endpoint.pin:
                self.transport.abort()
                raise TlsPinError(
                    f"the certificate of {self.endpoint.display} is not the pinned one (it has SHA-256 {found}); "
                    "if the gateway's certificate was renewed, pin the new one, else somebody is in between",
                    code="TLS_PIN_MISMATCH",
                )
        await super().handshake(*args, **kwargs)

    def process_event(self, event: Any) -> None:
        if type(event) is not Frame or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif event.opcode is Opcode.TEXT and event.fin:
            self.on_message(event.data)  # type: ignore[arg-type]
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
            self.on_message(b"".join(self._fragments))
            self._fragments = []


class _WebSocketTransport:
    """`Transport` over the websockets library."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @property
    def binary_frames(self) -> int:
        return int(self._socket.binary_frames)

    def listen(self, on_message: Callable[[bytes], object]) -> None:
        self._socket.on_message = on_message
        backlog, self._socket.backlog = self._socket.backlog, []
        for data in backlog:
            on_message(data)

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


def _tls(endpoint: Endpoint, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if not endpoint.secure:
        return None
    if endpoint.pin is None:
        return context or ssl.create_default_context()
    return _unverified()  # the pin alone decides


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connect_error(endpoint: Endpoint, error: BaseException, timeout: float) -> GatewayConnectError:
    where = endpoint.display
    if isinstance(error, TimeoutError):
        return HandshakeTimeoutError(f"{where} did not answer within {timeout:g} s; is this a gateway's port?")
    if isinstance(error, InvalidStatus):
        return GatewayConnectError(
            f"{where} is a web server, not a gateway: it answered HTTP {error.response.status_code}; check the port"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return GatewayConnectError(
            f"the certificate of {where} can't be verified: {error.verify_message}; for a self-signed one pass "
            "tls_fingerprint="
        )
    if isinstance(error, ssl.SSLError):
        return GatewayConnectError(f"{where} does not speak TLS ({error.reason}); use ws:// if it is this machine")
    if endpoint.secure and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        return GatewayConnectError(f"{where} hung up during the TLS handshake; use ws:// if it is this machine")
    if isinstance(error, (InvalidMessage, EOFError, ConnectionResetError)):
        advice = "is it a TLS port? then use wss://" if not endpoint.secure else "check the port"
        return GatewayConnectError(f"{where} does not speak WebSocket; {advice}")
    if isinstance(error, (InvalidHandshake, InvalidURI, WebSocketException)):
        return GatewayConnectError(f"{where} refused the WebSocket: {error}; is this a gateway's port?")
    if isinstance(error, ConnectionRefusedError):
        return GatewayConnectError(
            f"nothing listens on {where}; start the gateway (openclaw gateway run, or gateway-nb serve for a local one)"
        )
    reason = getattr(error, "strerror", None) or error
    return GatewayConnectError(f"{where} can't be reached: {reason}; check host, port and network")
