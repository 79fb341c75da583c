"""The browser's code that needs no page, tested under Node: each ``.test.js`` of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.node import run_node_tests

FILES = sorted(Path(__file__).parent.glob("*.test.js"))


@pytest.mark.long
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.js"))
def test_under_node(file: Path) -> None:
    """What the tests in this file say of the browser's code is so."""
    done = run_node_tests(file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 0" not in done.stdout
