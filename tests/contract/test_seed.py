"""Nothing of the gateway's own client is missing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contract.seed import BEHAVIOURS

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_every_behaviour_has_a_test(behaviour: str) -> None:
    """Each behaviour names a test that exists."""
    file, _, name = BEHAVIOURS[behaviour].partition("::")
    tree = ast.parse((TESTS / file).read_text())
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in found
