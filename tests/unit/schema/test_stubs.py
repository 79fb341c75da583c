"""The table of methods becomes types for editors and type checkers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway_nb.cli.main import main
from gateway_nb.schema import stubs
from gateway_nb.schema.facts import Facts, Method, Param, method_facts
from gateway_nb.schema.stubs import stub


def last_lines(methods: dict[str, Method], count: int) -> list[str]:
    text = stub(Facts("a table", methods))
    ast.parse(text)
    return text.splitlines()[-count:]


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        (Method(), "(self, **params: Any) -> Any"),
        (Method(params={}, closed=True), "(self) -> Any"),
        (Method(params={"a": Param("integer")}, closed=True), "(self, *, a: int = ...) -> Any"),
        (
            Method(params={"b": Param("string|null"), "a": Param("array", required=True)}),
            "(self, *, a: Array, b: str | None = ..., **params: Any) -> Any",
        ),
        (
            Method(params={"idempotencyKey": Param("string", required=True)}, closed=True),
            "(self, *, idempotencyKey: str = ...) -> Any",
        ),
        (
            Method(params={"a": Param("string", choices=("x", "y"))}, closed=True),
            "(self, *, a: Literal['x', 'y'] = ...) -> Any",
        ),
        (Method(params={"a": Param("number", choices=(0.5,))}, closed=True), "(self, *, a: float = ...) -> Any"),
        (Method(params={"a": Param("duration")}, closed=True), "(self, *, a: Any = ...) -> Any"),
        (Method(params={}, closed=True, result=Param("array")), "(self) -> Array"),
    ],
)
def test_signatures(method: Method, signature: str) -> None:
    """Params of JSON's types become keyword arguments of Python's, and what is required has no default."""
    assert last_lines({"m": method}, 1) == [f"    def m{signature}: ..."]


def test_answers() -> None:
    """An answer whose fields are known is a dictionary with just those."""
    answer = Param("object", fields={"ok": Param("boolean", required=True), "key": Param("string"), "not-one": Param()})
    assert last_lines({"a.b": Method(params={}, closed=True, result=answer)}, 10) == [
        "class ABResult(TypedDict):",
        "    ok: bool",
        "    key: NotRequired[str]",
        "",
        "class A(Part):",
        "    def b(self) -> ABResult: ...",
        "",
        "class Methods(Part):",
        "    @property",
        "    def a(self) -> A: ...",
    ]


def test_a_method_that_has_others() -> None:
    """A method whose name begins the names of others can be called, and has them as attributes."""
    assert last_lines({"a": Method(), "a.b-c": Method()}, 7) == [
        "class A(Part):",
        "    def __call__(self, **params: Any) -> Any: ...",
        "    def b_c(self, **params: Any) -> Any: ...",
        "",
        "class Methods(Part):",
        "    @property",
        "    def a(self) -> A: ...",
    ]


@pytest.mark.parametrize("name", ["a b", "import", "__class__", "x): pass\n\nimport os #", "", "\u00e9", "a..b", "1"])
def test_names_that_are_none(name: str) -> None:
    """Whatever a table names, the stub holds names alone."""
    table = Facts(f'"""{name}', {f"sessions.{name}": Method(), "m": Method(params={name: Param()}, closed=True)})
    ast.parse(stub(table))
    assert stub(table).splitlines()[-2:] == ["class Methods(Part):", "    def m(self) -> Any: ..."]


def test_the_packages_own() -> None:
    """The stub in the package is that of the package's table."""
    assert stubs.STUB.read_text() == stub(method_facts())


def test_the_command(tmp_path: Path) -> None:
    """``gateway-nb schema stubs`` writes it where it is told to, or says why it can't."""
    done = CliRunner().invoke(main, ["schema", "stubs", "-o", str(tmp_path / "methods.pyi")])
    assert (done.exit_code, (tmp_path / "methods.pyi").read_text()) == (0, stub(method_facts()))
    done = CliRunner().invoke(main, ["schema", "stubs", "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path} can't be written: Is a directory; name another file with -o" in done.output
