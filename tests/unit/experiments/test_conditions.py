"""Whether a gateway has what an experiment names."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
import pytest

from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments.conditions import check_conditions, full_names
from gateway_nb.experiments.plan import Plan
from gateway_nb.records.steps import Done, Steps, advance

ANSWERS = {
    "agents.list": {"agents": [{"id": "main"}, {"id": "critic", "thinkingLevels": [{"id": "off"}, {"id": "low"}]}]},
    "models.list": {
        "models": [
            {"provider": "p", "id": "fast", "available": True, "thinkingLevels": [{"id": "off"}, {"id": "high"}]},
            {"provider": "p", "id": "both"},
            {"provider": "q", "id": "both"},
            {"provider": "q", "id": "vendor/slow", "thinkingLevels": [{"id": "off"}]},
            {"provider": "q", "id": "away", "available": False},
        ]
    },
    "config.get": {"config": {"agents": {"defaults": {"maxConcurrent": 16}}}},
}


def answered(steps: Steps[Any], answers: dict[str, Any] = ANSWERS) -> Any:
    """Drive steps with the answers of a gateway."""
    step: Any = advance(steps, None)
    while not isinstance(step, Done):
        step = advance(steps, answers[step.method])
    return step.result


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (("p/fast", None), ("p/fast", None)),
        (("fast",), ("p/fast",)),
        (("vendor/slow", "q/vendor/slow"), ("q/vendor/slow", "q/vendor/slow")),
        (("q/both",), ("q/both",)),
        ((None,), (None,)),
    ],
)
def test_models_get_their_whole_names(models: tuple[str | None, ...], names: tuple[str | None, ...]) -> None:
    """A model may be named alone where one provider has it."""
    assert answered(full_names(models, None)) == names


@pytest.mark.parametrize(
    ("models", "thinking", "error"),
    [
        (("fst",), None, "the gateway has no model 'fst'; did you mean p/fast?"),
        (("nothing-like-it",), None, "the gateway has no model 'nothing-like-it'; did you mean p/fast or p/both or"),
        (("both",), None, "several providers have the model 'both': pass p/both or q/both"),
        (("away",), None, "the model 'q/away' can't be used now"),
        (("fast", "vendor/slow"), "high", "the model 'q/vendor/slow' has no thinking level 'high'; it has off"),
    ],
)
def test_models_that_are_not_there_are_refused(models: tuple[str, ...], thinking: str | None, error: str) -> None:
    """A gateway takes any name of a known provider, and fails run by run; here it is refused at once."""
    with pytest.raises(BadArgumentError) as caught:
        answered(full_names(models, thinking))
    assert error in str(caught.value)


def plan(**changes: Any) -> Plan:
    arguments: dict[str, Any] = {"templates": {"t": "{n}"}, "data": pd.DataFrame({"n": [1]})}
    return Plan(**arguments | changes)


def test_what_is_there_passes() -> None:
    """Agents, models and a level of thinking that the gateway has are no error."""
    whole = plan(agents=("critic", "main"), models=("p/fast",), thinking="high")
    assert answered(check_conditions(whole, 4)) is None


def test_a_level_that_an_agents_own_model_lacks_is_refused() -> None:
    """A level of thinking must be one of the agent's own model; an agent may list none."""
    with pytest.raises(
        BadArgumentError, match="model of the agent 'critic' has no thinking level 'high'; it has off, "
    ):
        answered(check_conditions(plan(agents=("main", "critic"), thinking="high"), 4))
    assert answered(check_conditions(plan(agents=("main", "critic"), thinking="low"), 4)) is None


def test_an_agent_that_is_not_there_is_refused() -> None:
    """An unknown agent is named, with what may have been meant."""
    with pytest.raises(BadArgumentError, match="has no agent 'mian'; did you mean main"):
        answered(check_conditions(plan(agents=("mian",)), 4))


@pytest.mark.parametrize(
    ("parallel", "config", "limit"),
    [(8, {}, None), (16, ANSWERS["config.get"], None), (17, ANSWERS["config.get"], 16), (9, {}, 8)],
)
def test_more_than_the_gateway_works_on_is_warned_of(parallel: int, config: Any, limit: int | None) -> None:
    """Who asks for more runs at a time than the gateway works on is told its limit, and where it is set."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answered(check_conditions(plan(), parallel), {**ANSWERS, "config.get": config})
    assert len(caught) == (limit is not None)
    for warning in caught:
        assert str(warning.message).startswith(f"parallel={parallel}: the gateway works on {limit} runs at a time, ")
