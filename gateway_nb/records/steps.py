"""What reading records takes, as steps without I/O: a generator asks, its driver answers.

The same steps serve code with and without ``await``; an error of the gateway is raised where the step was yielded.
"""

from __future__ import annotations

import contextlib
import gc
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
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
        meanwhile: work to do on what has ended before, on another thread than that of the requests.
    """

    asks: tuple[Ask, ...]
    rows: int
    total: int
    meanwhile: Callable[[], None]


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
    with _without_collecting():
        try:
            return steps.throw(outcome) if isinstance(outcome, GatewayError) else steps.send(outcome)
        except StopIteration as end:
            return Done(end.value)


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Let no garbage be collected: each of many thousands of new records would be looked at, again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def together(works: Iterable[Steps[Any]], then: Callable[[Any], Any] = lambda result: result) -> Steps[list[Any]]:
    """Go through several steps side by side, and return their results in their order.

    While a gateway puts one answer together, another one is decoded, and what has ended is worked on.

    Args:
        works: steps that only ask, one request at a time.
        then: what to do with each result.
    """
    waiting = deque(enumerate(works))
    total = len(waiting)
    ended: deque[tuple[int, Any]] = deque()
    results: dict[int, Any] = {}
    going: list[tuple[int, Steps[Any], Any]] = []

    def work_on() -> None:
        with _without_collecting():
            while ended:
                number, result = ended.popleft()
                results[number] = then(result)

    while waiting or going:
        ready = deque(going)
        asked: list[tuple[int, Steps[Any], Ask]] = []
        while len(asked) < _AT_ONCE and (ready or waiting):
            number, work, outcome = ready.popleft() if ready else (*waiting.popleft(), None)
            step = advance(work, outcome)
            if isinstance(step, Done):
                ended.append((number, step.result))
                continue
            assert isinstance(step, Ask)
            asked.append((number, work, step))
        if not asked:
            break
        done = total - len(waiting) - len(asked)
        outcomes = yield Batch(tuple(ask for _, _, ask in asked), done, total, work_on)
        going = [(number, work, outcome) for (number, work, _), outcome in zip(asked, outcomes, strict=True)]
    work_on()
    return [results[number] for number in range(total)]
