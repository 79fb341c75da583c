"""The threads of tools: places, those that are given up, and what functions raise."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from gateway_nb.tools.workers import MOST_ABANDONED, Busy, Raised, Workers
from tests.helpers.support import async_test, comes_true

NUMBER: contextvars.ContextVar[int] = contextvars.ContextVar("number")


@async_test
async def test_places() -> None:
    """As many functions run at once as there are places; the others wait their turn."""
    workers, go, lock, most = Workers(2), threading.Event(), threading.Lock(), [0, 0]

    def work() -> None:
        with lock:
            most[0] += 1
            most[1] = max(most)
        go.wait()
        with lock:
            most[0] -= 1

    tasks = [asyncio.create_task(workers.run(work)) for _ in range(6)]

    async def all_places() -> bool:
        return most[0] == 2

    await comes_true(all_places)
    go.set()
    await asyncio.gather(*tasks)
    assert most == [0, 2]
    workers.stop()


@async_test
async def test_one_that_is_given_up_makes_room() -> None:
    """A function that hangs gives up its place when its call is cancelled; beyond 32 of those, calls are refused."""
    workers, go = Workers(1), threading.Event()
    for count in range(1, MOST_ABANDONED + 1):
        started = threading.Event()
        task = asyncio.create_task(workers.run(lambda: (started.set(), go.wait())))  # noqa: B023 - awaited in the loop
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert workers.abandoned == count
        if count == 1:
            assert await workers.run(lambda: "here") == "here"
    with pytest.raises(Busy, match="32 calls that were given up still run"):
        await workers.run(lambda: None)
    go.set()

    async def none_left() -> bool:
        return workers.abandoned == 0

    await comes_true(none_left)
    assert await workers.run(lambda: "again") == "again"
    workers.stop()


@async_test
async def test_one_that_has_not_begun_never_runs() -> None:
    """A call that is cancelled while it waits for a place never runs its function."""
    workers, go, ran = Workers(1), threading.Event(), []
    first = asyncio.create_task(workers.run(go.wait))
    second = asyncio.create_task(workers.run(lambda: ran.append(2)))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go.set()
    await first
    await workers.run(lambda: ran.append(3))
    assert ran == [3]
    workers.stop()


@pytest.mark.parametrize("error", [ValueError("a"), SystemExit(3), KeyboardInterrupt(), StopIteration(1)], ids=type)
@async_test
async def test_what_functions_raise(error: BaseException) -> None:
    """Whatever a function raises reaches the caller, and neither thread nor loop ends by it."""
    workers = Workers(1)

    def fail() -> None:
        raise error

    with pytest.raises(Raised) as raised:
        await workers.run(fail)
    assert raised.value.error is error
    assert await workers.run(threading.get_ident) != threading.get_ident()
    workers.stop()


@async_test
async def test_the_callers_context() -> None:
    """A function sees the context variables of its caller."""
    workers = Workers(1)
    NUMBER.set(7)
    assert await workers.run(NUMBER.get) == 7
    workers.stop()


@async_test
async def test_more_places() -> None:
    """With more places, calls that waited begin."""
    workers, both = Workers(1), threading.Barrier(2)
    tasks = [asyncio.create_task(workers.run(lambda: both.wait(10))) for _ in range(2)]
    await asyncio.sleep(0)
    workers.places = 2
    await asyncio.gather(*tasks)
    for count in (0, 1001, True, "4"):
        with pytest.raises(ValueError, match="whole number from 1 to 1,000"):
            workers.places = count  # type: ignore[assignment]
    workers.stop()
