"""Conditions compared: by pairs, by rows where there are none, and said in a sentence."""

from __future__ import annotations

import math
import random
from typing import Any

import pandas as pd
import pytest

from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments.comparison import compare, holm
from tests.helpers.experiments import frame


def noisy(effect: float, rows: int = 20, seed: int = 1, **options: Any) -> pd.DataFrame:
    """Return scores with an effect of the row much larger than that of the template."""
    rng = random.Random(seed)
    return frame(
        lambda cell: 3 * cell["row"] + effect * (cell["template"] == "long") + rng.gauss(0, 0.5), rows=rows, **options
    )


def test_a_difference() -> None:
    """What differs within each row is found, however much rows differ: with interval, p-value, effect, a sentence."""
    scores = noisy(1.0)
    found = compare(scores, "long", "short", "score")
    row = found.df.iloc[0]
    wide = scores.pivot(index="row", columns="template", values="score")
    differences = wide["long"] - wide["short"]
    assert (row["a"], row["b"], row["by"], row["pairs"]) == ("long", "short", "score", 20)
    assert row["difference"] == pytest.approx(differences.mean())
    assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    assert row["low"] < 1.0 < row["high"]
    assert row["low"] > 0
    assert row["p"] == row["p_adjusted"] < 0.001
    assert row["effect"] == pytest.approx(differences.mean() / differences.std())
    assert repr(found) == (
        f"'score': 'long' scores {row['difference']:.3g} higher than 'short', with 20 pairs "
        f"(95 % interval of the difference {row['low']:.3g} to {row['high']:.3g}, p < 0.001)"
    )
    back = compare(scores, "short", "long", "score").df.iloc[0]
    assert (back["difference"], back["p"]) == (pytest.approx(-row["difference"]), row["p"])
    assert "lower than" in back["sentence"]


def test_no_difference() -> None:
    """Where none could be shown, the sentence says with how many pairs, and how many would show one of 0.1."""
    rng = random.Random(3)
    scores = frame(lambda cell: rng.uniform(0, 1), rows=20)
    found = compare(scores, "short", "long", "score")
    row = found.df.iloc[0]
    assert row["p"] > 0.05
    spread = abs(row["difference"] / row["effect"])
    needed = math.ceil(((1.959964 + 0.841621) * spread / 0.1) ** 2)
    assert repr(found) == (
        f"'score': no difference between 'short' and 'long' could be shown with 20 pairs (p = {row['p']:.2g}); "
        f"about {int(float(f'{needed:.1e}')):,} pairs would show one of 0.1"
    )
    many = frame(lambda cell: rng.uniform(0.4, 0.6), rows=200)
    assert repr(compare(many, "short", "long", "score")).endswith("; one of 0.1 would most likely have been shown")


def test_other_conditions_are_kept_apart() -> None:
    """Templates are compared within each model: a model that failed for one of them does not count for the other."""
    scores = frame(
        lambda cell: cell["row"] + 100 * (cell["model"] == "b") + (cell["template"] == "long"),
        models=["a", "b"],
        repeats=2,
        status=lambda cell: "failed" if (cell["template"], cell["model"]) == ("long", "b") else "ok",
    )
    row = compare(scores, "long", "short", "score").df.iloc[0]
    assert (row["pairs"], row["difference"]) == (10, 1.0)
    models = compare(scores, "a", "b", "score").df.iloc[0]
    assert (models["pairs"], models["difference"]) == (10, -100.0)


def test_rows_without_a_pair() -> None:
    """Rows with a score of one condition alone are left out, and the sentence says how many."""
    scores = noisy(1.0, status=lambda cell: "failed" if (cell["template"] == "long" and cell["row"] < 3) else "ok")
    found = compare(scores, "long", "short", "score")
    row = found.df.iloc[0]
    assert (row["pairs"], row["rows_a"], row["rows_b"], row["left_out"]) == (17, 17, 20, 3)
    assert "with 17 pairs, 3 rows with a score of one alone left out (" in repr(found)


def test_no_pairs() -> None:
    """Where no data row has both, whatever rows each has are compared, and the sentence says so."""
    rng = random.Random(1)
    scores = frame(
        lambda cell: rng.gauss(cell["template"] == "long", 0.5),
        rows=40,
        status=lambda cell: "ok" if (cell["row"] % 2 == 0) == (cell["template"] == "long") else "aborted",
    )
    row = compare(scores, "long", "short", "score").df.iloc[0]
    assert pd.isna(row["pairs"])
    assert (row["rows_a"], row["rows_b"], row["left_out"]) == (20, 20, 0)
    assert row["low"] < 1 < row["high"]
    assert row["p"] < 0.001
    assert "with 20 and 20 rows, not paired (95 %" in row["sentence"]
    same = compare(scores.assign(score=[rng.gauss(0, 1) for _ in range(80)]), "long", "short", "score").df.iloc[0]
    assert same["p"] > 0.05
    assert "rows each would show one of" in same["sentence"]


