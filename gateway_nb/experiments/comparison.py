"""Conditions of an experiment compared: paired by the data's rows, with a p-value and a plain sentence. Pure."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from ..errors import BadArgumentError, one_line, printable
from ..protocol.spelling import closest
from .statistics import (
    CONFIDENCE,
    KINDS,
    ROUNDING,
    difference_interval,
    interval,
    p_value,
    p_value_unpaired,
    scores_of,
    varied,
)

if TYPE_CHECKING:
    import pandas as pd

    from .statistics import Array

_ALPHA, _POWER = 1 - CONFIDENCE, 0.8
_LONGEST_NAME = 60


class Comparison:
    """What `Experiment.compare` found. Shows itself as sentences, in a notebook with its table.

    Attributes:
        df: a row for each comparison: `a`, `b` (the conditions), `by` (the scores), `pairs` (data rows with a score of
            both; missing where there are too few, and whatever rows each has are compared), `rows_a`, `rows_b` (data
            rows with a score), `mean_a`, `mean_b`, `difference` (a - b), its 95 % interval `low` and `high`, `effect`
            (the difference in standard deviations: Cohen's d, of the pairs' differences where there are pairs), `p`
            (of a permutation test, two-sided), `p_adjusted` (Holm's correction for all comparisons here), `sentence`.
    """

    def __init__(self, df: pd.DataFrame) -> None:
        self.df = df

    def __repr__(self) -> str:
        return printable("\n".join(self.df["sentence"]))

    def _repr_html_(self) -> str:
        sentences = "".join(f"<p>{html.escape(printable(sentence))}</p>" for sentence in self.df["sentence"])
        table = self.df.drop(columns="sentence").map(lambda cell: printable(cell) if isinstance(cell, str) else cell)
        return sentences + table.to_html(float_format="{:.4g}".format, border=0)


def compare(frame: pd.DataFrame, a: str | None, b: str | None, by: str | Sequence[str]) -> Comparison:
    """Return how the scores of conditions differ.

    Runs are compared with those of the same data row and the same other conditions; repeats are averaged before, and
    other conditions after that, so that each data row counts once.

    Args:
        frame: as `Experiment.df`.
        a: a condition: the name of a template, or else a model or an agent; ``None``: every pair of templates, or of
            models or agents where there is one template.
        b: another of the same kind; ``None``: each other one.
        by: the column with the scores: numbers or bools; or several.

    Raises:
        BadArgumentError: there is no such condition or column, it is of several kinds, or holds no numbers.
        ImportError: the extra ``experiments`` is not installed.
    """
    import pandas as pd

    kind, pairs = conditions(frame, a, b)
    columns = [by] if isinstance(by, str) else list(by)
    if not columns:
        raise BadArgumentError("by: name a column with scores; there are none by a scorer")
    found = []
    for column in columns:
        scores = scores_of(frame, column)
        found += [_compared(frame, kind, first, second, column, scores) for first, second in pairs]
    adjusted = holm([each.test.p for each in found])
    rows = [
        {**each._asdict(), **each.test._asdict(), "p_adjusted": p, "sentence": _sentence(each, p, len(found))}
        for each, p in zip(found, adjusted, strict=True)
    ]
    return Comparison(pd.DataFrame(rows).drop(columns=["test", "unit", "spread"]).astype({"pairs": "Int64"}))


def conditions(frame: pd.DataFrame, a: str | None, b: str | None) -> tuple[str, list[tuple[str, str]]]:
    """Return the kind of condition to compare, and the pairs of its values; arguments and errors as for `compare`."""
    values = {kind: list(frame[kind].dropna().unique()) for kind in KINDS}
    if a is None:
        if b is not None:
            raise BadArgumentError("compare: name the first condition, too")
        kind = next((kind for kind in KINDS if len(values[kind]) > 1), None)
        if kind is None:
            raise BadArgumentError("compare: there is one condition alone")
        return kind, list(itertools.combinations(values[kind], 2))
    kinds = [kind for kind in KINDS if {a, *([] if b is None else [b])} <= set(values[kind])]
    if not kinds:
        everything = [str(value) for kind in KINDS for value in values[kind]]
        unknown = next((name for name in (a, b) if name is not None and name not in everything), None)
        if unknown is None:
            raise BadArgumentError(
                f"compare: {a!r} and {b!r} are not of the same kind; compare templates, models or agents"
            )
        near = closest(str(unknown), everything) or everything
        raise BadArgumentError(f"compare: there is no condition {unknown!r}, but {', '.join(near)}")
    if len(kinds) > 1:
        raise BadArgumentError(
            f"compare: {a!r} is ambiguous, of a {' and of a '.join(kinds)}; give the templates other names"
        )
    (kind,) = kinds
    others = [value for value in values[kind] if value != a] if b is None else [b]
    if not others or b == a:
        raise BadArgumentError(f"compare: there is nothing but {a!r} to compare it with")
    return kind, [(a, other) for other in others]


class _Test(NamedTuple):
    """Two samples compared; `spread` is the standard deviation that an effect is measured in."""

    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    effect: float
    p: float
    spread: float


class _Found(NamedTuple):
    """A comparison; `unit` is a round tenth of the scores' range."""

    a: str
    b: str
    by: str
    pairs: int | None
    rows_a: int
    rows_b: int
    left_out: int
    test: _Test
    unit: float


def _compared(frame: pd.DataFrame, kind: str, a: str, b: str, by: str, scores: Array) -> _Found:
    table = side_by_side(frame, kind, a, b, scores)
    first, second = (table[side].dropna().groupby("row").mean().to_numpy(float) for side in (a, b))
    paired = table.dropna().groupby("row").mean()
    if len(paired) < 2 <= min(len(first), len(second)):
        pairs, left_out, test = None, 0, _unpaired(first, second)
    else:
        pairs, left_out = len(paired), table.index.get_level_values("row").nunique() - len(paired)
        test = _paired(paired[a].to_numpy(float), paired[b].to_numpy(float))
    return _Found(a, b, by, pairs, len(first), len(second), left_out, test, _unit(table.to_numpy(float)))


def side_by_side(frame: pd.DataFrame, kind: str, a: str, b: str, scores: Array) -> pd.DataFrame:
    """Return the mean scores of two conditions, a column for each, by data row and the other conditions."""
    import numpy as np

    others = [name for name in KINDS if name != kind]
    cells = frame[["row", *others]].assign(side=frame[kind], score=scores)
    cells = cells[cells["side"].isin([a, b]) & ~np.isnan(scores)]
    # A model may be missing: numbers instead, which are the same for those.
    stratum = cells.groupby(["row", *others], dropna=False, observed=True).ngroup().rename("stratum")
    table = cells.groupby([stratum, "row", "side"], observed=True)["score"].mean().unstack("side")
    return table.reindex(columns=[a, b])


def _paired(first: Array, second: Array) -> _Test:
    import numpy as np

    if not len(first):
        return _Test(*[math.nan] * len(_Test._fields))
    differences = np.where(np.isclose(first, second, rtol=ROUNDING, atol=0), 0.0, first - second)
    spread = 0.0 if not varied(differences) else float(differences.std(ddof=1))
    low, high = map(float, interval(differences))
    p = float(p_value(differences)) if len(first) > 1 else math.nan
    return _test(first, second, float(differences.mean()), low, high, p, spread)


def _unpaired(first: Array, second: Array) -> _Test:
    low, high = difference_interval(first, second)
    degrees = len(first) + len(second) - 2
    spread = math.sqrt(((len(first) - 1) * first.var(ddof=1) + (len(second) - 1) * second.var(ddof=1)) / degrees)
    return _test(first, second, float(first.mean() - second.mean()), low, high, p_value_unpaired(first, second), spread)


def _test(first: Array, second: Array, difference: float, low: float, high: float, p: float, spread: float) -> _Test:
    effect = difference / spread if spread > 0 else math.nan
    return _Test(float(first.mean()), float(second.mean()), difference, low, high, effect, p, spread)


def _unit(scores: Array) -> float:
    """Return a round tenth of the scores' range: 0.1 for those from 0 to 1."""
    import numpy as np

    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return math.nan
    low, high = scores.min(), scores.max()
    return 0.1 if low >= 0 and high <= 1 else float(f"{(high - low) / 10:.0e}")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's method; a missing one stays, and does not count.

    Example:
        >>> from gateway_nb.experiments.comparison import holm
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = list(p_values)
    order = sorted((place for place, p in enumerate(p_values) if not math.isnan(p)), key=lambda place: p_values[place])
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min((len(order) - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted


def _sentence(found: _Found, p: float, comparisons: int) -> str:
    """Return what was found, as one would say it."""
    a, b, by = (repr(one_line(name, _LONGEST_NAME)) for name in (found.a, found.b, found.by))
    data = f"{found.rows_a} and {found.rows_b} rows, not paired" if found.pairs is None else f"{found.pairs} pairs"
    if found.left_out:
        data += f", {found.left_out} rows with a score of one alone left out"
    if math.isnan(p):
        return f"{by}: {a} and {b} can't be compared: there are {data}"
    if found.test.spread == 0 and found.test.difference == 0:
        return f"{by}: {a} and {b} score the same: {data}"
    evidence = f"p {'< 0.001' if p < 0.001 else f'= {p:.2g}'}"
    if comparisons > 1:
        evidence += f" after correction for {comparisons} comparisons"
    if p >= _ALPHA:
        needed = _needed(found, comparisons)
        return f"{by}: no difference between {a} and {b} could be shown with {data} ({evidence}){needed}"
    if not math.isnan(found.test.low):
        evidence = f"95 % interval of the difference {found.test.low:.3g} to {found.test.high:.3g}, {evidence}"
    than = "higher" if found.test.difference > 0 else "lower"
    return f"{by}: {a} scores {abs(found.test.difference):.3g} {than} than {b}, with {data} ({evidence})"


def _needed(found: _Found, comparisons: int) -> str:
    """Return how much data would show a difference worth the name, with a power of 80 %."""
    if found.test.spread == 0 or not found.unit > 0:
        return ""
    quantile = NormalDist().inv_cdf
    sides = 1 if found.pairs is not None else 2
    effect = found.unit / found.test.spread
    needed = sides * ((quantile(1 - _ALPHA / comparisons / 2) + quantile(_POWER)) / effect) ** 2
    least = math.log2(2 * comparisons / _ALPHA)  # fewer pairs have no sign patterns rare enough
    needed = math.ceil(max(needed, least))
    if needed <= (found.pairs if found.pairs is not None else min(found.rows_a, found.rows_b)):
        return f"; one of {found.unit:g} would most likely have been shown"
    number = needed if needed < 20 else int(float(f"{needed:.1e}"))
    return f"; about {number:,} {'pairs' if sides == 1 else 'rows each'} would show one of {found.unit:g}"
