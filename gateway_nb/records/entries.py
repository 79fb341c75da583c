"""A session's messages as people read them: each with its tool calls, and these with their results. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from ..errors import printable
from ..protocol.units import size
from .frames import json_text
from .history import History, about, blocks, cut_reason, text_of
from .messages import call_records

_TAB = 4
_TITLES = {"toolResult": "result of a tool", "custom": "made by a tool"}


@dataclass(frozen=True)
class Call:
    """A tool call.

    Attributes:
        id: the gateway's.
        tool: the tool's name.
        arguments: as JSON values.
        status: ``ok``, ``error`` or ``open``.
        result: the texts of its result, ``None`` where there is none.
        seconds: it took, ``None`` where that is not known.
        cut: why a part of the result is missing, ``None`` if it is whole.
    """

    id: str
    tool: str
    arguments: Any
    status: str
    result: str | None
    seconds: float | None
    cut: str | None

    @property
    def title(self) -> str:
        """The tool, how the call ended, and what it took."""
        took = "" if self.seconds is None else f", {self.seconds:.2f} s"
        return f"{self.tool}: {self.status}{took}"


@dataclass(frozen=True)
class Entry:
    """A message with the results of the tools it calls.

    Attributes:
        role: user, assistant, system, toolResult (one without its call), custom (calls that a tool made).
        message: as the gateway keeps it.
        text: its texts.
        thinking: the model's.
        calls: the tools it calls.
        images: what is said of each: its type and size.
        cut: why a part of it is missing, ``None`` if it is whole.
    """

    role: str
    message: dict[str, Any]
    text: str
    thinking: str
    cut: str | None
    calls: list[Call] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    @property
    def id(self) -> str | None:
        """The message's id."""
        return about(self.message).get("id")

    @property
    def time(self) -> dt.datetime | None:
        """When it was written."""
        try:
            return dt.datetime.fromtimestamp(self.message["timestamp"] / 1000, dt.UTC)
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            return None

    @property
    def title(self) -> str:
        """Who says it, with which model, and when."""
        when = f"{self.time:%Y-%m-%d %H:%M:%S} UTC" if self.time else ""
        model = self.message.get("model") if self.role == "assistant" else None
        running = "still running" if self.message.get("stopReason") == RUNNING else None
        role = _TITLES.get(self.role, self.role)
        return " · ".join(str(part) for part in (role, model, when, running) if part)

    @property
    def notes(self) -> list[str]:
        """What has to be said of it: images, a failure, what is missing."""
        failed = self.message.get("stopReason") in ("error", "aborted")
        notes = [*self.images, *([f"stopped: {self.message['stopReason']}"] if failed else [])]
        return [*notes, f"a part is missing: {self.cut}"] if self.cut else notes


RUNNING = "running"


def with_running(history: History) -> list[dict[str, Any]]:
    """Return a session's messages, and what a run that goes on has said so far as the last one."""
    running = history.running or {}
    text = running.get("text")
    if not isinstance(text, str) or not text:
        return history.messages
    message = {
        "role": "assistant",
        "content": text,
        "stopReason": RUNNING,
        "__openclaw": {"runId": running.get("runId")},
    }
    return [*history.messages, message]


def entries_of(history: History) -> list[Entry]:
    """Return the entries of a session; a result whose call is there is part of the call."""
    calls: dict[int, list[Call]] = {}
    taken: set[int] = set()
    for record in call_records(history):
        calls.setdefault(record["position"], []).append(_call(record))
        taken.add(record.get("result_position", -1))
    return [
        _entry(message, calls.get(position, []))
        for position, message in enumerate(history.messages)
        if not (message.get("role") == "toolResult" and position in taken)
    ]


def _call(record: dict[str, Any]) -> Call:
    milliseconds = record.get("milliseconds")
    return Call(
        id=str(record.get("id")),
        tool=str(record.get("name", "?")),
        arguments=record.get("arguments"),
        status=record["status"],
        result=record.get("result"),
        seconds=None if milliseconds is None else milliseconds / 1000,
        cut=record.get("cut"),
    )


def _entry(message: dict[str, Any], calls: list[Call]) -> Entry:
    return Entry(
        role=str(message.get("role", "?")),
        message=message,
        text=text_of(blocks(message)),
        thinking=text_of(blocks(message), "thinking"),
        cut=cut_reason(message),
        calls=calls,
        images=[_image(block) for block in blocks(message) if block.get("type") == "image"],
    )


def _image(block: dict[str, Any]) -> str:
    """Return what is said of an image; the gateway tells its bytes, or gives them as base64."""
    kind, data, count = block.get("mimeType", "of unknown type"), block.get("data"), block.get("bytes")
    count = len(data) * 3 // 4 if isinstance(data, str) else count
    return f"image {kind}" + (f", {size(count)}" if type(count) is int and count >= 0 else "")


def shown(text: str) -> str:
    """Return a text in which nothing acts: terminal codes and direction marks are written out."""
    return printable(text.replace("\r\n", "\n").expandtabs(_TAB))


def arguments_text(call: Call) -> str:
    """Return a call's arguments as JSON text."""
    return json_text(call.arguments) or "(nested too deep to be written)"
