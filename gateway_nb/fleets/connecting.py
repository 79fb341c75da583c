"""Connecting to many gateways at the same time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from ..client.core import Core
from ..errors import GatewayError

AT_ONCE = 64
"""Gateways that are connected to, or asked, at the same time."""


async def connect_all(cores: Iterable[Core], limit: float | None) -> None:
    """Connect to gateways; one that fails is tried again in the background, and its status says what and why.

    Args:
        cores: of the connections.
        limit: seconds for each.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def start(core: Core) -> None:
        async with places:
            with contextlib.suppress(GatewayError):
                await core.start(limit, persists=True)

    await asyncio.gather(*map(start, cores))
