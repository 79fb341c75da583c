"""The loop's thread: what runs there is waited for from any other, and ends with it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway_nb.sync.loop_thread import loop_thread, stop_loop_thread
from tests.helpers.support import until


@pytest.mark.parametrize("main", [True, False], ids=["in the main thread", "in another"])
def test_waiting_for_a_handle(main: bool) -> None:
    """A handle's result is waited for in any thread, and whoever asked to be called when it ends is called once."""
    thread, results, called = loop_thread(), list[int](), list[object]()

    async def work() -> int:
        await asyncio.sleep(0.05)
        return 7

    handle = thread.submit(work(), "work")
    handle.add_done_callback(called.append)
    if main:
        results.append(handle.result())
    else:
        other = threading.Thread(target=lambda: results.append(handle.result()))
        other.start()
        other.join()
    assert results == [7]
    until(lambda: called)
    assert called == [handle]
    assert (handle.done(), handle.cancelled(), handle.cancel()) == (True, False, False)


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
