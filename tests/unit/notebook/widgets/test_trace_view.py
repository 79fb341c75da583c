"""A trace that is shown: what a browser gets of it, how it grows, and how much that may be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.events.traces import waterfall
from gateway_nb.events.traces.trace import Trace
from gateway_nb.notebook.widgets import trace_view
from gateway_nb.notebook.widgets.trace_view import MAX_ROWS, TraceView, details, matching
from gateway_nb.protocol.frames import encode
from tests.helpers.heard import Heard
from tests.helpers.runs import BEGIN, agent, events_of, log_of, spawning, tool, whole_run

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m"


@pytest.fixture
def heard() -> Iterator[Heard]:
    """A view in which nothing is shown yet."""
    view = Heard(TraceView())
    yield view
    view.widget.close()


def shown(heard: Heard, trace: Trace) -> dict[str, Any]:
    heard.widget.show(trace)
    return heard.of("trace")[-1]


def labels(body: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(row["label"], row["hit"]) for row in body["rows"]]


def test_what_a_browser_gets(heard: Heard) -> None:
    """A browser gets a row for each span: depth, texts, and a bar in seconds since the beginning."""
    heard.say("open")
    assert heard.of("trace") == [None]
    body = shown(heard, log_of(whole_run()).trace("r"))
    assert [(row["depth"], row["kind"], row["start"], row["end"]) for row in body["rows"]] == [
        (0, "run", 0.0, 1.32),
        (1, "model", 0.1, 0.2),
        (2, "tool", 0.3, 0.5),
        (1, "model", 1.1, 1.2),
    ]
    assert (body["end"], body["spans"], body["left"], body["open"]) == (1.32, 4, 0, False)
    assert body["title"] == "Trace of run r: ok, 1.32 s, 4 spans"
    assert body["rows"][2]["title"] == "tool ok · 200 ms"


FOUND = [
    ("", ["agent main", "mock-1", "read", "write"], 4),
    ("WRIT", ["agent main", "mock-1", "write"], 1),
    ("call_1", ["agent main", "mock-1", "read"], 1),
    ("/etc/x", ["agent main", "mock-1", "write"], 1),
    ("the answer", ["agent main", "mock-1", "write"], 1),
    ("error", ["agent main", "mock-1", "write"], 1),
    ("5 output tokens", ["agent main", "mock-1"], 2),
    ("nowhere", [], 0),
]


@pytest.mark.parametrize(("text", "names", "count"), FOUND)
def test_finding(text: str, names: list[str], count: int) -> None:
    """A text is found in what is seen of a span, its tool call's id, arguments and result; what is above it stays."""
    second = list(tool("r", 600, 700, "other", "write", text="The Answer", isError=True))
    second[1]["data"]["args"] = {"path": "/etc/x"}
    tree = log_of([*list(whole_run())[:7], *second]).trace("r").tree
    places, hits = matching(tree, waterfall.rows(tree), text)
    assert [tree[at].name for at in places] == names
    assert len(hits) == count
    assert hits <= set(places)


def test_finding_in_a_view(heard: Heard) -> None:
    """What is looked for is kept while a trace grows, and is nothing again in another trace."""
    shown(heard, log_of(whole_run()).trace("r"))
    heard.say("find", text="read")
    body = heard.of("trace")[-1]
    assert labels(body) == [("agent main", False), ("mock-1", False), ("read", True)]
    assert (body["text"], body["hits"], body["spans"]) == ("read", 1, 4)
    assert len(shown(heard, log_of(whole_run("s")).trace("s"))["rows"]) == 4


def test_details(heard: Heard) -> None:
    """The details of a span are sent when somebody asks: times, attributes, problems, arguments, result."""
    trace = log_of([*list(whole_run())[:7], "reconnect"]).trace("r")
    body = shown(heard, trace)
    heard.say("details", span=body["rows"][2]["id"])
    (answer,) = heard.of("details")
    texts = dict(answer["texts"])
    assert texts["arguments"] == '{\n  "path": "a"\n}'
    assert texts["start"] == "2026-11-26 13:19:51.300000 UTC"
    assert (texts["tool_call"], texts["seconds"], texts["status"]) == ("call_1", "0.2", "ok")
    assert "cost" not in texts
    root = dict(details(trace.tree[0]))
    assert (root["problem 1"], root["problem 2"]) == ("the connection was lost", "its end was not seen")
    assert "end" not in root


