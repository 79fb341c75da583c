"""The thread on which the user's handlers run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_DISPATCH_BYTES = 64 * 1024 * 1024
_CALL_BYTES = 512  # of a call itself


class Dispatcher:
    """A thread on which the user's handlers run, in order: a slow or failing one can't stall the socket.

    What waits for it is bounded in bytes: a handler that is too slow misses calls, instead of filling the memory.
    """

    def __init__(self) -> None:
        self._calls = _Calls()
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], object], size: int = 0) -> bool:
        """Call something on the handler thread, after all that was asked for before.

        Args:
            function: must not raise.
            size: bytes that it keeps in memory until then.

        Returns:
            Whether it will be called; never waits.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._calls.run, name="gateway_nb-handlers", daemon=True)
            self._thread.start()
        return self._calls.put(function, size)

    def catch_up(self, seconds: float) -> None:
        """Wait until all that was asked for before has been called, but not longer than that."""
        if self._thread is None or self._thread is threading.current_thread():
            return
        reached = threading.Event()
        if self.call(reached.set):
            reached.wait(seconds)

    def stop(self) -> None:
        """End the thread after what is queued; does not wait. The next call starts another, with a queue of its own."""
        if self._thread is None:
            return
        self._thread, calls, self._calls = None, self._calls, _Calls()
        calls.end()


class _Calls:
    """Calls that wait for their thread, up to so many bytes."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Callable[[], object], int] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0

    def put(self, call: Callable[[], object], size: int) -> bool:
        size += _CALL_BYTES
        with self._lock:
            if self._bytes + size > _DISPATCH_BYTES:
                return False
            self._bytes += size
        self._queue.put((call, size))
        return True

    def end(self) -> None:
        self._queue.put(None)

    def run(self) -> None:
        while (item := self._queue.get()) is not None:
            call, size = item
            call()
            with self._lock:
                self._bytes -= size
            del item, call  # its event need not wait for the next
