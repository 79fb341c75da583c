"""What waits for a person at the gateway of a connection: to be allowed, denied or answered, also while a cell runs."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import traitlets

from ....approvals.deciding import NOTICE
from ....approvals.items import DECISIONS, PENDING, QUESTION, Item
from ....errors import GatewayError, one_line, printable
from ....faces.approvals import Approvals
from ....sync.handle import RequestHandle
from ..live import LiveWidget, bundle
from ..marks import marked

_ENDED = 20
_LINE = 200  # characters


class ApprovalsView(LiveWidget):
    """What waits for a person. Made by ``gw.approvals.table()``; also a tab of ``gw.panel()``.

    Args:
        approvals: returns those of the connection, which may have been made again.

    Attributes:
        count: how many wait, while somebody watches.
    """

    _esm = bundle("approvals_view", "js")
    _css = bundle("approvals_view", "css")
    MESSAGES = ("show", "answer", "start")
    count = traitlets.Int(0)

    def __init__(self, approvals: Callable[[], Approvals]) -> None:
        self._find = approvals
        self._posted: object = None
        self._describe = lru_cache(32)(self._description)
        super().__init__()

    @property
    def _approvals(self) -> Approvals:
        return self._find()

    def opened(self, view: str) -> None:
        """Send a new view everything."""
        self.post("items", self._state(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views what is new."""
        approvals = self._approvals
        version = (id(approvals), approvals.changes, approvals.listening, approvals.current, approvals.notice)
        if version != self._posted:
            self._posted = version
            state = self._state()
            self.post("items", state)
            self.count = sum(item["outcome"] is None for item in state["items"])

    def html(self) -> str:
        """Return what waits, and what stands in the way."""
        return f"<pre>{html.escape(self.text())}</pre>"

    def text(self) -> str:
        """Return the same for a terminal."""
        return printable(repr(self._approvals))

    def __repr__(self) -> str:
        return "<ApprovalsView>"

    def _on_start(self, view: str, content: Mapping[str, Any]) -> None:
        self._approvals.listen()

    def _on_show(self, view: str, content: Mapping[str, Any]) -> None:
        item = next((item for item in self._approvals.items if item.number == content.get("id")), None)
        if item is not None:
            self.post("item", self._describe(item), to=view)

    def _on_answer(self, view: str, content: Mapping[str, Any]) -> None:
        def report(handle: RequestHandle[None]) -> None:
            if (error := handle.exception()) is not None:
                self.post("problem", f"{error}", to=view)

        try:
            handle = self._approvals.submit(_number(content), str(content.get("answer")), content.get("answers"))
        except ValueError as error:
            raise GatewayError(str(error)) from None
        handle.add_done_callback(report)

    def _state(self) -> dict[str, Any]:
        items = self._approvals.items
        waiting = [item for item in items if item.status == PENDING]
        ended = [item for item in items if item.status != PENDING][-_ENDED:]
        return {
            "items": [self._row(item) for item in (*waiting, *reversed(ended))],
            "listening": self._approvals.listening,
            "current": self._approvals.current,
            "means": NOTICE if self._approvals.listening else "",
            "notice": self._approvals.notice or "",
        }

    def _row(self, item: Item) -> dict[str, Any]:
        line = self._approvals.redactor.start(item.command, _LINE)
        outcome = None
        if item.status != PENDING:
            outcome = " ".join([item.status, *([f"by {item.by}"] if item.by else [])])
        return {
            "id": item.number,
            "kind": item.kind,
            "line": one_line(line if len(item.command) <= _LINE else f"{line}…", _LINE + 1),
            "who": one_line(item.text("sessionKey") or "", _LINE),
            "left": item.expires - time.time(),
            "outcome": outcome and one_line(outcome, _LINE),
        }

    def _description(self, item: Item) -> dict[str, Any]:
        """Return all of an item, with nothing left out."""
        clean = self._approvals.redactor.text
        about = [("asked by", item.text("agentId")), ("session", item.text("sessionKey")), ("run", item.text("runId"))]
        questions = [
            {
                "id": part.question_id,
                "header": marked(clean(part.header)),
                "text": marked(clean(part.question)),
                "options": [
                    (option.label, marked(clean(option.label)), marked(clean(option.description)))
                    for option in part.options
                ],
                "multiple": part.multi_select,
                "free": part.is_other or not part.options,
            }
            for part in item.questions
        ]
        return {
            "id": item.number,
            "about": one_line(clean(" · ".join(f"{label} {name}" for label, name in about if name))),
            "parts": [] if item.kind == QUESTION else [(name, marked(clean(text))) for name, text in item.parts()],
            "questions": questions,
            "decisions": DECISIONS if item.decisions is None else item.decisions,
        }


def _number(content: Mapping[str, Any]) -> int:
    number = content.get("id")
    return number if isinstance(number, int) else 0