@pytest.mark.parametrize("span", [None, [], "nothing", 5])
def test_details_of_nothing(heard: Heard, span: Any) -> None:
    """Asking for a span that is not there gets no answer."""
    heard.say("details", span=span)
    shown(heard, log_of(whole_run()).trace("r"))
    heard.say("details", span=span)
    assert heard.of("details") == heard.of("problem") == []


def test_hostile_texts(heard: Heard) -> None:
    """Control characters and marks of direction reach no browser; long texts are cut, which is said."""
    payloads = [agent("r", 0, "lifecycle", phase="start"), *tool("r", 1, 5, "c" * 5000, HOSTILE * 1000, text=HOSTILE)]
    body = shown(heard, log_of(payloads).trace("r"))
    heard.say("details", span=body["rows"][1]["id"])
    sent = encode([body, heard.of("details")]).decode()
    assert not set(sent) & set("\u202e\x1b")
    assert "<img src=x onerror=alert(1)>\\\\u202e" in sent
    long = log_of([agent("r", 0, "lifecycle", phase="start"), *tool("r", 1, 5, "c", text="x" * 30_000)]).trace("r")
    result = dict(details(long.tree[1]))["result"]
    assert len(result) < 20_100
    assert result.endswith("… 10,011 more characters; to_otlp(path, content=True) has all")


def backwards() -> list[dict[str, Any]]:
    return [{**payload, "ts": BEGIN - payload["seq"]} if "ts" in payload else payload for payload in whole_run()]


