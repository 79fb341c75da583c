"""What a computation costs: the processor's time of this thread, whatever else the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable


def price(function: Callable[[], object], times: int = 5) -> float:
    """Return the seconds of processor time that a call takes, the best of several.

    Args:
        function: what to call.
        times: how often.
    """
    return min(_once(function) for _ in range(times))


def _once(function: Callable[[], object]) -> float:
    began = time.thread_time()
    function()
    return time.thread_time() - began
