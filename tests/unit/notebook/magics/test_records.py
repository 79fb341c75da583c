"""What ``%gateway data`` takes."""

from __future__ import annotations

from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.notebook.magics.body import CommandError
from gateway_nb.notebook.magics.records import BOOKS, read_book


def test_books() -> None:
    """Every book of `gw.data` has its word."""
    assert {"sessions", "messages", "tool_calls", "usage", "cron_runs", "tasks", "audit"} <= set(BOOKS)
    assert {"logs", "approvals", "nodes", "models", "tools", "devices"} <= set(BOOKS)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("sesions", {}, "has no 'sesions'; did you mean sessions"),
    ("read", {}, "has no 'read'"),
    ("sessions", {"by": "model"}, "data sessions takes --limit, not --by"),
    ("nodes", {"limit": "5"}, "data nodes takes no options, not --limit"),
    ("sessions", {"limit": "many"}, "--limit needs a number, not 'many'"),
    ("sessions", {"limit": "0"}, "limit must be a number of rows"),
    ("usage", {"by": "week"}, "by must be one of model, day, session, agent"),
    ("usage", {"since": "soon"}, "since must be like '24h'"),
    ("logs", {"n": "9999"}, "n must be at most 5,000"),
]


@pytest.mark.parametrize(("book", "options", "words"), WRONG)
def test_what_is_refused(book: str, options: dict[str, Any], words: str) -> None:
    """What a book does not take is refused in one line that says what it takes; nothing is sent."""
    gateway = gnb.Gateway("ws://127.0.0.1:1", token="t", device_identity=None)
    with pytest.raises(CommandError, match=words):
        read_book(gateway.data, book, options)
    gateway.close()
