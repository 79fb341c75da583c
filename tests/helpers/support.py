"""What tests share: coroutines as tests, and requirements that may be missing."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import pytest

SESSION_PROCESSES: set[int] = set()
"""Processes that live as long as the session, by id: no test leaks them."""

REQUIRED = {name.strip() for name in os.environ.get("GATEWAY_NB_REQUIRE", "").split(",") if name.strip()}


def async_test(function: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a loop of its own; a task it leaves behind fails it."""

    @functools.wraps(function)
    def test(*args: Any, **kwargs: Any) -> None:
        async def body() -> None:
            before = asyncio.all_tasks()
            await function(*args, **kwargs)
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - before
            assert not left, f"left behind: {left}"

        asyncio.run(asyncio.wait_for(body(), 300))

    return test


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so, and fail if it does not come to be."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {seconds:g} s"
        time.sleep(0.005)


async def comes_true(condition: Callable[[], Awaitable[object]], seconds: float = 10.0) -> None:
    """Wait until something is so that has to be asked for, and fail if it does not come to be."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


def missing(what: str, why: str) -> NoReturn:
    """Skip, or fail where GATEWAY_NB_REQUIRE names what is missing."""
    if what in REQUIRED:
        pytest.fail(f"{what} is required, and missing: {why}")
    pytest.skip(f"{what} is missing: {why}")
