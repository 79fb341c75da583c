"""All messages of a session: complete, in order, each once, and whole where the gateway gives them whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import GatewayRequestError
from .frames import value_at
from .paging import MOST_ROWS, count_of, endless, key_of, rows_of
from .sessions import check_exists
from .steps import Ask, Steps

_PAGE = 1000
_PAGE_CHARS = 100_000
"""Characters of a text in a page: above them some gateways leave the message out instead of cutting it."""
_MESSAGE_CHARS = 2_000_000
_ATTEMPTS = 3
_MOST_EMPTY = 20  # pages in a row: what the gateway hides may fill a few
META = "__openclaw"
INJECTED = "gateway-injected"
"""The model of messages that the gateway writes itself, as of what an aborted run had said."""


@dataclass
class History:
    """The messages of a session.

    Attributes:
        session: its key.
        messages: as the gateway keeps them, the oldest first.
        running: the run that goes on and what it has said so far, ``{"runId", "text"}``, or ``None``.
        cursor: what the gateway takes to tell what came since, ``None`` where it tells none.
    """

    session: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    running: dict[str, Any] | None = None
    cursor: str | None = None


def about(message: dict[str, Any]) -> dict[str, Any]:
    """Return what the gateway notes of a message: its id, number, run, time."""
    meta = message.get(META)
    return meta if isinstance(meta, dict) else {}


def blocks(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a message's content; a text is one block."""
    content = message.get("content")
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def text_of(parts: Iterable[dict[str, Any]], kind: str = "text") -> str:
    """Return the texts of blocks, or their thinking, joined by blank lines."""
    texts = [block.get(kind) for block in parts if block.get("type") == kind]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def run_of(message: dict[str, Any]) -> str | None:
    """Return the id of the run a message is of; a user's message names it in its idempotency key."""
    run = about(message).get("runId")
    if isinstance(run, str):
        return run
    key = message.get("idempotencyKey")
    return key.removesuffix(":user") if isinstance(key, str) and key.endswith(":user") else None


def read_history(session: str, limit: int | None = None, *, must_exist: bool = True) -> Steps[History]:
    """Read a session's messages.

    Args:
        session: its key.
        limit: the newest so many are enough.
        must_exist: a session that is not there is an error; else it has no messages.

    Raises:
        GatewayRequestError: there is no such session, or it changes each time while it is read.
    """
    for _ in range(_ATTEMPTS):
        history = yield from _read(session, limit)
        if history is not None:
            if not history.messages and must_exist:
                yield from check_exists(session)
            history.messages = yield from _all_whole(session, history.messages)
            return history
    what = f"chat.history: session {session!r} was reset or deleted while it was read, {_ATTEMPTS} times; ask again"
    raise GatewayRequestError(what, method="chat.history")


def read_on(history: History) -> Steps[History]:
    """Read what came to a session since; where the gateway can't tell, as after a reset, all of it.

    Args:
        history: of the session, as it was read last.

    Raises:
        GatewayRequestError: there is no such session any more.
    """
    session = history.session
    if history.cursor is None:
        return (yield from read_history(session))
    payload = yield Ask("chat.history", {"sessionKey": session, "cursor": history.cursor})
    if value_at(payload, ["kind"]) != "delta":
        return (yield from read_history(session))
    ids = {key_of(about(message).get("id"), number) for number, message in enumerate(history.messages)}
    found = [row.get("message") for row in rows_of("chat.history", payload, "messages")]
    new = [message for message in found if isinstance(message, dict) and about(message).get("id") not in ids]
    return History(
        session,
        [*history.messages, *(yield from _all_whole(session, new))],
        cursor=_cursor(payload),
    )


