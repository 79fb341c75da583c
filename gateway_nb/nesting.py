"""For your own ``asyncio.run`` in a cell: nest_asyncio2, on request only. The client needs it nowhere."""

from __future__ import annotations

import sys


def enable() -> None:
    """Let ``asyncio.run`` and ``run_until_complete`` work inside a running loop, as in a notebook cell.

    It patches asyncio for the whole process, and makes every task about twice as slow to create. ``await`` at
    the top of a cell works without it. Calling it again does nothing.

    Raises:
        RuntimeError: the archived nest_asyncio is applied already; it loses queued cells on ipykernel 7.
    """
    if "nest_asyncio" in sys.modules and getattr(__import__("asyncio"), "_nest_patched", False):
        raise RuntimeError(
            "nest_asyncio is applied already, and loses queued cells on ipykernel 7; restart the kernel and use "
            "gateway_nb.nesting.enable() instead"
        )
    import nest_asyncio2

    nest_asyncio2.apply()
