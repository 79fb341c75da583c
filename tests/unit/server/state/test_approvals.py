"""Approvals, without anybody who waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.server.answers import Refusal
from gateway_nb.server.state.approvals import EXEC, PLUGIN, Approvals

PERSON = {"kind": "device", "id": "d"}
TWO, THREE = ["allow-once", "deny"], ["allow-once", "allow-always", "deny"]


@pytest.mark.parametrize(
    ("kind", "given", "decisions"),
    [
        (EXEC, {"command": "x", "ask": "always"}, TWO),
        (EXEC, {"command": "x", "ask": "on-miss"}, THREE),
        (EXEC, {"command": "x", "unavailableDecisions": ["allow-always"]}, TWO),
        (PLUGIN, {"title": "x", "description": "y"}, THREE),
    ],
)
def test_offered_decisions(kind: str, given: dict[str, Any], decisions: list[str]) -> None:
    """What always has to be asked can't be allowed for always."""
    assert Approvals().add(kind, given, 1000).decisions == decisions


def test_pages_of_history() -> None:
    """Pages follow each other without loss or repetition, also where all were decided in one millisecond."""
    approvals = Approvals()
    for _ in range(5):
        approval = approvals.add(EXEC, {"command": "x"}, 1000)
        approvals.decide(approval, "deny", PERSON)
        approval.resolved_at = 1_000
    waiting = approvals.add(EXEC, {"command": "x"}, 1000)
    seen, cursor = [], None
    while True:
        page = approvals.history(None, 2, cursor)
        seen += [item["id"] for item in page["items"]]
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert waiting.id not in seen
    assert approvals.history(PLUGIN, 2, None) == {"items": []}


@pytest.mark.parametrize("cursor", ["none", "", "W10", "eyJhIjoxfQ", "\x00", "é", "W0luZmluaXR5LDFd", "W1tb" * 50_000])
def test_a_cursor_that_is_none(cursor: str) -> None:
    """What can't be a cursor is refused."""
    with pytest.raises(Refusal, match=r"invalid approval\.history cursor"):
        Approvals().history(None, 2, cursor)


def test_one_id_twice() -> None:
    """An id is used once, and an id of a command and of a plugin do not meet."""
    approvals = Approvals()
    approvals.add(EXEC, {"id": "a", "command": "x"}, 1000)
    approvals.add(PLUGIN, {"id": "a", "title": "x", "description": "y"}, 1000)
    with pytest.raises(Refusal, match="approval id already pending"):
        approvals.add(EXEC, {"id": "a", "command": "x"}, 1000)
    assert set(approvals) == {"a", "plugin:a"}
