"""Answers as frames and as text, and a run as it grows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.client.run_text import LONGEST
from gateway_nb.notebook.calls.results import frame_of_rows, part_at, rows_in
from gateway_nb.notebook.calls.run_view import RunView
from gateway_nb.notebook.display.result import Elapsed, Result
from gateway_nb.notebook.magics.body import CommandError
from gateway_nb.notebook.widgets import live
from gateway_nb.protocol.frames import encode

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
        ("/session", "the answer has no /session; did you mean /sessions?"),
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
    found = rows_in(payload)
    assert (None if found is None else found.rows) == rows


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
    result = Result({"rows": rows}, "m · 1 ms", rows=rows)
    text, page = result._repr_mimebundle_()["text/plain"], result._repr_mimebundle_()["text/html"]
    assert "all 1,000 rows (20 shown), 1 column" in text
    assert "the same in every row: name" in text
    assert len(text.splitlines()) < 40
    assert "\x1b" not in text
    assert "<script>" not in page
    assert len(page) < 60_000
    assert "application/json" not in result._repr_mimebundle_()
    assert Result({"a": 1}, "m", as_json=True)._repr_mimebundle_()["application/json"] == {"a": 1}


def test_styles_of_its_own() -> None:
    """A widget on the same page does not restyle a result: they share no class."""
    shown = Result({"a": {}}, "x", rows=[{"a": 1}])._repr_mimebundle_()["text/html"]
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
