"""Asking many gateways at the same time: one row for each, whatever becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeVar

from ..client.calls import call
from ..client.run import ABORT_SECONDS, AsyncRun, RunResult
from ..errors import BadArgumentError, BadParamsError, GatewayError, one_line
from ..faces.gateway import Gateway
from ..protocol.frames import check_method
from ..records.reading import Reader
from ..records.steps import Steps
from ..sync.loop_thread import loop_thread

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
G = TypeVar("G")

AT_ONCE = 256
"""Gateways that are connected to, or asked, at the same time."""
ERRORS = "errors"
_NAMED, _LONGEST = 3, 160


async def ask_each(gateways: Iterable[G], work: Callable[[G], Awaitable[T]]) -> list[T | GatewayError]:
    """Do the same with every gateway, `AT_ONCE` at a time; return results and errors in their order.

    Raises:
        BadArgumentError, BadParamsError: what was asked is wrong for every gateway.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def outcome(gateway: G) -> T | GatewayError:
        async with places:
            try:
                return await work(gateway)
            except (BadArgumentError, BadParamsError):
                raise
            except GatewayError as error:
                return error.with_traceback(None)

    tasks = [asyncio.create_task(outcome(gateway)) for gateway in gateways]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:  # Ctrl-C: nobody waits for the others
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def answers(
    gateways: Sequence[Gateway],
    method: str,
    params: Mapping[str, Any] | None,
    timeout: float | EllipsisType | None,
) -> pd.DataFrame:
    """Call a method of every gateway, and return a DataFrame: see `Fleet.request`."""
    check_method(method)

    def ask(gateway: Gateway) -> Awaitable[Any]:
        return call(gateway.core, method, params, timeout, expect_final=False)

    return _frame_of_answers(gateways, loop_thread().run(lambda: ask_each(gateways, ask), method))


async def read_each(gateways: Sequence[Gateway], steps: Callable[[], Steps[Any]]) -> list[Any]:
    """Read a record of every gateway; return DataFrames and errors."""
    return await ask_each(gateways, lambda gateway: Reader(gateway.core).read_silently(steps()))


async def run_each(gateways: Sequence[Gateway], runs: Sequence[AsyncRun]) -> list[Any]:
    """Start a run at every gateway, and wait for their ends; return results and errors. Cancelling it aborts them."""
    of = dict(zip(gateways, runs, strict=True))

    async def result(gateway: Gateway) -> RunResult:
        gateway.core.requests.check_connected("agent")  # a run alone would wait for the gateway to come back
        return await of[gateway].result()

    try:
        return await ask_each(gateways, result)
    except asyncio.CancelledError:
        with contextlib.suppress(TimeoutError):  # those that do not answer may go on
            async with asyncio.timeout(ABORT_SECONDS):
                await ask_each(gateways, lambda gateway: of[gateway].abort())
        raise


def _frame_of_answers(gateways: Sequence[Gateway], outcomes: Sequence[Any]) -> pd.DataFrame:
    """Return payloads and errors as a DataFrame, without the connections' secrets."""
    import pandas as pd

    payloads = [
        None if isinstance(outcome, GatewayError) else gateway.redactor.value(outcome)
        for gateway, outcome in zip(gateways, outcomes, strict=True)
    ]
    return _frame(gateways, outcomes).assign(payload=pd.Series(payloads, dtype="object"))


def frame_of_runs(gateways: Sequence[Gateway], runs: Sequence[AsyncRun], results: Sequence[Any]) -> pd.DataFrame:
    """Return how runs ended: gateway, ok, error, answer, run, session; without the connections' secrets."""
    import pandas as pd

    answers = [
        None if isinstance(result, GatewayError) else gateway.redactor.text(result.text)
        for gateway, result in zip(gateways, results, strict=True)
    ]
    return _frame(gateways, results).assign(
        answer=pd.array(answers, "string"),
        run=pd.array([run.run_id for run in runs], "string"),
        session=pd.array([run.session for run in runs], "string"),
    )


def _frame(gateways: Sequence[Gateway], outcomes: Sequence[Any]) -> pd.DataFrame:
    """Return a row for each gateway: its name, whether it succeeded, and why not."""
    import pandas as pd

    errors = [str(outcome) if isinstance(outcome, GatewayError) else None for outcome in outcomes]
    return pd.DataFrame(
        {
            "gateway": pd.array([gateway.name for gateway in gateways], "string"),
            "ok": pd.array([error is None for error in errors], "boolean"),
            "error": pd.array(errors, "string"),
        }
    )


def frame_of_records(gateways: Sequence[Gateway], outcomes: Sequence[Any]) -> pd.DataFrame:
    """Return the DataFrames of gateways as one, with their names as the first column.

    Gateways that failed are named in a warning, and in ``frame.attrs["errors"]``.

    Raises:
        GatewayError: every gateway failed.
    """
    import pandas as pd

    frames, errors = [], {}
    for gateway, outcome in zip(gateways, outcomes, strict=True):
        if isinstance(outcome, GatewayError):
            errors[gateway.name] = str(outcome)
            continue
        outcome.insert(0, "gateway", pd.Series(gateway.name, outcome.index, "string"))
        frames.append(outcome)
    if not frames:
        raise GatewayError(f"no gateway of the fleet answered; {named(errors)}")
    frame: pd.DataFrame = pd.concat(frames, ignore_index=True)
    frame.attrs = {**frames[0].attrs, ERRORS: errors}
    if errors:
        missing = f"{len(errors):,} of {len(gateways):,} gateways are not in this DataFrame: {named(errors)}"
        warnings.warn(f"{missing}; .attrs[{ERRORS!r}] has all errors", stacklevel=4)
    return frame


def named(errors: Mapping[str, str]) -> str:
    """Return what is wrong with the first gateways, by their names, and how many more there are, as a line."""
    texts = [one_line(f"{name}: {error}", _LONGEST) for name, error in list(errors.items())[:_NAMED]]
    return " · ".join([*texts, *([f"{len(errors) - _NAMED:,} more"] if len(errors) > _NAMED else [])])
