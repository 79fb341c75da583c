"""The messages of the embedded gateway's sessions, in order, in the real gateway's shape."""

from __future__ import annotations

import base64
import copy
import json
import uuid
from collections.abc import Iterable
from typing import Any

from ..clock import now_ms
from ..params import parse

DISPLAY_CHARS = 8000
_CUT = "\n...(truncated)..."


class Transcripts:
    """Messages by session key, the oldest first."""

    def __init__(self) -> None:
        self._messages: dict[str, list[dict[str, Any]]] = {}
        self._generations: dict[str, str] = {}

    def append(self, key: str, message: dict[str, Any], run_id: str | None = None) -> dict[str, Any]:
        """Keep a message; return it with its id, its number and its time.

        Args:
            key: the session's.
            message: ``role``, ``content`` and what its role has.
            run_id: the run that it is of; a user's message has none.
        """
        messages = self._messages.setdefault(key, [])
        now = now_ms()
        about: dict[str, Any] = {"id": str(uuid.uuid4()), "recordTimestampMs": now, "seq": len(messages) + 1}
        if run_id is not None:
            about["runId"] = run_id
        if "idempotencyKey" in message:
            about["idempotencyKey"] = message["idempotencyKey"]
        kept = {"timestamp": now, **message, "__openclaw": about}
        messages.append(kept)
        return kept

    def of(self, key: str) -> list[dict[str, Any]]:
        """Return all messages of a session, whole."""
        return self._messages.get(key, [])

    def page(self, key: str, limit: int, offset: int, max_chars: int) -> tuple[list[dict[str, Any]], int | None]:
        """Return messages as they are shown, and the offset of those before them, ``None`` at the beginning.

        Args:
            key: the session's.
            limit: no more than this many.
            offset: how many of the newest to leave out.
            max_chars: cut longer texts.
        """
        messages = self.of(key)
        end = max(len(messages) - offset, 0)
        begin = max(end - limit, 0)
        return [shown(message, max_chars) for message in messages[begin:end]], offset + limit if begin else None

    def find(self, key: str, message_id: str) -> dict[str, Any] | None:
        """Return one message, whole, ``None`` if there is none of that id."""
        return next((message for message in self.of(key) if message["__openclaw"]["id"] == message_id), None)

    def cursor(self, key: str) -> str:
        """Return what `since` takes to give only what comes later."""
        position = json.dumps([key, self._generation(key), len(self.of(key))])
        return base64.urlsafe_b64encode(position.encode()).decode()

    def since(self, key: str, cursor: str) -> list[dict[str, Any]] | None:
        """Return the messages after a cursor, ``None`` if it is of other messages than there are."""
        try:
            session, generation, count = parse(base64.urlsafe_b64decode(cursor))
        except (ValueError, TypeError):
            return None
        same = (session, generation) == (key, self._generation(key)) and isinstance(count, int)
        return self.of(key)[count:] if same else None

    def search(self, query: str, keys: Iterable[str] | None, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Return the messages of users and agents that contain a text, the newest first, and whether there are more."""
        found = [
            {
                "sessionKey": key,
                "messageId": message["__openclaw"]["id"],
                "role": message["role"],
                "snippet": text[:500],
            }
            | {
                "timestamp": message["__openclaw"]["recordTimestampMs"],
                "score": float(text.lower().count(query.lower())),
            }
            for key in (self._messages if keys is None else keys)
            for message in self.of(key)
            if message["role"] in ("user", "assistant") and query.lower() in (text := _text(message)).lower()
        ]
        found.sort(key=lambda each: each["timestamp"], reverse=True)
        return found[:limit], len(found) > limit

    def forget(self, key: str) -> None:
        """Drop the messages of a session."""
        self._messages.pop(key, None)
        self._generations.pop(key, None)

    def _generation(self, key: str) -> str:
        return self._generations.setdefault(key, str(uuid.uuid4()))


def shown(message: dict[str, Any], max_chars: int) -> dict[str, Any]:
    """Return a message with its texts cut, marked if one was."""
    content = message["content"]
    texts = [content] if isinstance(content, str) else [block.get("text", "") for block in content]
    if all(len(text) <= max_chars for text in texts):
        return message
    cut = copy.deepcopy(message)
    if isinstance(content, str):
        cut["content"] = _shortened(content, max_chars)
    else:
        for block in cut["content"]:
            if "text" in block:
                block["text"] = _shortened(block["text"], max_chars)
    cut["__openclaw"] |= {"truncated": True, "reason": "display-cap"}
    return cut


def _shortened(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[:max_chars] + _CUT


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else " ".join(block.get("text", "") for block in content)
