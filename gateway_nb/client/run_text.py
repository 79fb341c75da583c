"""The text of a run's answer as it grows, and its pieces for whoever reads along."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..protocol.frames import mapping

LONGEST = 4 * 1024 * 1024
"""Characters of an answer that are kept while it grows."""
_MOST_PARTS = 1024  # a string of one character takes as much memory as one of twenty


class Answer:
    """An answer that grows, and that the gateway may take back.

    Its pieces, one after the other, are the answer. What was taken back can't be unprinted: the next piece is then a
    line break and the whole answer so far. What is added costs its own length, however long the answer is.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._handed_out: str | None = None  # in pieces, since the answer was taken back last; None: just the answer
        self._pieces: deque[str] = deque()
        self._length = 0

    @property
    def text(self) -> str:
        """The answer so far, its first `LONGEST` characters. From any thread."""
        return "".join(self._parts)

    def take(self, payload: dict[str, Any]) -> None:
        """Learn from the payload of one of the run's ``chat`` events."""
        delta = payload.get("deltaText")
        adds = payload.get("state") == "delta" and payload.get("replace") is not True and self._handed_out is None
        if adds and isinstance(delta, str):
            self._add(delta)
        else:
            self.replace(answer_after("chat", payload, self.text))

    def _add(self, delta: str) -> None:
        delta = delta[: LONGEST - self._size]
        if delta:
            self._parts.append(delta)
            if len(self._parts) > _MOST_PARTS:
                self._parts = ["".join(self._parts)]
            self._size += len(delta)
            self._hand_out(delta)

    def replace(self, text: str) -> None:
        """Take the answer as it is now; what it has beyond the pieces so far is the next piece."""
        before = self.text if self._handed_out is None else self._handed_out
        text = text[:LONGEST]
        self._parts, self._size = [text], len(text)
        self._handed_out = before if before != text and before.startswith(text) else None
        if self._handed_out is not None or before == text:
            return
        if text.startswith(before):
            self._hand_out(text[len(before) :])
        elif not _without_blanks(before).endswith(_without_blanks(text)):
            self._hand_out(f"\n{text}")

    def next_piece(self) -> str | None:
        """Return the next piece, if there is one."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._length -= len(piece)
        return piece

    def _hand_out(self, piece: str) -> None:
        if self._length + len(piece) > 2 * LONGEST:  # taken back again and again, and nobody reads
            self._pieces.clear()
            self._length, piece = 0, f"\n{self.text}"
        self._pieces.append(piece)
        if len(self._pieces) > _MOST_PARTS:
            self._pieces = deque(["".join(self._pieces)])
        self._length += len(piece)


def answer_after(event: str, payload: dict[str, Any], text: str) -> str:
    """Return a run's answer after one of its events, given what it was before."""
    if event != "chat" or payload.get("state") not in ("delta", "final"):
        return text
    delta = payload.get("deltaText")
    if payload["state"] == "delta" and isinstance(delta, str):
        return (delta if payload.get("replace") is True else text + delta)[:LONGEST]
    # Gateways of protocol 3 send the whole answer so far instead, and every gateway at the end.
    content = mapping(payload.get("message")).get("content")
    parts = [mapping(part).get("text") for part in content] if isinstance(content, list) else []
    return "".join(part for part in parts if isinstance(part, str)) or text


def _without_blanks(text: str) -> str:
    return "".join(text.split())
