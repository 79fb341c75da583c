"""Connecting where the gateway's owner has to approve this device first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..errors import GatewayError, PairingRequiredError
from ..protocol.handshake import HelloOk
from .core import Core

PAUSE = 1.0
"""Seconds between two attempts: a gateway does not say when a device is approved."""


async def start_when_paired(
    core: Core, limit: float | None, patience: float | None, on_pending: Callable[[PairingRequiredError], object] | None
) -> HelloOk:
    """Connect, and while the device is not approved, try again; see `Face.wait_until_paired`.

    Args:
        core: of the client.
        limit: seconds for each attempt.
        patience: seconds to wait for the owner, ``None`` for no limit.
        on_pending: called once with the error that says what to approve.
    """
    deadline = None if patience is None else time.monotonic() + patience
    while True:
        try:
            return await core.start(limit, waits_for_owner=False)
        except PairingRequiredError as error:
            if deadline is not None and time.monotonic() + PAUSE > deadline:
                raise
            if on_pending is not None:
                try:
                    on_pending(error)
                except Exception as raised:  # noqa: BLE001 - the user's code; the owner may approve all the same
                    core.log.problem(GatewayError(f"on_pairing raised {type(raised).__name__}: {raised}"))
                on_pending = None
            await asyncio.sleep(PAUSE)
