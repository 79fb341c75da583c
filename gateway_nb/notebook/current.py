"""Which connection is meant: by the magics, where none is named, and by a widget whose connection was made again."""

from __future__ import annotations

from .. import connecting
from ..facade import Gateway

name = "default"
"""The connection that was made last, by a magic or by a form."""


def chosen(configured: str) -> str:
    """Return the name of the connection that the magics mean where none is named.

    Args:
        configured: ``GatewayMagics.default_connection``; ``"default"`` is no choice of the user's.
    """
    return name if configured == "default" and name in connecting.connections() else configured


def latest(gateway: Gateway) -> Gateway:
    """Return the connection that has a gateway's name now: running its cell again made a new one."""
    return connecting.connections().get(gateway.name, gateway)
