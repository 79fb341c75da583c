"""Payloads as Python objects, and paths into them: `a.b`, `/a/b` and `$.a[0].b`, wherever a user writes one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import BadArgumentError
from ..protocol.frames import MalformedFrame, decode_payload

_BRACKET = re.compile(r'\[(?:(\d+)|("(?:[^"\\]|\\.)*"))\]')
_NAME = re.compile(r"[^.\[]+")


def decoded(text: str) -> Any:
    """Return a payload as Python objects; ``None`` where it is not JSON."""
    try:
        return decode_payload(text.encode())
    except MalformedFrame:
        return None


def steps_of(path: str) -> list[str]:
    """Return the names and list indices that a path goes through.

    Args:
        path: ``"runId"``, ``"data.phase"``, ``"data.items[0].name"``, the same with ``$.`` in front, with names in
            quotes where they have dots (``'$["a.b"]'``), or a JSON pointer ``"/data/phase"`` (RFC 6901).

    Raises:
        BadArgumentError: it is empty, or none of these.

    Example:
        >>> steps_of("$.data.items[0]"), steps_of("/data/items/0")
        (['data', 'items', '0'], ['data', 'items', '0'])
    """
    if not isinstance(path, str) or path == "/" or not path.strip("$. "):
        raise _no_path(path)
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return list(_steps(path))


def _steps(path: str) -> Iterator[str]:
    at = 1 if re.match(r"\$[.\[]", path) else 0
    while at < len(path):
        if path[at] == ".":
            at += 1
        found = _BRACKET.match(path, at) or _NAME.match(path, at)
        if found is None:
            raise _no_path(path)
        if found.re is _BRACKET:
            yield found[1] or json.loads(found[2])
        else:
            yield found[0]
        at = found.end()
        if at < len(path) and path[at] not in ".[":
            raise _no_path(path)
    if path.endswith("."):
        raise _no_path(path)


def _no_path(path: object) -> BadArgumentError:
    forms = "a name, names with dots (data.items[0].id) or a JSON pointer (/a/b)"
    return BadArgumentError(f"a path is {forms}, not {path!r}")


def pointer(steps: Iterable[str | int]) -> str:
    """Return steps as a JSON pointer; none is the whole.

    Example:
        >>> pointer(["a/b", 0])
        '/a~1b/0'
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def follow(payload: Any, steps: Sequence[str]) -> tuple[Any, Sequence[str]]:
    """Return how far a path leads: what is there, and the steps that are left, none where it leads to its end."""
    for number, step in enumerate(steps):
        if isinstance(payload, dict) and step in payload:
            payload = payload[step]
        elif isinstance(payload, list) and step.isdecimal() and int(step) < len(payload):
            payload = payload[int(step)]
        else:
            return payload, steps[number:]
    return payload, ()


def value_at(payload: Any, steps: Sequence[str]) -> Any:
    """Return what a payload holds there, or ``None``."""
    value, left = follow(payload, steps)
    return None if left else value


def paths_in(payload: Any, depth: int) -> Iterator[str]:
    """Yield a path for each value of a payload that is no container; of a list, those of its first item.

    Args:
        payload: decoded JSON.
        depth: steps of the longest path.

    Example:
        >>> list(paths_in({"runId": "r", "data": {"a.b": 1}}, 2))
        ['runId', 'data["a.b"]']
    """
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(payload, dict):
        items = (
            (name if re.fullmatch(r"[^\W\d]\w*", name) else f"[{json.dumps(name)}]", payload[name]) for name in payload
        )
    elif isinstance(payload, list):
        items = [("[0]", payload[0])] if payload else []
    for name, value in items:
        if not isinstance(value, (dict, list)):
            yield name
        elif depth > 1:
            yield from (name + (rest if rest.startswith("[") else f".{rest}") for rest in paths_in(value, depth - 1))
