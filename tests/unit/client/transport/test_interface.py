"""What a user is told of a socket that could not be opened."""

from __future__ import annotations

import ssl

import pytest

from gateway_nb.client.transport.interface import CLOSE_GRACE, Refused, answered_http, connect_error
from gateway_nb.client.transport.tls import WrongPin
from gateway_nb.errors import GatewayConnectError, HandshakeTimeoutError, TlsPinError
from gateway_nb.protocol.endpoint import parse


def plain() -> ssl.SSLError:
    error = ssl.SSLError(1, "x")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


def unverified() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "it failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "secure", "kind", "text"),
    [
        (WrongPin("ab" * 32), True, TlsPinError, "is not the pinned one (it has SHA-256 abab"),
        (TimeoutError(), False, HandshakeTimeoutError, "did not answer within 2.5 s; is this a gateway's port?"),
        (Refused("refused it"), False, GatewayConnectError, "ws://127.0.0.1:1 refused it"),
        (answered_http(404), False, GatewayConnectError, "not a gateway: it answered HTTP 404; check the port"),
        (unverified(), True, GatewayConnectError, "can't be verified: self-signed certificate; for a self-signed one"),
        (plain(), True, GatewayConnectError, "does not speak TLS (WRONG_VERSION_NUMBER); use ws:// if"),
        (ConnectionResetError(), True, GatewayConnectError, "hung up during the TLS handshake; use ws://"),
        (ConnectionAbortedError(), True, GatewayConnectError, "hung up during the TLS handshake; use ws://"),
        (
            ConnectionResetError(),
            False,
            GatewayConnectError,
            "does not speak WebSocket; is it a TLS port? then use wss://",
        ),
        (EOFError(), False, GatewayConnectError, "does not speak WebSocket; is it a TLS port? then use wss://"),
        (EOFError(), True, GatewayConnectError, "does not speak WebSocket; check the port"),
        (ConnectionAbortedError(103, "aborted"), False, GatewayConnectError, "can't be reached: aborted; check host"),
        (
            ConnectionRefusedError(),
            False,
            GatewayConnectError,
            "nothing listens on ws://127.0.0.1:1; start the gateway",
        ),
        (
            OSError(113, "No route to host"),
            False,
            GatewayConnectError,
            "can't be reached: No route to host; check host",
        ),
        (
            UnicodeError("no name"),
            False,
            GatewayConnectError,
            "can't be reached: no name; check host, port and network",
        ),
    ],
)
def test_what_is_told(error: Exception, secure: bool, kind: type[GatewayConnectError], text: str) -> None:
    """Each way in which a socket can't be opened has its kind of error, and says what to do."""
    found = connect_error(parse("wss://127.0.0.1:1" if secure else "ws://127.0.0.1:1"), error, 2.5)
    assert type(found) is kind
    assert text in str(found)
    assert found.code == ("TLS_PIN_MISMATCH" if kind is TlsPinError else None)


def test_the_grace_of_a_close_frame() -> None:
    """From a close frame the peer has a quarter of a second until the line is cut."""
    assert CLOSE_GRACE == 0.25
