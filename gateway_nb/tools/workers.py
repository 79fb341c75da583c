"""Threads for tools: a slow one occupies its place, one that is given up makes room for another."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..errors import BadArgumentError

T = TypeVar("T")
PLACES = 4
MOST_ABANDONED = 32


class Busy(Exception):
    """Too many functions that were given up still run."""


class Raised(Exception):
    """Carries what a function raised: a future takes no StopIteration, and a task lets SystemExit end its loop."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Workers:
    """Daemon threads that run functions for a loop.

    Args:
        places: functions that run at once, beside those that were given up.

    Attributes:
        abandoned: functions that were given up and still run.
    """

    def __init__(self, places: int = PLACES) -> None:
        self.abandoned = 0
        self._places = places
        self._threads = self._idle = 0
        self._stopped = False
        self._jobs: deque[_Job[Any]] = deque()
        self._changed = threading.Condition()

    @property
    def places(self) -> int:
        """How many functions run at once."""
        return self._places

    @places.setter
    def places(self, count: int) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000:
            raise BadArgumentError(f"workers must be a whole number from 1 to 1,000, not {count!r}")
        with self._changed:
            self._places = count
            self._start_threads()
            self._changed.notify_all()

    async def run(self, function: Callable[[], T]) -> T:
        """Return what a function returns, or raise what it raises. It runs in the caller's context.

        Cancelled, it does not wait for the function, which goes on if it has begun and gives up its place.

        Raises:
            Raised: what the function raised.
            Busy: 32 that were given up still run.
        """
        job = _Job(function)
        with self._changed:
            if self.abandoned >= MOST_ABANDONED:
                raise Busy(f"{self.abandoned} calls that were given up still run")
            self._stopped = False
            self._jobs.append(job)
            self._start_threads()
            self._changed.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            self._give_up(job)
            raise

    def stop(self) -> None:
        """End the threads that are idle, and each other when its function returns; does not wait."""
        with self._changed:
            self._stopped = True
            self._jobs.clear()
            self._changed.notify_all()

    def _start_threads(self) -> None:
        while len(self._jobs) > self._idle and self._threads - self.abandoned < self._places:
            self._threads += 1
            self._idle += 1
            threading.Thread(target=self._work, name="gateway_nb-tool", daemon=True).start()

    def _give_up(self, job: _Job[Any]) -> None:
        with self._changed:
            if job.state == "waiting":
                with contextlib.suppress(ValueError):  # `stop` cleared it away
                    self._jobs.remove(job)
            elif job.state == "running":
                job.state = "abandoned"
                self.abandoned += 1
                self._start_threads()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.run()
            with self._changed:
                if job.state == "abandoned":
                    self.abandoned -= 1
                job.state = "done"
                self._idle += 1

    def _next(self) -> _Job[Any] | None:
        with self._changed:
            while True:
                if self._stopped or self._threads - self.abandoned > self._places:
                    self._threads -= 1
                    self._idle -= 1
                    return None
                if self._jobs:
                    job = self._jobs.popleft()
                    job.state = "running"
                    self._idle -= 1
                    return job
                self._changed.wait()


class _Job(Generic[T]):
    """One function, and the future of what it returns."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self._loop.create_future()
        self.state = "waiting"

    def run(self) -> None:
        try:
            value = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, even SystemExit
            self._settle(self.future.set_exception, Raised(error))
        else:
            self._settle(self.future.set_result, value)

    def _settle(self, settle: Callable[[Any], None], outcome: Any) -> None:
        def at_once() -> None:
            if not self.future.done():
                settle(outcome)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(at_once)
