"""A protocol schema becomes a table of facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway_nb.schema import facts, reading
from gateway_nb.schema.facts import Method, Param


def test_reading_a_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol schema becomes a table, which replaces the package's own once it is kept; a broken one does not."""
    schema = {
        "methods": {"a.b-c": {"scope": "operator.read", "since": "2027.1"}, "bare": {}, "odd": {}},
        "definitions": {
            "ABCParams": {
                "type": "object",
                "required": ["x"],
                "additionalProperties": False,
                "properties": {
                    "x": {"$ref": "#/definitions/Choice"},
                    "y": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "z": {"type": "object", "properties": {"deep": {"type": ["integer", "null"]}}},
                    "w": {},
                },
            },
            "OddParams": {"type": "string"},
            "ABCResult": {
                "type": "object",
                "required": ["ok"],
                "properties": {"ok": {"type": "boolean", "const": True}},
            },
            "Choice": {"anyOf": [{"type": "string", "const": "p"}, {"type": "string", "const": "q"}]},
        },
    }
    path = tmp_path / "protocol.schema.json"
    path.write_text(json.dumps(schema))
    (tmp_path / "package.json").write_text('{"name": "p", "version": "1"}')
    table = reading.read(path)
    assert table.source == "p 1"
    assert table.methods["bare"] == Method()
    assert table.methods["a.b-c"] == Method(
        "operator.read",
        "2027.1",
        {
            "x": Param("string", True, ("p", "q")),
            "y": Param("string|null"),
            "z": Param("object", fields={"deep": Param("integer|null")}),
            "w": Param("any"),
        },
        closed=True,
        result=Param("object", True, fields={"ok": Param("boolean", True, (True,))}),
    )
    monkeypatch.setattr(facts, "cached", lambda: tmp_path / "cache" / "methods.json")
    monkeypatch.setattr(reading, "cached", facts.cached)
    assert reading.update(table) == tmp_path / "cache" / "methods.json"
    assert facts.method_facts() == table
    (tmp_path / "cache" / "methods.json").write_text('{"of": "another version"}')
    facts.method_facts.cache_clear()
    assert "sessions.list" in facts.method_facts().methods
    facts.method_facts.cache_clear()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"methods": 5, "definitions": {}}'])
def test_no_schema(tmp_path: Path, text: str) -> None:
    """Another file is refused by name."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(reading.SchemaError, match=r"x\.json is not a protocol\.schema\.json"):
        reading.read(tmp_path / "x.json")
    with pytest.raises(reading.SchemaError, match="can't be read"):
        reading.read(tmp_path / "none.json")
