"""Opening a socket, with the faster of the WebSocket libraries that are installed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...errors import BadArgumentError
from ...protocol.endpoint import Endpoint
from .interface import Refused, Transport, connect_error
from .tls import context_for, observed, read_certificate

T = TypeVar("T")

LIBRARY_VARIABLE = "GATEWAY_NB_TRANSPORT"
LIBRARIES = ("picows", "websockets")


def library() -> str:
    """Return the WebSocket library to use: picows where it is installed (extra ``fast``), else websockets.

    The environment variable `GATEWAY_NB_TRANSPORT` names one of them instead.

    Raises:
        ValueError: the variable names neither.
    """
    chosen = os.environ.get(LIBRARY_VARIABLE, "").strip()
    if not chosen:
        return "picows" if importlib.util.find_spec("picows") else "websockets"
    if chosen not in LIBRARIES:
        raise BadArgumentError(f"{LIBRARY_VARIABLE} must be one of {', '.join(LIBRARIES)}, not {chosen!r}")
    return chosen


async def open_transport(
    endpoint: Endpoint,
    *,
    timeout: float,
    ssl_context: ssl.SSLContext | None,
    on_secure: Callable[[ssl.SSLObject], object] | None = None,
) -> Transport:
    """Return an open socket.

    Args:
        endpoint: where to, allowed by policy.
        timeout: seconds for TCP, TLS and the upgrade together.
        ssl_context: for ``wss`` without a pin; default: the system's certificate authorities.
        on_secure: called with the state of TLS when it is up, before anything is sent over it.

    Raises:
        GatewayConnectError: nothing listens there, or it is not a WebSocket server.
        TlsPinError: the certificate is not the pinned one; nothing was sent.
        HandshakeTimeoutError: no answer in time.
    """
    open_socket: Callable[[Endpoint, ssl.SSLContext | None], Awaitable[Transport]]
    if library() == "picows":
        from .picows import open_socket
    else:
        from .websockets import open_socket
    context = context_for(endpoint, ssl_context)
    with contextlib.nullcontext() if context is None or on_secure is None else observed(context, on_secure):
        return await _in_time(endpoint, timeout, open_socket(endpoint, context))


async def read_fingerprint(endpoint: Endpoint, *, timeout: float) -> str:
    """Return the SHA-256 of a ``wss`` server's certificate, within so many seconds; TLS is all that is spoken.

    Raises:
        GatewayConnectError: it can't be reached, or does not speak TLS.
    """
    return await _in_time(endpoint, timeout, read_certificate(endpoint))


async def _in_time(endpoint: Endpoint, timeout: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(timeout):
            return await work
    except (OSError, EOFError, UnicodeError, Refused) as error:
        raise connect_error(endpoint, error, timeout) from None
