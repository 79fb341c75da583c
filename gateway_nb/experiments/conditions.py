"""Whether a gateway has the agents and models of an experiment: it takes unknown models, and fails run by run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from ..errors import BadArgumentError
from ..protocol.spelling import closest
from ..records.frames import value_at
from ..records.paging import rows_of
from ..records.steps import Ask, Steps
from .plan import Plan

AT_ONCE = 8
"""Runs that a gateway works on at a time, unless its configuration says otherwise; the others wait there."""


def check_conditions(plan: Plan, parallel: int) -> Steps[None]:
    """Check that the gateway has what is run.

    Args:
        plan: what is run.
        parallel: runs in flight; more than the gateway works on are warned of.

    Raises:
        BadArgumentError: it lacks an agent, a model, or a level of thinking.
    """
    yield from _check_agents(plan.agents, plan.thinking if None in plan.models else None)
    yield from full_names(plan.models, plan.thinking)
    yield from _warn_of_waiting(parallel)


def _check_agents(agents: Iterable[str], thinking: str | None) -> Steps[None]:
    rows = rows_of("agents.list", (yield Ask("agents.list", {})), "agents")
    there = {str(row.get("id")): row for row in rows}
    for agent in agents:
        if agent not in there:
            raise BadArgumentError(_unknown("agent", agent, list(there)))
        if thinking is not None:
            _check_thinking(f"model of the agent {agent!r}", there[agent], thinking)


def full_names(models: Iterable[str | None], thinking: str | None) -> Steps[tuple[str | None, ...]]:
    """Return models as ``provider/model``, where the gateway has them.

    Args:
        models: ids, with their provider or alone; ``None`` stays as it is.
        thinking: a level that they must have.

    Raises:
        BadArgumentError: it has not, several providers have it, or it lacks the level.
    """
    models = tuple(models)
    if all(model is None for model in models) and thinking is None:
        return models
    rows = rows_of("models.list", (yield Ask("models.list", {})), "models")
    there = {f"{row.get('provider')}/{row.get('id')}": row for row in rows}
    names = tuple(None if model is None else _full_name(model, there) for model in models)
    for name in names:
        if name is not None and thinking is not None:
            _check_thinking(f"model {name!r}", there[name], thinking)
    return names


def _full_name(model: str, there: dict[str, dict[str, Any]]) -> str:
    names = [name for name, row in there.items() if model in (name, row.get("id"))]
    if model in there or len(names) == 1:
        name = model if model in there else names[0]
        if there[name].get("available") is False:
            raise BadArgumentError(f"the model {name!r} can't be used now; gw.data.models() lists those that can")
        return name
    if names:
        raise BadArgumentError(f"several providers have the model {model!r}: pass {' or '.join(names)}")
    raise BadArgumentError(_unknown("model", model, list(there)))


def _check_thinking(what: str, row: dict[str, Any], thinking: str) -> None:
    listed = row.get("thinkingLevels")
    ids = [value_at(level, ["id"]) for level in listed] if isinstance(listed, list) else [thinking]
    if thinking not in ids:
        levels = ", ".join(map(str, ids))
        raise BadArgumentError(f"the {what} has no thinking level {thinking!r}; it has {levels}")


def _unknown(what: str, name: str, there: list[str]) -> str:
    near = closest(name, there) or there[:5]
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"the gateway has no {what} {name!r}{meant}"


def _warn_of_waiting(parallel: int) -> Steps[None]:
    if parallel <= AT_ONCE:
        return
    limit = value_at((yield Ask("config.get", {})), ["config", "agents", "defaults", "maxConcurrent"])
    limit = limit if type(limit) is int else AT_ONCE
    if parallel > limit:
        why = "agents.defaults.maxConcurrent in its configuration; the others wait there, and their seconds count"
        warnings.warn(f"parallel={parallel}: the gateway works on {limit} runs at a time, {why}", stacklevel=2)
