"""Scopes: which one covers which."""

from __future__ import annotations

import pytest

from gateway_nb.protocol.scopes import SCOPES, allows

COVERED = [
    ([], "operator.read", False),
    (["operator.read"], "operator.read", True),
    (["operator.read"], "operator.write", False),
    (["operator.read"], "operator.talk", False),
    (["operator.read"], "operator.sessions.read", True),
    (["operator.read"], "operator.sessions.write", False),
    (["operator.write"], "operator.read", True),
    (["operator.write"], "operator.talk", True),
    (["operator.write"], "operator.sessions.write", True),
    (["operator.write"], "operator.approvals", False),
    (["operator.write"], "operator.admin", False),
    (["operator.sessions.write"], "operator.sessions.read", True),
    (["operator.sessions.write"], "operator.read", False),
    (["operator.approvals", "operator.pairing"], "operator.read", False),
]


@pytest.mark.parametrize(("granted", "scope", "covered"), COVERED)
def test_what_a_scope_covers(granted: list[str], scope: str, covered: bool) -> None:
    """Write covers read, and a scope that is granted covers itself."""
    assert allows(granted, scope) is covered


@pytest.mark.parametrize("scope", SCOPES)
def test_admin_covers_every_scope(scope: str) -> None:
    """With admin no other scope is missing."""
    assert allows(["operator.admin"], scope)
