"""Questions that agents ask of people, for clients with operator.questions.

- ``question.request {questions[{questionId, header, question, options[{label, description?}], multiSelect?, isOther?}],
  id?, agentId?, sessionKey?, runId?, timeoutMs?}`` -> ``{id, expiresAtMs}``, at once.
- ``question.waitAnswer {id, timeoutMs?}`` -> ``{status: answered | cancelled | expired | pending, answers?}``.
- ``question.list {}`` -> ``{questions[record]}``, those that wait; ``question.get {id}`` -> ``{question}``. A record:
  ``{id, questions, agentId?, sessionKey?, runId?, createdAtMs, expiresAtMs, status, answers?, resolvedBy?}``.
- ``question.resolve {id, answers: {answers: {questionId: [label, ...]}}}`` or ``{id, cancel: true}`` -> ``{status,
  answers?}``; ``details.reason`` of a refusal: QUESTION_NOT_FOUND, QUESTION_ALREADY_TERMINAL, QUESTION_INVALID_ANSWER.
- Events ``question.requested`` (a record) and ``question.resolved {id, status, answers?}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import QUESTIONS
from ..answers import LATER
from ..params import NOTHING, Params, array, boolean, choice, integer, mapping, string, text, word
from ..questions import QuestionQueue
from ..state.questions import TIMEOUT_MS
from .method import Call, Method, Table

_ID = word("^[a-z][a-z0-9_]*$")
_QUESTION = Params(
    {
        "questionId": _ID,
        "header": string,
        "question": text,
        "options": array(Params({"label": text, "description": string}, ("label",))),
        "multiSelect": boolean,
        "isOther": boolean,
    },
    ("questionId", "header", "question", "options"),
)
_REQUEST = Params(
    {
        "id": text,
        "questions": array(_QUESTION, 1, 3),
        "agentId": text,
        "sessionKey": text,
        "runId": text,
        "timeoutMs": integer(1),
    },
    ("questions",),
)
_ONE = Params({"id": text}, ("id",))
_WAIT = Params({"id": text, "timeoutMs": integer(1)}, ("id",))
_ANSWERS = Params({"id": text, "answers": Params({"answers": mapping(array(string))}, ("answers",))}, ("id", "answers"))
_CANCEL = Params({"id": text, "cancel": choice(True)}, ("id", "cancel"))


def _check_resolve(method: str, params: Any) -> dict[str, Any]:
    shape = _CANCEL if isinstance(params, dict) and "cancel" in params else _ANSWERS
    return shape.check(method, params)


@dataclass
class QuestionMethods:
    """The methods."""

    _queue: QuestionQueue

    def table(self) -> Table:
        return {
            "question.request": Method(QUESTIONS, _REQUEST, self._request),
            "question.waitAnswer": Method(QUESTIONS, _WAIT, self._wait),
            "question.list": Method(QUESTIONS, NOTHING, lambda call: {"questions": self._queue.questions.pending()}),
            "question.get": Method(
                QUESTIONS, _ONE, lambda call: {"question": self._queue.questions.find(call.params["id"])}
            ),
            "question.resolve": Method(QUESTIONS, _check_resolve, self._resolve),
        }

    def _request(self, call: Call) -> dict[str, Any]:
        given = {name: value for name, value in call.params.items() if name != "timeoutMs"}
        record = self._queue.ask(given, call.params.get("timeoutMs", TIMEOUT_MS))
        return {"id": record["id"], "expiresAtMs": record["expiresAtMs"]}

    def _wait(self, call: Call) -> Any:
        record = self._queue.questions.find(call.params["id"])
        timeout_ms = call.params.get("timeoutMs")
        call.peer.spawn(self._answer_wait(call, record, timeout_ms / 1000 if timeout_ms else None))
        return LATER

    async def _answer_wait(self, call: Call, record: dict[str, Any], timeout: float | None) -> None:
        await self._queue.ended(record, timeout)
        call.peer.answer(call.id, _outcome(record))

    def _resolve(self, call: Call) -> dict[str, Any]:
        record = self._queue.questions.find(call.params["id"])
        if "cancel" in call.params:
            self._queue.cancel(record)
        else:
            self._queue.answer(record, call.params["answers"]["answers"])
        return _outcome(record)


def _outcome(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("status", "answers") if name in record}
