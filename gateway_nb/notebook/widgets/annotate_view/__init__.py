"""The answers of an experiment side by side, to be marked by hand: blind, and shuffled."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from ....errors import BadArgumentError, printable
from ....experiments.marking import HIGHEST, Marking
from ..live import LiveWidget, bundle, excerpt

_LONGEST = 100_000  # characters of an answer, and of a value of the data


class AnnotateView(LiveWidget):
    """Answers to read and to mark. Made by ``exp.annotate()``.

    Args:
        marking: the answers, and where marks are kept.
        clean: takes secrets out of a text.
    """

    _esm = bundle("annotate_view", "js")
    _css = bundle("annotate_view", "css")
    MESSAGES = ("show", "mark")

    def __init__(self, marking: Marking, clean: Callable[[str], str]) -> None:
        self._marking = marking
        self._clean = clean
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view how far it is, and the first page that is not marked."""
        self.post("state", self._state(), to=view)
        marks = self._marking.marks
        unmarked = (n for n, page in enumerate(self._marking.pages) if not marks.keys() >= set(page.cells))
        self._post_page(next(unmarked, 0), view)

    def html(self) -> str:
        """Return how many are marked: the answers themselves would not be blind any more."""
        return f"<pre>{html.escape(self.text())}</pre>"

    def text(self) -> str:
        """Return the same for a terminal."""
        return repr(self._marking)

    def __repr__(self) -> str:
        return "<AnnotateView>"

    def _on_show(self, view: str, content: Mapping[str, Any]) -> None:
        self._post_page(content.get("page"), view)

    def _on_mark(self, view: str, content: Mapping[str, Any]) -> None:
        try:
            self._marking.mark(content.get("cell"), content.get("mark"))  # type: ignore[arg-type]  # it looks at both
        finally:
            self.post("state", self._state())

    def _state(self) -> dict[str, Any]:
        """Return the marks, and which answers each page has."""
        marking = self._marking
        return {"marks": marking.marks, "pages": [page.cells for page in marking.pages], "highest": HIGHEST}

    def _post_page(self, number: Any, view: str) -> None:
        pages = self._marking.pages
        if type(number) is not int or not 0 <= number < len(pages):
            raise BadArgumentError(f"there is no page {number!r}")
        page = pages[number]
        case = [(printable(str(name)), self._shown(str(value))) for name, value in self._marking.case(page).items()]
        answers = [{"id": cell, "text": self._shown(str(self._marking.records[cell].answer))} for cell in page.cells]
        self.post("page", {"number": number, "case": case, "answers": answers}, to=view)

    def _shown(self, text: str) -> str:
        return excerpt(self._clean(text), _LONGEST)
