"""Answers as frames: where the rows are in a payload, and what their columns hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...events.rows import typed_column
from ..magics.body import CommandError

if TYPE_CHECKING:
    import pandas as pd

_TIME_NAME = re.compile(r"(.*(At|AtMs|Ts|Time|TimeMs)|ts|tsMs|time|timestamp)\Z")
# Milliseconds since 1970 from 1973 to 2100: a number elsewhere is a duration, or a count.
_TIMES = range(100_000_000_000, 4_102_444_800_000)


def part_at(payload: Any, pointer: str) -> Any:
    """Return the part of an answer at a JSON pointer.

    Args:
        payload: decoded JSON.
        pointer: like ``/sessions/0``; ``""`` is the whole.

    Raises:
        CommandError: there is nothing; says what there is.
    """
    here, way = payload, ""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        else:
            there = "a value"
            if isinstance(here, (dict, list)):
                there = ", ".join(list(here)[:10]) if isinstance(here, dict) else f"{len(here)} items"
            where = f"at {way or 'its top'} there is {there}"
            raise CommandError(f"--path {pointer}: the answer has no {way}/{step}; {where}")
        way += f"/{step}"
    return here


def rows_in(payload: Any) -> list[dict[str, Any]] | None:
    """Return the list of objects that a payload is, or has as one of its fields; ``None`` if there is not just one.

    Args:
        payload: decoded JSON.
    """
    if isinstance(payload, list):
        return payload if payload and all(isinstance(item, dict) for item in payload) else None
    if not isinstance(payload, dict):
        return None
    found = [rows for rows in map(rows_in, (item for item in payload.values() if isinstance(item, list))) if rows]
    return found[0] if len(found) == 1 else None


def frame_of_rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return objects as a frame: a column for each field, the narrowest type that holds it, times in UTC.

    A number is a time if its field's name says so (``updatedAt``, ``ts``, ...) and it can be one, in milliseconds.

    Args:
        rows: decoded JSON objects.

    Example:
        >>> frame_of_rows([{"key": "a", "updatedAt": 1_700_000_000_000}]).dtypes["updatedAt"]
        datetime64[ms, UTC]
    """
    import pandas as pd

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if _TIME_NAME.match(name) and _are_times(values):
            columns[name] = pd.to_datetime(pd.Series(values, dtype="Int64"), unit="ms", utc=True).astype(
                "datetime64[ms, UTC]"
            )
        else:
            columns[name] = typed_column(values)
    return pd.DataFrame(columns, columns=names)


def _are_times(values: list[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(type(value) is int and value in _TIMES for value in given)
