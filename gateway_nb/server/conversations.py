"""Sessions, their messages and what they cost; subscribers are notified of changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .clock import now_ms
from .peers import Peers
from .state.sessions import Sessions
from .state.transcripts import Transcripts
from .state.usage import Usage


@dataclass
class Conversations:
    """Sessions and messages."""

    _peers: Peers
    sessions: Sessions = field(default_factory=Sessions)
    transcripts: Transcripts = field(default_factory=Transcripts)
    usage: Usage = field(default_factory=Usage)

    def changed(self, row: dict[str, Any], **what: Any) -> None:
        """Notify the subscribers of sessions that one changed.

        Args:
            row: the session's, as it is now.
            what: ``reason``, or ``phase`` and ``runId``.
        """
        payload = {"sessionKey": row["key"], "agentId": row["agentId"], **what, "ts": now_ms()}
        if what.get("reason") != "delete":
            payload["session"] = row
        self._peers.broadcast("sessions.changed", payload, to=[peer for peer in self._peers if peer.session_events])

    def add_message(self, key: str, message: dict[str, Any], run_id: str | None = None) -> None:
        """Keep a message, and notify the subscribers of its session's messages."""
        kept = self.transcripts.append(key, message, run_id)
        self.usage.add(self.sessions.touch(key), kept)
        listening = [peer for peer in self._peers if key in peer.message_keys]
        if listening:
            self._peers.broadcast("session.message", self.message_event(key, kept), to=listening)

    def message_event(self, key: str, message: dict[str, Any]) -> dict[str, Any]:
        """Return the payload of ``session.message``, which is also an item of a delta of ``chat.history``."""
        row, about = self.sessions.touch(key), message["__openclaw"]
        ids = {"sessionKey": key, "agentId": row["agentId"], "messageId": about["id"], "messageSeq": about["seq"]}
        return {**ids, "message": message, "session": row}

    def reset(self, key: str) -> dict[str, Any]:
        """Drop a session's messages, and return its row; what it used stays counted."""
        self.transcripts.forget(key)
        row = self.sessions.touch(key)
        row |= {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
        self.changed(row, reason="reset")
        return row

    def delete(self, key: str) -> bool:
        """Drop a session and its messages; return whether there was one. What it used stays counted under its id."""
        row = self.sessions.pop(key, None)
        if row is None:
            return False
        self.transcripts.forget(key)
        self.usage.rename(row)
        self.changed(row, reason="delete")
        return True
