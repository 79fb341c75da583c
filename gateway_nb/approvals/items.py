"""What waits for a person, as a gateway sends it: read, checked, and with everything that would be allowed. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from ..errors import BadArgumentError
from ..protocol.frames import MalformedFrame, decode_payload, encode

EXEC, PLUGIN, QUESTION = KINDS = ("exec", "plugin", "question")
ALLOW_ONCE, ALLOW_ALWAYS, DENY = DECISIONS = ("allow-once", "allow-always", "deny")
PENDING = "pending"
GONE = "gone"
"""The status of what the gateway has forgotten, since it restarted."""
_LONGEST_NAME = 1000  # characters of ids and keys
_ABOUT = {
    "agentId", "sessionKey", "sessionId", "runId", "toolCallId", "allowedDecisions", "unavailableDecisions", "security",
    "ask", "commandAnalysis",
}  # fmt: skip
"""Fields of a request that do not say what would be done."""
_LABELS = {
    "command": "Command",
    "title": "Title",
    "description": "Description",
    "detail": "Detail",
    "commandArgv": "Arguments",
    "cwd": "Folder",
    "host": "Host",
    "nodeId": "Node",
    "resolvedPath": "Program",
    "warningText": "Warning",
    "severity": "Severity",
    "pluginId": "Plugin",
    "toolName": "Tool",
}
"""What is shown first, in this order, by the gateway's names."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_NAME)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=8.64e15)]


class Option(msgspec.Struct, frozen=True):
    """A possible answer.

    Attributes:
        label: what is answered.
        description: what it means.
    """

    label: str
    description: str = ""


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """One question of those that are asked together.

    Attributes:
        question_id: its id, the key of its answer.
        question: what is asked.
        header: the same in a word.
        options: the answers to choose from; none: free text.
        is_other: free text is an answer, too.
        multi_select: several options may be chosen.
    """

    question_id: _Name
    question: str
    header: str = ""
    options: tuple[Option, ...] = ()
    is_other: bool = False
    multi_select: bool = False


class _Approval(msgspec.Struct, rename="camel"):
    id: _Name
    request: dict[str, Any]
    created_at_ms: _Milliseconds
    expires_at_ms: _Milliseconds


class _Asked(msgspec.Struct, rename="camel"):
    id: _Name
    questions: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1)]
    created_at_ms: _Milliseconds
    expires_at_ms: _Milliseconds
    agent_id: str | None = None
    session_key: str | None = None
    run_id: str | None = None


