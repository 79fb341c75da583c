"""The kernel's side of marking: what a page may ask for, and what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.experiments.marking import Marking
from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.store import Record, Store
from gateway_nb.notebook.widgets.annotate_view import AnnotateView


class View:
    """A view of two answers to one case, and what it was sent."""

    def __init__(self, folder: Path) -> None:
        plan = Plan({"a": "{text}", "b": "{text}"}, pd.DataFrame({"text": ["it is horse battery"]}))
        records = {number: Record(number, "ok", answer="horse battery") for number in (0, 1)}
        self.marking = Marking(plan, records, Store(folder))
        self.widget = AnnotateView(self.marking, Redactor(["horse battery"]).text)
        self.sent: list[tuple[str, Any]] = []
        self.widget.send = lambda content, buffers: self.sent.append((content["type"], json.loads(bytes(buffers[0]))))

    def ask(self, **content: Any) -> list[tuple[str, Any]]:
        self.sent.clear()
        self.widget._receive(self.widget, {"view": "v", **content}, [])
        return self.sent


@pytest.fixture
def view(tmp_path: Path) -> Iterator[View]:
    found = View(tmp_path)
    yield found
    found.widget.close()


def test_opening(view: View) -> None:
    """A new view is sent which answers there are, and the first page, without templates and secrets."""
    sent = dict(view.ask(type="open"))
    assert sent["state"] == {"marks": {}, "pages": [view.marking.pages[0].cells], "highest": 5}
    assert sent["page"]["case"] == [["text", "it is [secret]"]]
    assert [answer["text"] for answer in sent["page"]["answers"]] == ["[secret]"] * 2
    assert "template" not in json.dumps(sent)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "show", "page": 1},
        {"type": "show", "page": -1},
        {"type": "show", "page": "0"},
        {"type": "show"},
        {"type": "mark", "cell": 7, "mark": 3},
        {"type": "mark", "cell": {}, "mark": 3},
        {"type": "mark", "cell": 0, "mark": 7},
        {"type": "mark", "cell": 0, "mark": "3"},
        {"type": "mark"},
    ],
)
def test_messages_that_make_no_sense(view: View, content: dict[str, Any]) -> None:
    """A page that asks for what is not there is told so, and nothing is kept."""
    view.ask(type="open")
    kinds = [kind for kind, _ in view.ask(**content)]
    assert kinds[-1] == "problem"
    assert "a bug in gateway_nb" not in view.sent[-1][1]
    assert view.marking.marks == {}


def test_what_stays_in_the_notebook(view: View) -> None:
    """What a saved notebook shows is how many are marked, and no answer."""
    view.ask(type="open")
    view.ask(type="mark", cell=0, mark=3)
    assert view.widget.text() == "<2 answers to 1 cases; marked: 1>"
    assert view.widget.html() == "<pre>&lt;2 answers to 1 cases; marked: 1&gt;</pre>"
