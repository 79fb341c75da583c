"""`experiment`: begins an experiment, or goes on with the one in a folder."""

from __future__ import annotations

import math
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ..errors import BadArgumentError, ExperimentError
from ..faces.gateway import Gateway
from ..records.reading import Reader
from ..sync.loop_thread import loop_thread
from .conditions import full_names
from .experiment import Experiment
from .plan import Plan
from .scoring import Scorer, columns
from .store import VERSION, Limits, Manifest, Store, restored, storable

if TYPE_CHECKING:
    import pandas as pd

_MOST_PARALLEL = 128
_LONGEST_NAME = 40


def experiment(
    gateway: Gateway,
    templates: Mapping[str, str] | None = None,
    *,
    data: pd.DataFrame | Sequence[Mapping[str, Any]] | None = None,
    agents: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    thinking: str | None = None,
    repeats: int | None = None,
    scorers: Mapping[str, Scorer] | Sequence[Scorer] = (),
    parallel: int | None = None,
    timeout: float | None = None,
    max_seconds: float | None = None,
    max_cost: float | None = None,
    max_run_cost: float | None = None,
    path: str | Path | None = None,
    seed: int | None = None,
    cleanup: bool | None = None,
) -> Experiment:
    """Begin an experiment, or go on with the one in a folder: then what is left out is as it was.

    Each cell, a combination of template, row, agent, model and repeat, is a run in a session of its own. Nothing is run
    before ``.run()``.

    Args:
        gateway: a connection; its scope ``operator.write`` is enough, and ``operator.admin`` for `cleanup`.
        templates: prompts by name; ``{column}`` is replaced by the row's value, ``{{`` and ``}}`` are braces.
        data: a row for each case: a DataFrame, or a list of dicts.
        agents: ids; default: ``main``.
        models: ``provider/model``, or the model alone where one provider has it; default: each agent's own.
        thinking: the level of thinking in every session; default: each agent's own.
        repeats: runs of each combination; default: 1.
        scorers: functions ``(row, answer, trace)`` that return a number, a bool, a str or a dict of those, as a list or
            by name. They are not kept: pass them again to go on.
        parallel: runs in flight; default: 4. A gateway works on 8 at a time unless its configuration says otherwise
            (``agents.defaults.maxConcurrent``); the others wait there.
        timeout: seconds for each run, which is aborted then; its row says ``timeout``.
        max_seconds: seconds for each call of ``run()``; what is under way then is aborted, and run again by the next.
        max_cost: USD for the experiment: no run begins that would exceed it, if it costs what the others did.
        max_run_cost: USD for each run, which is aborted once its model calls cost more, and counts as failed.
        path: its folder, which is made by ``run()``; default: a name with the time, in this folder.
        seed: of the order of the cells; default: 0.
        cleanup: delete the experiment's sessions at the end, and no others (half a second each); default: keep them.

    Raises:
        BadArgumentError: an argument can't be used, or the gateway lacks a model.
        ExperimentError: the folder's experiment is another: its templates, data, ... are not these. Or it is damaged.

    Example:
        >>> rows = [{"text": "one"}, {"text": "two"}]
        >>> exp = gnb.experiment(gw, {"say": "echo:{text}", "shout": "echo:{text}!"}, data=rows, repeats=2, path="exp")
        >>> print(exp.plan)
        2 templates x 2 rows x 1 agent x 1 model x 2 repeats = 8 cells
    """
    if not isinstance(gateway, Gateway):
        raise BadArgumentError(f"an experiment needs a connection of gateway_nb.connect(), not {gateway!r}")
    folder = Path(time.strftime("experiment-%Y%m%d-%H%M%S") if path is None else path)
    store = Store(folder.absolute())  # wherever the notebook changes to
    before = store.read_manifest()
    given = {
        "templates": None if templates is None else _templates(templates),
        "agents": None if agents is None else _names("agents", agents),
        "models": None if models is None else _full_names(gateway, _names("models", models), thinking),
        "repeats": repeats,
        "thinking": thinking,
        "seed": seed,
    }
    given = {name: value for name, value in given.items() if value is not None}
    table, nested = (None, ()) if data is None else storable(_frame(data))
    frame = None if table is None else restored(table, nested)
    if before is None:
        if templates is None or frame is None:
            raise BadArgumentError(f"there is no experiment in {folder} yet: templates and data say what to run")
        plan = Plan(data=frame, **given)  # type: ignore[arg-type]  # the plan looks at each
        manifest = _manifest(folder, plan, nested)
    else:
        plan = store.read_plan(before)
        _check_same(folder, plan, given, frame)
        manifest = before
    limits = _limits(
        manifest.limits,
        parallel=parallel,
        timeout=timeout,
        max_seconds=max_seconds,
        max_cost=max_cost,
        max_run_cost=max_run_cost,
        cleanup=cleanup,
    )
    named = columns(scorers, plan.taken)
    return Experiment(gateway, store, replace(manifest, limits=limits), plan, named)


