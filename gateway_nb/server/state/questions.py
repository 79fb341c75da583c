"""Questions that agents ask of people."""

from __future__ import annotations

import uuid
from typing import Any

from ..answers import Refusal, fault
from ..clock import now_ms

TIMEOUT_MS = 900_000


class Questions(dict[str, dict[str, Any]]):
    """Questions by id: each is a record as ``question.get`` shows it."""

    def add(self, given: dict[str, Any], timeout_ms: int) -> dict[str, Any]:
        """Keep a new record.

        Args:
            given: ``questions``, and who asks: ``agentId``, ``sessionKey``, ``runId``; maybe an ``id``.
            timeout_ms: milliseconds until it is over.
        """
        now, own_id = now_ms(), given.get("id") or str(uuid.uuid4())
        record = {"id": own_id, **given, "createdAtMs": now, "expiresAtMs": now + timeout_ms, "status": "pending"}
        self[own_id] = record
        return record

    def find(self, question_id: str) -> dict[str, Any]:
        """Return a record.

        Raises:
            Refusal: there is none of that id.
        """
        if question_id not in self:
            raise fault(f"question '{question_id}' was not found", reason="QUESTION_NOT_FOUND")
        return self[question_id]

    def pending(self) -> list[dict[str, Any]]:
        """Return what waits."""
        return [record for record in self.values() if record["status"] == "pending"]

    def checked(self, record: dict[str, Any], answers: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return answers as they are kept: without surrounding space.

        Raises:
            Refusal: the question does not wait any more, or was not asked like that.
        """
        check_pending(record)
        asked = {question["questionId"]: question for question in record["questions"]}
        if unknown := [each for each in answers if each not in asked]:
            raise _invalid(unknown[0], "is not part of this request")
        return {each: _chosen(question, answers.get(each, [])) for each, question in asked.items()}


def _chosen(question: dict[str, Any], answers: list[str]) -> list[str]:
    labels = [option["label"].strip() for option in question["options"]]
    chosen = [answer.strip() for answer in answers]
    why = None
    if not chosen:
        why = "requires an answer"
    elif not all(chosen):
        why = "contains an empty answer"
    elif len(chosen) > 1 and not question.get("multiSelect"):
        why = "does not allow multiple answers"
    elif labels and not question.get("isOther") and not set(chosen) <= set(labels):
        why = "contains an unknown option"
    if why is not None:
        raise _invalid(question["questionId"], why)
    return chosen


def check_pending(record: dict[str, Any]) -> None:
    """Raise if a question does not wait any more.

    Raises:
        Refusal: it was answered, cancelled, or is over.
    """
    if record["status"] != "pending":
        message = f"question '{record['id']}' is already {record['status']}"
        raise fault(message, reason="QUESTION_ALREADY_TERMINAL")


def _invalid(question_id: str, why: str) -> Refusal:
    return fault(f"question '{question_id}' {why}", reason="QUESTION_INVALID_ANSWER")
