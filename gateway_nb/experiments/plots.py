"""Pictures of experiments: scores with their intervals, pairs, cost against score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import BadArgumentError, one_line
from ..events.plots import Plot, finished, load_altair, plain
from .comparison import conditions, side_by_side
from .statistics import KINDS, ROUNDING, scores_of, summary

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_NAME = 60
_ROW, _HEIGHT = 28, 300
_INK = "#7a7a7a"
_HIGHER, _LOWER, _SAME = "#3a923a", "#c03d3e", "#7a7a7a"


@dataclass(frozen=True)
class ScorePlots:
    """What can be drawn of an experiment: ``exp.plot.scores()``.

    Args:
        frame: returns its `Experiment.df`.
        score: returns the column with the scores that a name means, ``None`` the first scorer's.
    """

    _frame: Callable[[], pd.DataFrame]
    _score: Callable[[str | None], str]

    def __repr__(self) -> str:
        return "<pictures of the experiment: .scores(), .pairs(a, b), .cost()>"

    def scores(self, by: str | None = None) -> Plot:
        """Plot the mean score of each condition, with its 95 % interval.

        Args:
            by: the column with the scores; default: the first scorer's.

        Raises:
            BadArgumentError: there is no such column, or it holds no numbers.
            ImportError: the extra ``plot`` or ``experiments`` is not installed.
        """
        alt = load_altair()
        by = self._score(by)
        found = _labelled(summary(self._frame(), by))
        base = alt.Chart(plain(found)).encode(y=_conditions(alt), color=_colour(alt, legend=False))
        lines = base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=_axis(alt, "low", by), x2="high")
        dots = base.mark_circle(size=90, opacity=1).encode(x=_axis(alt, "mean", by))
        title = f"{_name(by)}: mean and 95 % interval of {found['n'].sum():,} scores{_failures(found)}"
        return finished(lines + dots, title, max(len(found), 1) * _ROW)

    def pairs(self, a: str, b: str, by: str | None = None) -> Plot:
        """Plot each data row's score of one condition against that of another: above the line, `b` is higher.

        Args:
            a: a condition, as for `Experiment.compare`.
            b: another one.
            by: the column with the scores; default: the first scorer's.

        Raises:
            BadArgumentError: there is no such condition or column, or it holds no numbers.
            ImportError: the extra ``plot`` is not installed.
        """
        import numpy as np
        import pandas as pd

        if a is None or b is None:
            raise BadArgumentError("pairs: name two conditions")
        alt = load_altair()
        frame, by = self._frame(), self._score(by)
        kind, _ = conditions(frame, a, b)
        rows = side_by_side(frame, kind, a, b, scores_of(frame, by)).dropna().groupby("row").mean()
        same = np.isclose(rows[a], rows[b], rtol=ROUNDING, atol=0)
        higher = np.where(same, 0, np.sign(rows[b] - rows[a]))
        colours = {f"{_name(b)} higher": _HIGHER, "the same": _SAME, f"{_name(b)} lower": _LOWER}
        outcomes = [list(colours)[1 - int(sign)] for sign in higher]
        points = pd.DataFrame({"a": rows[a].to_numpy(), "b": rows[b].to_numpy(), "outcome": outcomes})
        places = points.value_counts(["a", "b", "outcome"]).rename("rows").reset_index()  # bools have but four
        ends = [rows.to_numpy().min(), rows.to_numpy().max()] if len(rows) else [0, 1]
        line = alt.Chart(pd.DataFrame({"a": ends, "b": ends})).mark_line(color=_INK, strokeDash=[4, 4])
        dots = alt.Chart(plain(places)).mark_circle(opacity=0.7)
        x, y = _axis(alt, "a", f"{_name(by)} of {_name(a)}"), alt.Y("b:Q", title=f"{_name(by)} of {_name(b)}")
        scale = alt.Scale(domain=list(colours), range=list(colours.values()))
        size = alt.Scale(domain=[1, max([2, *places["rows"]])], range=[60, 600])
        chart = line.encode(x=x, y=y.scale(zero=False)) + dots.encode(
            x=x,
            y=y.scale(zero=False),
            color=alt.Color("outcome:N", scale=scale, title=None),
            size=alt.Size("rows:Q", scale=size, legend=None),
        )
        counts = ", ".join(f"{name}: {count}" for name in colours if (count := (points["outcome"] == name).sum()))
        return finished(chart, f"{len(points):,} data rows; {counts}", _HEIGHT)

    def cost(self, by: str | None = None) -> Plot:
        """Plot what a run of each condition costs against its mean score, with the 95 % interval.

        Args:
            by: the column with the scores; default: the first scorer's.

        Raises:
            BadArgumentError: there is no such column, or it holds no numbers.
            ImportError: the extra ``plot`` or ``experiments`` is not installed.
        """
        alt = load_altair()
        by = self._score(by)
        found = _labelled(summary(self._frame(), by))
        found["each"] = (found["cost"] / found["runs"].where(found["runs"] > 0)).astype(float)
        base = alt.Chart(plain(found)).encode(
            x=alt.X("each:Q", title="cost of a run (USD)", scale=alt.Scale(zero=True, nice=True)),
            color=_colour(alt, legend=True),
        )
        y = alt.Scale(zero=False)
        lines = base.mark_rule(strokeWidth=3, opacity=0.6).encode(y=alt.Y("low:Q", title=_name(by), scale=y), y2="high")
        dots = base.mark_circle(size=90, opacity=1).encode(y=alt.Y("mean:Q", title=_name(by), scale=y))
        unknown = int(found["each"].isna().sum())
        title = f"cost and {_name(by)}{_failures(found)}"
        return finished(lines + dots, title + (f"; {unknown} without a known cost" if unknown else ""), _HEIGHT)


def _labelled(found: pd.DataFrame) -> pd.DataFrame:
    """Return a summary with a column `condition`: what differs between its rows, as text."""
    import pandas as pd

    varied = [kind for kind in KINDS if found[kind].nunique(dropna=False) > 1] or [KINDS[0]]
    labels = [
        " · ".join(_name("default" if pd.isna(name) else name) for name in each) for each in found[varied].to_numpy()
    ]
    return found.assign(condition=pd.Series(labels, dtype="object"))


def _name(text: Any) -> str:
    return one_line(text, _LONGEST_NAME)


def _failures(found: pd.DataFrame) -> str:
    return f"; {count:,} runs failed" if (count := int(found["failures"].sum())) else ""


def _conditions(alt: Any) -> Any:
    return alt.Y("condition:N", sort=None, title=None, axis=alt.Axis(labelLimit=220))


def _colour(alt: Any, *, legend: bool) -> Any:
    shown = alt.Legend(labelLimit=220, title=None) if legend else None
    return alt.Color("condition:N", sort=None, legend=shown)


def _axis(alt: Any, column: str, title: str) -> Any:
    return alt.X(f"{column}:Q", title=_name(title), scale=alt.Scale(zero=False))
