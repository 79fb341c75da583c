"""What the table of methods says of params."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.schema.facts import Facts, Method, Param, method_facts

TABLE = Facts(
    "t",
    {
        "m": Method(
            "operator.read",
            "2026.1",
            {
                "name": Param("string", True),
                "n": Param("integer"),
                "kind": Param("string", choices=("a", "b")),
                "any": Param("any"),
                "maybe": Param("string|null"),
                "deep": Param("object", fields={"x": Param("number", True)}),
                "idempotencyKey": Param("string", True),
            },
            closed=True,
        ),
        "open": Method(params={"x": Param("string")}),
        "unknown": Method("operator.read"),
    },
)


@pytest.mark.parametrize(
    ("method", "params", "findings"),
    [
        ("m", {"name": "x", "n": 1, "kind": "a", "any": [1], "maybe": None, "deep": {"x": 1.5}}, []),
        ("m", None, ["/name is missing"]),
        ("m", {"name": "x", "nam": 1}, ["/nam is not a param of m; did you mean name?"]),
        ("m", {"name": "x", "zzzz": 1}, ["/zzzz is not a param of m"]),
        ("m", {"name": 5}, ["/name is 5, not string"]),
        ("m", {"name": "x", "n": True}, ["/n is True, not integer"]),
        ("m", {"name": "x", "kind": "c"}, ["/kind is 'c', not one of 'a', 'b'"]),
        ("m", {"name": "x", "deep": {}}, ["/deep/x is missing"]),
        ("open", {"y": 1}, []),
        ("unknown", {"y": 1}, []),
        ("no.such", {"y": 1}, []),
    ],
)
def test_findings(method: str, params: dict[str, Any] | None, findings: list[str]) -> None:
    """What looks wrong in params is said with its place; what is not known is not judged."""
    assert TABLE.findings(method, params) == findings


def test_describe() -> None:
    """A method is described with scope, release and params, required ones first."""
    lines = TABLE.describe("m").splitlines()
    assert lines[0] == "m: needs operator.read, since 2026.1"
    assert lines[2] == "  name: string (required)"
    assert "  kind: string, one of 'a', 'b'" in lines
    assert "its params are not documented" in TABLE.describe("unknown")
    assert TABLE.describe("unknwn") == "the table of methods has no unknwn; did you mean unknown?"


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("invalid m params: at root: unexpected property 'nam'", "; did you mean name?"),
        (
            "invalid m params: must have required property 'name'; at root: unexpected property 'nme'",
            "; did you mean name?",
        ),
        ("at /deep: unexpected property 'zzz'", "; it takes x"),
        ("at /kind: must be equal to constant; at /kind: must match a schema in anyOf", "; /kind is one of a, b"),
        ("at /n: must be integer", ""),
        ("unknown method: m", ""),
        ("at root: unexpected property '" + "x" * 100_000, ""),
    ],
)
def test_advice(refusal: str, advice: str) -> None:
    """Where the gateway refuses a param, the table says what may have been meant."""
    assert TABLE.advice("m", refusal) == advice
    assert TABLE.advice("no.such", refusal) == ""


@pytest.mark.parametrize(("kind", "example"), [("integer", 0), ("string|null", ""), ("array", []), ("any", None)])
def test_examples(kind: str, example: Any) -> None:
    """A param has an example of its type."""
    assert Param(kind).example == example


def test_the_packages_own_table() -> None:
    """The table that comes with the package knows the methods one calls first."""
    assert set(method_facts().fields("sessions.list")) >= {"limit", "search"}
    assert method_facts().fields("no.such") == {}
