"""Payloads as Python objects, and paths into them."""

from __future__ import annotations

from typing import Any

from ..protocol.frames import MalformedFrame, decode_payload

_MISSING = object()


def decoded(text: str) -> Any:
    """Return a payload as Python objects; ``None`` where it is no JSON."""
    try:
        return decode_payload(text.encode())
    except MalformedFrame:
        return None


def steps_of(path: str) -> list[str]:
    """Return the names that a path goes through.

    Args:
        path: ``"runId"``, ``"data.phase"`` or a JSON pointer ``"/data/phase"``.

    Raises:
        ValueError: it is empty.
    """
    if not isinstance(path, str) or not path.strip("/."):
        raise ValueError(f"a path is a name, names with dots, or a JSON pointer, not {path!r}")
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return path.split(".")


def value_at(payload: Any, steps: list[str]) -> Any:
    """Return what a payload holds there, or ``None``."""
    for step in steps:
        if isinstance(payload, dict):
            payload = payload.get(step, _MISSING)
        elif isinstance(payload, list) and step.isdecimal() and int(step) < len(payload):
            payload = payload[int(step)]
        else:
            return None
        if payload is _MISSING:
            return None
    return payload
