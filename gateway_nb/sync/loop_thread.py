"""The bridge from sync code to asyncio: one background event loop thread per process, handles, a handler thread.

The loop is never the kernel's. Its thread prints nothing: what it printed would land in whichever cell runs.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from ..errors import GatewayTimeoutError

T = TypeVar("T")
R = TypeVar("R")

CLEANUP_PATIENCE = 2.0
_SLICE = 0.25
_DISPATCH_BYTES = 64 * 1024 * 1024
_CALL_BYTES = 512  # of a call itself


class LoopThread:
    """A daemon thread that runs one event loop. Use `loop_thread` to get the process's one."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._closers: weakref.WeakSet[Any] = weakref.WeakSet()
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
                f"{name}: this would wait for the loop on the loop's own thread, for ever; "
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
                "this connection belongs to the parent process, and can't be used after fork(); connect anew here"
                if self.pid != os.getpid()
                else "this connection ended with its event loop; connect anew"
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
            waiting.wait(CLEANUP_PATIENCE)
            raise
        return waiting.result()

    def at_exit(self, client: Any) -> None:
        """Close a client (it has an async `close`) before the interpreter exits."""
        self._closers.add(client)

    def call(self, function: Callable[[], object]) -> None:
        """Call something on the loop soon, from anywhere: a finalizer, a fork's child, a closed loop."""
        if self.pid == os.getpid():
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to do it to
                self.loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """Close every client that is left with code 1000, and end the thread; at most 2 s."""
        if not self.is_alive():
            return
        with contextlib.suppress(Exception):  # at exit there is nobody to tell
            asyncio.run_coroutine_threadsafe(self._close_all(), self.loop).result(CLEANUP_PATIENCE)
        self.call(self.loop.stop)
        self._thread.join(CLEANUP_PATIENCE)

    async def _close_all(self) -> None:
        await asyncio.gather(*(client.close() for client in list(self._closers)), return_exceptions=True)

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
            while not self._ended.acquire(timeout=_SLICE):
                if self._loop.is_closed():
                    raise RuntimeError("the event loop ended during this call; connect anew")

    def result(self) -> T:
        assert self._task is not None
        return self._task.result()


_lock = threading.Lock()
_the_one: LoopThread | None = None


def loop_thread() -> LoopThread:
    """Return the process's loop thread, started on first use, and anew in a forked child."""
    global _the_one
    with _lock:
        if _the_one is None or not _the_one.is_alive():
            _the_one = LoopThread()
        return _the_one


def stop_loop_thread() -> None:
    """Close what is open and end the loop thread; the next use starts a new one."""
    global _the_one
    with _lock:
        thread, _the_one = _the_one, None
    if thread is not None:
        thread.stop()


def _renew_lock() -> None:
    # The lock may have been held by a thread that does not exist in the child.
    global _lock, _the_one
    _lock = threading.Lock()
    _the_one = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
atexit.register(stop_loop_thread)


class RequestHandle(Generic[T]):
    """Something that goes on in the background: wait for it, await it, or cancel it.

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
            timeout: seconds to wait, ``None`` for no limit. The work goes on after it.

        Raises:
            GatewayTimeoutError: it is not done yet.
            concurrent.futures.CancelledError: it was cancelled.
        """
        if timeout is None and threading.current_thread() is not threading.main_thread():
            # Only the main thread's waits are interrupted by a signal; others look up from time to time.
            while not self._future.done():
                concurrent.futures.wait([self._future], timeout=_SLICE)
        return self._within(timeout, self._future.result)

    def _within(self, timeout: float | None, wait: Callable[[float | None], R]) -> R:
        try:
            return wait(timeout)
        except TimeoutError:
            if self._future.done():  # it is the work's own, or the work ended just now
                return wait(None)
            raise GatewayTimeoutError(
                f"{self.name}: no result within {timeout:g} s; it goes on, and can be waited for again"
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
