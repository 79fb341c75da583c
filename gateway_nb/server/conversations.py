"""Sessions and their messages; who subscribed hears of them."""

from __future__ import annotations

from typing import Any

from .clock import now_ms
from .peers import Peers
from .state.sessions import Sessions
from .state.transcripts import Transcripts


class Conversations:
    """Sessions and messages.

    Args:
        peers: the clients that have connected.

    Attributes:
        sessions: the rows.
        transcripts: the messages.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.sessions = Sessions()
        self.transcripts = Transcripts()

    def changed(self, row: dict[str, Any], **what: Any) -> None:
        """Tell who subscribed to sessions that one changed.

        Args:
            row: the session's, as it is now.
            what: ``reason``, or ``phase`` and ``runId``.
        """
        payload = {"sessionKey": row["key"], "agentId": row["agentId"], **what, "ts": now_ms()}
        if what.get("reason") != "delete":
            payload["session"] = row
        self._peers.broadcast("sessions.changed", payload, to=[peer for peer in self._peers if peer.session_events])

    def say(self, key: str, message: dict[str, Any], run_id: str | None = None) -> None:
        """Keep a message, and tell who subscribed to its session's messages."""
        kept = self.transcripts.append(key, message, run_id)
        row = self.sessions.touch(key)
        about = kept["__openclaw"]
        payload = {
            "sessionKey": key,
            "agentId": row["agentId"],
            "message": kept,
            "messageId": about["id"],
            "messageSeq": about["seq"],
            "session": row,
        }
        listening = [peer for peer in self._peers if key in peer.message_keys]
        self._peers.broadcast("session.message", payload, to=listening)
