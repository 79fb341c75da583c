"""Questions as they happen: who is asked, who waits for the answers, and when nobody answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ..protocol.scopes import QUESTIONS
from .peers import Peers
from .state.questions import Questions, check_pending


@dataclass
class QuestionQueue:
    """The questions, and who waits for their answers."""

    _peers: Peers
    questions: Questions = field(default_factory=Questions)
    _waiting: dict[str, tuple[asyncio.Event, asyncio.TimerHandle]] = field(default_factory=dict)

    def ask(self, given: dict[str, Any], timeout_ms: int) -> dict[str, Any]:
        """Ask, and return the record."""
        record = self.questions.add(given, timeout_ms)
        timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._end, record, "expired")
        self._waiting[record["id"]] = (asyncio.Event(), timer)
        self._peers.broadcast("question.requested", record, scope=QUESTIONS)
        return record

    async def ended(self, record: dict[str, Any], timeout: float | None = None) -> None:
        """Wait until a question is no longer pending, or the time in seconds is over."""
        if record["id"] in self._waiting:
            waiter = asyncio.ensure_future(self._waiting[record["id"]][0].wait())
            try:
                await asyncio.wait([waiter], timeout=timeout)
            finally:
                waiter.cancel()

    def answer(self, record: dict[str, Any], answers: dict[str, list[str]]) -> None:
        """Take the answers.

        Raises:
            Refusal: they are not what was asked for, or come too late.
        """
        self._end(record, "answered", answers={"answers": self.questions.checked(record, answers)})

    def cancel(self, record: dict[str, Any], **by: str) -> None:
        """End a question without an answer.

        Raises:
            Refusal: it does not wait any more.
        """
        check_pending(record)
        self._end(record, "cancelled", **by)

    def stop(self) -> None:
        """Wait no more: the gateway goes away, and what was pending with it."""
        for record in self.questions.pending():
            event, timer = self._waiting.pop(record["id"])
            timer.cancel()
            event.set()
            del self.questions[record["id"]]

    def _end(self, record: dict[str, Any], status: str, **how: Any) -> None:
        event, timer = self._waiting.pop(record["id"])
        timer.cancel()
        record |= {"status": status, **how}
        event.set()
        self._peers.broadcast("question.resolved", {"id": record["id"], "status": status, **how}, scope=QUESTIONS)
