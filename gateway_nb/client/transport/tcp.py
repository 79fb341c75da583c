"""TCP to a host with several addresses: the first that answers, and no long wait for those that do not."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aiohappyeyeballs import start_connection

_NEXT_AFTER = 0.25  # seconds, as RFC 8305 recommends


async def resolve(host: str, port: int) -> list[Any]:
    """Return a host's addresses, as `socket.getaddrinfo` does.

    Raises:
        OSError, UnicodeError: it has none.
    """
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def connect(addresses: list[Any], receive_buffer: int | None = None) -> socket.socket:
    """Return a connected socket that does not block.

    Args:
        addresses: from `resolve`.
        receive_buffer: bytes that the system keeps for a reader; default: its own choice.

    Raises:
        OSError: none of them answers.
    """

    def make(address: Any) -> socket.socket:
        family, kind, protocol, _, _ = address
        line = socket.socket(family, kind, protocol)
        if receive_buffer is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        return line

    return await start_connection(addresses, happy_eyeballs_delay=_NEXT_AFTER, interleave=1, socket_factory=make)
