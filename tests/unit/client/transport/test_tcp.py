"""Connecting to a host with several addresses."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from gateway_nb.client.transport import tcp
from tests.helpers.support import async_test


@pytest.mark.parametrize("receive_buffer", [None, 4096])
@async_test
async def test_several_addresses(receive_buffer: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next address is tried after a quarter of a second, of the other family first; what is asked for is set."""
    asked: dict[str, Any] = {}

    async def start(addresses: Any, **options: Any) -> socket.socket:
        asked.update(options, addresses=addresses)
        found: socket.socket = options["socket_factory"](addresses[0])
        return found

    monkeypatch.setattr(tcp, "start_connection", start)
    addresses = await tcp.resolve("127.0.0.1", 80)
    assert {(family, kind, place) for family, kind, _, _, place in addresses} == {
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 80))
    }
    with await tcp.connect(addresses, receive_buffer) as line, socket.socket() as plain:
        assert (line.family, line.type) == (socket.AF_INET, socket.SOCK_STREAM)
        size = line.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert (size < plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)) is (receive_buffer is not None)
    assert (asked["happy_eyeballs_delay"], asked["interleave"], asked["addresses"]) == (0.25, 1, addresses)
