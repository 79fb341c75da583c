"""The tool that puts faults in: what it changes, and that what it leaves out is still there."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.mutation.__main__ import all_mutants
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.sites import mutants


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("x = a < b <= c", ["x = (a <= b <= c)", "x = (a < b < c)"]),
        ("x = a is None", ["x = (a is not None)"]),
        ("x = a and b", ["x = (a or b)"]),
        ("x = not a", ["x = (a)"]),
        ("X = 0.5", ["X = (1.5)"]),
        ("X = True", []),
        ("def f(a: 'int' = 5) -> 'x < y': ...", ["def f(a: 'int' = (6)) -> 'x < y': ..."]),
        ("x = f'{a < b}'", []),
        ("if TYPE_CHECKING:\n    X = 1\nelse:\n    X = 2", ["if TYPE_CHECKING:\n    X = 1\nelse:\n    X = (3)"]),
        ("f(é, g())", ["pass"]),
        ("async def f():\n    x = await g()", ["async def f():\n    x = (g())"]),
        ("async def f():\n    await g()", ["async def f():\n    pass", "async def f():\n    (g())"]),
    ],
)
def test_changes(tmp_path: Path, source: str, changed: list[str]) -> None:
    """Comparisons, conditions, numbers, awaits and calls are changed, one at a time; types and messages are not."""
    (tmp_path / "a.py").write_text(source)
    data = source.encode()
    assert [mutant.apply(data).decode() for mutant in mutants(tmp_path, "a.py")] == changed


def test_names(tmp_path: Path) -> None:
    """A mutant is named by where it is in the program, not by its line."""
    source = """
        LIMIT = 5
        class A:
            async def f(self):
                def g():
                    stop(
                        "now",
                    )
    """
    (tmp_path / "a.py").write_text(textwrap.dedent(source))
    found = [(mutant.name, mutant.lines) for mutant in mutants(tmp_path, "a.py")]
    assert found == [("a.py LIMIT: 5 -> (6)", (2, 2)), ('a.py A.f.g: stop( "now", ) -> pass', (6, 8))]


def test_what_runs_at_import(tmp_path: Path) -> None:
    """A constant's tests are all those of its file: it runs once, in whichever test imports the file first."""
    source = """
        LIMIT = 1
        class A:
            limit: int = 2
            @decorated(3)
            def f(self, limit=4):
                return lambda limit=5: 6
        g = lambda limit=7: 8
    """
    (tmp_path / "a.py").write_text(textwrap.dedent(source))
    assert {mutant.old for mutant in mutants(tmp_path, "a.py") if mutant.at_import} == {"1", "2", "3", "4", "7"}


@pytest.mark.long
def test_what_is_left_out() -> None:
    """Every fault that is left out as one that changes nothing is one that would be put in."""
    assert EQUIVALENT.keys() <= {mutant.name for mutant in all_mutants()}
