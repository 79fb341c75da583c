"""The messages of the embedded gateway's sessions, in order, in the real gateway's shape."""

from __future__ import annotations

import uuid
from typing import Any

from ..clock import now_ms


class Transcripts:
    """Messages by session key, the oldest first."""

    def __init__(self) -> None:
        self._messages: dict[str, list[dict[str, Any]]] = {}

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
        """Return all messages of a session."""
        return self._messages.get(key, [])

    def page(self, key: str, limit: int, offset: int) -> tuple[list[dict[str, Any]], int | None]:
        """Return messages and the offset of those before them, ``None`` at the beginning.

        Args:
            key: the session's.
            limit: no more than this many.
            offset: how many of the newest to leave out.
        """
        messages = self.of(key)
        end = max(len(messages) - offset, 0)
        begin = max(end - limit, 0)
        return messages[begin:end], offset + limit if begin else None

    def forget(self, key: str) -> None:
        """Drop the messages of a session."""
        self._messages.pop(key, None)
