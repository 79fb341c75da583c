"""Pictures of events: drawn by Altair, shown as SVG and PNG, which need no network and stay in the saved notebook."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..client.redaction.redactor import hidden
from ..errors import BadArgumentError
from .rows import of_events

if TYPE_CHECKING:
    import altair
    import pandas as pd


_BINS, _TICKS = 120, 8
_NAMES = 9
_LONGEST_TEXT = 1024
_WIDTH, _HEIGHT, _BAR = 560, 200, 18
_INK = "#7a7a7a"
_STATUS_COLOURS = {"ok": "#3a923a", "error": "#c03d3e", "aborted": "#d9a441", "running": "#3274a1"}
_UNITS = (("D", 86_400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 0.001))
_FORMS = ((86_400, "%Y-%m-%d"), (600, "%m-%d %H:%M"), (1, "%H:%M:%S"), (0, "%M:%S.%L"))
_NICE_SECONDS = (
    *(step * power for power in (0.001, 0.01, 0.1) for step in (1, 2, 5)),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400),
)


class Plot:
    """A picture, as a notebook shows it.

    Args:
        chart: what is drawn.
        title: what it shows, for people and for ``text/plain``.

    Attributes:
        chart: the `altair.Chart`, to change it further.
    """

    def __init__(self, chart: altair.TopLevelMixin, title: str) -> None:
        self.chart = chart
        self._title = title

    @property
    def svg(self) -> str:
        """The picture as SVG text."""
        import vl_convert

        picture: str = vl_convert.vegalite_to_svg(self.chart.to_dict())
        return picture

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        import vl_convert

        svg = self.svg
        # JupyterLab shows no SVG in a notebook that is not trusted yet: whoever is sent one sees the PNG.
        png = b64encode(vl_convert.svg_to_png(svg)).decode()
        return {"image/svg+xml": svg, "image/png": png, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Plot {self._title}>"


class Source(Protocol):
    """What pictures are made of."""

    @property
    def df(self) -> pd.DataFrame:
        """The events."""

    def runs(self) -> pd.DataFrame:
        """Return the agent runs."""

    def tool_calls(self) -> pd.DataFrame:
        """Return their tool calls."""


@dataclass(frozen=True)
class Plots:
    """What can be drawn of events, of a log or a recording: ``gw.events.plot.rate()``."""

    _source: Source

    def __repr__(self) -> str:
        return "<pictures of events: .rate(), .timeline(), .latency()>"

    def rate(self, event: str = "*", every: str | None = None) -> Plot:
        """Plot the number of events over time, by event.

        Args:
            event: name or glob pattern.
            every: width of a bar, as pandas writes it (``"1s"``, ``"5min"``); default: what gives about 120 bars.

        Raises:
            ImportError: the extra ``plot`` is not installed.
            BadArgumentError: `every` is not a width.
        """
        alt = load_altair()
        if every is not None:
            _check_width(every)
        frame = of_events(self._source.df, event)
        frame = frame[frame["kind"] == "event"]
        width = every or _bin_width(frame["time"])
        counts = _counts(frame, width)
        chart = (
            alt.Chart(counts)
            .mark_bar(orient="vertical")
            .encode(
                x=_time(alt, "time", frame["time"]),
                x2="until",
                y=alt.Y("events:Q", stack="zero", title=f"events per {width}"),
                color=alt.Color("event:N", sort=None, legend=alt.Legend(labelLimit=200)),
            )
        )
        return finished(chart, f"{len(frame):,} events, per {width}", _HEIGHT)

    def timeline(self) -> Plot:
        """Plot the agent runs as bars over time, with their tool calls as thinner bars on top.

        Raises:
            ImportError: the extra ``plot`` is not installed.
        """
        alt = load_altair()
        frame = self._source.df
        runs, calls = self._source.runs(), self._source.tool_calls()
        last = frame["time"].max()
        runs["label"] = runs["run"].str.slice(0, 8) + " " + runs["session"].fillna("")
        calls = calls.merge(runs[["run", "label"]], on="run")
        for bars in (runs, calls):
            bars["end"] = bars["end"].fillna(last)
        row = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=220))
        x = _time(alt, "start", frame["time"])
        colours = alt.Scale(domain=list(_STATUS_COLOURS), range=list(_STATUS_COLOURS.values()))
        whole = alt.Chart(plain(runs)).mark_bar(height=_BAR, opacity=0.55)
        inside = alt.Chart(plain(calls)).mark_bar(height=_BAR // 2, color="#333333", stroke="#e0e0e0")
        chart = alt.layer(
            whole.encode(x=x, x2="end", y=row, color=alt.Color("status:N", scale=colours)),
            inside.encode(x=x, x2="end", y=row, tooltip="tool:N"),
        )
        return finished(chart, f"runs: {len(runs):,}, tool calls: {len(calls):,}", max(len(runs), 1) * (_BAR + 10))

    def latency(self) -> Plot:
        """Plot the seconds to the first token and to the end of each run, over its start.

        Raises:
            ImportError: the extra ``plot`` is not installed.
        """
        alt = load_altair()
        runs = self._source.runs()[["start", "first_token_s", "seconds"]]
        runs.columns = ["start", "first token", "end"]
        times = runs.melt(["start"], var_name="until", value_name="seconds").dropna()
        chart = (
            alt.Chart(plain(times))
            .mark_circle(size=60, opacity=0.8)
            .encode(
                x=_time(alt, "start", runs["start"]),
                y=alt.Y("seconds:Q", title="seconds"),
                color=alt.Color("until:N", sort=None),
            )
        )
        return finished(chart, f"runs: {len(runs):,}", _HEIGHT)


def cost_plot(frame: pd.DataFrame, days: list[str], currency: str) -> Plot:
    """Draw what was spent, by day and model.

    Args:
        frame: columns `day` (``YYYY-MM-DD``), `model`, `cost`.
        days: those of the axis, spent on or not.
        currency: of the cost.

    Raises:
        ImportError: the extra ``plot`` is not installed.
    """
    alt = load_altair()
    chart = (
        alt.Chart(plain(frame))
        .mark_bar()
        .encode(
            x=alt.X("day:O", title="day (UTC)", scale=alt.Scale(domain=days)),
            y=alt.Y("cost:Q", stack="zero", title=f"cost ({currency})"),
            color=alt.Color("model:N", sort=None, legend=alt.Legend(labelLimit=200)),
        )
    )
    return finished(chart, f"cost by day and model: {frame['cost'].sum():,.6g} {currency}", _HEIGHT)


def finished(chart: Any, title: str, height: int) -> Plot:
    """Return a chart as a picture of the size and the looks that all of them have.

    Args:
        chart: Altair's.
        title: what it shows.
        height: in pixels.
    """
    # No background, and an ink that is readable on a light one and on a dark one: a picture cannot ask for the theme.
    # The legend goes below: a notebook is narrow.
    chart = (
        chart.properties(width=_WIDTH, height=height, title=title, background="transparent")
        .configure_axis(
            labelColor=_INK, titleColor=_INK, domainColor=_INK, tickColor=_INK, gridColor=_INK, gridOpacity=0.3
        )
        .configure_legend(orient="bottom", columns=4, labelColor=_INK, titleColor=_INK)
        .configure_title(color=_INK)
        .configure_view(stroke=_INK, strokeOpacity=0.3)
    )
    return Plot(chart, title)


def _counts(frame: pd.DataFrame, width: str) -> pd.DataFrame:
    """Return events by time and name; rare names together, so that the picture stays readable."""
    import pandas as pd

    names = frame["event"].astype("object")
    frequent = names.value_counts().index[:_NAMES]
    names = names.where(names.isin(frequent), "other")
    counts = frame.groupby([frame["time"].dt.floor(width), names.rename("event")], observed=True).size()
    bars = counts.rename("events").reset_index()
    return plain(bars.assign(until=bars["time"] + pd.Timedelta(width)))


def _check_width(every: str) -> None:
    import pandas as pd

    try:
        if pd.Timedelta(every) > pd.Timedelta(0):
            pd.DatetimeIndex([]).floor(every)
            return
    except (ValueError, TypeError):
        pass
    raise BadArgumentError(f"every must be a width like '1s', '5min' or '1h', not {every!r}")


def _bin_width(times: pd.Series[pd.Timestamp]) -> str:
    step = _step(times, _BINS)
    return next(f"{round(step / unit)}{name}" for name, unit in _UNITS if step >= unit)


def _step(times: pd.Series[pd.Timestamp], parts: int) -> float:
    """Return a round number of seconds that divides the span into at most so many parts."""
    seconds = (times.max() - times.min()).total_seconds() if len(times) else 0.0
    return next((nice for nice in _NICE_SECONDS if nice * parts >= seconds), 86_400 * -(-seconds // (86_400 * parts)))


def _time(alt: Any, column: str, times: pd.Series[pd.Timestamp]) -> Any:
    """Return the time axis, with labels that say as much as its span needs.

    It is one of milliseconds: Vega's own of times joins its ticks by the second, and loses all but one of each.
    """
    import pandas as pd

    step = _step(times, _TICKS)
    form = next(form for least, form in _FORMS if step >= least)
    title, ticks = "time (UTC)", pd.DatetimeIndex([], tz="UTC")
    if len(times):
        every = pd.Timedelta(seconds=step)
        title += f", from {times.min():%Y-%m-%d %H:%M}"
        ticks = pd.date_range(times.min().ceil(every), times.max(), freq=every)
        ticks = ticks if len(ticks) else pd.DatetimeIndex([times.min()])
    axis = alt.Axis(values=_milliseconds(ticks).tolist(), labelExpr=f"utcFormat(round(datum.value), '{form}')")
    return alt.X(f"{column}:Q", scale=alt.Scale(zero=False, nice=False), axis=axis, title=title)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the types Altair knows, times in milliseconds, and no secrets: pictures are saved."""
    texts = frame.select_dtypes(["object", "string", "category"])
    frame = frame.assign(**{str(name): texts[name].astype("object").map(_shown).astype("object") for name in texts})
    return frame.assign(**{str(name): _milliseconds(frame[name]) for name in frame.select_dtypes("datetimetz")})


def _shown(text: Any) -> Any:
    return hidden(text, _LONGEST_TEXT) if isinstance(text, str) else text


def _milliseconds(times: Any) -> Any:
    import pandas as pd

    return (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(milliseconds=1)


def load_altair() -> Any:
    """Return Altair, which takes frames of any length.

    Raises:
        ImportError: the extra ``plot`` is not installed.
    """
    try:
        import altair
        import vl_convert  # noqa: F401 - needed when it is shown
    except ImportError:
        raise ImportError("plots need Altair and vl-convert; run: pip install 'gateway-nb[plot]'") from None
    altair.data_transformers.disable_max_rows()
    return altair
