"""Answers as frames and as text, a run as it grows, and what the table of methods says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway_nb.client.answer import LONGEST
from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.notebook.calls.results import frame_of_rows, part_at, rows_in
from gateway_nb.notebook.calls.runs import RunView
from gateway_nb.notebook.display import Elapsed, Result
from gateway_nb.notebook.magics.body import CommandError
from gateway_nb.notebook.widgets import live
from gateway_nb.protocol.frames import encode
from gateway_nb.schema import facts, reading
from gateway_nb.schema.facts import Facts, Method, Param

PAYLOAD = {"count": 2, "sessions": [{"key": "a"}, {"key": "b"}], "a/b": {"~": 1}}


@pytest.mark.parametrize(
    ("pointer", "part"),
    [("", PAYLOAD), ("/count", 2), ("/sessions/1/key", "b"), ("/a~1b/~0", 1)],
)
def test_parts(pointer: str, part: Any) -> None:
    """A JSON pointer takes a part of an answer."""
    assert part_at(PAYLOAD, pointer) == part


@pytest.mark.parametrize(
    ("pointer", "message"),
    [
        ("/none", "the answer has no /none; at its top there is count, sessions, a/b"),
        ("/sessions/2", "the answer has no /sessions/2; at /sessions there is 2 items"),
        ("/count/x", "the answer has no /count/x; at /count there is a value"),
    ],
)
def test_no_part(pointer: str, message: str) -> None:
    """Where there is nothing, the error says what there is."""
    with pytest.raises(CommandError) as caught:
        part_at(PAYLOAD, pointer)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        (PAYLOAD, [{"key": "a"}, {"key": "b"}]),
        ([{"a": 1}], [{"a": 1}]),
        ([], None),
        ([1, 2], None),
        ([{"a": 1}, 2], None),
        ({"a": [{"x": 1}], "b": [{"y": 1}]}, None),
        ({"a": {"b": [{"x": 1}]}}, None),
        ({}, None),
        (5, None),
    ],
)
def test_rows(payload: Any, rows: Any) -> None:
    """Rows are the one list of objects that an answer is or has; where there are two, nobody can know which."""
    assert rows_in(payload) == rows


def test_frames() -> None:
    """Columns have the narrowest type, null where a field is missing; times are UTC, durations stay numbers."""
    rows = [
        {"key": "a", "updatedAt": 1_700_000_000_123, "durationMs": 5, "ok": True, "cost": 1, "nested": {"x": 1}},
        {"key": "b", "updatedAt": None, "durationMs": 7, "cost": 1.5, "ts": 1_700_000_000_000, "bigAt": 10**30},
    ]
    frame = frame_of_rows(rows)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "key": "string",
        "updatedAt": "datetime64[ms, UTC]",
        "durationMs": "Int64",
        "ok": "boolean",
        "cost": "Float64",
        "nested": "string",
        "ts": "datetime64[ms, UTC]",
        "bigAt": "Float64",
    }
    assert frame["updatedAt"][0].isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert list(frame["nested"].fillna("")) == ['{"x":1}', ""]
    assert list(frame_of_rows([]).columns) == []


def test_a_large_result() -> None:
    """A long table is shortened on screen, in text and in HTML, with its size told; hostile cells are escaped."""
    rows = [{"name": "<script>x</script>\x1b[31m", "n": n} for n in range(1000)]
    result = Result({"rows": rows}, "m · 1 ms", frame=frame_of_rows(rows))
    text, page = result._repr_mimebundle_()["text/plain"], result._repr_mimebundle_()["text/html"]
    assert "[1000 rows x 2 columns]" in text
    assert len(text.splitlines()) < 40
    assert "\x1b" not in text
    assert "<script>" not in page
    assert len(page) < 60_000
    assert "application/json" not in result._repr_mimebundle_()
    assert Result({"a": 1}, "m", as_json=True)._repr_mimebundle_()["application/json"] == {"a": 1}


def test_styles_of_its_own() -> None:
    """A widget on the same page does not restyle a result: they share no class."""
    shown = Result({"a": {}}, "x", frame=frame_of_rows([{"a": 1}]))._repr_mimebundle_()["text/html"]
    widgets = Path(live.__file__).parent
    files = [*widgets.rglob("*.css"), *widgets.rglob("*.js")]
    theirs = {name for file in files for name in re.findall(r"gnb-[a-z]+", file.read_text())}
    ours = set(re.findall(r"gnb-[a-z]+", shown))
    assert len(ours) >= 4
    assert len(theirs) >= 10
    assert not ours & theirs


def test_elapsed() -> None:
    """What is going on is said with whole seconds."""
    assert Elapsed("agent.wait", 2.4)._repr_mimebundle_()["text/plain"] == "agent.wait … 2 s"


def event(name: str, **payload: Any) -> Event:
    return Event(1.0, 1, name, None, msgspec.Raw(encode({"runId": "r", **payload})))


def test_a_run_grows() -> None:
    """A run shows text, tools and tokens as they come; other runs and broken payloads are passed over."""
    view = RunView("agent", "r", Redactor())
    view.take(event("chat", state="delta", deltaText="Hel"))
    view.take(event("chat", state="delta", deltaText="lo <b>"))
    view.take(event("agent", stream="tool", data={"phase": "start", "toolCallId": "1", "name": "look"}))
    view.take(event("chat", state="delta", deltaText="other", runId="s"))
    view.take(Event(1.0, 1, "chat", None, msgspec.Raw(b"{nonsense")))
    view.take(event("agent", stream="tool", data="nonsense"))
    assert view.caption == "agent · running · 0.0 s · tools: look …"
    view.take(event("agent", stream="tool", data={"phase": "result", "toolCallId": "1", "name": "look"}))
    view.take(event("agent", stream="usage", data={"outputTokens": 1200}))
    view.seconds, view.state = 1.25, "ok"
    assert repr(view) == "Hello <b>\nagent · ok · 1.2 s · tools: look · 1,200 output tokens"
    assert "&lt;b&gt;" in view._repr_mimebundle_()["text/html"]
    view.take(event("chat", state="delta", deltaText="New", replace=True))
    assert view.text == "New"


def test_a_run_that_tells_too_much() -> None:
    """Names of streams and tools are shown without secrets and cut, many tools are counted, an answer has an end."""
    view = RunView("agent", "r", Redactor(["secret-token-1234"]))
    view.take(event("agent", stream="secret-token-1234 " + "s" * 100_000))
    assert view.last_event.startswith("agent [secret] sss")
    assert len(view.last_event) < 100
    for number in range(30):
        data = {"phase": "start", "toolCallId": str(number), "name": "secret-token-1234 " + "t" * 100_000}
        view.take(event("agent", stream="tool", data=data))
    assert "tools: 10 earlier, [secret] ttt" in view.caption
    assert len(view.caption) < 2_500
    for _ in range(3):
        view.take(event("chat", state="delta", deltaText="d" * LONGEST))
    assert view.text == "d" * LONGEST


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
        ("m", {"name": "x", "nam": 1}, ["/nam is no param of m; did you mean name?"]),
        ("m", {"name": "x", "zzzz": 1}, ["/zzzz is no param of m"]),
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
    assert "nothing is known of its params" in TABLE.describe("unknown")
    assert TABLE.describe("unknwn") == "nothing is known of unknwn; did you mean unknown?"


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
    )
    monkeypatch.setattr(facts, "cached", lambda: tmp_path / "cache" / "methods.json")
    monkeypatch.setattr(reading, "cached", facts.cached)
    assert reading.update(table) == tmp_path / "cache" / "methods.json"
    assert facts.known() == table
    (tmp_path / "cache" / "methods.json").write_text('{"of": "another version"}')
    facts.known.cache_clear()
    assert "sessions.list" in facts.known().methods
    facts.known.cache_clear()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"methods": 5, "definitions": {}}'])
def test_no_schema(tmp_path: Path, text: str) -> None:
    """Another file is refused by name."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(reading.SchemaError, match=r"x\.json is no protocol\.schema\.json"):
        reading.read(tmp_path / "x.json")
    with pytest.raises(reading.SchemaError, match="can't be read"):
        reading.read(tmp_path / "none.json")
