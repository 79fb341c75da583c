"""What reading records takes, as steps without I/O: a generator asks, its driver answers.

The same steps serve code with and without ``await``; an error of the gateway is raised where the step was yielded.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..errors import GatewayError

T = TypeVar("T")


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


Steps: TypeAlias = Generator[Ask | Pause, Any, T]


def advance(steps: Steps[Any], outcome: Any) -> Ask | Pause | Done:
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
