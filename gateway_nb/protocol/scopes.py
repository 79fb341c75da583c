"""Which scopes a client needs, and which of them imply others (as the real gateway decides)."""

from __future__ import annotations

from collections.abc import Collection

ADMIN = "operator.admin"
APPROVALS = "operator.approvals"
PAIRING = "operator.pairing"
QUESTIONS = "operator.questions"
READ = "operator.read"
SESSIONS_READ = "operator.sessions.read"
SESSIONS_WRITE = "operator.sessions.write"
TALK = "operator.talk"
TALK_SECRETS = "operator.talk.secrets"
WRITE = "operator.write"

SCOPES = (
    ADMIN,
    APPROVALS,
    PAIRING,
    QUESTIONS,
    READ,
    SESSIONS_READ,
    SESSIONS_WRITE,
    TALK,
    TALK_SECRETS,
    WRITE,
)
"""Every scope that gateways know (to 2026.9.6). A node has none."""

_IMPLIED_BY = {
    READ: {WRITE},
    TALK: {WRITE},
    SESSIONS_READ: {READ, WRITE, SESSIONS_WRITE},
    SESSIONS_WRITE: {WRITE},
}


def allows(granted: Collection[str], scope: str) -> bool:
    """Return whether granted scopes cover a scope: admin covers all, write covers read.

    Example:
        >>> allows(["operator.write"], "operator.read"), allows(["operator.read"], "operator.write")
        (True, False)
    """
    return scope in granted or ADMIN in granted or not _IMPLIED_BY.get(scope, set()).isdisjoint(granted)
