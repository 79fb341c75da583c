"""Stopping a client whose line can't be cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.client.connection import Connection
from tests.helpers.support import async_test


@async_test
async def test_stop_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When stopping takes longer than its time it gives up with its own error, and the client is closed."""

    async def stuck(self: Any) -> None:
        await asyncio.sleep(60)

    with gnb.LocalGateway() as local:
        agw = gnb.AsyncGateway(local.url, token=local.token, device_identity=None)
        await agw.connect()
        monkeypatch.setattr(Connection, "stop", stuck)
        with pytest.raises(gnb.GatewayTimeoutError, match="gateway client stop timed out after 50ms"):
            await agw.close(timeout=0.05)
        assert agw.status.state == "closed"
