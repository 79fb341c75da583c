"""Which connection is meant: by the magics, where none is named, and by a widget whose connection was made again."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import one_line
from ..faces import connections as connecting
from ..faces.gateway import Gateway
from ..sync.loop_thread import stop_loop_thread

if TYPE_CHECKING:
    from ..server.local_gateway import LocalGateway

_NAMED = 3
name = "default"
"""The connection that a magic or a form opened last, or that ``%gateway use`` named."""

_opened: weakref.WeakSet[Gateway] = weakref.WeakSet()
_noted: weakref.WeakSet[Gateway] = weakref.WeakSet()
_embedded: LocalGateway | None = None


def use(gateway: Gateway) -> None:
    """Let the magics use a connection where none is named."""
    global name
    name = gateway.name
    _noted.update(connecting.connections().values())


def adopt(gateway: Gateway) -> None:
    """Use a connection that a magic or a form has opened; it is closed when the extension is unloaded."""
    _opened.add(gateway)
    use(gateway)


def adopt_beside(gateways: Iterable[Gateway]) -> None:
    """Close connections when the extension is unloaded, too, and go on using the one that was used before."""
    opened = list(gateways)
    _opened.update(opened)
    _noted.update(opened)


def close_all() -> None:
    """Close what magics and forms have opened; where nothing is connected then, the thread that served it ends, too."""
    global _embedded
    for gateway in list(_opened):
        gateway.close()
    _opened.clear()
    if _embedded is not None:
        _embedded.stop()
        _embedded = None
    if not connecting.connections():
        stop_loop_thread()


def embedded_gateway() -> LocalGateway:
    """Return the embedded gateway to try things on, started on first use; it ends when the extension is unloaded."""
    global _embedded
    if _embedded is None:
        from ..server.local_gateway import LocalGateway

        _embedded = LocalGateway().start()
    return _embedded


def chosen(configured: str) -> str:
    """Return the name of the connection that the magics mean where none is named.

    Args:
        configured: ``GatewayMagics.default_connection``; ``"default"`` is no choice of the user's.
    """
    return name if configured == "default" and name in connecting.connections() else configured


def where(gateway: Gateway) -> str:
    """Return in words which connection it is: its name and the gateway's address."""
    return one_line(f"{gateway.name} at {gateway.status.url}")


def changes(gateway: Gateway) -> list[str]:
    """Return what has to be said, once, before a magic uses a connection that it was not given by name.

    Returns:
        Lines: that the one used before is closed, or that others were connected since.
    """
    lines = []
    if _noted and name not in connecting.connections():
        lines.append(f"the connection {name} is closed; sent to {where(gateway)}")
    since = [other for other in connecting.connections().values() if other not in _noted and other is not gateway]
    lines += [
        f"sent to {where(gateway)}, not to {where(other)}, connected since; %gateway use {other.name} changes that"
        for other in since[:_NAMED]
    ]
    if len(since) > _NAMED:
        lines.append(f"{len(since) - _NAMED:,} more were connected since; %gateway lists them")
    use(gateway)
    return lines


def latest(gateway: Gateway) -> Gateway:
    """Return the connection that has a gateway's name now: running its cell again made a new one."""
    now = connecting.names_of(gateway).gateways.get(gateway.name, gateway)
    return gateway if now.closed else now
