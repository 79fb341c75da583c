"""What can be asked of an experiment's scores: summaries, comparisons, pictures, other scores, exports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from ..client.calls import user_facing
from ..errors import BadArgumentError
from ..events import widgets
from ..faces.gateway import Gateway
from ..sync.loop_thread import LoopThread
from . import inspect_log
from .listening import recorded_traces, with_usage
from .marking import Marking
from .plan import MARK, Plan
from .progress import Bar
from .scoring import Scorer, Value, columns, score
from .store import Manifest, Record, Store

if TYPE_CHECKING:
    import pandas as pd

    from ..events.widgets import AnnotateView
    from .comparison import Comparison
    from .plots import ScorePlots


@user_facing
class Analysis:
    """The scores of an experiment, and what they show."""

    plan: Plan
    records: dict[int, Record]
    scorers: Mapping[str, Scorer]
    _gateway: Gateway
    _store: Store
    _manifest: Manifest
    _thread: LoopThread

    if TYPE_CHECKING:  # what an experiment has

        @property
        def df(self) -> pd.DataFrame: ...
        @property
        def scores(self) -> list[str]: ...

    def summary(self, by: str | None = None) -> pd.DataFrame:
        """Return a row for each condition, which is a template, a model and an agent.

        Args:
            by: the column with the scores: numbers or bools; default: the first scorer's.

        Returns:
            Columns: `template`, `model`, `agent`, `runs`, `n`, `mean`, `low`, `high`, `failures`, `unscored`,
            `input_tokens`, `output_tokens`, `cost`, `seconds_p50`, `seconds_p95`: see `statistics.summary`.

        Raises:
            BadArgumentError: there is no such column, or it holds no numbers.
            ImportError: the extra ``experiments`` is not installed.

        Example:
            >>> exp = gnb.experiment(
            ...     gw,
            ...     {"say": "echo:{text}", "shout": "echo:{text}!"},
            ...     data=[{"text": "one"}, {"text": "two"}],
            ...     scorers={"short": lambda row, answer, trace: len(answer) < 4},
            ...     path="exp/summary",
            ... ).run()
            2 templates x ... to run, 4 at a time
            >>> exp.summary()[["template", "n", "mean"]]
              template  n  mean
            0      say  2   1.0
            1    shout  2   0.0
        """
        from .statistics import summary

        return summary(self.df, self._by(by) if by is not None or self.scores else None)

    def compare(self, a: str | None = None, b: str | None = None, by: str | Sequence[str] | None = None) -> Comparison:
        """Return how the scores of conditions differ: paired by data row, with an interval, a p-value, and a sentence.

        Several comparisons in one call are corrected for their number (Holm).

        Args:
            a: a condition: the name of a template, or else a model or an agent; default: every pair of templates, or of
                models or agents where there is one template.
            b: another of the same kind; default: each other one.
            by: the column with the scores: numbers or bools; or several; default: the first scorer's.

        Returns:
            A `Comparison`, which shows itself; its ``.df`` has a row for each comparison.

        Raises:
            BadArgumentError: there is no such condition or column, it is of several kinds, or holds no numbers.
            ImportError: the extra ``experiments`` is not installed.

        Example:
            >>> exp = gnb.experiment(
            ...     gw,
            ...     {"say": "echo:{text}", "shout": "echo:{text}!"},
            ...     data=[{"text": "one"}, {"text": "two"}],
            ...     scorers={"length": lambda row, answer, trace: len(answer)},
            ...     path="exp/compare",
            ... ).run()
            2 templates x ... to run, 4 at a time
            >>> exp.compare("say", "shout").df[["difference", "pairs"]]
               difference  pairs
            0        -1.0      2
        """
        from .comparison import compare

        return compare(self.df, a, b, self._by(by) if by is None else by)

    @property
    def plot(self) -> ScorePlots:
        """Pictures: ``exp.plot.scores()``, ``.pairs("a", "b")``, ``.cost()``; see `ScorePlots`."""
        from .plots import ScorePlots

        return ScorePlots(lambda: self.df, self._by)

    def _by(self, by: Any) -> str:
        """Return the column of scores that is meant: by default the first scorer's, of several that with numbers."""
        import pandas as pd

        if by is not None:
            return str(by)
        frame, names = self.df, self.scores
        if not names:
            if MARK in frame:
                return MARK
            raise BadArgumentError("there are no scores: give scorers=, call rescore(), or mark answers in annotate()")
        own = [name for name in names if name == names[0] or name.startswith(f"{names[0].partition('.')[0]}.")]
        return next((name for name in own if not pd.api.types.is_string_dtype(frame[name])), own[0])

    def rescore(self, scorers: Mapping[str, Scorer] | Sequence[Scorer] | None = None) -> Self:
        """Score every answer again, without running anything again. Ctrl-C stops it; what was scored is kept.

        Args:
            scorers: as for `experiment`, in the place of those there were; default: the same again. Marks that were
                given by hand stay.

        Returns:
            The experiment.

        Raises:
            BadArgumentError: a scorer can't be used, or there are none.
            ExperimentError: it runs, or its folder can't be written.

        Example:
            >>> exp = gnb.experiment(gw, {"say": "echo:{text}"}, data=[{"text": "one"}], path="exp/rescore").run()
            1 template x ... to run, 4 at a time
            >>> exp.rescore({"length": lambda row, answer, trace: len(answer)}).df[["answer", "length"]]
              answer  length
            0    one       3
        """
        named = self.scorers if scorers is None else columns(scorers, self.plan.taken)
        if not named:
            raise BadArgumentError("rescore: there are no scorers")
        with self._store.locked():
            self.records.update(self._store.read_records())
            records = (record for _, record in sorted(self.records.items()))
            answered = [each for each in records if each.status == "ok" and each.answer is not None]
            traces = recorded_traces(self._store.events)
            gate = asyncio.Semaphore(self._manifest.limits.parallel)

            async def scored(record: Record) -> tuple[dict[str, Value], list[str]]:
                row, trace = self.plan.rows[self.plan.cells[record.cell].row], traces.get(str(record.run))
                async with gate:
                    return await score(named, row, str(record.answer), trace and with_usage(trace, record))

            self.scorers = named
            handles = [(each, self._thread.submit(scored(each), f"scores of cell {each.cell}")) for each in answered]
            try:
                for record, handle in Bar(handles, desc="rescore", unit="answer", disable=None):
                    scores, errors = handle.result()
                    record = replace(record, scores=scores, error="; ".join(errors) or None)
                    self._store.put(record)
                    self.records[record.cell] = record
            finally:
                for _, handle in handles:
                    handle.cancel()
        return self

    def annotate(self) -> AnnotateView:
        """Return a widget to read the answers side by side and mark them from 1 to 5, without seeing which is which.

        The marks are kept with the experiment, in the column ``mark``: ``exp.compare("a", "b", by="mark")``.

        Raises:
            BadArgumentError: there are no answers yet.
        """
        marking = Marking(self.plan, self.records, self._store)
        if not marking.pages:
            raise BadArgumentError("annotate: there are no answers yet; run() brings some")
        view: AnnotateView = widgets.backend.annotate_view(marking, self._gateway.redactor.text)
        return view

    def to_inspect(self, path: str | Path) -> Path:
        """Write a log of Inspect, which ``inspect view`` and ``inspect_ai.analysis`` read.

        A sample is a run that ended, with its prompt, answer, scores, and what it used; its ``uuid`` is the run's id,
        and its metadata has the template, the model, the agent, the session and the data's own columns. An epoch is a
        repeat.

        Args:
            path: a new file that ends in ``.eval``.

        Returns:
            The path.

        Raises:
            BadArgumentError: the suffix is another one.
            FileExistsError: there is such a file.

        Example:
            >>> exp = gnb.experiment(gw, {"say": "echo:{text}"}, data=[{"text": "one"}], path="exp/inspect").run()
            1 template x ... to run, 4 at a time
            >>> path = exp.to_inspect("echo.eval")
        """
        frame, path = self.df, Path(path)
        scores = [*self.scores, *([MARK] if MARK in frame else [])]
        prompts = [self.plan.message(cell) for cell in self.plan.cells]
        clean = self._gateway.redactor.value
        log = inspect_log.log_of(self._manifest.name, self._manifest.id, frame, scores, prompts, clean)
        inspect_log.write(path, *log)
        return path
