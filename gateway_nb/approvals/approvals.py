"""`AsyncApprovals`: what waits for a person, for asyncio."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from ..client.core import STOP_TIMEOUT, Core
from ..client.options import timeout as checked_timeout
from ..errors import GatewayClosedError
from ..records.inventory import read_decisions
from ..records.reading import Reader
from .deciding import NOTICE, Deciding
from .items import Item
from .waiting import Approval, Question, waiting

if TYPE_CHECKING:
    import pandas as pd

AsyncWaiting = Approval[Coroutine[Any, Any, None]] | Question[Coroutine[Any, Any, None]]
"""What waits, for asyncio: its answers are awaited."""


class AsyncApprovals:
    """What waits for a person at the gateway of one connection: ``agw.approvals``.

    Its first use lets the gateway ask this connection's user, and says so: see `start`. Iterate it for what waits and
    for what comes, or `wait` for the next. Nothing is allowed unless somebody does it.

    Args:
        core: of the connection.

    Example:
        >>> async def allow_listing() -> None:
        ...     async for item in agw.approvals:
        ...         if item.kind == "exec" and item.command == "ls":
        ...             await item.allow_once()
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._deciding = Deciding(core)

    async def start(self) -> bool:
        """Let the gateway ask this connection's user; return whether that is new. Every use of it does so.

        Raises:
            MissingScopeError: the connection has neither operator.approvals nor operator.questions.
            GatewayError: the connection is closed, or its gateway has no approvals.
        """
        if new := await self._deciding.listen():
            warnings.warn(NOTICE, stacklevel=2)
        return new

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Give it back: where no other client decides, the gateway refuses again what agents ask.

        What waits goes on waiting at the gateway. Iterating over these approvals ends.

        Args:
            timeout: seconds to close the connection.
        """
        await self._deciding.stop(timeout)

    @property
    def pending(self) -> tuple[AsyncWaiting, ...]:
        """Those that wait now, the oldest first; none before `start` and after `stop`."""
        return tuple(self._shown(item) for item in self._deciding.waiting)

    async def wait(self, timeout: float | None = None) -> AsyncWaiting:
        """Return the next one that waits; each is returned once.

        Args:
            timeout: seconds, ``None`` for no limit.

        Raises:
            GatewayTimeoutError: none came in time.
            GatewayClosedError: it was stopped.
        """
        limit = checked_timeout(timeout)
        await self.start()
        return self._shown(await self._deciding.next_item(limit))

    async def __aiter__(self) -> AsyncIterator[AsyncWaiting]:
        """Yield what waits, as it comes, until `stop`; each once, as with `wait`."""
        await self.start()
        stops = self._deciding.stops
        while stops == self._deciding.stops:
            try:
                item = await self._deciding.next_item(None)
            except GatewayClosedError:
                return
            yield self._shown(item)

    async def history(self, limit: int | None = None) -> pd.DataFrame:
        """Return the approvals that were decided or are over, the latest first, with who decided what and when.

        Args:
            limit: rows that are enough.

        Returns:
            Columns as of ``agw.data.approvals()``.

        Raises:
            MissingScopeError: the connection has not the scope operator.approvals.
            GatewayRequestError: this gateway keeps none.
        """
        return await Reader(self._core).read_async(read_decisions(limit), "approvals")

    @property
    def listening(self) -> bool:
        """Whether the gateway asks this connection's user."""
        return self._deciding.listening

    @property
    def current(self) -> bool:
        """Whether what waits was read on the connection that is there now, so that it can be answered."""
        return self._deciding.current

    @property
    def notice(self) -> str | None:
        """What is not as it should be, and what to do; ``None`` if all is well."""
        return self._deciding.notice

    def _shown(self, item: Item) -> AsyncWaiting:
        """Return an item as its user gets it."""
        return waiting(item, self._deciding, lambda work: work())

    def __repr__(self) -> str:
        return describe(self._deciding.listening, list(self.pending), self._deciding.notice)


def describe(listening: bool, items: list[Any], notice: str | None) -> str:
    """Return the repr of approvals."""
    state = f"{len(items)} waiting" if listening else "not started"
    return "\n".join([f"<approvals: {state}>", *([notice] if notice else []), *map(repr, items)])
