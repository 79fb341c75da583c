"""Answers to be marked by hand: side by side, without their conditions, in an order that tells nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from ..errors import BadArgumentError
from .plan import Plan
from .store import Record, Store

HIGHEST = 5
"""Marks are whole numbers from 1, the worst, to this."""


@dataclass(frozen=True)
class Page:
    """The answers to one case.

    Attributes:
        row: of the data, from 0.
        cells: the numbers of those with an answer, shuffled.
    """

    row: int
    cells: list[int]


@dataclass(frozen=True)
class Marking:
    """The answers of an experiment, to be marked. The same seed gives the same order, so that one can go on later.

    Args:
        plan: what is run.
        records: what is known of cells, by number; marks are added to it.
        store: where marks are kept, with the experiment.
    """

    plan: Plan
    records: dict[int, Record]
    store: Store

    @cached_property
    def pages(self) -> list[Page]:
        """A page for each data row and repeat with answers, shuffled."""
        cells: dict[tuple[int, int], list[int]] = {}
        for cell in self.plan.cells:
            record = self.records.get(cell.number)
            if record is not None and record.status == "ok" and record.answer is not None:
                cells.setdefault((cell.row, cell.repeat), []).append(cell.number)
        chance = random.Random(self.plan.seed)
        pages = [Page(row, chance.sample(numbers, len(numbers))) for (row, _), numbers in cells.items()]
        chance.shuffle(pages)
        return pages

    def case(self, page: Page) -> Mapping[str, Any]:
        """Return the data's row that the answers of a page are about."""
        return self.plan.rows[page.row]

    @property
    def marks(self) -> dict[int, int]:
        """The marks so far, by the cell's number."""
        return {number: record.mark for number, record in list(self.records.items()) if record.mark is not None}

    def mark(self, cell: int, mark: int | None) -> None:
        """Keep a mark.

        Args:
            cell: the number of one with an answer.
            mark: from 1 to `HIGHEST`; ``None`` takes it back.

        Raises:
            BadArgumentError: there is no such answer, or no such mark.
            ExperimentError: the experiment runs, or its folder can't be written.
        """
        if not any(cell in page.cells for page in self.pages):
            raise BadArgumentError(f"there is no answer {cell!r} to mark")
        if mark is not None and (type(mark) is not int or not 1 <= mark <= HIGHEST):
            raise BadArgumentError(f"a mark is a whole number from 1 to {HIGHEST}, not {mark!r}")
        with self.store.locked():
            self.records.update(self.store.read_records())
            self.records[cell] = replace(self.records[cell], mark=mark)
            self.store.put(self.records[cell])

    def __repr__(self) -> str:
        answers = sum(len(page.cells) for page in self.pages)
        return f"<{answers:,} answers to {len(self.pages):,} cases; marked: {len(self.marks):,}>"
