"""`Experiment`: many runs of agents, planned, run so that nothing is lost, and compared."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..capture.journal import Capture
from ..capture.recording import Recording
from ..client.calls import user_facing
from ..errors import BadArgumentError, ExperimentError, one_line
from ..events import widgets
from ..faces.gateway import Gateway
from ..protocol.scopes import ADMIN, allows
from ..records.reading import Reader
from ..sync.handle import RequestHandle
from ..sync.loop_thread import INTERRUPT_SECONDS, loop_thread
from .analysis import Analysis
from .conditions import check_conditions
from .frame import frame_of
from .listening import RunEvents
from .plan import Plan
from .progress import summary, wait
from .running import DONE, AtStop, Runner
from .scoring import Scorer
from .store import Manifest, Store, storable

if TYPE_CHECKING:
    import pandas as pd

    from ..events.widgets import ExperimentView


@user_facing
class Experiment(Analysis):
    """Templates x rows x agents x models x repeats, each a run in a session of its own. Made by `experiment`.

    Attributes:
        plan: what is run.
        limits: how it is run.
        records: what is known of cells, by number.
        scorers: by the names of their columns.
    """

    def __init__(
        self, gateway: Gateway, store: Store, manifest: Manifest, plan: Plan, scorers: Mapping[str, Scorer]
    ) -> None:
        self.plan = plan
        self.limits = manifest.limits
        self.records = store.read_records()
        self.scorers = scorers
        self._gateway = gateway
        self._store = store
        self._manifest = manifest
        self._thread = loop_thread()
        self._runner: Runner | None = None

    # Seeing

    @property
    def name(self) -> str:
        """Its name: that of its folder."""
        return self._manifest.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._store.folder

    @property
    def scores(self) -> list[str]:
        """The columns of scores: of the scorers, in their order, then of those that were there before.

        A scorer that gave no score yet has a column, too, in which all are missing.
        """
        found = dict.fromkeys(name for record in list(self.records.values()) for name in record.scores or ())
        own: list[str] = []
        for scorer in self.scorers:
            own += [name for name in found if name == scorer or name.startswith(f"{scorer}.")] or [scorer]
        return list(dict.fromkeys([*own, *found]))

    @property
    def df(self) -> pd.DataFrame:
        """A row for each cell: ``template, row, model, agent, repeat``, the data's own columns, ``answer, status,
        seconds, input_tokens, output_tokens, cost, run, session``, a column per scorer, ``mark`` where somebody marked
        answers by hand, and ``error``.

        The status is ok, failed, timeout, aborted, lost, running or waiting. ``run`` and ``session`` are those of
        ``gw.data``, traces and transcripts. Seconds are from the request to the end; tokens and cost (USD) are those of
        all attempts, where a gateway restarted or somebody stopped the first.
        """
        return frame_of(self.plan, self.records, self.scores)

    @property
    def events(self) -> Recording:
        """The events of its runs, as they were written: ``exp.events.trace(run)``. Reading them raises `CaptureError`
        before the first run.
        """
        return Recording([self._store.events])

    def grid(self) -> ExperimentView:
        """Return a live widget: a square for each cell by its state, and the scores so far, by condition.

        Example:
            >>> exp = gnb.experiment(gw, {"say": "echo:{text}"}, data=[{"text": "one"}], path="grid")
            >>> exp.grid()
            <ExperimentView>
        """
        view: ExperimentView = widgets.backend.experiment_view(self)
        return view

    def __repr__(self) -> str:
        return f"<Experiment {self.name!r}: {self.plan}; {summary(list(self.records.values()), len(self.plan.cells))}>"

    # Running

    def run(self, *, at_stop: AtStop = "abort") -> Experiment:
        """Run what is left, and show how far it is. Ctrl-C, or a notebook's Stop, pauses it; ``run()`` goes on.

        Nothing that ended is run again, and nothing that was under way is run twice: a run that ended meanwhile, while
        nobody listened, is read from its session. What a gateway lost in a restart, and what was aborted, is run again
        in another session. A failure is a row.

        Args:
            at_stop: what becomes of runs under way at the first Ctrl-C: ``"abort"`` them, or ``"wait"`` for them; the
                second leaves them to the gateway, where the next ``run()`` finds them.

        Returns:
            The experiment.

        Raises:
            BadArgumentError: the gateway lacks an agent or a model; nothing was run.
            ExperimentError: another process runs it, or its folder can't be written.
            MissingScopeError: the connection may not start runs.
            GatewayClosedError: the connection was lost, and did not come back. What was under way is found by the next
                ``run()``.

        Example:
            >>> exp = gnb.experiment(gw, {"say": "echo:{text}"}, data=[{"text": "one"}, {"text": "two"}], path="exp")
            >>> answers = exp.run().df["answer"]
            1 template x 2 rows x 1 agent x 1 model x 1 repeat = 2 cells; 2 to run, 4 at a time
            >>> list(answers)
            ['one', 'two']
        """
        if at_stop not in ("abort", "wait"):
            raise BadArgumentError(f"at_stop must be 'abort' or 'wait', not {at_stop!r}")
        if self._runner is not None:
            raise ExperimentError(f"{self.name} runs already")
        print(f"{self.plan}; {len(self.plan.cells) - self._done:,} to run, {self.limits.parallel} at a time")
        events = RunEvents(f"experiment-{self.name}-{self._manifest.id}-", self._store.events)
        runner = Runner(self._gateway.core, self.plan, self._store, self.limits, self.records, events, self.scorers)

        def interrupt(number: int) -> None:
            self._thread.call(partial(runner.stop, at_stop) if number == 1 else runner.cancel)

        self._runner = runner
        ended = threading.Event()
        try:
            start = partial(self._submit, runner, events, ended)
            interrupted = wait(start, ended, self.name, len(self.plan.cells), self.records, interrupt)
        except BaseException:  # Ctrl-C, where nothing waited for it, or what ended the experiment
            self._thread.call(runner.cancel)
            ended.wait(INTERRUPT_SECONDS)
            raise
        finally:
            self._runner = None
        done = f"{self._done:,} of {len(self.plan.cells):,} cells have run"
        if interrupted:
            raise KeyboardInterrupt(f"{done}; run() goes on with the others")
        if runner.limit is not None:
            warnings.warn(f"{runner.limit}={getattr(self.limits, runner.limit):g} is reached: {done}", stacklevel=3)
        self._warn_of_other_models()
        return self

    @property
    def running(self) -> bool:
        """Whether ``run()`` is at work, on another thread."""
        return self._runner is not None

    def stop(self, at_stop: AtStop = "abort") -> None:
        """Pause it, from another thread than that of ``run()``, which returns once nothing is under way.

        Args:
            at_stop: abort the runs under way, or wait for them.
        """
        if (runner := self._runner) is not None:
            self._thread.call(partial(runner.stop, at_stop))

    def _submit(self, runner: Runner, events: RunEvents, ended: threading.Event) -> RequestHandle[None]:
        return self._thread.submit(self._to_the_end(runner, events, ended), f"experiment {self.name}")

    async def _to_the_end(self, runner: Runner, events: RunEvents, ended: threading.Event) -> None:
        """Run it. All of it on the loop's thread, since no Ctrl-C comes between two steps there."""
        runner.task = asyncio.current_task()
        with contextlib.ExitStack() as ends:
            ends.callback(ended.set)
            ends.enter_context(self._store.locked())
            await self._settle()
            capture = Capture(
                self._store.events,
                append=True,
                redactor=self._gateway.redactor,
                attach=lambda capture: self._gateway.core.feed.keep(events.into(capture)),
                on_error=lambda error: self.stop("wait"),
            )
            try:
                await runner.run()
            finally:
                await asyncio.to_thread(capture.stop)

    async def _settle(self) -> None:
        """Check that the gateway has what is run, and write it down, unless that was done before."""
        there = self._store.read_manifest()
        if there is not None and there.id != self._manifest.id:
            raise ExperimentError(f"{self.path} became another experiment's meanwhile; choose another path")
        self.records.update(self._store.read_records())
        if self.limits.cleanup and not allows(self._gateway.status.scopes, ADMIN):
            raise BadArgumentError(f"cleanup=True deletes sessions, which needs scopes=[..., {ADMIN!r}] of connect()")
        await Reader(self._gateway.core).read_silently(check_conditions(self.plan, self.limits.parallel))
        if there != self._manifest:
            self._store.write(self._manifest, storable(self.plan.data)[0])

    def _warn_of_other_models(self) -> None:
        asked = ((self.plan.cells[number].model, record.model) for number, record in self.records.items())
        others = [answered for model, answered in asked if model and answered not in (model, None)]
        if others:
            names = ", ".join(sorted(set(map(one_line, others))))
            warnings.warn(f"{len(others):,} runs were answered by another model than was asked: {names}", stacklevel=4)

    @property
    def _done(self) -> int:
        return sum(record.status in DONE for record in self.records.values())
