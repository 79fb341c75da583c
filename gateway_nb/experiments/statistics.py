"""What the scores of an experiment show: intervals, differences, and how sure one can be of them. Pure.

The unit is the data's row: runs of the same row are alike, so rows are what is resampled and paired, and repeats
only make each row's score more exact. The arithmetic is SciPy's.
"""

from __future__ import annotations

import math
import numbers
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import BadArgumentError, one_line
from ..protocol.spelling import closest

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

KINDS = ("template", "model", "agent")
"""The columns whose values are conditions: what is compared."""
NOT_ENDED = ("waiting", "running")
CONFIDENCE = 0.95
_RESAMPLES, _PERMUTATIONS = 2_000, 9_999
_TOGETHER = 5_000  # scores of several conditions that are resampled in one go
_AT_ONCE = 500_000  # numbers resampled at once: what fits into a processor's cache
_SEED = 0  # the same numbers for the same scores, each time
ROUNDING = 1e-9  # of the largest value: what sums in another order may differ by


def summary(frame: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Return a row for each condition (template, model and agent) of an experiment's frame.

    Args:
        frame: as `Experiment.df`.
        by: the column with the scores: numbers or bools; ``None`` where there are none.

    Returns:
        Columns: `template`, `model`, `agent`; `runs` (those that ended); `n` (those with a score); `mean` of the
        scores, `low` and `high` of its 95 % interval (BCa bootstrap of the data's rows); `failures` (runs that did not
        end well); `unscored` (runs that did, but have no score); `input_tokens`, `output_tokens`, `cost` (USD) of all
        runs together; `seconds_p50`, `seconds_p95` of those that ended well. There is no interval of fewer than two
        rows, nor where all rows have the same score: such data do not tell how much others would differ.

    Raises:
        BadArgumentError: there is no such column, or it holds no numbers.
        ImportError: the extra ``experiments`` is not installed.
    """
    import numpy as np
    import pandas as pd

    groups = frame.groupby(list(KINDS), dropna=False, sort=False, observed=True)
    condition = groups.ngroup().to_numpy()
    scores = np.full(len(frame), math.nan) if by is None else scores_of(frame, by)
    totals, counts = _by_row(condition, groups.ngroups, frame["row"].to_numpy(), scores)
    low, high = _intervals(totals, counts)
    ok, ended = (frame["status"] == "ok").to_numpy(bool), ~frame["status"].isin(NOT_ENDED).to_numpy(bool)

    def count(chosen: Array) -> Array:
        return np.bincount(condition[chosen], minlength=groups.ngroups)

    n = counts.sum(axis=1)
    used = groups[["input_tokens", "output_tokens", "cost"]].sum(min_count=1).reset_index(drop=True)
    times = frame["seconds"].astype("Float64").where(ok).groupby(condition, sort=True)
    return pd.DataFrame(
        {
            **frame[list(KINDS)].drop_duplicates().reset_index(drop=True),
            "runs": count(ended),
            "n": n.astype(int),
            "mean": np.divide(totals.sum(axis=1), n, out=np.full(len(n), math.nan), where=n > 0),
            "low": low,
            "high": high,
            "failures": count(ended & ~ok),
            "unscored": count(ok & np.isnan(scores)),
            **used,
            "seconds_p50": times.quantile(0.5).reset_index(drop=True),
            "seconds_p95": times.quantile(0.95).reset_index(drop=True),
        }
    )


def scores_of(frame: pd.DataFrame, by: str) -> Array:
    """Return the scores of a frame's runs as floats, a bool as 0 or 1; NaN where a run did not end well or has none.

    Raises:
        BadArgumentError: there is no such column, or it holds no numbers.
    """
    import numpy as np
    import pandas as pd

    if by not in frame:
        near = closest(str(by), map(str, frame.columns))
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(map(str, frame.columns))}"
        raise BadArgumentError(f"by: there is no column {by!r}; {hint}")
    column = frame[by]
    if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)):
        column = column.astype("object")
        odd = next((each for each in column[column.notna()] if not isinstance(each, numbers.Real)), None)
        if odd is not None:
            raise BadArgumentError(
                f"by: column {by!r} holds {type(odd).__name__} ({one_line(repr(odd), 40)}); statistics need numbers or "
                "bools: rescore with one that is, such as lambda row, answer, trace: answer == 'yes'"
            )
        column = column.map(float, na_action="ignore")
    scores = column.astype("Float64").to_numpy(dtype=float, na_value=math.nan).copy()
    scores[~np.isfinite(scores) | (frame["status"] != "ok").to_numpy(bool)] = math.nan
    return scores


def _by_row(condition: Array, conditions: int, rows: Any, scores: Array) -> tuple[Array, Array]:
    """Return the sum and the number of the scores by condition and data row."""
    import numpy as np

    names, row = np.unique(rows, return_inverse=True)
    scored = ~np.isnan(scores)
    place = (condition * len(names) + row)[scored]
    shape = conditions, len(names)
    totals = np.bincount(place, scores[scored], conditions * len(names)).reshape(shape)
    return totals, np.bincount(place, minlength=conditions * len(names)).reshape(shape)


def _intervals(totals: Array, counts: Array) -> tuple[Array, Array]:
    """Return the intervals of conditions: of few rows many at once, of many rows one by one, which is quicker."""
    import numpy as np

    ends = np.full((2, len(totals)), math.nan)
    sizes = (counts > 0).sum(axis=1)
    for size in np.unique(sizes[sizes > 1]):
        same = np.flatnonzero(sizes == size)
        for chosen in np.array_split(same, math.ceil(len(same) * size / _TOGETHER)):
            scored = counts[chosen] > 0
            values = _pseudo_values(totals[chosen][scored].reshape(-1, size), counts[chosen][scored].reshape(-1, size))
            ends[:, chosen] = interval(values)
    return ends[0], ends[1]


def _pseudo_values(totals: Array, counts: Array) -> Array:
    """Return a value for each row, so that their mean is that of all scores, and varies as it would with other rows.

    Where each row has as many scores, these are the means of the rows; else a row with more of them weighs more.
    """
    mean = totals.sum(axis=-1, keepdims=True) / counts.sum(axis=-1, keepdims=True)
    values: Array = mean + (totals - mean * counts) / counts.mean(axis=-1, keepdims=True)
    return values


def interval(values: Array) -> tuple[Array, Array]:
    """Return the ends of 95 % intervals of means, by the BCa bootstrap.

    Args:
        values: of rows, along the last axis.

    Returns:
        Arrays without the last axis; NaN for fewer than two rows, and where all have the same value.
    """
    import numpy as np

    ends = np.full((2, *values.shape[:-1]), math.nan)
    able = varied(values)
    if able.any():
        ends[:, able] = _bootstrap((values[able],), _mean)
    return ends[0], ends[1]


def _mean(values: Array, axis: int) -> Any:
    return values.mean(axis)


def varied(values: Array) -> Any:
    """Return where values differ along the last axis by more than rounding."""
    import numpy as np

    if values.shape[-1] < 2:
        return np.zeros(values.shape[:-1], bool)
    return np.ptp(values, axis=-1) > ROUNDING * np.abs(values).max(axis=-1)


def _bootstrap(samples: tuple[Any, ...], statistic: Any) -> tuple[Any, Any]:
    import numpy as np

    stats = _scipy_stats()
    with warnings.catch_warnings():
        # What too few different rows can't tell is NaN in the result.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            samples,
            statistic,
            vectorized=True,
            axis=-1,
            n_resamples=_RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            batch=max(_AT_ONCE // sum(sample.size for sample in samples), 1),
            rng=np.random.default_rng(_SEED),
        )
    return found.confidence_interval.low, found.confidence_interval.high


def difference_interval(first: Array, second: Array) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the difference of two samples' means, which are not paired.

    Args:
        first: the means of rows.
        second: the means of other rows.

    Returns:
        NaN where either has fewer than two rows, or all of both are the same.
    """
    if len(first) < 2 or len(second) < 2 or not (varied(first) or varied(second)):
        return math.nan, math.nan
    low, high = _bootstrap((first, second), _difference)
    return float(low), float(high)


def p_value(differences: Array) -> Any:
    """Return the two-sided p-value of paired differences under no difference: signs are flipped at random.

    Args:
        differences: those of the pairs along the last axis, at least one.

    Returns:
        An array without the last axis.
    """
    return _permuted((differences,), _mean, "samples")


def p_value_unpaired(first: Array, second: Array) -> float:
    """Return the two-sided p-value of two samples under no difference: their members are exchanged at random."""
    return float(_permuted((first, second), _difference, "independent"))


def _difference(first: Array, second: Array, axis: int) -> Any:
    return first.mean(axis) - second.mean(axis)


def _permuted(samples: tuple[Any, ...], statistic: Any, kind: str) -> Any:
    import numpy as np

    found = _scipy_stats().permutation_test(
        samples,
        statistic,
        permutation_type=kind,
        vectorized=True,
        axis=-1,
        n_resamples=_PERMUTATIONS,
        batch=max(_AT_ONCE // sum(sample.size for sample in samples), 1),
        rng=np.random.default_rng(_SEED),
    )
    return found.pvalue


def _scipy_stats() -> Any:
    try:
        import scipy.stats
    except ImportError:
        raise ImportError("statistics need SciPy; run: pip install 'gateway-nb[experiments]'") from None
    return scipy.stats
