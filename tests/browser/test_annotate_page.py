"""Answers to be marked, on a bare page: blind, side by side, by click and key, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateway_nb.experiments.marking import Marking
from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.store import Record, Store
from gateway_nb.notebook.widgets.annotate_view import AnnotateView
from tests.helpers.stub import Stub, stub

HOSTILE = "<img src=x onerror=alert(1)>\n\x1b[2K\u202e"
LONG = "x" * 150_000


@pytest.fixture
def marking(tmp_path: Path) -> Marking:
    """Three templates' answers to three cases."""
    data = pd.DataFrame({"text": ["one", "two", HOSTILE], "expected": [1, 2, 3]})
    plan = Plan(dict.fromkeys(("template-a", "template-b", "template-c"), "{text}"), data)
    answers = {cell.number: f"answer to {cell.row} by {cell.number}" for cell in plan.cells}
    answers |= {2: HOSTILE, 5: LONG}
    records = {number: Record(number, "ok", answer=answer) for number, answer in answers.items()}
    return Marking(plan, records, Store(tmp_path / "experiment"))


@pytest.fixture
def view(browser: Any, marking: Marking, tmp_path: Path) -> Iterator[Stub]:
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, AnnotateView(marking, str), folder) as page:
        page.open()
        page.until("document.querySelectorAll('.gnb-answer').length === 3")
        yield page


def status(view: Stub, text: str) -> None:
    view.until(f"document.querySelector('.gnb-annotate [role=status]').textContent === {text!r}")


def shown(view: Stub) -> list[int]:
    """The cells whose answers are shown, in their order."""
    return [
        int(number) for number in view.page.eval_on_selector_all(".gnb-answer", "all => all.map(e => e.dataset.id)")
    ]


def test_marks_by_click(view: Stub, marking: Marking) -> None:
    """A click keeps a mark, another changes it, the same again takes it back."""
    status(view, "Case 1 of 3 · 0 of 9 answers marked")
    first, second, _ = shown(view)
    assert [first, second] == marking.pages[0].cells[:2]
    answer = view.page.get_by_role("group", name="Answer A")
    answer.get_by_role("button", name="Mark 4").click()
    status(view, "Case 1 of 3 · 1 of 9 answers marked")
    assert marking.marks == {first: 4}
    assert Store(marking.store.folder).read_records()[first].mark == 4
    answer.get_by_role("button", name="Mark 2").click()
    view.page.get_by_role("group", name="Answer B").get_by_role("button", name="Mark 5").click()
    status(view, "Case 1 of 3 · 2 of 9 answers marked")
    assert marking.marks == {first: 2, second: 5}
    pressed = view.page.locator(".gnb-answer button[aria-pressed=true]").all_inner_texts()
    assert pressed == ["2", "5"]
    answer.get_by_role("button", name="Mark 2").click()
    status(view, "Case 1 of 3 · 1 of 9 answers marked")
    assert marking.marks == {second: 5}


def test_keys(view: Stub, marking: Marking) -> None:
    """On an answer digits mark it and Backspace takes that back; n, p and u go on, back, and to what is not marked."""
    cells = shown(view)
    for name, key in zip("ABC", "135", strict=True):
        view.page.get_by_role("group", name=f"Answer {name}").press(key)
    status(view, "Case 1 of 3 · 3 of 9 answers marked")
    assert marking.marks == dict(zip(cells, (1, 3, 5), strict=True))
    answer = view.page.get_by_role("group", name="Answer A")
    answer.press("9")
    answer.press("n")
    status(view, "Case 2 of 3 · 3 of 9 answers marked")
    assert view.page.evaluate("document.activeElement.classList.contains('gnb-answer')")
    view.page.keyboard.press("p")
    status(view, "Case 1 of 3 · 3 of 9 answers marked")
    view.page.get_by_role("group", name="Answer A").press("Backspace")
    status(view, "Case 1 of 3 · 2 of 9 answers marked")
    view.page.get_by_role("group", name="Answer A").press("2")
    status(view, "Case 1 of 3 · 3 of 9 answers marked")
    for number in (2, 3):
        view.page.keyboard.press("u")
        status(view, f"Case {number} of 3 · 3 of 9 answers marked")
    view.page.keyboard.press("u")
    status(view, "Case 2 of 3 · 3 of 9 answers marked")


def test_blind_and_hostile(view: Stub, marking: Marking) -> None:
    """No condition is named anywhere; what answers and data hold is text, with what can't be seen written out."""
    seen = ""
    for number in range(3):
        status(view, f"Case {number + 1} of 3 · 0 of 9 answers marked")
        seen += view.page.content()
        view.page.get_by_role("group", name="Answer A").press("n")
    assert "template-" not in seen
    assert view.page.locator(".gnb img").count() == 0
    assert seen.count("&lt;img src=x onerror=alert(1)&gt;") == 2
    assert "\\u001b[2K\\u202e" in seen
    assert "… 50,000 characters more" in seen
    assert "answer to" not in str(view.widget.picture())


def test_a_mark_that_is_not_kept(view: Stub, marking: Marking) -> None:
    """Where the experiment is being written by another process, the page says so, and shows no mark."""
    with Store(marking.store.folder).locked():
        view.page.get_by_role("group", name="Answer A").press("3")
        view.until("document.querySelector('[role=alert]').textContent.includes('another process runs the experiment')")
    assert view.page.locator(".gnb-answer button[aria-pressed=true]").count() == 0
    assert marking.marks == {}


def test_a_second_view(view: Stub, marking: Marking) -> None:
    """Another view starts where the first answers are not marked, and hears of marks made elsewhere."""
    for cell in marking.pages[0].cells:
        marking.mark(cell, 3)
    view.open("two")
    view.until("document.querySelector('#two [role=status]').textContent === 'Case 2 of 3 · 3 of 9 answers marked'")
    view.page.locator("#one").get_by_role("group", name="Answer A").press("5")
    view.until("document.querySelector('#one .gnb-answer button[aria-pressed=true]')?.textContent === '5'")
    view.page.locator("#two").get_by_role("group", name="Answer A").press("1")
    view.until("document.querySelector('#one [role=status]').textContent === 'Case 1 of 3 · 4 of 9 answers marked'")
