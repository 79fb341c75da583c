"""For your own ``asyncio.run`` in a cell: nest_asyncio2, on request only. The client needs it nowhere.

`enable` patches asyncio for the whole process, and makes every task about twice as slow to create. ``await`` at the
top of a cell works without it.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from .errors import BadArgumentError

KEPT = "nest_asyncio2"
ARCHIVED = "nest_asyncio"
_LIBRARIES = (KEPT, ARCHIVED)


@dataclass(frozen=True, slots=True)
class NestingStatus:
    """Who has patched asyncio in this process.

    Attributes:
        applied: ``"nest_asyncio2"``, ``"nest_asyncio"`` or ``None``.
        ipykernel: version of the kernel this runs in, or ``None`` outside one.
        loses: what is lost with `applied`, or ``None``.
    """

    applied: str | None
    ipykernel: str | None
    loses: str | None

    def __str__(self) -> str:
        """One line."""
        if self.applied is None:
            return "asyncio is as it came; gateway_nb.nesting.enable() allows asyncio.run in a cell"
        return f"{self.applied} is applied" + (f": {self.loses}" if self.loses else "")


def status() -> NestingStatus:
    """Return who has patched asyncio, this package or anybody else."""
    module = asyncio.run.__module__
    applied = module if module in _LIBRARIES else None
    return NestingStatus(applied, _kernel(), _loses(applied))


def enable(library: str = KEPT, *, force: bool = False) -> NestingStatus:
    """Let ``asyncio.run`` and ``run_until_complete`` work inside a running loop, as in a notebook cell.

    Calling it again does nothing.

    Args:
        library: ``"nest_asyncio2"``, which is maintained, or the archived ``"nest_asyncio"``.
        force: apply the archived one even where it loses something.

    Returns:
        What is applied now.

    Raises:
        BadArgumentError: there is no such library.
        RuntimeError: the other one is applied already, or this one loses something here; says what.
        ImportError: it is not installed.

    Example::

        gnb.nesting.enable()  # in the notebook's first cell
    """
    if library not in _LIBRARIES:
        raise BadArgumentError(f"library must be one of {', '.join(_LIBRARIES)}, not {library!r}")
    now = status()
    if now.applied == library:
        return now
    if now.applied is not None:
        raise RuntimeError(f"{now}; two patches on each other do not work: restart the kernel, and apply only one")
    loses = _loses(library)
    if loses is not None and not force:
        raise RuntimeError(f"{library} is not applied here: {loses}; nest_asyncio2 does the same without that")
    importlib.import_module(library).apply()
    return status()


def _loses(library: str | None) -> str | None:
    if library != ARCHIVED:
        return None
    if sys.version_info >= (3, 14):
        return "it breaks timeouts and task groups on Python 3.14 and newer"
    kernel = _kernel()
    if kernel is not None and Version(kernel).major >= 7:
        return f"on ipykernel {kernel} queued cells never run, and clicks vanish"
    return None


def _kernel() -> str | None:
    if "ipykernel.kernelapp" not in sys.modules:
        return None
    try:
        return version("ipykernel")
    except PackageNotFoundError:
        return None