BAD: dict[str, tuple[list[Any], int, str]] = {
    "out of order": (list(whole_run())[::-1], 4, "its events came out of order"),
    "no starts": ([*whole_run()][5:8], 3, "its start was not seen"),
    "no ends": ([*whole_run()][:5], 3, "its end was not seen"),
    "an id twice": ([*whole_run(), *tool("r", 1400, 1500, "call_1")], 5, "its id was used before in this run"),
    "times going backwards": (backwards(), 4, "it ends before it starts"),
    "a name of 10 KB": ([next(whole_run()), *tool("r", 1, 5, "c", "n" * 10_000)], 2, "its end was not seen"),
    "a year long": ([agent("r", 0, "usage", outputTokens=1), agent("r", 10**11, "lifecycle", phase="end")], 2, "start"),
    "no times": ([agent("r", 0, "thinking", text="x")], 1, "its start was not seen"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(heard: Heard, case: str) -> None:
    """Whatever came, every span is a row with a bar in sight, and what is wrong with it is said where it is."""
    payloads, count, problem = BAD[case]
    body = shown(heard, log_of(payloads).trace("r"))
    assert len(body["rows"]) == count
    assert all(0 <= row["start"] <= row["end"] <= body["end"] for row in body["rows"])
    assert any(problem in row["title"] and "⚠" in row["label"] for row in body["rows"])
    assert problem in body["title"]
    assert len(encode(body)) < 5000
    for row in body["rows"]:
        heard.say("details", span=row["id"])
    assert len(heard.of("details")) == count


def test_nothing_is_saved(heard: Heard) -> None:
    """Nothing of a trace is in a trait: traits are saved into the notebook."""
    shown(heard, log_of(whole_run("a-run-of-mine")).trace("a-run-of-mine"))
    assert "a-run-of-mine" not in str(heard.widget.get_state())


def refreshed(heard: Heard) -> list[Any]:
    """Return what is sent when it is time again."""
    before = len(heard.messages)
    heard.widget._next = 0.0
    heard.widget.refresh(False)
    return heard.messages[before:]


def test_it_grows(heard: Heard) -> None:
    """A trace grows while its run goes on, and is read no more when it has ended; what one holds stays as it was."""
    payloads = list(whole_run())
    log = log_of(payloads[:4])
    trace = log.trace("r")
    body = shown(heard, trace)
    assert (body["open"], len(body["rows"])) == (True, 3)
    assert refreshed(heard) == []
    log.extend(events_of(whole_run("another")))
    assert refreshed(heard) == []
    assert heard.widget._again() is None  # nothing came since: nothing is read
    log.extend(events_of(payloads[4:8]))
    ((kind, body),) = refreshed(heard)
    assert (kind, body["open"], len(body["rows"])) == ("trace", True, 4)
    log.extend(events_of(payloads[8:]))
    ((_, body),) = refreshed(heard)
    assert (body["open"], body["title"]) == (False, "Trace of run r: ok, 1.32 s, 4 spans")
    log.extend(events_of(tool("r", 2000, 2100, "later")))
    assert refreshed(heard) == []
    assert len(trace) == 3


def test_it_rests(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read twice a second at most, and the rarer the longer that takes."""
    now = [100.0]
    monkeypatch.setattr(trace_view.time, "monotonic", lambda: now[0])
    reads: list[float] = []
    trace = log_of(list(whole_run())[:4]).trace("r")

    def again() -> None:
        reads.append(now[0])
        now[0] += 0.3

    heard.widget.show(Trace(trace.tree, again))
    for _ in range(100):
        heard.widget.refresh(False)
        now[0] += 0.1
    assert [round(when, 6) for when in reads] == pytest.approx([100.0, 103.9, 107.8], abs=0.11)


def test_a_log_that_was_cleared(heard: Heard) -> None:
    """Where a trace's rows are gone, what was seen of it stays, and it is said that it can't go on."""
    log = log_of(list(whole_run())[:4])
    shown(heard, log.trace("r"))
    log.clear()
    ((kind, text),) = refreshed(heard)
    assert kind == "problem"
    assert "no event of a run 'r' here" in text
    assert refreshed(heard) == []
    heard.say("open")
    assert len(heard.of("trace")[-1]["rows"]) == 3


def family(*, announced: bool) -> list[dict[str, Any]]:
    payloads = [*whole_run("p"), *tool("p", 1000, 1010, "c", "sessions_spawn", **spawning("k")), *whole_run("k")]
    return [*payloads, *(whole_run("announce:v1:agent:main:subagent:x:k") if announced else ())]


OPEN: list[tuple[list[Any], bool]] = [
    (list(whole_run()), False),
    ([next(whole_run())], True),
    (list(whole_run())[:4], True),
    ([*list(whole_run())[:4], "reconnect"], True),
    (family(announced=False)[:-3], True),
    (family(announced=False), True),
    (family(announced=True), False),
]


@pytest.mark.parametrize(("payloads", "is_open"), OPEN)
def test_what_may_grow(payloads: list[Any], is_open: bool) -> None:
    """A trace may grow while a run of it has not ended, and while a sub-agent's answer is not announced."""
    (trace,) = log_of(payloads).traces()
    assert trace.is_open is is_open


def test_what_does_not_grow(tmp_path: Any) -> None:
    """A recording's trace does not grow, nor does one that was completed."""
    log = log_of(list(whole_run())[:4])
    log.complete = lambda trace: Trace(trace.tree)
    assert log.trace("r", complete=True).again is None
    assert log.trace("r").again is not None
    assert log.traces()[0].again is not None


def test_the_two_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace in a cell is the live view, and after it a picture as SVG and as text, which grows with it."""
    published: list[Any] = []
    updates: list[Any] = []

    class Handle:
        def update(self, bundle: Any, *, raw: bool) -> None:
            updates.append(bundle)

    def show(bundle: Any, **options: Any) -> Handle:
        published.append(bundle)
        assert options == {"raw": True, "display_id": True}
        return Handle()

    monkeypatch.setattr(trace_view, "publish_display_data", published.append)
    monkeypatch.setattr(trace_view, "show", show)
    payloads = list(whole_run())
    log = log_of(payloads[:4])
    heard = Heard(TraceView(log.trace("r")))
    heard.widget._ipython_display_()
    widget, picture = published
    assert set(widget) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert widget["text/plain"] == "<TraceView r>"
    assert set(picture) == {"text/plain", "image/svg+xml"}
    log.extend(events_of(payloads[4:]))
    refreshed(heard)
    (update,) = updates
    assert update == log.trace("r")._repr_mimebundle_()
    heard.widget.close()


def test_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no notebook is, a trace is printed as text."""
    trace = log_of(whole_run()).trace("r")
    trace._ipython_display_()
    assert capsys.readouterr().out == trace.text + "\n"


@pytest.mark.long
def test_a_very_long_run(heard: Heard) -> None:
    """Of a run of 100,000 calls a browser gets a bounded part in bounded time, and can find the rest."""
    log = EventLog()
    starts = [agent("r", n, "tool", phase="start", toolCallId=f"c{n}", name=f"{n} {'n' * 300}") for n in range(100_000)]
    log.extend([Event(1e9, 1, "agent", number, msgspec.Raw(encode(start))) for number, start in enumerate(starts)])
    trace = log.trace("r")
    began = time.perf_counter()
    body = shown(heard, trace)
    heard.say("find", text="c99999")
    found = heard.of("trace")[-1]
    assert time.perf_counter() - began < 20
    assert (len(body["rows"]), body["left"]) == (MAX_ROWS, 99_001)
    assert len(encode(body)) < 600_000
    assert [row["label"][:10] for row in found["rows"]] == ["… ⚠ agent ", "… 99999 nn"]
    assert len(trace.svg.encode()) <= 300_000
