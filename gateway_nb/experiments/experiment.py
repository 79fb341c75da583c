"""`Experiment`: many runs of agents, planned, run so that nothing is lost, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .frame import frame_of
from .plan import Plan
from .store import Record

if TYPE_CHECKING:
    import pandas as pd


class Experiment:
    """Templates x rows x agents x models x repeats, each a run in a session of its own.

    Attributes:
        plan: what is run.
        records: what became of cells, by number.
        scores: the scorers' columns.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.records: dict[int, Record] = {}
        self.scores: tuple[str, ...] = ()

    @property
    def df(self) -> pd.DataFrame:
        """A row for each cell: ``template, row, model, agent, repeat``, the data's own columns, ``answer, status,
        seconds, input_tokens, output_tokens, cost, run, session``, a column per scorer, and ``error``.

        The status is ok, failed, timeout, aborted, running or waiting.
        """
        return frame_of(self.plan, self.records, self.scores)

    def __repr__(self) -> str:
        return f"<Experiment {self.plan}>"
