"""Where a source file could be wrong, and how: one small change each."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

_Site: TypeAlias = ast.expr | ast.stmt
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True)
class Mutant:
    """A file with one change.

    Attributes:
        path: the file, relative to the repository.
        scope: the class and function that hold the change, with dots; outside of both the name that is assigned.
        lines: first and last line of what is changed.
        old: the code there, on one line.
        new: what it becomes.
        start: first byte of the change in the file.
        end: the byte after it.
        at_import: it runs when the module is imported, in whichever test comes first.
    """

    path: str
    scope: str
    lines: tuple[int, int]
    old: str
    new: str
    start: int
    end: int
    at_import: bool

    @property
    def name(self) -> str:
        """The same however the lines of the file move."""
        return f"{self.path} {self.scope}: {self.old} -> {self.new}"

    def apply(self, source: bytes) -> bytes:
        """Return the file's bytes with the change."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """Yield every mutant of a file.

    Args:
        root: the repository.
        path: the file, relative to it.
    """
    source = (root / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for scope, at_import, node in _code(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        old = " ".join(source[start:end].decode().split())
        for changed in _changes(node):
            new = ast.unparse(changed)
            if isinstance(changed, ast.expr):
                new = f"({new})"  # what it replaces may bind more tightly
            yield Mutant(path, scope, (node.lineno, node.end_lineno or node.lineno), old, new, start, end, at_import)


def _changes(node: _Site) -> Iterator[ast.expr | ast.stmt]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                changed = copy.deepcopy(node)
                changed.ops[index] = _COMPARISONS[type(operator)]()
                yield changed
        case ast.BoolOp():
            yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant() if type(node.value) in (int, float):
            yield ast.Constant(node.value + 1)  # type: ignore[operator]
        case ast.Await():
            yield node.value
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())):
            yield ast.Pass()


def _code(tree: ast.AST, scope: str = "", at_import: bool = True) -> Iterator[tuple[str, bool, _Site]]:
    """Yield what runs, each with its scope and whether it runs at import: no annotations, nothing for the type checker
    alone, no messages.
    """
    for child in _children(tree):
        inner, early = scope, at_import and not _is_called(tree, child)
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                inner = f"{scope}.{child.name}".lstrip(".")
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                inner = scope or name
            case _:
                pass
        if isinstance(child, ast.expr | ast.stmt):
            yield inner, early, child
        yield from _code(child, inner, early)


def _is_called(tree: ast.AST, child: ast.AST) -> bool:
    """Return whether a part of a tree is of a function's body."""
    match tree:
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            return child in body
        case ast.Lambda(body=body):
            return child is body
        case _:
            return False


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.JoinedStr():
            return
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            yield from node.orelse
        case ast.AnnAssign():
            if node.value is not None:
                yield node.value
        case ast.arguments():
            yield from filter(None, [*node.defaults, *node.kw_defaults])
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from [*node.decorator_list, node.args, *node.body]
        case _:
            yield from ast.iter_child_nodes(node)
