"""The loop's thread: what runs there is waited for from any other, and ends with it."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from gateway_nb.sync.loop_thread import loop_thread, stop_loop_thread
from tests.helpers.support import until


@pytest.mark.long
@pytest.mark.parametrize("main", [True, False], ids=["in the main thread", "in another"])
def test_waiting_for_a_handle(main: bool) -> None:
    """A handle's result is waited for in any thread, at no cost; whoever asked to be called at its end is called."""
    thread, results, called = loop_thread(), list[int](), list[object]()
    seconds = list[float]()

    async def work() -> int:
        await asyncio.sleep(0.5)
        return 7

    def wait() -> None:
        began = time.thread_time()
        results.append(handle.result())
        seconds.append(time.thread_time() - began)

    handle = thread.submit(work(), "work")
    handle.add_done_callback(called.append)
    if main:
        wait()
    else:
        other = threading.Thread(target=wait)
        other.start()
        other.join()
    assert results == [7]
    assert seconds[0] < 0.1
    until(lambda: called)
    assert called == [handle]
    assert (handle.done(), handle.cancelled(), handle.cancel()) == (True, False, False)


@pytest.mark.long
@pytest.mark.parametrize("started", [True, False], ids=["while it runs", "before it runs"])
def test_an_interrupt(started: bool) -> None:
    """Ctrl-C during a call cancels it and waits for its cleanup; before it has begun there is nothing to wait for."""
    thread, done, begun = loop_thread(), list[str](), threading.Event()
    free = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)
            done.append("cleaned up")

    def press() -> None:
        assert not started or begun.wait(10)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.main_thread().ident
    assert main is not None
    if not started:
        thread.loop.call_soon_threadsafe(free.wait, 10)
    presses = threading.Timer(0.1, press)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a test before this one left there
    presses.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.run(work, "work")
    finally:
        signal.signal(signal.SIGINT, former)
        free.set()
        presses.join()
    assert done == (["cleaned up"] if started else [])


def test_calls_from_another_thread() -> None:
    """A call that ends with its loop ends with an error in whichever thread waits for it."""
    thread, errors = loop_thread(), list[BaseException]()
    begun = threading.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.sleep(3600)

    def wait() -> None:
        try:
            thread.run(forever, "forever")
        except asyncio.CancelledError as error:
            errors.append(error)

    other = threading.Thread(target=wait)
    other.start()
    assert begun.wait(10)
    stop_loop_thread()
    other.join(10)
    assert not other.is_alive()
    assert [type(error) for error in errors] == [asyncio.CancelledError]
    with pytest.raises(RuntimeError, match="ended with its event loop; connect anew"):
        thread.run(forever, "forever")
