"""Answers to questions: what fits and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.server.answers import Refusal
from gateway_nb.server.state.questions import Questions

OPTIONS = [{"label": "red"}, {"label": "blue "}]
ANSWERS: list[tuple[dict[str, Any], list[str], str | list[str]]] = [
    ({}, ["red"], ["red"]),
    ({}, [" blue"], ["blue"]),
    ({}, ["mauve"], "contains an unknown option"),
    ({}, ["red", "blue"], "does not allow multiple answers"),
    ({}, [], "requires an answer"),
    ({}, ["  "], "contains an empty answer"),
    ({"isOther": True}, ["mauve "], ["mauve"]),
    ({"multiSelect": True}, ["red", "blue"], ["red", "blue"]),
    ({"options": []}, ["anything"], ["anything"]),
]


@pytest.mark.parametrize(("changes", "answers", "expected"), ANSWERS)
def test_answers(changes: dict[str, Any], answers: list[str], expected: str | list[str]) -> None:
    """Answers are kept without surrounding space; what was not asked for is refused with a reason."""
    questions = Questions()
    asked = {"questionId": "q", "header": "Q", "question": "?", "options": OPTIONS, **changes}
    record = questions.add({"questions": [asked]}, 1000)
    if isinstance(expected, list):
        assert questions.checked(record, {"q": answers}) == {"q": expected}
    else:
        with pytest.raises(Refusal, match=f"question 'q' {expected}"):
            questions.checked(record, {"q": answers})


def test_an_answer_to_something_else() -> None:
    """An answer to a question that was not asked is refused."""
    questions = Questions()
    record = questions.add({"questions": []}, 1000)
    with pytest.raises(Refusal, match="question 'x' is not part of this request"):
        questions.checked(record, {"x": ["red"]})
