"""What an event says, in one line: session, state or phase, tool and text, by the kind of event. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..protocol.frames import mapping

LARGEST = 65_536
"""Bytes of JSON beyond which a payload is not worth decoding for a line about it."""
_LONGEST = 240
_SEPARATOR = " · "
_FIELDS = 6
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")
_decode = msgspec.json.Decoder().decode


def summary(event: str | None, payload: str, longest: int = _LONGEST) -> str:
    """Return what an event says, in one line.

    Args:
        event: its name; ``None`` where it is not an event of a gateway's.
        payload: its JSON.
        longest: characters of each part.

    Returns:
        What is there of session, state, tool and text, with dots between them; of an event that has none of these, its
        first plain fields. Empty where the payload says nothing, or is too large to be looked into.

    Example:
        >>> summary("chat", '{"runId": "r", "sessionKey": "main", "state": "delta", "deltaText": "Hello"}')
        'main · delta · Hello'
        >>> summary("tick", '{"ts": 1700000000000}')
        'ts=1700000000000'
    """
    if len(payload) > LARGEST:
        return ""
    try:
        fields = _decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    if isinstance(fields, dict):
        parts = [part for part in _READERS.get(event or "", _any)(fields) if part] or [_plain(fields)]
    else:
        parts = [_text(fields)]
    # A blank for each break: whoever takes secrets out of the line afterwards relies on the length of a part.
    return _BREAKS.sub(" ", _SEPARATOR.join(part[:longest] for part in parts))


def _agent(fields: dict[str, Any]) -> tuple[str, ...]:
    """A run's stream: lifecycle, assistant, tool, item, usage, ..."""
    data = mapping(fields.get("data"))
    phase = _text(data.get("phase"))
    tokens = data.get("outputTokens")
    return (
        _text(fields.get("sessionKey")),
        _text(fields.get("stream")) + (f" {phase}" if phase else ""),
        _first(data, "name", "toolName"),
        _first(data, "delta", "text", "error", "output", "args", "result", "partialResult", "title", "model"),
        f"{tokens:,} tokens" if isinstance(tokens, int) else "",
    )


def _chat(fields: dict[str, Any]) -> tuple[str, ...]:
    text = _first(fields, "deltaText", "errorMessage", "message")
    return _text(fields.get("sessionKey")), _text(fields.get("state")), text


def _message(fields: dict[str, Any]) -> tuple[str, ...]:
    """A message of a session's transcript, or what became of a tool call in it."""
    message = mapping(fields.get("message"))
    return (
        _text(fields.get("sessionKey")),
        _first(message, "role") or _first(fields, "phase", "state"),
        _first(message, "toolName") or _first(fields, "toolName", "name"),
        _first(fields, "message", "text", "result"),
    )


def _any(fields: dict[str, Any]) -> tuple[str, ...]:
    """Any other: a task, a session that changed, a job, a request for an approval."""
    inner = next((inner for name in ("task", "request", "job") if (inner := mapping(fields.get(name)))), {})
    return (
        _first(fields, "sessionKey") or _first(inner, "sessionKey"),
        _first(fields, "phase", "state", "action", "reason", "decision", "status"),
        _first(inner, "status"),
        _first(fields, "toolName", "tool"),
        _first(fields, "text", "message", "error") or _first(inner, "title", "name", "command", "question"),
    )


_READERS = {"agent": _agent, "chat": _chat, "session.message": _message, "session.tool": _message}


def _first(fields: dict[str, Any], *names: str) -> str:
    """Return the first of some fields that says something, as text."""
    for name in names:
        if (value := fields.get(name)) is not None and (text := _text(value)):
            return text
    return ""


def _text(value: Any) -> str:
    """Return a value as text: of a message its content, of what is nested otherwise its JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "content" in value:
        return _text(value["content"])
    if isinstance(value, list) and value and all(isinstance(part, dict) and "type" in part for part in value):
        return " ".join(_first(part, "text", "thinking", "name", "type") for part in value)
    return "" if value is None or value in ({}, []) else msgspec.json.encode(value).decode()


def _plain(fields: dict[str, Any]) -> str:
    plain = [
        (name, value) for name, value in fields.items() if not isinstance(value, (dict, list)) and value is not None
    ]
    return " ".join(f"{name}={_text(value)}" for name, value in plain[:_FIELDS])