def _read(session: str, limit: int | None) -> Steps[History | None]:
    """Read every page, the newest first; return ``None`` where the session became another one in between."""
    found: dict[Any, dict[str, Any]] = {}
    first = payload = yield _page(session, limit, 0, 0, None)
    messages = rows_of("chat.history", payload, "messages")
    total = count_of(first, "totalMessages")
    if total is None:  # before 2026.9 it has the newest 1,000 alone, and no pages
        return History(session, (yield from _stored(session))[-(limit or MOST_ROWS) :])
    position = empty = 0
    while True:
        if payload.get("sessionId") != first.get("sessionId") or (count_of(payload, "totalMessages") or 0) < total:
            return None
        before = len(found)
        for message in messages:
            found.setdefault(key_of(about(message).get("id"), len(found)), message)
        empty = empty + 1 if len(found) == before else 0
        following = payload.get("nextOffset")
        if following is None or (limit is not None and len(found) >= limit):
            break
        if type(following) is not int or not position < following < MOST_ROWS or empty > _MOST_EMPTY:
            raise endless("chat.history", len(found))
        position = following
        payload = yield _page(session, limit, position, len(found), total)
        messages = rows_of("chat.history", payload, "messages")
    ordered = sorted(found.values(), key=lambda message: _number(about(message).get("seq")))
    if limit is None and len(ordered) < total:
        ordered = yield from _with_hidden(session, ordered, total)
    numbers = [about(message)["seq"] for message in ordered if isinstance(about(message).get("seq"), int)]
    if len(set(numbers)) != len(numbers):
        return None
    running = first.get("inFlightRun")
    running = running if isinstance(running, dict) else None
    return History(session, ordered[-limit:] if limit else ordered, running, _cursor(first))


def _cursor(payload: dict[str, Any]) -> str | None:
    cursor = payload.get("deltaCursor")
    return cursor if isinstance(cursor, str) else None


def _page(session: str, limit: int | None, position: int, rows: int, total: int | None) -> Ask:
    size = _PAGE if limit is None else min(_PAGE, limit - rows)
    params: dict[str, Any] = {"sessionKey": session, "maxChars": _PAGE_CHARS, "limit": size}
    return Ask("chat.history", params | ({"offset": position} if position else {}), rows, total)


def _stored(session: str) -> Steps[list[dict[str, Any]]]:
    """Read the messages as they are stored; the gateway ends that without a word at about 8 MB."""
    return rows_of("sessions.get", (yield Ask("sessions.get", {"key": session, "limit": MOST_ROWS})), "messages")


def _with_hidden(session: str, messages: list[dict[str, Any]], total: int) -> Steps[list[dict[str, Any]]]:
    """Return messages with those that pages leave out, as the gateway's own prompts; what it has not is said."""
    by_id: dict[Any, dict[str, Any]] = {}
    for message in [*messages, *(yield from _stored(session))]:
        by_id.setdefault(key_of(about(message).get("id"), len(by_id)), message)
    ordered = sorted(by_id.values(), key=lambda message: _number(about(message).get("seq")))
    if (missing := total - len(ordered)) > 0:
        meta = {"truncated": True, "reason": f"{missing:,} messages are not told by the gateway"}
        ordered.insert(0, {"role": "system", "content": "", META: meta})
    return ordered


def _number(seq: Any) -> float:
    return seq if isinstance(seq, int | float) else 0


def _all_whole(session: str, messages: list[dict[str, Any]]) -> Steps[list[dict[str, Any]]]:
    """Return messages with those that were cut as whole ones."""
    whole = []
    for message in messages:
        cut = cut_reason(message) is not None and isinstance(about(message).get("id"), str)
        whole.append((yield from _whole(session, message)) if cut else message)
    return whole


def _whole(session: str, message: dict[str, Any]) -> Steps[dict[str, Any]]:
    """Return a message that was cut as a whole one, or as it is, still marked, where the gateway has no more of it."""
    params = {"sessionKey": session, "messageId": about(message).get("id"), "maxChars": _MESSAGE_CHARS}
    try:
        payload = yield Ask("chat.message.get", params)
    except GatewayRequestError:  # deleted meanwhile, or too large for an answer: what there is stays marked as cut
        return message
    whole = value_at(payload, ["message"])
    return {**whole, META: about(message) | {"truncated": False} | about(whole)} if isinstance(whole, dict) else message


def cut_reason(message: dict[str, Any]) -> str | None:
    """Return why a part of a message is missing, ``None`` if it is whole."""
    meta = about(message)
    return str(meta.get("reason", "cut by the gateway")) if meta.get("truncated") is True else None


def agent_of(session: str) -> str | None:
    """Return the agent that a session's key names, ``agent:AGENT:...``."""
    parts = session.split(":")
    return parts[1] if len(parts) > 2 and parts[0] == "agent" else None
