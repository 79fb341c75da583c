"""Sessions: one row each, archived ones too."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from ..errors import GatewayRequestError
from .frames import Book, Column
from .paging import pages
from .steps import Ask, Steps

if TYPE_CHECKING:
    import pandas as pd

_PAGE = 10_000  # the gateway has no maximum: one page, and nothing can move between two
SESSIONS = Book(
    "sessions.list",
    (
        Column("session", "text", "key", "its key"),
        Column("agent", "text", "agentId", "the agent's id"),
        Column("label", "text", "label", "its name for people"),
        Column("kind", "text", "kind", "direct, group, ..."),
        Column("status", "text", "status", "of its last run: running, done, failed, killed, timeout"),
        Column("archived", "flag", "archived", "whether it is archived"),
        Column("created", "time", "createdAt", "when it began"),
        Column("updated", "time", "updatedAt", "when it changed last"),
        Column("active", "time", "lastActivityAt", "when something was said last"),
        Column("provider", "text", "modelProvider", "the model's provider"),
        Column("model", "text", "model", "the model's id"),
        Column("thinking", "text", "thinkingLevel", "the level of thinking that was set"),
        Column("run", "text", "lastRunId", "the id of its last run"),
        Column("started", "time", "startedAt", "when its last run began"),
        Column("ended", "time", "endedAt", "when its last run ended"),
        Column("seconds", "seconds", "runtimeMs", "how long its last run took, in seconds"),
        Column("last_input_tokens", "count", "inputTokens", "tokens into its last run"),
        Column("last_output_tokens", "count", "outputTokens", "tokens out of its last run"),
        Column("last_cost", "number", "estimatedCostUsd", "cost of its last run, in USD"),
        Column("parent", "text", "spawnedBy|parentSessionKey", "the key of the session that started it"),
        Column("session_id", "text", "sessionId", "its id in the gateway's store"),
    ),
)


def list_sessions(limit: int | None = None) -> Steps[list[dict[str, Any]]]:
    """Read the rows of all sessions, the one that changed last first."""
    try:
        return (yield from _pages({"archived": "all"}, limit))
    except GatewayRequestError as error:
        if "unexpected property 'archived'" not in error.gateway_message:
            raise
        return (yield from _pages({}, limit))  # before 2026.9 nothing is archived


def _pages(params: dict[str, Any], limit: int | None) -> Steps[list[dict[str, Any]]]:
    return pages("sessions.list", params, "sessions", "key", size=_PAGE, by="offset", limit=limit)


def read_sessions(limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read all sessions."""
    return SESSIONS.frame((yield from list_sessions(limit)))


def choose_keys(session: str | None) -> Steps[list[str]]:
    """Read which sessions are meant.

    Args:
        session: a key, which is returned as it is, a glob pattern of keys, or ``None``: all.
    """
    if session is not None and not any(sign in session for sign in "*?["):
        return [session]
    keys = [str(row["key"]) for row in (yield from list_sessions()) if isinstance(row.get("key"), str)]
    return keys if session is None else [key for key in keys if fnmatch.fnmatchcase(key, session)]


def check_exists(session: str) -> Steps[None]:
    """Check that there is a session of a key.

    Raises:
        GatewayRequestError: there is none.
    """
    payload = yield Ask("sessions.describe", {"key": session})
    if not isinstance(payload, dict) or not isinstance(payload.get("session"), dict):
        message = f"no session {session!r} on this gateway, or not any more; gw.data.sessions() lists those there are"
        raise GatewayRequestError(message, method="sessions.describe", code="INVALID_REQUEST")
