"""What a table's filter says, and which rows of a chunk it means. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as compute

from ....errors import GatewayError
from ....events.paths import decoded, steps_of
from ....events.payloads import read_texts
from ....events.rows import named

Mask = npt.NDArray[np.bool_]

_CONDITION = re.compile(r"\s*([^=!~<>]+?)\s*(?:(!=|=|~|<|>)\s*(.*?)\s*)?\Z", re.DOTALL)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"<": operator.lt, ">": operator.gt}


class FilterError(GatewayError):
    """A table's filter is wrong."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows a table shows, and in which order.

    Attributes:
        events: names to show; empty for all. Marks (gap, reconnect, ...) are always among them.
        text: looked for in names, of gateways, too, and payloads, in capitals or not.
        start: receive times from here, in seconds since 1970, or ``None``.
        end: up to, not including, here, or ``None``.
        path: a condition on payloads: ``data.phase``, ``data.phase=end``, ``!=``, ``~`` (contains), ``<`` or ``>``.
        sort: empty for the order of arrival; else ``time``, ``seq``, ``epoch``, ``event`` or, of a fleet, ``gateway``;
            or a path into payloads.
        descending: the greatest first.
    """

    events: tuple[str, ...] = ()
    text: str = ""
    start: float | None = None
    end: float | None = None
    path: str = ""
    sort: str = ""
    descending: bool = False

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Query:
        """Return the query that a browser asks for.

        Raises:
            FilterError: it is none.
        """
        events = data.get("events") or ()
        try:
            query = cls(
                events=(events,) if isinstance(events, str) else tuple(str(name) for name in events),
                text=str(data.get("text") or ""),
                start=None if data.get("start") is None else float(data["start"]),
                end=None if data.get("end") is None else float(data["end"]),
                path=str(data.get("path") or ""),
                sort=str(data.get("sort") or ""),
                descending=data.get("descending") is True,
            )
        except (TypeError, ValueError):
            raise FilterError(
                "this is not a filter: a filter has names, a text, times in seconds, a condition"
            ) from None
        if query.path:
            Condition.parse(query.path)
        if query.sort:
            steps(query.sort)
        return query

    @property
    def is_all(self) -> bool:
        """Whether every row is shown."""
        return not (self.events or self.text or self.path or self.start is not None or self.end is not None)

    def mask(self, table: pa.Table) -> Mask:
        """Return which rows of a table with the event log's columns are shown."""
        chosen: Mask = np.ones(table.num_rows, bool)
        if self.start is not None or self.end is not None:
            chosen &= _between(table, self.start, self.end)
        if self.events:
            chosen &= named(table, frozenset(self.events), or_mark=True)
        if self.text:
            chosen &= _holding(table, self.text)
        if self.path:
            chosen &= Condition.parse(self.path).mask(table, chosen)
        return chosen


@dataclass(frozen=True, slots=True)
class Condition:
    """What a payload has to say somewhere.

    Attributes:
        steps: the names on the way there.
        sign: empty (it is there), ``=``, ``!=``, ``~``, ``<`` or ``>``.
        value: what it is compared with.
    """

    steps: tuple[str, ...]
    sign: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Return the condition that a text states.

        Raises:
            FilterError: it states none.

        Example:
            >>> Condition.parse("$.data.phase = end")
            Condition(steps=('data', 'phase'), sign='=', value='end')
        """
        found = _CONDITION.match(text)
        if found is None:
            raise FilterError(
                f"{text!r} is not a condition; write data.phase, data.phase=end, !=, ~ (contains), < or >"
            )
        path, sign, value = found.group(1), found.group(2) or "", found.group(3) or ""
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if sign in _COMPARE and _number(value) is None:
            raise FilterError(f"{text!r}: {sign} compares numbers, and {value!r} is not one")
        return cls(tuple(steps(path)), sign, value)

    def mask(self, table: pa.Table, chosen: Mask) -> Mask:
        """Return which of the chosen rows of a table meet it."""
        rows = np.flatnonzero(chosen)
        (texts,) = read_texts(table.column("payload").take(rows), [self.steps])
        values = texts.combine_chunks().dictionary_encode()
        # One flag more than values: the last is that of nothing there, which index -1 finds.
        met = np.array([*(self._met(decoded(text)) for text in values.dictionary.to_pylist()), self._met(None)])
        chosen = chosen.copy()
        chosen[rows] = met[values.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return chosen

    def _met(self, value: Any) -> bool:
        if self.sign == "!=":
            return not self._equal(value)
        if value is None and self.sign != "=":
            return False
        if self.sign == "=":
            return self._equal(value)
        if self.sign == "~":
            return self.value.lower() in _text(value).lower()
        if self.sign in _COMPARE:
            number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
            return number is not None and _COMPARE[self.sign](number, _number(self.value))
        return True

    def _equal(self, value: Any) -> bool:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value == _number(self.value)
        return _text(value) == self.value


def steps(path: str) -> list[str]:
    """Return the names and indices that a path goes through; see `gateway_nb.events.paths.steps_of`.

    Raises:
        FilterError: it is no path.
    """
    try:
        return steps_of(path.strip())
    except ValueError as error:
        raise FilterError(str(error)) from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _flags(column: Any) -> Mask:
    array: Mask = compute.fill_null(column, False).to_numpy(zero_copy_only=False)
    return array


def _between(table: pa.Table, start: float | None, end: float | None) -> Mask:
    times = table.column("time").cast(pa.int64()).to_numpy()
    low = np.iinfo("int64").min if start is None else round(start * 1e6) * 1000
    high = np.iinfo("int64").max if end is None else round(end * 1e6) * 1000
    mask: Mask = (times >= low) & (times < high)
    return mask


def _holding(table: pa.Table, text: str) -> Mask:
    held: Mask = np.zeros(table.num_rows, bool)
    for name in {"gateway", "event", "payload"} & set(table.schema.names):
        held |= _flags(compute.match_substring(table.column(name).cast(pa.string()), text, ignore_case=True))
    return held
