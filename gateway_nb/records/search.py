"""Finding sessions and messages by their text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import BadArgumentError
from .frames import Book, Column
from .paging import rows_of
from .sessions import list_sessions
from .steps import Ask, Steps

if TYPE_CHECKING:
    import pandas as pd

_MOST_SESSIONS, _MOST_RESULTS = 200, 25
SEARCH = Book(
    "sessions.search, sessions.list",
    (
        Column("kind", "text", "kind", "message, session; cut where one session has more matches than are returned"),
        Column("session", "text", "sessionKey", "the session's key"),
        Column("message", "text", "messageId", "the message's id"),
        Column("role", "text", "role", "user, assistant"),
        Column("time", "time", "timestamp", "when it was said; of a session, when it changed last"),
        Column("text", "text", "snippet", "the place where the text stands; of a session, its label"),
        Column("score", "number", "score", "how well it matches, more is better"),
        Column("open", "text", "open", "the call that shows it"),
    ),
)


def read_matches(text: str) -> Steps[pd.DataFrame]:
    """Read the sessions whose key or label has a text, and the messages that have it, by session.

    The gateway tells 25 messages at a time, and no next page: where there are more, half of the sessions are asked
    about, until it is one.

    Raises:
        BadArgumentError: there is no text to search for.
    """
    if not isinstance(text, str) or not text.strip():
        raise BadArgumentError(f"text must be something to search for, not {text!r}")
    sessions = yield from list_sessions()
    keys = [row["key"] for row in sessions if isinstance(row.get("key"), str)]
    found: list[dict[str, Any]] = []
    for start in range(0, len(keys), _MOST_SESSIONS):
        found += yield from _messages(text, keys[start : start + _MOST_SESSIONS])
    found.sort(key=_score, reverse=True)
    named = [_session(row) for row in sessions if _names(row, text.strip().lower())]
    return SEARCH.frame([*named, *map(_message, found)])


def _messages(text: str, keys: list[str]) -> Steps[list[dict[str, Any]]]:
    payload = yield Ask("sessions.search", {"query": text, "sessionKeys": keys, "limit": _MOST_RESULTS})
    results = rows_of("sessions.search", payload, "results")
    if payload.get("truncated") is not True and len(results) < _MOST_RESULTS:
        return results
    if len(keys) == 1:
        note = f"only {len(results)} matches of this session are here; gw.data.messages({keys[0]!r}) has all messages"
        return [*results, {"kind": "cut", "sessionKey": keys[0], "snippet": note}]
    middle = len(keys) // 2
    return [*(yield from _messages(text, keys[:middle])), *(yield from _messages(text, keys[middle:]))]


def _score(row: dict[str, Any]) -> float:
    score = row.get("score")
    return score if isinstance(score, int | float) else 0.0


def _message(row: dict[str, Any]) -> dict[str, Any]:
    place = f".around({row['messageId']!r})" if isinstance(row.get("messageId"), str) else ""
    return {"kind": "message", **row, "open": f"gw.transcript({row.get('sessionKey')!r}){place}"}


def _names(row: dict[str, Any], text: str) -> bool:
    return any(text in str(row.get(name) or "").lower() for name in ("key", "label"))


def _session(row: dict[str, Any]) -> dict[str, Any]:
    key = row.get("key")
    named = {"kind": "session", "sessionKey": key, "timestamp": row.get("updatedAt"), "snippet": row.get("label")}
    return {**named, "open": f"gw.transcript({key!r})"}
