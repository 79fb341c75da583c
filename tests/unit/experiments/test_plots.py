"""Pictures of experiments: valid SVG that tells what the numbers tell."""

from __future__ import annotations

import random
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments.plots import ScorePlots
from tests.helpers.experiments import frame

pytestmark = pytest.mark.long


def plots(scores: pd.DataFrame) -> ScorePlots:
    return ScorePlots(lambda: scores, lambda by: by or "score")


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]


def noisy(**options: Any) -> pd.DataFrame:
    rng = random.Random(1)
    return frame(lambda cell: cell["row"] + rng.gauss(cell["template"] == "long", 0.1), **options)


def test_scores() -> None:
    """Each condition has its name, and the title says how many scores there are, and how many runs failed."""
    scores = noisy(models=["a", "b"], status=lambda cell: "failed" if cell["row"] == 0 else "ok")
    drawn = plots(scores).scores()
    assert repr(drawn) == "<Plot score: mean and 95 % interval of 36 scores; 4 runs failed>"
    assert {"short · a", "short · b", "long · a", "long · b"} <= set(texts(drawn.svg))
    assert set(drawn._repr_mimebundle_()) == {"image/svg+xml", "image/png", "text/plain"}


def test_pairs() -> None:
    """The title counts on which side of the line the data's rows are; equal ones are on it."""
    drawn = plots(noisy(rows=20)).pairs("short", "long")
    assert repr(drawn) == "<Plot 20 data rows; long higher: 20>"
    assert {"score of short", "score of long"} <= set(texts(drawn.svg))
    same = plots(frame(lambda cell: cell["row"] % 2 == 0)).pairs("short", "long")
    assert repr(same) == "<Plot 10 data rows; the same: 10>"
    assert texts(same.svg)


def test_cost() -> None:
    """A condition whose cost the gateway does not tell is counted in the title."""
    scores = noisy()
    scores.loc[scores["template"] == "short", "cost"] = None
    drawn = plots(scores).cost()
    assert repr(drawn) == "<Plot cost and score; 1 without a known cost>"
    assert {"cost of a run (USD)", "score"} <= set(texts(drawn.svg))


@pytest.mark.parametrize(
    "scores",
    [
        frame(lambda cell: 1, status=lambda cell: "failed"),
        frame(lambda cell: 1, status=lambda cell: "waiting"),
        frame(lambda cell: 1, rows=1),
        frame(lambda cell: True, repeats=2),
    ],
    ids=["all failed", "none ran", "one row", "constant"],
)
def test_little_to_draw(scores: pd.DataFrame) -> None:
    """Without scores, or with the same everywhere, there are pictures all the same."""
    for drawn in (plots(scores).scores(), plots(scores).pairs("short", "long"), plots(scores).cost()):
        assert texts(drawn.svg)


def test_hostile_names() -> None:
    """Names are text in a picture, in one line, and not markup."""
    name = "<script>alert(1)</script>\n\x1b[2K" + "x" * 200
    scores = frame(lambda cell: cell["row"], templates=[name, "b"])
    for drawn in (plots(scores).scores(), plots(scores).pairs(name, "b"), plots(scores).cost()):
        assert not any(each.tag.endswith("script") for each in ElementTree.fromstring(drawn.svg).iter())
        assert repr(drawn).isprintable()


def test_unusable_arguments() -> None:
    """Columns and conditions that are not there are refused as in comparisons."""
    drawn = plots(frame(lambda cell: 1))
    with pytest.raises(BadArgumentError, match="no column 'zzz'"):
        drawn.scores("zzz")
    with pytest.raises(BadArgumentError, match="no condition 'zzz'"):
        drawn.pairs("short", "zzz")
    with pytest.raises(BadArgumentError, match="name two conditions"):
        drawn.pairs("short", None)  # type: ignore[arg-type]
