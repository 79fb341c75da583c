"""From sync code to asyncio: one background event loop thread per process.

The loop is never the kernel's. Its thread prints nothing: what it printed would land in whichever cell runs.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

from .handle import SLICE, RequestHandle, expected

T = TypeVar("T")

INTERRUPT_SECONDS = 2.0
"""How long Ctrl-C waits for the cleanup of a call."""
EXIT_SECONDS = 2.0
"""How long the end of the interpreter waits for clients to close, and as long again for the thread."""


class Stoppable(Protocol):
    """A client that lives on the loop."""

    async def stop(self, timeout: float) -> None:
        """Close its connection within so many seconds."""


class LoopThread:
    """A daemon thread that runs one event loop. Use `loop_thread` to get the process's one."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._clients: weakref.WeakKeyDictionary[Stoppable, float] = weakref.WeakKeyDictionary()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="gateway_nb-loop", daemon=True)
        self._thread.start()
        started.wait()

    def is_alive(self) -> bool:
        """Return whether the loop runs in this process: not in a forked child, and not after `stop`."""
        return self.pid == os.getpid() and self._thread.is_alive() and not self.loop.is_closed()

    def check_may_wait(self, name: str) -> None:
        """Check that the caller may wait for the loop.

        Args:
            name: of what it waits for, for the message.

        Raises:
            RuntimeError: called on the loop's own thread.
        """
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError(
                f"{name}: this would wait forever, for the event loop on the loop's own thread; "
                "use the async client here, or gw.submit()"
            )

    def submit(self, work: Coroutine[Any, Any, T], name: str) -> RequestHandle[T]:
        """Start a coroutine on the loop, from any thread.

        Args:
            work: the coroutine.
            name: for the handle's repr.

        Raises:
            RuntimeError: the process was forked after the loop was made, or the loop has ended.
        """
        try:
            self._check_alive()
        except RuntimeError:
            work.close()
            raise
        return RequestHandle(asyncio.run_coroutine_threadsafe(work, self.loop), name)

    def _check_alive(self) -> None:
        if not self.is_alive():
            raise RuntimeError(
                "this connection belongs to the parent process, and can't be used after fork(); connect again here"
                if self.pid != os.getpid()
                else "this connection ended with its event loop; connect again"
            )

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], name: str) -> T:
        """Run a coroutine on the loop and return its result. Ctrl-C cancels it, waits for its cleanup, then raises.

        Args:
            work: makes the coroutine, on the loop: made here it would be left over where Ctrl-C comes in between.
            name: for messages.

        Raises:
            RuntimeError: called on the loop's own thread, or after a fork.
        """
        self.check_may_wait(name)
        self._check_alive()
        waiting = _Waiting(self.loop, work)
        try:
            self.loop.call_soon_threadsafe(waiting.start)
            waiting.wait()
        except BaseException:
            self.loop.call_soon_threadsafe(waiting.cancel)
            waiting.wait(INTERRUPT_SECONDS)
            raise
        return expected(waiting.result)

    def at_exit(self, client: Stoppable, timeout: float) -> None:
        """Stop a client before the interpreter exits; it has so many seconds for that."""
        self._clients[client] = timeout

    def call(self, function: Callable[[], object]) -> None:
        """Call something on the loop soon, from anywhere: a finalizer, a fork's child, a closed loop."""
        if self.pid == os.getpid():
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to do it to
                self.loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """Close every client that is left with code 1000, and end the thread; see `EXIT_SECONDS`."""
        if not self.is_alive():
            return
        with contextlib.suppress(Exception):  # at exit there is nobody to tell
            asyncio.run_coroutine_threadsafe(self._close_all(), self.loop).result(EXIT_SECONDS)
        self.call(self.loop.stop)
        self._thread.join(EXIT_SECONDS)

    async def _close_all(self) -> None:
        clients = list(self._clients.items())
        await asyncio.gather(*(client.stop(timeout) for client, timeout in clients), return_exceptions=True)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(started.set)
        try:
            self.loop.run_forever()
        finally:
            _cancel_all(self.loop)
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class _Waiting(Generic[T]):
    """One coroutine on the loop, and one thread that waits for it: a lock is all that takes, and half the price
    of a future that anybody may wait for.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._loop = loop
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def start(self) -> None:
        self._task = self._loop.create_task(self._work())
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # seen: after Ctrl-C nobody asks for the result, and asyncio would complain of that
        self._ended.release()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:  # Ctrl-C came before it was to start
            self._ended.release()

    def wait(self, timeout: float | None = None) -> None:
        if self._task is not None and self._task.done():  # Ctrl-C came after the lock was taken
            return
        if timeout is not None:
            self._ended.acquire(timeout=timeout)
        elif threading.current_thread() is threading.main_thread():
            self._ended.acquire()
        else:
            # Only the main thread's waits are interrupted by a signal; others look up from time to time.
            while not self._ended.acquire(timeout=SLICE):
                if self._loop.is_closed():
                    raise RuntimeError("the event loop ended during this call; connect again")

    def result(self) -> T:
        assert self._task is not None
        return self._task.result()


_lock = threading.Lock()
_process_thread: LoopThread | None = None


def loop_thread() -> LoopThread:
    """Return the process's loop thread, started on first use, and anew in a forked child."""
    global _process_thread
    with _lock:
        if _process_thread is None or not _process_thread.is_alive():
            _process_thread = LoopThread()
        return _process_thread


def stop_loop_thread() -> None:
    """Close what is open and end the loop thread; the next use starts a new one."""
    global _process_thread
    with _lock:
        thread, _process_thread = _process_thread, None
    if thread is not None:
        thread.stop()


def _renew_lock() -> None:
    # The lock may have been held by a thread that does not exist in the child.
    global _lock, _process_thread
    _lock = threading.Lock()
    _process_thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
atexit.register(stop_loop_thread)