def test_several_comparisons() -> None:
    """Every pair of templates, or several columns, are compared in one call, and their p-values corrected for it."""
    rng = random.Random(1)
    scores = frame(lambda cell: rng.gauss(cell["template"] == "c", 1), templates=["a", "b", "c"], rows=30)
    found = compare(scores.assign(other=scores["score"]), None, None, ["score", "other"])
    assert list(zip(found.df["a"], found.df["b"], found.df["by"], strict=True)) == [
        (a, b, by) for by in ("score", "other") for a, b in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    assert list(found.df["p_adjusted"]) == holm(list(found.df["p"]))
    assert "after correction for 6 comparisons" in repr(found)
    assert list(compare(scores, "c", None, "score").df["b"]) == ["a", "b"]
    shown = found._repr_html_()
    assert shown.count("<p>") == 6
    assert "p_adjusted" in shown


def test_holm() -> None:
    """Each p-value is multiplied by how many are as large, none is below a smaller one's; missing ones don't count."""
    assert holm([0.01, 0.04, math.nan, 0.03]) == pytest.approx([0.03, 0.06, math.nan, 0.06], nan_ok=True)
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (frame(lambda cell: cell["row"]), "'score': 'short' and 'long' score the same: 10 pairs"),
        (
            frame(lambda cell: 0.1 + 0.2 if cell["template"] == "short" else 0.3),
            "'score': 'short' and 'long' score the same: 10 pairs",
        ),
        (
            frame(lambda cell: 0.1 * cell["row"] + 0.3 * (cell["template"] == "short")),
            "'score': 'short' scores 0.3 higher than 'long', with 10 pairs (p = 0.002)",
        ),
        (frame(lambda cell: 1, rows=1), "'score': 'short' and 'long' can't be compared: there are 1 pairs"),
        (frame(lambda cell: None), "'score': 'short' and 'long' can't be compared: there are 0 pairs"),
        (
            frame(lambda cell: 1, status=lambda cell: "ok" if cell["template"] == "short" else "failed"),
            "'score': 'short' and 'long' can't be compared: "
            "there are 0 pairs, 10 rows with a score of one alone left out",
        ),
        (
            frame(lambda cell: cell["row"] / 10 + (cell["template"] == "long") * (1 + cell["row"]), rows=4),
            "'score': no difference between 'short' and 'long' could be shown with 4 pairs (p = 0.12); "
            "about 82 pairs would show one of 0.4",
        ),
    ],
    ids=[
        "equal",
        "equal but for rounding",
        "constant difference",
        "one row",
        "no scores",
        "one failed",
        "too few for any",
    ],
)
def test_little_to_compare(scores: pd.DataFrame, sentence: str) -> None:
    """Where numbers can't tell, the sentence says so, without a warning or a false certainty."""
    assert repr(compare(scores, "short", "long", "score")) == sentence


@pytest.mark.parametrize(
    ("a", "b", "by", "message"),
    [
        ("short", "log", "score", "no condition 'log', but long"),
        ("nothing like it", "long", "score", "no condition 'nothing like it', but short, long, a, b, x"),
        ("short", "a", "score", "'short' and 'a' are not of the same kind"),
        ("short", "short", "score", "nothing but 'short'"),
        ("main", None, "score", "no condition 'main'"),
        ("x", None, "score", "nothing but 'x'"),
        (None, "long", "score", "name the first condition"),
        ("short", "long", "scor", "no column 'scor'; did you mean score"),
        ("short", "long", [], "name a column with scores"),
    ],
)
def test_unusable_arguments(a: Any, b: Any, by: Any, message: str) -> None:
    """Conditions and columns that are not there, or can't be compared, are refused with what there is."""
    with pytest.raises(BadArgumentError, match=message):
        compare(frame(lambda cell: 1, models=["a", "b"], agents=["x"]), a, b, by)


def test_an_ambiguous_condition() -> None:
    """A name of a template and of a model at once is refused where either could be meant."""
    scores = frame(lambda cell: 1, templates=["a", "b"], models=["a", "b", "c"])
    with pytest.raises(BadArgumentError, match="'a' is ambiguous, of a template and of a model"):
        compare(scores, "a", "b", "score")
    assert compare(scores, "a", "c", "score").df["pairs"].item() == 10
    with pytest.raises(BadArgumentError, match="one condition alone"):
        compare(frame(lambda cell: 1, templates=["a"]), None, None, "score")


def test_hostile_names() -> None:
    """Names are shown as text: without markup, line breaks or control characters."""
    name = "<img src=x>\n\x1b[2K\u202e"
    found = compare(frame(lambda cell: 1, templates=[name, "b"]), name, "b", "score")
    shown = found._repr_html_()
    assert "<img" not in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert repr(found).isprintable()
