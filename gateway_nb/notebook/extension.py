"""Loading into a shell and unloading from it, without a trace."""

from __future__ import annotations

from typing import Any

from .magics import GatewayMagics

_NAME = "gateway"


def load(shell: Any) -> None:
    """Register the magics; loading twice is loading once."""
    shell.register_magics(GatewayMagics(shell))


def unload(shell: Any) -> None:
    """Take the magics out again."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(_NAME, None)
    shell.magics_manager.registry.pop(GatewayMagics.__name__, None)
    if any(isinstance(one, GatewayMagics) for one in shell.configurables):
        shell.configurables[:] = [one for one in shell.configurables if not isinstance(one, GatewayMagics)]
