"""Scorers: what their columns are called, and calling them so that none ends an experiment."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..client.redaction.redactor import hidden
from ..errors import BadArgumentError, one_line

if TYPE_CHECKING:
    from ..events.traces.trace import Trace

T = TypeVar("T")
Value: TypeAlias = "bool | int | float | str | None"
Scorer: TypeAlias = "Callable[[dict[str, Any], str, Trace | None], Any]"
_LAMBDA = (lambda: None).__name__
_LARGEST_WHOLE = 2**63
_LONGEST_TEXT = 10_000
_LONGEST_ERROR = 300
_MOST_KEYS = 100
_GRACE = 1.0  # seconds that scorers have to end once they should
_RAISED = (Exception, SystemExit, KeyboardInterrupt)  # the last two would end the loop, which is every connection's


def columns(scorers: Mapping[str, Scorer] | Sequence[Scorer], taken: Iterable[str] = ()) -> dict[str, Scorer]:
    """Return the scorers by the names of their columns.

    A scorer's column has its ``__name__``, or its key where they are a dict; a lambda is a ``score``. Where a name
    comes again, it gets a number: ``score_2``.

    Args:
        scorers: functions ``(row, answer, trace) -> number | bool | str | dict``, sync or async.
        taken: the names of other columns.

    Raises:
        BadArgumentError: one is no function of three arguments, has no name, or has one that is taken.

    Example:
        >>> from gateway_nb.experiments.scoring import columns
        >>> list(columns([lambda row, answer, trace: len(answer), lambda row, answer, trace: "ok" in answer]))
        ['score', 'score_2']
    """
    if not isinstance(scorers, Mapping | Sequence) or isinstance(scorers, str):
        raise BadArgumentError(f"scorers must be a list of functions, or a dict of them by name, not {scorers!r}")
    named: dict[str, Scorer] = {}
    pairs = scorers.items() if isinstance(scorers, Mapping) else ((_name(scorer), scorer) for scorer in scorers)
    for name, scorer in pairs:
        if not callable(scorer):
            raise BadArgumentError(f"a scorer is a function (row, answer, trace), not {scorer!r}")
        if not isinstance(name, str) or not name:
            raise BadArgumentError(f"the scorer {scorer!r} has no name; give scorers as a dict: {{'name': scorer}}")
        named[_free(name, named)] = scorer
    taken = set(taken)
    for name, scorer in named.items():
        if clash := next((column for column in taken if column == name or column.startswith(f"{name}.")), None):
            raise BadArgumentError(
                f"scorer {name!r}: there is a column {clash!r} already; give scorers as a dict, with other names"
            )
        _check_call(name, scorer)
    return named


def _check_call(name: str, scorer: Scorer) -> None:
    """Check that a scorer takes what it is given, before runs are paid for that it can't score."""
    try:
        signature = inspect.signature(scorer)
    except (ValueError, TypeError):  # some functions in C tell none
        return
    try:
        signature.bind({}, "", None)
    except TypeError as error:
        why = f"is called with (row, answer, trace), but its arguments are {signature}: {error}"
        raise BadArgumentError(f"scorer {name!r} {why}") from None


def _name(scorer: Any) -> str | None:
    name = getattr(scorer, "__name__", None)
    return "score" if name == _LAMBDA else name


def _free(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


async def score(
    scorers: Mapping[str, Scorer], row: Mapping[str, Any], answer: str, trace: Trace | None
) -> tuple[dict[str, Value], list[str]]:
    """Call every scorer for one answer, side by side: coroutine functions on this loop, others on threads.

    Args:
        scorers: as `columns` returns them.
        row: of the data; each scorer gets a copy, lists and dicts in it, too: prompts are made of the same row.
        answer: the agent's.
        trace: of the run, where there is one.

    Returns:
        The values by column, those of a dict as ``name.key``, and what went wrong, by scorer. A scorer that raises, or
        returns what is no score, has no value. NaN is a missing score, and no error.
    """
    calls = (_outcome(scorer, deepcopy(dict(row)), answer, trace) for scorer in scorers.values())
    outcomes = await asyncio.gather(*calls)
    values: dict[str, Value] = {}
    errors = []
    for name, outcome in zip(scorers, outcomes, strict=True):
        try:
            if isinstance(outcome, BaseException):
                raise outcome
            values |= _values(name, outcome)
        except _RAISED as error:
            problem = hidden(f"{type(error).__name__}: {error}".removesuffix(": "), _LONGEST_ERROR)
            errors.append(one_line(f"{name}: {problem}"))
    return values, errors


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what a coroutine returns; ``None`` where it was cancelled, since it did not end soon after an event.

    Args:
        stop: the event.
        work: the coroutine.
    """
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=_GRACE)
        return await task if task.done() else None
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def _outcome(scorer: Scorer, row: dict[str, Any], answer: str, trace: Trace | None) -> Any:
    """Return what a scorer returns, or the exception it raises: a future can't hold each kind of those."""

    def call() -> Any:
        try:
            return scorer(row, answer, trace)
        except _RAISED as error:
            return error

    asynchronous = inspect.iscoroutinefunction(scorer) or inspect.iscoroutinefunction(getattr(scorer, "__call__", None))  # noqa: B004
    result = call() if asynchronous else await asyncio.to_thread(call)
    try:
        return await result if inspect.isawaitable(result) else result
    except _RAISED as error:
        return error


def _values(name: str, result: Any) -> dict[str, Value]:
    if not isinstance(result, Mapping):
        return {name: _value(result)}
    if not result or len(result) > _MOST_KEYS or not all(isinstance(key, str) and key for key in result):
        raise TypeError(f"a dict of scores has 1 to {_MOST_KEYS} names as keys")
    return {f"{name}.{key}": _value(value) for key, value in result.items()}


def _value(value: Any) -> Value:
    """Return a score as a plain Python value, which JSON and Parquet can hold, too."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a scalar of numpy's, or a tensor's
        value = value.item()
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise ValueError(f"a text of {len(value):,} characters is no score; at most {_LONGEST_TEXT:,}")
        return hidden(value, _LONGEST_TEXT)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < _LARGEST_WHOLE):
        return value
    if isinstance(value, Real | Decimal):
        number = float(value)
        if math.isinf(number):
            raise ValueError(f"{number} is no score")
        return None if math.isnan(number) else number
    raise TypeError(f"it returned a {type(value).__name__}; a score is a number, a bool, a str or a dict of those")
