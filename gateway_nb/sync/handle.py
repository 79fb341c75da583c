"""Handles of what runs on the loop's thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from ..errors import GatewayError, GatewayTimeoutError

T = TypeVar("T")
R = TypeVar("R")

SLICE = 0.25
"""Seconds after which a thread that no signal wakes checks what it waits for."""


def expected(result: Callable[[], T]) -> T:
    """Return a result, or raise its error, without the frames of the loop's thread if it is one that users meet."""
    try:
        return result()
    except GatewayError as error:
        raise error.with_traceback(None)  # noqa: B904 - it is the same error


class RequestHandle(Generic[T]):
    """Something that runs in the background: wait for it, await it, or cancel it.

    Args:
        future: its future.
        name: what it is, for the repr.

    Example:
        >>> handle = gw.submit("sessions.list")
        >>> answer = handle.result(timeout=5)
    """

    __slots__ = ("_future", "name")

    def __init__(self, future: concurrent.futures.Future[T], name: str) -> None:
        self._future = future
        self.name = name

    def result(self, timeout: float | None = None) -> T:
        """Return the result. Ctrl-C stops the waiting, not the work; `cancel` does that.

        Args:
            timeout: seconds to wait, ``None`` for no limit. The work continues after it.

        Raises:
            GatewayTimeoutError: it is not done yet.
            concurrent.futures.CancelledError: it was cancelled.
        """
        if timeout is None and threading.current_thread() is not threading.main_thread():
            # Only the main thread's waits are interrupted by a signal; others look up from time to time.
            while not self._future.done():
                concurrent.futures.wait([self._future], timeout=SLICE)
        return expected(lambda: self._within(timeout, self._future.result))

    def _within(self, timeout: float | None, wait: Callable[[float | None], R]) -> R:
        try:
            return wait(timeout)
        except TimeoutError:
            if self._future.done():  # it is the work's own, or the work ended just now
                return wait(None)
            raise GatewayTimeoutError(
                f"{self.name}: no result within {timeout:g} s; it continues, and can be waited for again"
            ) from None

    def cancel(self) -> bool:
        """Cancel it; return whether there was something to cancel."""
        return self._future.cancel()

    def done(self) -> bool:
        """Return whether it has ended, in whatever way."""
        return self._future.done()

    def cancelled(self) -> bool:
        """Return whether it was cancelled."""
        return self._future.cancelled()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what it raised, or ``None``. Waits like `result`."""
        return self._within(timeout, self._future.exception)

    def add_done_callback(self, callback: Callable[[RequestHandle[T]], object]) -> None:
        """Call a function with this handle when it has ended; on the loop's thread, so it must be quick."""
        self._future.add_done_callback(lambda _: callback(self))

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.wrap_future(self._future).__await__()

    def __repr__(self) -> str:
        future = self._future
        state = "running" if not future.done() else "cancelled" if future.cancelled() else "done"
        if state == "done" and (error := future.exception()) is not None:
            state = f"failed: {error}"
        return f"<RequestHandle {self.name}: {state}>"
