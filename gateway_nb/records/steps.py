"""What reading records takes, as steps without I/O: a generator asks, its driver answers.

The same steps serve code with and without ``await``; an error of the gateway is raised where the step was yielded.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..errors import GatewayError

T = TypeVar("T")
_AT_ONCE = 4
"""Requests on their way at the same time: an answer may have 6 MB."""


class Ask(NamedTuple):
    """A request; the driver sends back its payload, decoded and without secrets.

    Attributes:
        method: the gateway's method.
        params: its params.
        rows: read before it, for whoever shows progress.
        total: rows that there are, where the gateway said so.
    """

    method: str
    params: dict[str, Any]
    rows: int = 0
    total: int | None = None


class Batch(NamedTuple):
    """Several requests at the same time; the driver sends back a list of their payloads and errors.

    Attributes:
        asks: the requests.
        rows: of what is read together, what has ended.
        total: what is read together.
    """

    asks: tuple[Ask, ...]
    rows: int
    total: int


class Pause(NamedTuple):
    """Nothing is asked for so many seconds.

    Attributes:
        seconds: to wait.
        why: for whoever shows progress.
    """

    seconds: float
    why: str


class Done(NamedTuple):
    """The steps have ended with a result."""

    result: Any


Steps: TypeAlias = Generator[Ask | Batch | Pause, Any, T]


def advance(steps: Steps[Any], outcome: Any) -> Ask | Batch | Pause | Done:
    """Return the next step.

    Args:
        steps: what is read.
        outcome: of the step before: a payload, an error, or ``None`` at the beginning and after a pause.
    """
    collecting = gc.isenabled()
    gc.disable()  # it would look at each of many thousands of new records, again and again: a third of the price
    try:
        return steps.throw(outcome) if isinstance(outcome, GatewayError) else steps.send(outcome)
    except StopIteration as end:
        return Done(end.value)
    finally:
        if collecting:
            gc.enable()


def together(works: Iterable[Steps[T]]) -> Steps[list[T]]:
    """Go through several steps side by side, and return their results in their order.

    While a gateway puts one answer together, another one is decoded.

    Args:
        works: steps that only ask, one request at a time.
    """
    waiting = deque(enumerate(works))
    total = len(waiting)
    results: dict[int, T] = {}
    going: list[tuple[int, Steps[T], Any]] = []
    while waiting or going:
        ready = deque(going)
        asked: list[tuple[int, Steps[T], Ask]] = []
        while len(asked) < _AT_ONCE and (ready or waiting):
            number, work, outcome = ready.popleft() if ready else (*waiting.popleft(), None)
            step = advance(work, outcome)
            if isinstance(step, Done):
                results[number] = step.result
                continue
            assert isinstance(step, Ask)
            asked.append((number, work, step))
        if not asked:
            break
        outcomes = yield Batch(tuple(ask for _, _, ask in asked), len(results), total)
        going = [(number, work, outcome) for (number, work, _), outcome in zip(asked, outcomes, strict=True)]
    return [results[number] for number in range(total)]
