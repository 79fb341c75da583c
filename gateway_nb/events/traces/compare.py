"""Two traces side by side: their steps aligned, and what differs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from . import waterfall
from .spans import Span

if TYPE_CHECKING:
    import pandas as pd

_MOST_ALIGNED = 2000
_SIGNS = {"same": "", "changed": "≠ ", "only here": "- ", "only there": "+ "}
_VALUES = ("status", "seconds", "input_tokens", "output_tokens", "cost")

Pair = tuple[int, Span | None, Span | None]


def aligned(here: Sequence[Span], there: Sequence[Span]) -> list[Pair]:
    """Return the steps of two traces in pairs, with their depth; a step that has none there is alone.

    Steps are the same by their place in the tree, kind and name. Beyond 2,000 spans they are paired in their order.

    Args:
        here: of a trace, as its tree is read.
        there: of the other one.
    """
    depths = waterfall.depths(here), waterfall.depths(there)
    if max(len(here), len(there)) > _MOST_ALIGNED:
        blocks = [(0, 0, min(len(here), len(there)))]
    else:
        keys, others = (
            [(depth, span.kind, span.name) for depth, span in zip(each, spans, strict=True)]
            for each, spans in zip(depths, (here, there), strict=True)
        )
        matching = SequenceMatcher(None, keys, others, autojunk=False).get_matching_blocks()
        blocks = [(first, second, size) for first, second, size in matching]
    pairs: list[Pair] = []
    at, other = 0, 0
    for first, second, size in [*blocks, (len(here), len(there), 0)]:
        pairs += [(depths[0][number], here[number], None) for number in range(at, first)]
        pairs += [(depths[1][number], None, there[number]) for number in range(other, second)]
        pairs += [(depths[0][first + n], here[first + n], there[second + n]) for n in range(size)]
        at, other = first + size, second + size
    return pairs


class TraceDiff:
    """Two traces step by step. Shows itself in a notebook: of each step the upper bar is here, the lower one there.

    Args:
        here: the spans of a trace.
        there: of the other one.
    """

    def __init__(self, here: Sequence[Span], there: Sequence[Span]) -> None:
        self._pairs = aligned(here, there)
        self._bounds = waterfall.bounds(here), waterfall.bounds(there)

    @property
    def df(self) -> pd.DataFrame:
        """A row for each step.

        Columns: `change` (string: same, changed, only here, only there), `depth` (Int64), `kind`, `name` (string),
        `arguments` (boolean: whether those of a tool call are the same), and for `status` (string), `seconds`, `cost`
        (Float64), `input_tokens`, `output_tokens` (Int64) one of here, and one of there: ``other_status``, ... A step
        has changed where its status, arguments or tokens differ; times always do.
        """
        import pandas as pd

        text = pd.StringDtype("pyarrow")
        kinds: dict[str, Any] = {"status": text, "seconds": "Float64", "cost": "Float64"}
        either = [here or there for _, here, there in self._pairs]
        columns: dict[str, Any] = {
            "change": pd.array([_change(pair) for pair in self._pairs], text),
            "depth": pd.array([depth for depth, *_ in self._pairs], "Int64"),
            "kind": pd.array([span.kind if span else None for span in either], text),
            "name": pd.array([span.name if span else None for span in either], text),
            "arguments": pd.array([_same_arguments(pair) for pair in self._pairs], "boolean"),
        }
        for name in _VALUES:
            for prefix, side in (("", 1), ("other_", 2)):
                values = [getattr(pair[side], name) if pair[side] else None for pair in self._pairs]
                columns[prefix + name] = pd.array(values, kinds.get(name, "Int64"))
        return pd.DataFrame(columns)

    def _rows(self) -> list[waterfall.Row]:
        rows = []
        for pair in self._pairs:
            depth, *spans = pair
            known = [(span, bounds) for span, bounds in zip(spans, self._bounds, strict=True) if span is not None]
            figures = " / ".join(waterfall.duration(span.seconds) if span else "-" for span in spans)
            bars = tuple(waterfall.bar(span, *bounds) for span, bounds in known)
            label = _SIGNS[_change(pair)] + waterfall.label(known[0][0])
            rows.append(waterfall.Row(depth, label, figures, f"{_change(pair)}: {figures}", bars))
        return rows

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        rows = self._rows()
        return {"image/svg+xml": waterfall.svg(repr(self), rows), "text/plain": waterfall.text(repr(self), rows)}

    def __repr__(self) -> str:
        changes = [_change(pair) for pair in self._pairs]
        counts = ", ".join(f"{changes.count(change):,} {change}" for change in _SIGNS if change in changes)
        return f"<Two traces: {counts}>"


def _same_arguments(pair: Pair) -> bool | None:
    _, here, there = pair
    if here is None or there is None or here.kind != "tool":
        return None
    return here.content.get("arguments") == there.content.get("arguments")


def _change(pair: Pair) -> str:
    _, here, there = pair
    if here is None or there is None:
        return "only there" if here is None else "only here"
    values = [(span.status, span.model, span.input_tokens, span.output_tokens) for span in (here, there)]
    return "same" if values[0] == values[1] and _same_arguments(pair) is not False else "changed"
