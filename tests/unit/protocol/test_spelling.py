"""Spelling help, within bounds."""

from __future__ import annotations

import pytest

from gateway_nb.errors import is_unknown_method, request_error, suggest_methods
from gateway_nb.protocol.spelling import closest


@pytest.mark.parametrize(
    ("name", "names", "count", "expected"),
    [
        ("session.list", ["sessions.list", "health"], 2, ["sessions.list"]),
        ("helth", ["health", "help", "heath"], 1, ["health"]),
        ("x", [], 2, []),
        ("a" * 300, ["a" * 64], 2, ["a" * 64]),
        ("a" * 64, ["a" * 65], 2, []),
        ("health", [*(f"n{number}" for number in range(1000)), "health"], 2, []),
    ],
)
def test_closest(name: str, names: list[str], count: int, expected: list[str]) -> None:
    """Names that are most alike are found, among the first thousand of up to 64 characters."""
    assert closest(name, names, count) == expected


@pytest.mark.parametrize(
    ("near", "advice"),
    [
        ([], "; gw.methods lists what this gateway advertises"),
        (["health"], "; did you mean health?"),
        (["health", "help"], "; did you mean health or help?"),
    ],
)
def test_an_unknown_method(near: list[str], advice: str) -> None:
    """The error for an unknown method names those that may have been meant, or says where all of them are."""
    error = request_error("helth", "1", code="INVALID_REQUEST", message="unknown method: helth")
    assert is_unknown_method(error)
    suggest_methods(error, near)
    assert str(error) == f"helth: unknown method: helth [INVALID_REQUEST]{advice}"
