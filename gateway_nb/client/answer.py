"""The text of a run's answer as it grows, and its pieces for whoever reads along."""

from __future__ import annotations

from collections import deque
from typing import Any

LONGEST = 4 * 1024 * 1024
"""Characters of an answer that are kept while it grows."""


class Answer:
    """An answer that grows, and that the gateway may take back.

    Its pieces, one after the other, are the answer. What was taken back can't be unprinted: the next piece is then a
    line break and the whole answer so far.

    Attributes:
        text: the answer so far, its first `LONGEST` characters.
    """

    def __init__(self) -> None:
        self.text = ""
        self._handed_out = ""  # in pieces, since the answer was taken back last
        self._pieces: deque[str] = deque()
        self._length = 0

    def replace(self, text: str) -> None:
        """Take the answer as it is now; what it has beyond the pieces so far is the next piece."""
        self.text = text = text[:LONGEST]
        if self._handed_out.startswith(text):
            return
        if text.startswith(self._handed_out):
            self._add(text[len(self._handed_out) :])
        elif not _without_blanks(self._handed_out).endswith(_without_blanks(text)):
            self._add(f"\n{text}")
        self._handed_out = text

    def next_piece(self) -> str | None:
        """Return the next piece, if there is one."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._length -= len(piece)
        return piece

    def _add(self, piece: str) -> None:
        if self._length + len(piece) > 2 * LONGEST:  # taken back again and again, and nobody reads
            self._pieces.clear()
            self._length = 0
        self._pieces.append(piece)
        self._length += len(piece)


def answer_after(event: str, payload: dict[str, Any], text: str) -> str:
    """Return a run's answer after one of its events.

    Args:
        event: the event's name.
        payload: its payload.
        text: the answer before.
    """
    if event != "chat" or payload.get("state") not in ("delta", "final"):
        return text
    delta = payload.get("deltaText")
    if payload["state"] == "delta" and isinstance(delta, str):
        return delta if payload.get("replace") is True else text + delta
    # Gateways of protocol 3 send the whole answer so far instead, and every gateway at the end.
    content = _mapping(payload.get("message")).get("content")
    parts = [_mapping(part).get("text") for part in content] if isinstance(content, list) else []
    return "".join(part for part in parts if isinstance(part, str)) or text


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
