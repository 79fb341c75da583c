"""The rooms import only downwards, no module imports itself by a detour, and the protocol knows no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway_nb
from tests.helpers.rooms import MAY_IMPORT

PACKAGE = Path(gateway_nb.__file__).parent
NO_IO = {"asyncio", "socket", "ssl", "time", "os", "pathlib", "threading", "io", "tempfile", "subprocess", "logging"}
FILES = sorted(PACKAGE.rglob("*.py"))
PORT = "events.widgets"
"""The one module that names types of a room above: what a log's and a connection's widgets are."""


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {_module(path): path for path in FILES}


def _room(module: str) -> str:
    return module.partition(".")[0]


def _imports(path: Path, *, types: bool) -> Iterator[str]:
    """Absolute dotted names of what a file imports; with `types` also of what only a type checker imports."""
    package = ["gateway_nb", *path.relative_to(PACKAGE).parts[:-1]]

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not types:
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return visit(ast.parse(path.read_text()))


def _own(path: Path, *, types: bool) -> set[str]:
    """The modules of this package that a file imports."""
    names = {name.removeprefix("gateway_nb.") for name in _imports(path, types=types) if name.startswith("gateway_nb.")}
    found = {name if name in MODULES else name.rpartition(".")[0] for name in names}
    return (found & set(MODULES)) - {_module(path)}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    """A room imports itself and the rooms below it, nothing above, and not later either."""
    room = _room(module)
    rooms = {_room(name) for name in _own(MODULES[module], types=module not in (PORT, "__init__"))} - {room}
    assert rooms <= MAY_IMPORT[room]


def test_no_circles() -> None:
    """No module imports itself by way of others, not even for its types."""
    imports = {name: _own(path, types=name not in (PORT, "__init__")) for name, path in MODULES.items()}
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for name in sorted(imports[module]):
                follow(name, (*way, module))
            done.add(module)

    for module in imports:
        follow(module, ())


@pytest.mark.parametrize("path", [path for path in FILES if _room(_module(path)) == "protocol"], ids=lambda p: p.name)
def test_the_protocol_does_no_io(path: Path) -> None:
    """The protocol can be tested without sockets, clocks or files, since it cannot reach them."""
    assert not {name.split(".")[0] for name in _imports(path, types=True)} & NO_IO


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    """A file holds one idea: no more than about 400 lines."""
    assert len(path.read_text().splitlines()) <= 420
