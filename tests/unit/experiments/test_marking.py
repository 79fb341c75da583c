"""Answers to be marked by hand: blind, shuffled, kept with the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateway_nb.errors import BadArgumentError, ExperimentError
from gateway_nb.experiments.frame import frame_of
from gateway_nb.experiments.marking import Marking
from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.store import Record, Store


def marking(folder: Path, *, seed: int = 0, failed: tuple[int, ...] = ()) -> Marking:
    plan = Plan(dict.fromkeys("abcdefgh", "{text}"), pd.DataFrame({"text": ["one", "two", "three"]}), seed=seed)
    records = {
        cell.number: Record(cell.number, "failed" if cell.number in failed else "ok", answer=f"answer {cell.number}")
        for cell in plan.cells
    }
    store = Store(folder)
    with store.locked():
        for record in records.values():
            store.put(record)
    return Marking(plan, records, store)


def test_pages(tmp_path: Path) -> None:
    """Each page has the answers of all conditions to one case, in an order that differs from page to page."""
    sheet = marking(tmp_path, failed=(0,))
    templates = [[sheet.plan.cells[cell].template for cell in page.cells] for page in sheet.pages]
    assert sorted(page.row for page in sheet.pages) == [0, 1, 2]
    assert sorted(map(len, templates)) == [7, 8, 8]
    assert all(sheet.plan.cells[cell].row == page.row for page in sheet.pages for cell in page.cells)
    assert len({tuple(each) for each in templates}) == 3
    assert all(each != sorted(each) for each in templates)
    assert sheet.case(sheet.pages[0])["text"] in ("one", "two", "three")
    assert marking(tmp_path / "again").pages != sheet.pages
    assert marking(tmp_path / "same", failed=(0,)).pages == sheet.pages
    assert marking(tmp_path / "other", seed=1).pages != marking(tmp_path / "third").pages


def test_marks_are_kept(tmp_path: Path) -> None:
    """A mark is in the folder at once, and in the frame; it can be changed and taken back."""
    sheet = marking(tmp_path)
    sheet.mark(3, 4)
    sheet.mark(4, 5)
    sheet.mark(3, 2)
    sheet.mark(4, None)
    assert sheet.marks == {3: 2}
    records = Store(tmp_path).read_records()
    assert {number: record.mark for number, record in records.items() if record.mark} == {3: 2}
    frame = frame_of(sheet.plan, records, [])
    assert list(frame.columns)[-2:] == ["mark", "error"]
    assert frame["mark"].dropna().to_dict() == {3: 2}
    assert repr(sheet) == "<24 answers to 3 cases; marked: 1>"


@pytest.mark.parametrize(("cell", "mark"), [(99, 3), ("3", 3), (None, 3), (0, 3), (3, 0), (3, 6), (3, True), (3, 2.5)])
def test_no_such_mark(tmp_path: Path, cell: Any, mark: Any) -> None:
    """A cell without an answer, or a mark that is none from 1 to 5, is refused, and nothing is kept."""
    sheet = marking(tmp_path, failed=(0,))
    with pytest.raises(BadArgumentError, match=r"no answer .* to mark|a mark is a whole number from 1 to 5"):
        sheet.mark(cell, mark)
    assert sheet.marks == {}


def test_marks_beside_a_run(tmp_path: Path) -> None:
    """While another process writes to the experiment no mark is taken; what that wrote is kept beside later ones."""
    sheet, other = marking(tmp_path), Store(tmp_path)
    with other.locked():
        with pytest.raises(ExperimentError, match="another process runs the experiment"):
            sheet.mark(3, 4)
        other.put(Record(5, "ok", answer="another", scores={"score": 1}))
    sheet.mark(3, 4)
    records = Store(tmp_path).read_records()
    assert (records[3].mark, records[5].answer, sheet.records[5].answer) == (4, "another", "another")
