"""Which connection is meant: by the magics, where none is named, and by a widget whose connection was made again."""

from __future__ import annotations

import weakref

from ..faces import connections as connecting
from ..faces.gateway import Gateway
from ..sync.loop_thread import stop_loop_thread

name = "default"
"""The connection that was made last, by a magic or by a form."""


_made: weakref.WeakSet[Gateway] = weakref.WeakSet()


def made(gateway: Gateway) -> None:
    """Take note of a connection that a magic or a form has made: it is the one that is meant now."""
    global name
    name = gateway.name
    _made.add(gateway)


def close_all() -> None:
    """Close what magics and forms have made; where nothing is connected then, the thread that served it ends, too."""
    for gateway in list(_made):
        gateway.close()
    _made.clear()
    if not connecting.connections():
        stop_loop_thread()


def chosen(configured: str) -> str:
    """Return the name of the connection that the magics mean where none is named.

    Args:
        configured: ``GatewayMagics.default_connection``; ``"default"`` is no choice of the user's.
    """
    return name if configured == "default" and name in connecting.connections() else configured


def latest(gateway: Gateway) -> Gateway:
    """Return the connection that has a gateway's name now: running its cell again made a new one."""
    now = connecting.names_of(gateway).gateways.get(gateway.name, gateway)
    return gateway if now.closed else now
