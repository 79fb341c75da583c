"""Tasks that end with their owner: a client's connection, or the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Tasks that run until they are done or cancelled together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside its caller."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()

    async def end(self) -> None:
        """Cancel what still runs, and wait for its cleanup."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
