"""The part of an answer that a call is about, its rows, and these as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...events.paths import follow, steps_of
from ...events.rows import typed_column
from ...protocol.spelling import closest
from ..display.table import are_times
from ..magics.body import CommandError

if TYPE_CHECKING:
    import pandas as pd


class Rows(NamedTuple):
    """The list of objects that a payload is or has.

    Attributes:
        field: its name in the payload; ``""`` where the payload is the list.
        rows: the objects.
    """

    field: str
    rows: list[dict[str, Any]]


def part_at(payload: Any, pointer: str) -> Any:
    """Return the part of an answer at a JSON pointer.

    Args:
        payload: decoded JSON.
        pointer: like ``/sessions/0``; ``""`` is the whole.

    Raises:
        CommandError: there is nothing; says what there is.
    """
    names = steps_of(pointer) if pointer else []
    here, left = follow(payload, names)
    if not left:
        return here
    passed, name = "".join(f"/{name}" for name in names[: -len(left)]), left[0]
    there = "a value"
    if isinstance(here, (dict, list)):
        there = ", ".join(list(here)[:10]) if isinstance(here, dict) else f"{len(here)} items"
    near = closest(name, here, 1) if isinstance(here, dict) else []
    advice = f"did you mean {passed}/{near[0]}?" if near else f"at {passed or 'its top'} there is {there}"
    raise CommandError(f"--path {pointer}: the answer has no {passed}/{name}; {advice}")


def rows_in(payload: Any) -> Rows | None:
    """Return the list of objects that a payload is, or has as one of its fields; ``None`` if there is not just one."""
    fields = {"": payload} if isinstance(payload, list) else payload if isinstance(payload, dict) else {}
    found = [
        Rows(name, value)
        for name, value in fields.items()
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    ]
    return found[0] if len(found) == 1 else None


def frame_of_rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return objects of JSON as a frame: a column for each field, the narrowest type that holds it, times in UTC.

    A number is a time if its field's name says so (``updatedAt``, ``ts``, ...) and it can be one, in milliseconds.

    Example:
        >>> frame_of_rows([{"key": "a", "updatedAt": 1_700_000_000_000}]).dtypes["updatedAt"]
        datetime64[ms, UTC]
    """
    import pandas as pd

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if are_times(name, values):
            columns[name] = pd.to_datetime(pd.Series(values, dtype="Int64"), unit="ms", utc=True).astype(
                "datetime64[ms, UTC]"
            )
        else:
            columns[name] = typed_column(values)
    return pd.DataFrame(columns, columns=names)
