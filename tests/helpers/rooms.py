"""The package's rooms, and which rooms each may import: the picture of the architecture as an order."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import gateway_nb

ROOMS = (
    "__main__",
    "__init__",
    "cli",
    "notebook",
    "diagnosis",
    "fleets",
    "experiments",
    "faces",
    "tools",
    "approvals",
    "records",
    "capture",
    "events",
    "sync",
    "server",
    "openclaw",
    "client",
    "schema",
    "identity",
    "nesting",
    "protocol",
    "errors",
)
"""From the top down: a room imports only rooms after it."""
MAY_IMPORT = {room: set(ROOMS[place + 1 :]) for place, room in enumerate(ROOMS)}

PACKAGE = Path(gateway_nb.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
PORT = "events.widgets"
"""The one module that names types of a room above: what a log's and a connection's widgets are."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_name(path): path for path in FILES}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(path: Path, *, types: bool) -> Iterator[str]:
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


def own_imports(path: Path, *, types: bool) -> set[str]:
    """The modules of this package that a file imports."""
    names = {name.removeprefix("gateway_nb.") for name in imports(path, types=types) if name.startswith("gateway_nb.")}
    found = {name if name in MODULES else name.rpartition(".")[0] for name in names}
    return (found & set(MODULES)) - {module_name(path)}
