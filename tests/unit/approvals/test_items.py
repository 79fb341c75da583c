"""What a gateway sends of something that waits, and the answers to questions."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.approvals.items import Part, checked_answers, read_item
from gateway_nb.protocol.frames import MalformedFrame, encode

TIMES = {"createdAtMs": 1_000, "expiresAtMs": 61_000}
EXEC = {"id": "a", **TIMES, "request": {"command": "rm -rf /", "cwd": "/tmp", "host": "gateway", "runId": "r"}}
PLUGIN = {"id": "p", **TIMES, "request": {"title": "Post it?", "description": "to all", "toolName": "post"}}
COLOR = {"questionId": "color", "header": "Color", "question": "Which?", "options": [{"label": "red"}]}
QUESTION = {"id": "q", **TIMES, "questions": [COLOR], "sessionKey": "agent:main:x", "status": "pending"}


def test_approvals() -> None:
    """A command and a plugin's action are read from an event's bytes as from a list's row, with their times."""
    item = read_item("exec", encode({**EXEC, "approvalKind": "exec"}))
    assert (item.id, item.command, item.created, item.expires, item.status) == ("a", "rm -rf /", 1.0, 61.0, "pending")
    assert item.version == read_item("exec", EXEC).version
    assert read_item("plugin", PLUGIN).command == "Post it?\nto all"


def test_questions() -> None:
    """A question is read with its options, and says who asks."""
    item = read_item("question", encode(QUESTION))
    (part,) = item.questions
    assert (part.question_id, part.options[0].label, part.is_other, part.multi_select) == ("color", "red", False, False)
    assert (item.command, item.text("sessionKey"), item.text("runId")) == ("Which?", "agent:main:x", None)


@pytest.mark.parametrize(
    "change",
    [
        {"request": {**EXEC["request"], "command": "rm -rf ~"}},  # type: ignore[dict-item]
        {"request": {**EXEC["request"], "cwd": "/"}},  # type: ignore[dict-item]
        {"request": {**EXEC["request"], "new": "field"}},  # type: ignore[dict-item]
        {"expiresAtMs": 62_000},
    ],
)
def test_another_content_is_another_version(change: dict[str, Any]) -> None:
    """Whatever changes of what is asked, it is not the same any more."""
    assert read_item("exec", {**EXEC, **change}).version != read_item("exec", EXEC).version


WRONG: list[tuple[str, Any]] = [
    ("exec", None),
    ("exec", []),
    ("exec", {**EXEC, "id": ""}),
    ("exec", {**EXEC, "id": "x" * 2000}),
    ("exec", {**EXEC, "request": None}),
    ("exec", {**EXEC, "request": {"cwd": "/tmp"}}),
    ("exec", {**EXEC, "request": {"command": ["rm"]}}),
    ("exec", {**EXEC, "expiresAtMs": "soon"}),
    ("exec", {**EXEC, "expiresAtMs": 1e300}),
    ("plugin", {**PLUGIN, "createdAtMs": -1}),
    ("question", {**QUESTION, "questions": []}),
    ("question", {**QUESTION, "questions": [{"question": "no id"}]}),
    ("question", {**QUESTION, "sessionKey": 5}),
    ("question", b"{"),
    ("question", b"[" * 100_000),
]


@pytest.mark.parametrize(("kind", "payload"), WRONG)
def test_other_shapes_are_refused(kind: str, payload: Any) -> None:
    """What has another shape is no approval and no question, and can't become one by half."""
    with pytest.raises(MalformedFrame):
        read_item(kind, encode(payload) if isinstance(payload, dict) else payload or b"null")


def test_everything_that_is_allowed_is_shown() -> None:
    """The parts have the command first, and every other field that says what would be done, unknown ones as JSON."""
    request = {
        **EXEC["request"],  # type: ignore[dict-item]
        "commandArgv": ["rm", "-rf", "/"],
        "warningText": "careful",
        "env": {"LD_PRELOAD": "x.so"},
        "sessionKey": "agent:main:x",
        "systemRunPlan": None,
        "commandAnalysis": {"commandCount": 1, "riskKinds": ["inline-eval"], "warningLines": []},
    }
    parts = read_item("exec", {**EXEC, "request": request}).parts()
    assert parts == [
        ("Command", "rm -rf /"),
        ("Arguments", '["rm","-rf","/"]'),
        ("Folder", "/tmp"),
        ("Host", "gateway"),
        ("Warning", "careful"),
        ("env", '{"LD_PRELOAD":"x.so"}'),
        ("Risks", '["inline-eval"]'),
    ]
    long = "x" * 1_000_000 + "; rm -rf /"
    assert read_item("exec", {**EXEC, "request": {"command": long}}).parts() == [("Command", long)]


RED = Part("color", "Which?", options=())
PICK = read_item("question", QUESTION).questions[0]
SIZES = Part("sizes", "Which?", options=PICK.options, multi_select=True)
ANSWERS: list[tuple[tuple[Part, ...], object, dict[str, list[str]]]] = [
    ((PICK,), "red", {"color": ["red"]}),
    ((PICK,), ["red"], {"color": ["red"]}),
    ((PICK,), {"color": "red"}, {"color": ["red"]}),
    ((RED,), "mauve", {"color": ["mauve"]}),
    ((Part("color", "?", options=PICK.options, is_other=True),), "mauve", {"color": ["mauve"]}),
    ((PICK, SIZES), {"color": "red", "sizes": ("red",)}, {"color": ["red"], "sizes": ["red"]}),
]


@pytest.mark.parametrize(("questions", "given", "answers"), ANSWERS)
def test_answers(questions: tuple[Part, ...], given: object, answers: dict[str, list[str]]) -> None:
    """An answer alone is that of a single question; several go by the questions' ids."""
    assert checked_answers(questions, given) == answers


WRONG_ANSWERS: list[tuple[tuple[Part, ...], object, str]] = [
    ((PICK,), "mauve", "has no such option; choose from 'red'"),
    ((PICK,), "", "needs a text as its answer"),
    ((PICK,), [], "needs a text as its answer"),
    ((PICK,), 5, "needs a text as its answer"),
    ((PICK,), {"color": ["red", "red"]}, "takes one answer, not 2"),
    ((PICK,), {"colour": "red"}, "there is no question 'colour'; there are 'color'"),
    ((PICK,), {}, "question 'color' needs a text"),
    ((PICK, SIZES), "red", "there are 2 questions: pass a mapping from 'color', 'sizes'"),
    ((PICK, SIZES), {"color": "red"}, "question 'sizes' needs a text"),
]


@pytest.mark.parametrize(("questions", "given", "words"), WRONG_ANSWERS)
def test_wrong_answers(questions: tuple[Part, ...], given: object, words: str) -> None:
    """An answer that does not fit is refused with the choices, before anything is sent."""
    with pytest.raises(ValueError, match=words):
        checked_answers(questions, given)
