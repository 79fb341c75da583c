"""What an event says, in one line: session, state or phase, tool and text, by the kind of event. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

LONGEST = 400
"""Characters of a summary, and of each part before they are joined."""
_SEPARATOR = " · "
_LARGEST = 200_000
"""Bytes of JSON beyond which a payload is not decoded for a line about it."""
_FIELDS = 6
_decode = msgspec.json.Decoder().decode


def summary(event: str | None, payload: str) -> str:
    """Return what an event says, in one line.

    Args:
        event: its name; ``None`` where it is no event of a gateway's.
        payload: its JSON.

    Returns:
        What is there of session, state, tool and text, with dots between them; of an event that has none of these, its
        first plain fields. At most `LONGEST` characters, on one line; empty where the payload says nothing.

    Example:
        >>> summary("chat", '{"runId": "r", "sessionKey": "main", "state": "delta", "deltaText": "Hello"}')
        'main · delta · Hello'
        >>> summary("tick", '{"ts": 1700000000000}')
        'ts=1700000000000'
    """
    if len(payload) > _LARGEST:
        return ""
    try:
        fields = _decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    if not isinstance(fields, dict):
        return _line(_text(fields))
    parts = _READERS.get(event or "", _any)(fields)
    line = _SEPARATOR.join(part for part in map(_line, parts) if part)
    return _line(line or " ".join(_plain_fields(fields)))


def _line(text: str) -> str:
    return " ".join(text[:LONGEST].split())


def _agent(fields: dict[str, Any]) -> Iterator[str]:
    """A run's stream: lifecycle, assistant, tool, item, usage, ..."""
    data = _object(fields.get("data"))
    yield _text(fields.get("sessionKey"))
    yield " ".join(word for word in (_text(fields.get("stream")), _text(data.get("phase"))) if word)
    yield _text(data.get("name")) or _text(data.get("toolName"))
    yield _first(data, "delta", "text", "error", "output", "args", "result", "partialResult", "title", "model")
    yield _counted(data.get("outputTokens"), "tokens")


def _chat(fields: dict[str, Any]) -> Iterator[str]:
    yield _text(fields.get("sessionKey"))
    yield _text(fields.get("state"))
    yield _first(fields, "deltaText", "errorMessage", "message")


def _message(fields: dict[str, Any]) -> Iterator[str]:
    """A message of a session's transcript, or what became of a tool call in it."""
    message = _object(fields.get("message"))
    yield _text(fields.get("sessionKey"))
    yield _text(message.get("role")) or _first(fields, "phase", "state")
    yield _text(message.get("toolName")) or _first(fields, "toolName", "name")
    yield _first(fields, "message", "text", "result")


def _any(fields: dict[str, Any]) -> Iterator[str]:
    """Any other: a task, a session that changed, a job, a request for an approval."""
    inner = next(
        (_object(fields[name]) for name in ("task", "request", "job") if isinstance(fields.get(name), dict)), {}
    )
    yield _text(fields.get("sessionKey")) or _text(inner.get("sessionKey"))
    yield _first(fields, "phase", "state", "status", "action", "reason", "decision")
    yield _first(inner, "status")
    yield _first(fields, "toolName", "tool") or _text(_object(inner.get("currentTool")).get("name"))
    yield _first(fields, "text", "message", "error") or _first(inner, "title", "name", "command", "question")


_READERS = {"agent": _agent, "chat": _chat, "session.message": _message, "session.tool": _message}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(fields: dict[str, Any], *names: str) -> str:
    return next((text for name in names if (text := _text(fields.get(name)))), "")


def _counted(number: Any, what: str) -> str:
    return f"{number:,} {what}" if isinstance(number, int) else ""


def _text(value: Any) -> str:
    """Return a value as text: of a message its content, of what is nested otherwise its JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict) and "content" in value:
        return _text(value["content"])
    if isinstance(value, list) and value and all(isinstance(part, dict) and "type" in part for part in value):
        return " ".join(_first(part, "text", "thinking", "name", "type") for part in value)
    if isinstance(value, (dict, list)) and not value:
        return ""
    return msgspec.json.encode(value).decode()[:LONGEST]


def _plain_fields(fields: dict[str, Any]) -> list[str]:
    plain = [
        (name, value) for name, value in fields.items() if not isinstance(value, (dict, list)) and value is not None
    ]
    return [f"{name}={_text(value)[:LONGEST]}" for name, value in plain[:_FIELDS]]
