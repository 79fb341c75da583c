"""The rooms import only downwards, and the protocol knows no I/O (the table in the README's architecture)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gateway_nb
from tests.helpers.rooms import MAY_IMPORT, MAY_IMPORT_LATE

PACKAGE = Path(gateway_nb.__file__).parent
NO_IO = {"asyncio", "socket", "ssl", "time", "os", "pathlib", "threading", "io", "tempfile", "subprocess", "logging"}
FILES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path, *, late: bool = True) -> set[str]:
    """Absolute dotted names of what a file imports, `TYPE_CHECKING` blocks left out, and functions without `late`."""
    found: set[str] = set()
    package = ["gateway_nb", *path.relative_to(PACKAGE).parts[:-1]]

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not late:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{prefix}.{alias.name}" if not node.module else prefix for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def _rooms(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("gateway_nb.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    """A room imports itself and the rooms below it, nothing above."""
    room = _room(path)
    assert _rooms(_imports(path, late=False)) - {room} <= MAY_IMPORT[room]
    assert _rooms(_imports(path)) - {room} <= MAY_IMPORT[room] | MAY_IMPORT_LATE.get(room, set())


@pytest.mark.parametrize("path", [path for path in FILES if _room(path) == "protocol"], ids=lambda path: path.name)
def test_the_protocol_does_no_io(path: Path) -> None:
    """The protocol can be tested without sockets, clocks or files, since it cannot reach them."""
    assert not {name.split(".")[0] for name in _imports(path)} & NO_IO


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    """A file holds one idea: no more than about 400 lines."""
    assert len(path.read_text().splitlines()) <= 420
