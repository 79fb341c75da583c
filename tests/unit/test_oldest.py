"""The oldest versions that pyproject.toml allows are those that CI tests."""

from __future__ import annotations

import pytest

from tests.oldest import PYPROJECT, constraints

PROJECT = '[project]\ndependencies = ["click>=8.1"]\n[project.optional-dependencies]\nx = [{extra}]\ndev = ["ruff"]\n'


def test_this_project() -> None:
    """Every requirement but those of the tools has one lower bound."""
    pins = constraints(PYPROJECT.read_text())
    assert any(pin.startswith("websockets==") for pin in pins)
    assert not any(pin.startswith("ruff==") for pin in pins)


@pytest.mark.parametrize("extra", ['"duckdb"', '"duckdb<2"', '"click>=8.2"'])
def test_no_bound(extra: str) -> None:
    """A requirement without a lower bound, or with two that differ, is told."""
    with pytest.raises(ValueError, match="one lower bound"):
        constraints(PROJECT.format(extra=extra))


@pytest.mark.parametrize("extra", ['"duckdb>=1.1"', '"duckdb>=1.1,<2"'])
def test_pins(extra: str) -> None:
    """A lower bound becomes a pin, whether or not there is an upper one."""
    assert constraints(PROJECT.format(extra=extra)) == ["click==8.1", "duckdb==1.1"]
