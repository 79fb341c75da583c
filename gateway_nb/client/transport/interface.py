"""What a connection needs of a socket, and the errors of opening one (protocol.md, 4)."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol

from ...errors import GatewayConnectError, HandshakeTimeoutError, TlsPinError
from ...protocol.endpoint import Endpoint
from .tls import WrongPin

CLOSE_GRACE = 0.25
"""Seconds from a close frame until the line is cut, whatever the peer does."""
READ_BYTES = 32 * 1024
"""Bytes taken in at one turn of the event loop: 16,384 empty frames, a tenth of a second at the worst."""


class TransportClosed(Exception):
    """The socket is closed: nothing can be sent."""


class Transport(Protocol):
    """What a connection needs of a socket. Messages are pushed: a reader's queue and wake-ups would cost most of it."""

    @property
    def binary_frames(self) -> int:
        """Binary messages received and dropped: the protocol has none."""

    def listen(self, on_messages: Callable[[list[bytes]], object]) -> None:
        """Call a function with the text messages that come together, first those that are there. It must not raise."""

    def pause(self) -> None:
        """Read nothing more for now; what was read already may still be pushed."""

    def resume(self) -> None:
        """Read on."""

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


class Refused(Exception):
    """What answers is no WebSocket server; the message says why, without the address."""


def answered_http(status: int) -> Refused:
    """Return what to tell of a server that answered the upgrade with something else."""
    return Refused(f"is a web server, not a gateway: it answered HTTP {status}; check the port")


def connect_error(endpoint: Endpoint, error: BaseException, timeout: float) -> GatewayConnectError:
    """Return what to tell of a socket that could not be opened.

    Args:
        endpoint: where to.
        error: what the operating system, TLS or the WebSocket library said.
        timeout: seconds that were waited at most.
    """
    where = endpoint.display
    if isinstance(error, WrongPin):
        return TlsPinError(
            f"the certificate of {where} is not the pinned one (it has SHA-256 {error.found}); "
            "if the gateway's certificate was renewed, pin the new one, else somebody is in between",
            code="TLS_PIN_MISMATCH",
        )
    if isinstance(error, TimeoutError):
        return HandshakeTimeoutError(f"{where} did not answer within {timeout:g} s; is this a gateway's port?")
    if isinstance(error, Refused):
        return GatewayConnectError(f"{where} {error}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return GatewayConnectError(
            f"the certificate of {where} can't be verified: {error.verify_message}; for a self-signed one pass "
            "tls_fingerprint="
        )
    if isinstance(error, ssl.SSLError):
        return GatewayConnectError(f"{where} does not speak TLS ({error.reason}); use ws:// if it is this machine")
    if endpoint.secure and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        return GatewayConnectError(f"{where} hung up during the TLS handshake; use ws:// if it is this machine")
    if isinstance(error, (EOFError, ConnectionResetError)):
        advice = "is it a TLS port? then use wss://" if not endpoint.secure else "check the port"
        return GatewayConnectError(f"{where} does not speak WebSocket; {advice}")
    if isinstance(error, ConnectionRefusedError):
        return GatewayConnectError(
            f"nothing listens on {where}; start the gateway (openclaw gateway run, or gateway-nb serve for a local one)"
        )
    reason = getattr(error, "strerror", None) or error
    return GatewayConnectError(f"{where} can't be reached: {reason}; check host, port and network")
