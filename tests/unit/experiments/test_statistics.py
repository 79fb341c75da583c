"""Summaries: what they hold, that their intervals hold what they say, and that p-values mean what they say."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments.statistics import interval, p_value, summary
from tests.helpers.experiments import frame

EXPERIMENTS, ROWS, REPEATS = 2_000, 50, 3


def simulated(seed: int) -> pd.DataFrame:
    """Return 2,000 experiments of 50 rows and 3 repeats, each a template: normal scores with an effect of the row."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(EXPERIMENTS, ROWS, 1)) + rng.normal(size=(EXPERIMENTS, ROWS, REPEATS))
    one = frame(lambda cell: 0.0, templates=["x"], rows=ROWS, repeats=REPEATS)
    found = pd.concat([one] * EXPERIMENTS, ignore_index=True)
    return found.assign(template=np.repeat(np.arange(EXPERIMENTS), ROWS * REPEATS).astype(str), score=scores.ravel())


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_intervals_hold_the_mean(seed: int) -> None:
    """Of 2,000 experiments, 93 to 97 % have the true mean in their 95 % interval, though runs of a row are alike."""
    found = summary(simulated(seed), "score")
    assert len(found) == EXPERIMENTS
    assert 0.93 <= ((found["low"] < 0) & (found["high"] > 0)).mean() <= 0.97


@pytest.mark.long
@pytest.mark.parametrize(("pairs", "seed"), [(20, 1), (50, 2)])
def test_p_values_are_uniform(pairs: int, seed: int) -> None:
    """Where there is no difference, p-values of continuous scores are uniform: 5 % of them are below 0.05."""
    rng = np.random.default_rng(seed)
    differences = rng.normal(size=(500, pairs)) - rng.normal(size=(500, pairs))
    assert stats.kstest(p_value(differences), "uniform").pvalue > 0.01


def test_a_summary() -> None:
    """A row for each condition: how many runs, scores and failures, the mean and its interval, tokens, cost, times."""
    scores = frame(
        lambda cell: cell["row"] / 10 + (cell["template"] == "long"),
        models=["a", "b"],
        repeats=2,
        status=lambda cell: "failed" if (cell["template"], cell["row"]) == ("short", 0) else "ok",
    )
    scores.loc[1, "status"] = "timeout"
    scores.loc[scores["row"] == 9, "status"] = "waiting"
    scores.loc[4, "score"] = None
    found = summary(scores, "score")
    assert list(found["template"]) == ["short", "short", "long", "long"]
    assert list(found["model"]) == ["a", "b", "a", "b"]
    short = found.iloc[0]
    assert (short["runs"], short["n"], short["failures"], short["unscored"]) == (18, 15, 2, 1)
    assert short["mean"] == pytest.approx((sum(2 * row / 10 for row in range(1, 9)) - 0.1) / 15)
    assert short["low"] < short["mean"] < short["high"]
    assert (short["input_tokens"], short["output_tokens"], short["cost"]) == (200, 100, 10.0)
    times = scores.query("template == 'short' and model == 'a' and status == 'ok'")["seconds"]
    assert short["seconds_p50"] == times.quantile(0.5)
    assert short["seconds_p95"] == times.quantile(0.95)
    assert found["mean"].iloc[2] == pytest.approx(1.4)


def test_rows_are_resampled() -> None:
    """Repeats that say the same again make no interval narrower: the data's rows are what is resampled."""
    once, often = (summary(frame(lambda cell: cell["row"] % 3, repeats=n), "score").iloc[0] for n in (1, 20))
    assert (once["low"], once["high"]) == pytest.approx((often["low"], often["high"]))


def test_rows_with_fewer_scores() -> None:
    """Where runs failed, the mean is that of all scores, and the interval is about it."""
    scores = frame(
        lambda cell: cell["row"], repeats=2, status=lambda cell: "failed" if cell["row"] + cell["repeat"] == 9 else "ok"
    )
    found = summary(scores, "score").iloc[0]
    assert found["mean"] == pytest.approx(scores.query("template == 'short'")["score"].astype(float).mean())
    assert found["low"] < found["mean"] < found["high"]


def test_the_same_each_time() -> None:
    """The same scores have the same summary."""
    scores = frame(lambda cell: cell["row"] % 3)
    pd.testing.assert_frame_equal(summary(scores, "score"), summary(scores, "score"))


@pytest.mark.parametrize(
    ("scores", "n", "mean"),
    [
        (frame(lambda cell: 1, rows=1, repeats=5), 5, 1.0),
        (frame(lambda cell: 0.1 + 0.2, repeats=3), 30, 0.3),
        (frame(lambda cell: True), 10, 1.0),
        (frame(lambda cell: 1, status=lambda cell: "failed"), 0, math.nan),
        (frame(lambda cell: 1, status=lambda cell: "waiting"), 0, math.nan),
        (frame(lambda cell: None), 0, math.nan),
        (frame(lambda cell: 1).astype({"score": float}).assign(score=math.inf), 0, math.nan),
    ],
    ids=["one row", "constant", "all true", "all failed", "none ran", "no scores", "infinite"],
)
def test_no_interval(scores: pd.DataFrame, n: int, mean: float) -> None:
    """One row, the same score everywhere or none at all tell nothing of how others differ: there is no interval."""
    found = summary(scores, "score").iloc[0]
    assert found["n"] == n
    assert found["mean"] == pytest.approx(mean, nan_ok=True)
    assert math.isnan(found["low"])
    assert math.isnan(found["high"])


def test_bools_and_mixed_scores() -> None:
    """Bools count as 0 and 1, also beside numbers; no rows at all have no conditions."""
    found = summary(frame(lambda cell: cell["row"] < 5), "score").iloc[0]
    assert (found["mean"], found["low"] > 0, found["high"] < 1) == (0.5, True, True)
    assert summary(frame(lambda cell: True if cell["row"] < 5 else 0.5), "score")["mean"].iloc[0] == 0.75
    assert summary(frame(lambda cell: 1, rows=0).astype({"score": "Float64"}), "score").empty
    assert list(summary(frame(lambda cell: 1), None)["n"]) == [0, 0]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("scores", "no column 'scores'; did you mean score"),
        ("zzz", "no column 'zzz'; there are template"),
        ("label", r"column 'label' holds str \('good'\); statistics need numbers or bools: rescore"),
        ("text", "column 'text' holds str"),
    ],
)
def test_what_is_no_score(by: str, message: str) -> None:
    """A column that is not there, or holds texts, is an error that says what to do."""
    scores: Any = frame(lambda cell: 1).assign(label="good")
    with pytest.raises(BadArgumentError, match=message):
        summary(scores, by)


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SciPy is missing, the error says what to install."""
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match=r"statistics need SciPy; run: pip install 'gateway-nb\[experiments\]'"):
        summary(frame(lambda cell: cell["row"]), "score")


def test_an_interval_of_two_rows() -> None:
    """Two rows have an interval between them, or none; one has none."""
    low, high = interval(np.array([[0.0, 1.0], [0.5, 0.5]]))
    assert not low[0] < 0
    assert not high[0] > 1
    assert np.isnan([low[1], high[1]]).all()
    assert np.isnan(interval(np.array([1.0]))).all()
