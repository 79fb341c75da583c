"""An experiment's cells as a DataFrame: a row for each, run or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .plan import ERROR, MARK, Plan
from .store import Record

if TYPE_CHECKING:
    import pandas as pd

_RESULTS = {
    "answer": "string",
    "status": "string",
    "seconds": "Float64",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cost": "Float64",
    "run": "string",
    "session": "string",
}

_SCORES: tuple[tuple[set[type], str], ...] = (
    ({bool}, "boolean"),
    ({int}, "Int64"),
    ({int, float}, "Float64"),
    ({str}, "string"),
)


def frame_of(plan: Plan, records: Mapping[int, Record], scores: Sequence[str]) -> pd.DataFrame:
    """Return a row for each cell, by number; what did not run yet has the status ``waiting``.

    Args:
        plan: what is run.
        records: what became of cells, by number.
        scores: the scorers' columns; their dtypes are those of their values.
    """
    import pandas as pd

    cells = plan.cells
    found = [records.get(cell.number, _WAITING) for cell in cells]
    positions = [cell.row for cell in cells]
    # What an agent's own model is called, a run that failed may not tell: it is that of the others.
    own = {
        cell.agent: record.model for cell, record in zip(cells, found, strict=True) if record.model and not cell.model
    }
    models = [cell.model or record.model or own.get(cell.agent) for cell, record in zip(cells, found, strict=True)]
    columns: dict[str, Any] = {
        "template": pd.array([cell.template for cell in cells], dtype="string"),
        "row": pd.array(positions, dtype="Int64"),
        "model": pd.array(models, dtype="string"),
        "agent": pd.array([cell.agent for cell in cells], dtype="string"),
        "repeat": pd.array([cell.repeat for cell in cells], dtype="Int64"),
    }
    columns |= dict(plan.data.take(positions).reset_index(drop=True).items())  # type: ignore[arg-type]
    for name, dtype in _RESULTS.items():
        columns[name] = pd.array([getattr(record, name) for record in found], dtype=dtype)  # type: ignore[call-overload]
    for name in scores:
        values = [(record.scores or {}).get(name) for record in found]
        columns[name] = pd.array(values, dtype=_dtype(values))  # type: ignore[call-overload]
    if any(record.mark is not None for record in found):
        columns[MARK] = pd.array([record.mark for record in found], dtype="Int64")
    columns[ERROR] = pd.array([record.error for record in found], dtype="string")
    return pd.DataFrame(columns)


def _dtype(scores: Sequence[Any]) -> str:
    """Return the dtype of scores by their types alone: 1.0 stays a float where no score has decimals yet."""
    kinds = {type(score) for score in scores if score is not None}
    return next((dtype for types, dtype in _SCORES if kinds and kinds <= types), "object")


_WAITING = Record(cell=-1, status="waiting")
