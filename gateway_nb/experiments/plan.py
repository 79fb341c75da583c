"""What an experiment runs: templates x rows x agents x models x repeats are its cells. Pure."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadArgumentError
from ..protocol.spelling import closest

if TYPE_CHECKING:
    import pandas as pd

CONDITIONS = ("template", "row", "model", "agent", "repeat")
"""The columns that say which cell a row is."""
RESULTS = ("answer", "status", "seconds", "input_tokens", "output_tokens", "cost", "run", "session")
"""The columns that say what became of it."""
MARK = "mark"
"""The column of the marks that somebody gave by hand."""
ERROR = "error"
"""The last column: why a run failed, or which scorers did."""


class Cell(NamedTuple):
    """One run of an experiment.

    Attributes:
        number: its place among all cells, from 0.
        template: the template's name.
        row: the position in the data, from 0.
        agent: the agent's id.
        model: ``provider/model``, or ``None`` for the agent's own.
        repeat: which of the repeats, from 0.
    """

    number: int
    template: str
    row: int
    agent: str
    model: str | None
    repeat: int


class _Columns(string.Formatter):
    """Fills in columns by their whole names: ``{a.b}`` is the column ``a.b``, no attribute of ``a``."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs[field_name], field_name


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What is run, checked.

    Args:
        templates: prompts by name, with the data's columns in braces.
        data: a DataFrame, a row for each case.
        agents: ids.
        models: ``provider/model``; ``None`` is the agent's own.
        repeats: runs of each combination.
        thinking: the level for every session, ``None`` for the agent's own.
        seed: of the order.

    Raises:
        BadArgumentError: one of them can't be used.
    """

    templates: dict[str, str]
    data: pd.DataFrame
    agents: tuple[str, ...] = ("main",)
    models: tuple[str | None, ...] = (None,)
    repeats: int = 1
    thinking: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_names("templates", self.templates)
        _check_names("agents", self.agents)
        _check_names("models", ["the agent's own" if model is None else model for model in self.models])
        _check_data(self.data)
        for name, value, least in (("repeats", self.repeats, 1), ("seed", self.seed, 0)):
            if type(value) is not int or value < least:
                raise BadArgumentError(f"{name} must be a whole number from {least}, not {value!r}")
        if self.thinking is not None and (not isinstance(self.thinking, str) or not self.thinking):
            raise BadArgumentError(f"thinking must be the name of a level, such as 'low', not {self.thinking!r}")
        for name, template in self.templates.items():
            for row in range(len(self.rows)):
                self._filled(name, template, row)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The data's rows as mappings, for templates and scorers."""
        return self.data.to_dict("records")  # type: ignore[return-value]  # the names were checked to be text

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, by number."""
        conditions = (
            (template, row, agent, model, repeat)
            for template in self.templates
            for row in range(len(self.data))
            for agent in self.agents
            for model in self.models
            for repeat in range(self.repeats)
        )
        return tuple(Cell(number, *condition) for number, condition in enumerate(conditions))

    @property
    def taken(self) -> list[str]:
        """The names that a scorer's column can't have."""
        return [*CONDITIONS, *self.data.columns, *RESULTS, MARK, ERROR]

    @property
    def order(self) -> list[Cell]:
        """The cells in the order in which they are run: shuffled, since a gateway is not as quick at every hour."""
        order = list(self.cells)
        random.Random(self.seed).shuffle(order)
        return order

    def message(self, cell: Cell) -> str:
        """Return what is said to the agent."""
        return self._filled(cell.template, self.templates[cell.template], cell.row)

    def _filled(self, name: str, template: str, row: int) -> str:
        try:
            message = _Columns().vformat(template, (), self.rows[row])
            message.encode()  # half a surrogate pair is in no frame
            return message
        except KeyError as error:
            column = str(error.args[0])
            near = closest(column, map(str, self.data.columns)) or list(map(str, self.data.columns))
            what = f"the data has no column {column!r}; did you mean {' or '.join(near)}?" if near else "no columns"
            raise BadArgumentError(f"template {name!r}: {what} (literal braces are written {{{{ and }}}})") from None
        except (ValueError, TypeError) as error:
            raise BadArgumentError(f"template {name!r} can't be filled in with row {row}: {error}") from None

    def __repr__(self) -> str:
        return f"<Plan: {self}>"

    def __str__(self) -> str:
        counts = {
            "template": len(self.templates),
            "row": len(self.data),
            "agent": len(self.agents),
            "model": len(self.models),
            "repeat": self.repeats,
        }
        factors = " x ".join(f"{count:,} {name}{'s' * (count > 1)}" for name, count in counts.items())
        cells = math.prod(counts.values())
        return f"{factors} = {cells:,} cell{'s' * (cells > 1)}"


def _check_names(what: str, names: Iterable[Any]) -> None:
    names = list(names)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise BadArgumentError(f"{what} must be one name or more, not {names!r}")
    if len(set(names)) < len(names):
        raise BadArgumentError(f"{what} must be different, not {', '.join(names)}")


def _check_data(data: pd.DataFrame) -> None:
    names = list(data.columns)
    if not len(data) or not names:
        raise BadArgumentError("the data is empty: an experiment needs a row for each case")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise BadArgumentError(f"the data's columns must have different names, not {names!r}")
    if taken := sorted({*CONDITIONS, *RESULTS, MARK, ERROR} & set(names)):
        raise BadArgumentError(f"the data's columns {', '.join(taken)} have the names of results; rename them")
