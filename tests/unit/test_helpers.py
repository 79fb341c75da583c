"""What tests share stands in `tests/helpers`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = sorted(TESTS.rglob("*.py"))


def _imports(path: Path) -> set[str]:
    """Return the dotted names that a module of the tests imports, absolute."""
    package = ["tests", *path.relative_to(TESTS).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.long
@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_module_imports_a_test_module(path: Path) -> None:
    """A test module can be moved, renamed or deleted alone: nothing imports from a ``test_*`` module or a conftest."""
    parts = {name: name.split(".") for name in _imports(path) if name.startswith("tests.")}
    assert not [name for name, of in parts.items() if "conftest" in of or any(p.startswith("test_") for p in of[:-1])]
