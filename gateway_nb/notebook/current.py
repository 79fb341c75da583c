"""Which connection is meant: by the magics, where none is named, and by a widget whose connection was made again."""

from __future__ import annotations

from .. import connecting
from ..facade import Gateway

name = "default"
"""The connection that the magics mean where none is named; a form sets it."""


def latest(gateway: Gateway) -> Gateway:
    """Return the connection that has a gateway's name now: running its cell again made a new one."""
    return connecting.connections().get(gateway.name, gateway)
