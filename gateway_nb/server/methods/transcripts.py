"""The messages of sessions.

- ``chat.history {sessionKey, limit?: 1..1000 (200), offset?, maxChars?, cursor?}`` -> ``{sessionKey, sessionId?,
  messages, hasMore, nextOffset?, offset?, totalMessages, deltaCursor?, defaults, sessionInfo, inFlightRun?{runId,
  text}}``, the oldest first; ``offset`` counts back from the newest. With a ``cursor`` (a ``deltaCursor``): ``{kind:
  "delta", messages (as in the event session.message), deltaCursor, sessionInfo}``, or ``{kind: "reset"}``: begin again.
- ``chat.message.get {sessionKey, messageId, maxChars?}`` -> ``{ok: true, message}`` or ``{ok: false,
  unavailableReason}``.
- ``sessions.get {key, limit?}`` -> ``{messages}``, whole.
- ``sessions.search {query, sessionKeys?, limit?: 1..25}`` -> ``{results[{sessionKey, messageId, role, timestamp,
  snippet, score}], truncated?}``.

A message: ``role`` user | assistant | toolResult, ``content`` text or blocks, ``timestamp``, ``__openclaw {id, seq,
recordTimestampMs, runId?, truncated?, reason?}``; of an assistant ``provider, model, usage{input, output, cacheRead,
cacheWrite, totalTokens, cost{..., total}}, stopReason``; of a tool ``toolCallId, toolName, isError``. Texts longer than
``maxChars`` (8,000) are cut and marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import READ
from ..conversations import Conversations
from ..params import Params, array, integer, text
from ..runs import Runs
from ..state.models import CONTEXT_TOKENS, MODEL, PROVIDER
from ..state.transcripts import DISPLAY_CHARS, shown
from .method import Call, Method, Table

_HISTORY = Params(
    {
        "sessionKey": text,
        "limit": integer(1, 1000),
        "offset": integer(0),
        "maxChars": integer(1, 500_000),
        "cursor": text,
    },
    ("sessionKey",),
)
_MESSAGE = Params(
    {"sessionKey": text, "messageId": text, "maxChars": integer(1, 2_000_000)}, ("sessionKey", "messageId")
)
_GET = Params({"key": text, "limit": integer(1)}, ("key",))
_SEARCH = Params({"query": text, "sessionKeys": array(text), "limit": integer(1, 25)}, ("query",))


@dataclass
class TranscriptMethods:
    """The methods."""

    _conversations: Conversations
    _runs: Runs

    def table(self) -> Table:
        return {
            "chat.history": Method(READ, _HISTORY, self._history),
            "chat.message.get": Method(READ, _MESSAGE, self._message),
            "sessions.get": Method(READ, _GET, self._get),
            "sessions.search": Method(READ, _SEARCH, self._search),
        }

    def _history(self, call: Call) -> dict[str, Any]:
        params, key = call.params, call.params["sessionKey"]
        if "cursor" in params:
            return self._delta(key, params["cursor"])
        limit, offset = params.get("limit", 200), params.get("offset", 0)
        messages, before = self._conversations.transcripts.page(
            key, limit, offset, params.get("maxChars", DISPLAY_CHARS)
        )
        row = self._conversations.sessions.get(key)
        payload: dict[str, Any] = {"sessionKey": key, "messages": messages, "hasMore": before is not None}
        payload |= {"totalMessages": len(self._conversations.transcripts.of(key)), "sessionInfo": self._info(key)}
        payload["defaults"] = {"modelProvider": PROVIDER, "model": MODEL, "contextTokens": CONTEXT_TOKENS}
        if row is not None:
            payload["sessionId"] = row["sessionId"]
        if before is not None:
            payload["nextOffset"] = before
        payload |= (
            {"offset": offset}
            if offset
            else {"deltaCursor": self._conversations.transcripts.cursor(key)}
            if row
            else {}
        )
        if active := self._runs.active(key):
            payload["inFlightRun"] = {"runId": active[-1].run_id, "text": active[-1].text}
        return payload

    def _delta(self, key: str, cursor: str) -> dict[str, Any]:
        new = self._conversations.transcripts.since(key, cursor)
        if new is None:
            return {"kind": "reset"}
        messages = [self._conversations.message_event(key, shown(message, DISPLAY_CHARS)) for message in new]
        delta = {"kind": "delta", "messages": messages, "deltaCursor": self._conversations.transcripts.cursor(key)}
        return {**delta, "sessionInfo": self._info(key)}

    def _info(self, key: str) -> dict[str, Any]:
        row = self._conversations.sessions.get(key)
        return row or {"key": key, "updatedAt": None, "hasActiveRun": False, "activeRunIds": []}

    def _message(self, call: Call) -> dict[str, Any]:
        message = self._conversations.transcripts.find(call.params["sessionKey"], call.params["messageId"])
        if message is None:
            return {"ok": False, "unavailableReason": "not_found"}
        return {"ok": True, "message": shown(message, call.params.get("maxChars", 2_000_000))}

    def _get(self, call: Call) -> dict[str, Any]:
        messages = self._conversations.transcripts.of(call.params["key"])
        return {"messages": messages[-call.params.get("limit", len(messages)) :] if messages else []}

    def _search(self, call: Call) -> dict[str, Any]:
        params = call.params
        results, more = self._conversations.transcripts.search(
            params["query"], params.get("sessionKeys"), params.get("limit", 10)
        )
        return {"results": results} | ({"truncated": True} if more else {})