@dataclass(eq=False)
class Item:
    """One thing that waits for a person, and what became of it.

    Attributes:
        kind: ``exec``, ``plugin`` or ``question``.
        id: the gateway's.
        fields: what is asked, as the gateway sends it.
        created: when, in seconds since 1970, by the gateway's clock.
        expires: until when it waits.
        questions: of a question.
        version: of its content: another under the same id has another one.
        status: ``pending``; of approvals ``allowed``, ``denied``; of questions ``answered``; ``expired``,
            ``cancelled`` (its run was aborted, or it was cancelled), ``gone`` (the gateway restarted).
        decision: of an approval that was decided, as the gateway calls it.
        by: who ended it, as far as the gateway says.
        reason: why it was denied here, or why the gateway ended it.
        number: of this process alone, by which it is known to widgets; 0 before it is in a book.
    """

    kind: str
    id: str
    fields: Mapping[str, Any]
    created: float
    expires: float
    questions: tuple[Part, ...] = ()
    version: str = ""
    status: str = PENDING
    decision: str | None = None
    by: str | None = None
    reason: str | None = None
    number: int = 0

    def text(self, name: str) -> str | None:
        """Return a field that is a text, ``None`` for anything else."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    @property
    def command(self) -> str:
        """What would be done: the command, what a plugin says, or the questions."""
        if self.kind == EXEC:
            return str(self.fields["command"])
        if self.kind == PLUGIN:
            return "\n".join(text for name in ("title", "description") if (text := self.text(name)))
        return "\n".join(part.question for part in self.questions)

    @property
    def decisions(self) -> tuple[str, ...] | None:
        """The decisions that the gateway offers, ``None`` where it does not say."""
        offered = self.fields.get("allowedDecisions")
        return tuple(each for each in DECISIONS if each in offered) if isinstance(offered, list) else None

    def parts(self) -> list[tuple[str, str]]:
        """Return everything that an allowance covers, each with its label: the command, where, and what else is said.

        Fields that a newer gateway sends are among them, as JSON.
        """
        names = [*_LABELS, *sorted(set(self.fields) - set(_LABELS) - _ABOUT)]
        parts = [(_LABELS.get(name, name), _written(value)) for name in names if (value := self.fields.get(name))]
        analysis = self.fields.get("commandAnalysis")
        risks = analysis if isinstance(analysis, dict) else {}
        return parts + [
            (label, _written(risks[name]))
            for label, name in (("Risks", "riskKinds"), ("Warnings", "warningLines"))
            if risks.get(name)
        ]


def read_item(kind: str, payload: Any) -> Item:
    """Return what a gateway sends of something that waits: in an event, or in a list.

    Args:
        kind: one of `KINDS`.
        payload: JSON bytes, or decoded.

    Raises:
        MalformedFrame: it is something else.
    """
    value = decode_payload(payload) if isinstance(payload, msgspec.Raw | bytes) else payload
    try:
        if kind == QUESTION:
            asked = msgspec.convert(value, _Asked)
            fields: dict[str, Any] = {
                "agentId": asked.agent_id,
                "sessionKey": asked.session_key,
                "runId": asked.run_id,
                "questions": value["questions"],
            }
            times, questions = (asked.created_at_ms, asked.expires_at_ms), asked.questions
            own_id = asked.id
        else:
            approval = msgspec.convert(value, _Approval)
            fields, questions, own_id = approval.request, (), approval.id
            times = approval.created_at_ms, approval.expires_at_ms
    except msgspec.ValidationError as error:
        raise MalformedFrame(f"what waits has another shape than expected: {error}") from None
    if kind == EXEC and not isinstance(fields.get("command"), str):
        raise MalformedFrame("a command that waits has no command")
    content = json.dumps([kind, own_id, times, fields], sort_keys=True)
    version = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Item(kind, own_id, fields, times[0] / 1000, times[1] / 1000, questions, version)


def checked_answers(questions: Sequence[Part], given: object) -> dict[str, list[str]]:
    """Return answers as the gateway wants them.

    Args:
        questions: what was asked.
        given: an answer or a list of them for a single question, or a mapping from the questions' ids.

    Raises:
        BadArgumentError: an answer is missing, or none of its options; the message names these.
    """
    ids = [part.question_id for part in questions]
    if not isinstance(given, Mapping):
        if len(ids) > 1:
            raise BadArgumentError(f"there are {len(ids)} questions: pass a mapping from {', '.join(map(repr, ids))}")
        given = {ids[0]: given}
    if unknown := [name for name in given if name not in ids]:
        raise BadArgumentError(f"there is no question {unknown[0]!r}; there are {', '.join(map(repr, ids))}")
    return {part.question_id: _chosen(part, given.get(part.question_id)) for part in questions}


def _chosen(part: Part, given: object) -> list[str]:
    answers = [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else []
    labels = [option.label.strip() for option in part.options]
    choices = f"; choose from {', '.join(map(repr, labels))}" if labels else ""
    if not answers or not all(isinstance(answer, str) and answer.strip() for answer in answers):
        raise BadArgumentError(f"question {part.question_id!r} needs a text as its answer, or a list of them{choices}")
    if len(answers) > 1 and not part.multi_select:
        raise BadArgumentError(f"question {part.question_id!r} takes one answer, not {len(answers)}{choices}")
    if labels and not part.is_other and not {answer.strip() for answer in answers} <= set(labels):
        raise BadArgumentError(f"question {part.question_id!r} has no such option{choices}")
    return answers


def _written(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode("utf-8", "replace")