def _templates(templates: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(templates, Mapping):
        raise BadArgumentError(
            f"templates must be a dict of prompts by name: {{'a': 'Sum up: ...'}}, not {templates!r}"
        )
    return dict(templates)


def _names(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise BadArgumentError(f"{what} must be a list of names: [{names!r}]")
    listed = tuple(names) if isinstance(names, Iterable) else (names,)
    if not all(isinstance(name, str | None) for name in listed):
        raise BadArgumentError(f"{what} must be a list of names, not {names!r}")
    return listed


def _frame(data: Any) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.DataFrame(data).reset_index(drop=True)
    except (ValueError, TypeError) as error:
        raise BadArgumentError(f"data must be a DataFrame, or a list of dicts: {error}") from None


def _full_names(gateway: Gateway, models: tuple[str, ...], thinking: str | None) -> tuple[str | None, ...]:
    return Reader(gateway.core).read(full_names(models, thinking), "models", loop_thread())


def _manifest(folder: Path, plan: Plan, nested: tuple[str, ...]) -> Manifest:
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:_LONGEST_NAME] or "unnamed"
    return Manifest(
        VERSION,
        uuid.uuid4().hex[:8],
        name,
        plan.templates,
        plan.agents,
        plan.models,
        plan.repeats,
        plan.thinking,
        plan.seed,
        Limits(),
        nested,
    )


def _limits(before: Limits, **given: Any) -> Limits:
    """Return limits with those that are given; numbers of NumPy become plain ones."""
    parallel, cleanup = given.pop("parallel"), given.pop("cleanup")
    if parallel is not None and (type(parallel) is not int or not 0 < parallel <= _MOST_PARALLEL):
        raise BadArgumentError(f"parallel must be a whole number from 1 to {_MOST_PARALLEL}, not {parallel!r}")
    if not isinstance(cleanup, bool | None):
        raise BadArgumentError(f"cleanup must be True or False, not {cleanup!r}")
    changes: dict[str, Any] = {"parallel": parallel, "cleanup": cleanup}
    for name, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 < value < math.inf):
            unit = "an amount in USD" if name.endswith("cost") else "a number of seconds"
            raise BadArgumentError(f"{name} must be {unit}, more than 0, not {value!r}")
        changes[name] = None if value is None else float(value)
    return replace(before, **{name: value for name, value in changes.items() if value is not None})


def _check_same(folder: Path, plan: Plan, given: dict[str, Any], data: pd.DataFrame | None) -> None:
    """Check that what is given is what the folder's experiment runs."""
    for name, value in given.items():
        before = getattr(plan, name)
        if value != before:
            raise ExperimentError(
                f"the experiment in {folder} has other {name}: {_difference(before, value)}; "
                "leave them out to go on with it, or choose another path"
            )
    if data is not None and (where := _differing(plan.data, data)):
        raise ExperimentError(
            f"the experiment in {folder} has other data: {where}; leave it out to go on with it, or choose another path"
        )


def _difference(before: Any, value: Any) -> str:
    if isinstance(before, dict):
        names = [name for name in {**before, **value} if before.get(name) != value.get(name)]
        return ", ".join(f"{name!r} was {before.get(name)!r}, is {value.get(name)!r}" for name in names)
    return f"{before!r}, not {value!r}"


def _differing(before: pd.DataFrame, data: pd.DataFrame) -> str | None:
    """Return where data differs, ``None`` for nowhere."""
    if list(before) != list(data):
        return f"its columns are {', '.join(map(str, before))}, not {', '.join(map(str, data))}"
    if len(before) != len(data):
        return f"it has {len(before):,} rows, not {len(data):,}"
    if before.equals(data):
        return None
    for name in before:
        was, now = before[name].astype(object), data[name].astype(object)
        if not was.equals(now):
            row = next(row for row in range(len(was)) if not was[row : row + 1].equals(now[row : row + 1]))
            return f"column {name!r}, row {row} was {was[row]!r}, is {now[row]!r}"
    types = [f"{name!r} was {before[name].dtype}, is {data[name].dtype}" for name in before]
    return ", ".join(each for name, each in zip(before, types, strict=True) if before[name].dtype != data[name].dtype)
