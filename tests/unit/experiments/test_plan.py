"""What an experiment runs, and what it refuses."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments.plan import Cell, Plan

DATA = pd.DataFrame({"text": ["one", "two"], "price": [1.0, 2.5], "a.b": ["x", "y"]})


def plan(**changes: Any) -> Plan:
    arguments: dict[str, Any] = {"templates": {"short": "Sum up: {text}"}, "data": DATA}
    return Plan(**arguments | changes)


def test_cells_are_all_combinations() -> None:
    """Each template meets each row, agent, model and repeat, once."""
    made = plan(templates={"a": "x", "b": "y"}, agents=("main", "other"), models=("p/1", "p/2"), repeats=3)
    assert len(made.cells) == len({cell[1:] for cell in made.cells}) == 2 * 2 * 2 * 2 * 3
    assert [cell.number for cell in made.cells] == list(range(48))
    assert made.cells[0] == Cell(0, "a", 0, "main", "p/1", 0)
    assert repr(made) == "<Plan: 2 templates x 2 rows x 2 agents x 2 models x 3 repeats = 48 cells>"


def test_order_is_shuffled_by_the_seed() -> None:
    """The same seed gives the same order, another one another, and no cell is left out."""
    first, again, other = plan(repeats=50).order, plan(repeats=50).order, plan(repeats=50, seed=1).order
    assert first == again != other
    assert sorted(first) == sorted(other) == list(plan(repeats=50).cells) != first


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("Sum up: {text}", "Sum up: two"),
        ("{price:.2f} {text!r}", "2.50 'two'"),
        ('{{"json": {a.b}}}', '{"json": y}'),
        ("nothing", "nothing"),
    ],
)
def test_templates_are_filled_in(template: str, message: str) -> None:
    """A column's value takes the place of its name in braces, formatted as in Python."""
    made = plan(templates={"t": template})
    assert made.message(made.cells[1]) == message


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"templates": {}}, "templates must be one name or more"),
        ({"templates": {"t": "{txt}"}}, "template 't': the data has no column 'txt'; did you mean text?"),
        ({"templates": {"t": "{text.upper}"}}, "the data has no column 'text.upper'"),
        ({"templates": {"t": "{}"}}, "the data has no column '0'"),
        ({"templates": {"t": "{text:.2f}"}}, "template 't' can't be filled in with row 0: Unknown format code"),
        ({"templates": {"t": "{text"}}, "template 't' can't be filled in with row 0: expected '}'"),
        ({"data": DATA.head(0)}, "the data is empty"),
        ({"data": pd.DataFrame(index=[0])}, "the data is empty"),
        ({"data": DATA.rename(columns={"text": "answer"})}, "columns answer have the names of results"),
        ({"data": DATA.rename(columns={"text": 1})}, "columns must have different names"),
        ({"data": DATA[["text", "text"]]}, "columns must have different names"),
        ({"agents": ()}, "agents must be one name or more"),
        ({"models": ("p/1", "p/1")}, "models must be different"),
        ({"repeats": 0}, "repeats must be a whole number from 1, not 0"),
        ({"repeats": True}, "repeats must be a whole number from 1, not True"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_what_can_not_be_run_is_refused(changes: dict[str, Any], error: str) -> None:
    """A plan that can't be run is refused before the first run, with what is wrong."""
    with pytest.raises(BadArgumentError) as caught:
        plan(**changes)
    assert error in str(caught.value)
