"""How far an experiment is: a bar with the time left and the cost so far."""

from __future__ import annotations

import itertools
import math
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from typing import Any

from tqdm.auto import tqdm

from ..sync.handle import RequestHandle
from .plan import Plan
from .running import DONE
from .store import Record

_PERIOD = 0.2  # seconds between two looks


class Bar(tqdm):  # type: ignore[misc]  # tqdm tells no types
    """A bar that needs no thread to watch over it: it is updated by whoever waits."""

    monitor_interval = 0


def wait(
    start: Callable[[], RequestHandle[Any]],
    ended: threading.Event,
    name: str,
    cells: int,
    records: Mapping[int, Record],
    on_interrupt: Callable[[int], object],
) -> bool:
    """Wait for an experiment, and show a bar meanwhile; return whether it was interrupted.

    Args:
        start: begins it, once the bar is there: drawing that takes a moment, in which Ctrl-C may come.
        ended: set at its end.
        name: of the experiment.
        cells: how many there are.
        records: what is known of them, as it grows.
        on_interrupt: called at each Ctrl-C with its number, from 1; the waiting continues.

    Raises:
        GatewayError: what ended it.
    """
    interrupts = 0
    # A kernel's stderr is no terminal, and shows bars all the same; a file does not.
    in_kernel = type(sys.stderr).__module__.startswith("ipykernel.")
    done = _done(records)
    with Bar(desc=name, total=cells, initial=done, unit="run", disable=False if in_kernel else None) as bar:
        handle = start()
        going = True
        while going:
            try:  # all of the loop: Ctrl-C may come between two of its steps
                while going:
                    going = not ended.wait(_PERIOD)
                    bar.set_postfix_str(_beside(list(records.values()), cells), refresh=False)
                    bar.update(_done(records) - bar.n)
                    bar.refresh()
            except KeyboardInterrupt:
                interrupts += 1
                on_interrupt(interrupts)
    try:
        handle.result()
    except CancelledError:
        if not interrupts:
            raise
    return interrupts > 0


def _beside(records: list[Record], cells: int) -> str:
    """Return what is told beside a bar: a longer text leaves no room for the bar itself."""
    failed = sum(record.status in ("failed", "timeout") for record in records)
    return cost_of(records, cells) + (f", {failed:,} failed" if failed else "")


def _done(records: Mapping[int, Record]) -> int:
    return sum(record.status in DONE for record in list(records.values()))


def summary(records: list[Record], cells: int) -> str:
    """Return what became of cells in a few words, and what it cost.

    Args:
        records: of those that were begun.
        cells: how many there are.
    """
    counts = Counter(record.status for record in records)
    counts["waiting"] = cells - len(records)
    states = ("ok", "failed", "timeout", "aborted", "lost", "running", "waiting")
    words = [f"{counts[state]:,} {state}" for state in states if counts[state]]
    return ", ".join([*words, *([cost_of(records, cells)] if records else [])])


def cost_of(records: list[Record], cells: int) -> str:
    """Return what an experiment cost so far, and, before its end, about how much it will."""
    cost = _cost(records)
    done = sum(record.status in DONE for record in records)
    estimate = f" of about ${cost / done * cells:,.4g}" if 0 < done < cells else ""
    return f"${cost:,.4g}{estimate}"


def standings(plan: Plan, records: Mapping[int, Record]) -> list[tuple[str, ...]]:
    """Return what there is of each condition so far: a row of names, and a row for each template, agent and model.

    Args:
        plan: what is run.
        records: what is known of cells, by number.
    """
    ended: dict[tuple[str, ...], list[Record]] = {
        (template, agent, model or "its own"): []
        for template, agent, model in itertools.product(plan.templates, plan.agents, plan.models)
    }
    for record in list(records.values()):
        if record.status in DONE:
            cell = plan.cells[record.cell]
            ended[cell.template, cell.agent, cell.model or "its own"].append(record)
    scores = dict.fromkeys(name for group in ended.values() for record in group for name in record.scores or ())
    rows = [("template", "agent", "model", "ended", "failed", "cost", *scores)]
    for condition, group in ended.items():
        failed = sum(record.status != "ok" for record in group)
        means = [_mean([(record.scores or {}).get(name) for record in group]) for name in scores]
        rows.append((*condition, f"{len(group):,}", f"{failed:,}", f"${_cost(group):,.4g}", *means))
    return rows


def _mean(values: Iterable[Any]) -> str:
    numbers = [float(value) for value in values if isinstance(value, bool | int | float)]
    return f"{math.fsum(numbers) / len(numbers):.3f}" if numbers else "-"


def _cost(records: Iterable[Record]) -> float:
    return math.fsum(record.cost or 0.0 for record in records)
