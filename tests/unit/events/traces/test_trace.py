"""Traces out of events: the tree, what is known of each span, and what is wrong with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pandas as pd
import pytest

from gateway_nb.capture.journal import Capture
from gateway_nb.capture.loading import load
from gateway_nb.client.event import Event
from gateway_nb.errors import BadArgumentError
from gateway_nb.events.log import EventLog
from gateway_nb.events.traces.spans import MAX_NAME, Span, trace_id
from gateway_nb.events.traces.trace import Trace
from gateway_nb.protocol.frames import encode
from tests.helpers.runs import BEGIN, agent, events_of, log_of, spawning, tool, whole_run

COLUMNS = {
    "trace": "string",
    "span": "string",
    "parent": "string",
    "kind": "string",
    "name": "string",
    "start": "datetime64[ns, UTC]",
    "end": "datetime64[ns, UTC]",
    "seconds": "Float64",
    "status": "string",
    "model": "string",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cost": "Float64",
    "attributes": "string",
}


def times(span: Span) -> tuple[int | None, int | None]:
    """Return milliseconds since `BEGIN`."""
    start, end = (None if at is None else at // 1_000_000 - BEGIN for at in (span.start, span.end))
    return start, end


def tree(trace: Trace) -> list[tuple[int, str, str]]:
    depth: dict[str | None, int] = {None: -1}
    for span in trace.tree:
        depth[span.span] = depth[span.parent] + 1
    return [(depth[span.span], span.kind, span.name) for span in trace.tree]


def test_a_run() -> None:
    """A run has its model calls, and these the tool calls they ask for, with times, status, tokens and sizes."""
    trace = log_of(whole_run(calls=2)).trace("r")
    assert tree(trace) == [
        (0, "run", "agent main"),
        (1, "model", "mock-1"),
        (2, "tool", "read"),
        (1, "model", "mock-1"),
        (2, "tool", "read"),
        (1, "model", "mock-1"),
    ]
    root, first, called, *_, last = trace.tree
    assert [times(span) for span in (root, first, called, last)] == [(0, 2320), (100, 200), (300, 500), (2100, 2200)]
    assert {span.status for span in trace.tree} == {"ok"}
    assert (root.output_tokens, first.output_tokens, last.output_tokens) == (15, 5, 5)
    assert (called.attributes["argument_bytes"], called.attributes["tool_call"]) == (len('{"path":"a"}'), "call_1")
    assert (root.attributes["pieces"], root.attributes["first_token_s"]) == (2, 2.15)
    assert "attempts" not in root.attributes
    assert not trace.problems


def test_the_frame() -> None:
    """A trace's spans are a DataFrame with the same columns always; what is not known is missing."""
    log = log_of(whole_run())
    frame = log.trace("r").spans
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    assert {name: str(dtype) for name, dtype in EventLog().traces().spans.dtypes.items()} == COLUMNS
    assert frame["seconds"].tolist() == [1.32, 0.1, 0.2, 0.1]
    assert frame["start"].iloc[0] == pd.Timestamp(BEGIN, unit="ms", tz="UTC")
    assert frame[["input_tokens", "cost"]].isna().all(axis=None)
    assert json.loads(frame["attributes"].iloc[2])["session"] == "agent:main:s"
    assert frame.equals(log.traces().spans)


def test_a_sub_agent() -> None:
    """The run that a tool call starts is part of the trace, with the run that announces its answer."""
    payloads = [
        *whole_run("parent"),
        *tool("parent", 600, 700, "spawn", "sessions_spawn", **spawning("child")),
        *whole_run("child"),
        *whole_run("announce:v1:agent:main:subagent:x:child"),
        *whole_run("other"),
    ]
    log = log_of(payloads)
    assert [len(trace) for trace in log.traces()] == [13, 4]
    for run in ("parent", "child"):
        trace = log.trace(run)
        assert trace.run == "parent"
        spans = {span.span: span for span in trace.tree}
        runs = [span for span in trace.tree if span.kind == "run"]
        assert [spans[span.parent].name if span.parent else None for span in runs] == [
            None,
            "sessions_spawn",
            "agent main",
        ]
        assert {span.trace for span in trace.tree} == {trace.tree[0].trace}


def test_a_call_within_a_call() -> None:
    """A call that a tool made is part of that tool's call, whichever of its streams says so."""
    inner = list(tool("r", 320, 400, "inner"))
    inner[1]["data"]["parentToolCallId"] = "call_1"
    payloads = [*whole_run()]
    trace = log_of([*payloads[:5], *inner, *payloads[5:]]).trace("r")
    assert [depth for depth, *_ in tree(trace)] == [0, 1, 2, 3, 1]


def test_a_recording(tmp_path: Any) -> None:
    """A recording's traces are those of the log."""
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend(events_of(whole_run()))
    recording = load(tmp_path / "run.jsonl")
    assert recording.trace("r").spans.equals(log_of(whole_run()).trace("r").spans)
    assert len(recording.traces()) == 1


def without(stream: str, phase: str | None = None) -> list[dict[str, Any]]:
    return [
        payload
        for payload in whole_run()
        if not (payload.get("stream") == stream and phase in (None, payload["data"].get("phase")))
        and not (phase == "end" and "state" in payload)
    ]


def shifted(payloads: Iterable[dict[str, Any]], stream: str, phase: str, **change: Any) -> list[dict[str, Any]]:
    changed = []
    for payload in payloads:
        if payload.get("stream") == stream and payload["data"].get("phase") == phase:
            payload = {**payload, "ts": BEGIN - 50, "data": {**payload["data"], **change}}
        changed.append(payload)
    return changed


WRONG: dict[str, tuple[list[Any], str, str, str]] = {
    "no start of the run": (without("lifecycle", "start"), "run", "ok", "its start was not seen"),
    "no end of the run": (without("lifecycle", "end"), "run", "running", "its end was not seen"),
    "a lost connection": ([*without("lifecycle", "end")[:8], "reconnect"], "run", "unknown", "the connection was lost"),
    "missed events": ([*without("tool", "result")[:6], "gap", *whole_run()], "run", "ok", "events were missed"),
    "out of order": ([*whole_run()][::-1], "run", "ok", "its events came out of order"),
    "no start of a tool": (
        [p for p in without("tool", "start") if p.get("data", {}).get("phase") != "start" or p["stream"] != "item"],
        "tool",
        "ok",
        "its start was not seen",
    ),
    "no end of a tool": (
        [p for p in without("tool", "result") if p.get("data", {}).get("status") != "completed"],
        "tool",
        "unknown",
        "its end was not seen",
    ),
    "no usage": (without("usage"), "model", "ok", "its end was not seen"),
    "no first byte": (without("lifecycle", "model"), "model", "ok", "its start was not seen"),
    "backwards": (
        shifted(whole_run(), "lifecycle", "end", endedAt=BEGIN - 50),
        "run",
        "ok",
        "it ends before it starts",
    ),
    "an id twice": (
        [*[*whole_run()][:-5], *tool("r", 600, 700, "call_1"), *[*whole_run()][-5:]],
        "tool",
        "ok",
        "its id was used before in this run",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong(case: str) -> None:
    """What was missed, out of order or can't be is marked at its span; the rest of the tree is there."""
    payloads, kind, status, problem = WRONG[case]
    trace = log_of(payloads).trace("r")
    marked = [span for span in trace.tree if problem in span.problems]
    assert (marked[0].kind, marked[0].status) == (kind, status)
    assert trace.tree[0].kind == "run"
    assert problem in repr(trace)
    assert all(span.seconds is None or span.seconds >= 0 for span in trace.tree)


def test_order_does_not_matter() -> None:
    """Events that come out of order give the same spans."""
    right, wrong = (log_of(payloads).trace("r") for payloads in (whole_run(), [*whole_run()][::-1]))
    assert [times(span) for span in wrong.tree] == [times(span) for span in right.tree]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ([agent("r", 50, "lifecycle", phase="error", error="HTTP 500", endedAt=BEGIN + 50)], "error"),
        ([agent("r", 50, "lifecycle", phase="end", aborted=True)], "aborted"),
        (
            [
                agent("r", 50, "lifecycle", phase="end", aborted=True),
                agent("r", 60, "lifecycle", phase="error", error="aborted"),
            ],
            "aborted",
        ),
        ([{"runId": "r", "state": "error"}], "error"),
        ([{"runId": "r", "state": "aborted"}], "aborted"),
        ([], "running"),
    ],
)
def test_a_status(end: list[dict[str, Any]], status: str) -> None:
    """A run's status is how it ended; an error after an abort changes nothing."""
    trace = log_of([agent("r", 0, "lifecycle", phase="start", startedAt=BEGIN), *end]).trace("r")
    assert trace.status == status


def test_retries() -> None:
    """A run's attempts and the gateway's retries are counted, and its start is that of the first."""
    payloads = [
        agent("r", 0, "lifecycle", phase="start", startedAt=BEGIN),
        agent("r", 5, "run_status", retrying=True, retryAttempt=1),
        agent("r", 6, "run_status", retrying=True, retryAttempt=2),
        agent("r", 7, "run_status", retrying=False),
        agent("r", 10, "lifecycle", phase="finishing", error="HTTP 429"),
        agent("r", 20, "lifecycle", phase="start", startedAt=BEGIN + 20),
        agent("r", 30, "lifecycle", phase="end", endedAt=BEGIN + 30),
    ]
    root = log_of(payloads).trace("r").tree[0]
    assert (root.attributes["attempts"], root.attributes["retries"], times(root)) == (2, 2, (0, 30))


HOSTILE = [
    {"runId": "r", "stream": 5, "seq": "x", "ts": "y", "data": []},
    {"runId": "r", "stream": "tool", "data": {"phase": [], "toolCallId": {}, "args": None, "result": 3}},
    {"runId": "r", "stream": "tool", "ts": 1e300, "data": {"phase": "start", "toolCallId": "n", "name": "n" * 10_000}},
    {"runId": "r", "stream": "lifecycle", "ts": -5, "seq": 2**70, "data": {"phase": "model", "model": "m" * 10_000}},
    {"runId": "r", "stream": "usage", "data": {"outputTokens": 2**70}},
    {"runId": "r", "stream": "usage", "data": {"outputTokens": -1}},
    {"runId": ["r"], "stream": "usage"},
    {"runId": ""},
    {"runId": "r", "state": {"final": 1}},
]


def test_hostile_events() -> None:
    """Events of any shape give a tree; names are cut, and a frame can be made of it."""
    log = log_of(HOSTILE)
    for trace in log.traces():
        assert len(trace.spans) == len(trace)
        assert all(len(span.name) <= MAX_NAME for span in trace.tree)
    names = [span.name for span in log.trace("r").tree]
    assert sorted(names) == ["agent", "m" * MAX_NAME, "n" * MAX_NAME]


@pytest.mark.parametrize(
    ("count", "tokens"), [(0, 0), (7, 7), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None), (1.5, None), (True, None)]
)
def test_tokens(count: Any, tokens: int | None) -> None:
    """Tokens are whole numbers that a column of a DataFrame can hold; others are as good as none."""
    trace = log_of([agent("r", 0, "lifecycle", phase="start"), agent("r", 1, "usage", outputTokens=count)]).trace("r")
    assert trace.tree[0].output_tokens == tokens
    assert trace.spans["output_tokens"].isna().iloc[0] == (tokens is None)


@pytest.mark.parametrize(
    ("run", "is_own"),
    [
        ("454349e4-22f0-5297-191e-ad13e21d3db5", True),
        ("454349E4-22F0-5297-191E-AD13E21D3DB5", True),
        ("0123456789abcdef" * 2, True),
        ("0" * 32, False),
        ("a" * 31, False),
        ("a" * 33, False),
        ("g" * 32, False),
        ("", False),
    ],
)
def test_ids_of_traces(run: str, is_own: bool) -> None:
    """A trace has the digits of its run's UUID; of any other id, or of one without a digit but 0, others."""
    found = trace_id(run)
    assert (found == run.replace("-", "").lower()) == is_own
    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")


@pytest.mark.parametrize(("length", "count"), [(0, 0), (1, 1), (1024, 1), (1025, 0)])
def test_long_runs_ids(length: int, count: int) -> None:
    """Ids of runs of more than 1,024 characters are none, as in `runs`."""
    assert len(log_of([agent("r" * length, 0, "lifecycle", phase="start")]).traces()) == count


@pytest.mark.parametrize("length", [1024, 1025, 10_000])
def test_long_ids(length: int) -> None:
    """Ids of tool calls are cut at 1,024 characters; what begins the same is one call."""
    log = log_of([agent("r", 0, "lifecycle", phase="start"), *tool("r", 1, 5, "c" * length)])
    (_, call) = log.trace("r").tree
    assert len(call.attributes["tool_call"]) == 1024
    assert call.status == "ok"


@pytest.mark.parametrize(
    "edges", [[("a", "a")], [("a", "b"), ("b", "a")], [("a", "b"), ("b", "c"), ("c", "b"), ("c", "a")]]
)
def test_runs_in_a_circle(edges: list[tuple[str, str]]) -> None:
    """Runs that say they started each other are each in one trace, once."""
    payloads = [agent(run, 0, "lifecycle", phase="start") for run in sorted({run for edge in edges for run in edge})]
    for number, (run, child) in enumerate(edges):
        payloads += tool(run, 10 + number, 20 + number, f"call{number}", "sessions_spawn", **spawning(child))
    spans = log_of(payloads).traces().spans
    runs = spans[spans["kind"] == "run"]
    assert len(runs) == len({run for edge in edges for run in edge})
    assert log_of(payloads).trace("a")


def test_calls_in_a_circle() -> None:
    """Tool calls that name each other as parents are each in the tree, once, and marked."""
    first, second = list(tool("r", 10, 50, "a")), list(tool("r", 20, 40, "b"))
    first[1]["data"]["parentToolCallId"], second[1]["data"]["parentToolCallId"] = "b", "a"
    first[3]["data"]["parentToolCallId"] = "b"
    trace = log_of([agent("r", 0, "lifecycle", phase="start"), *first, *second]).trace("r")
    assert len(trace) == 3
    assert "it is said to be part of itself" in trace.problems
    assert trace.text


def test_a_model_call_whose_first_byte_was_missed() -> None:
    """Tokens that come after a tool call are those of another model call."""
    payloads = [
        payload
        for payload in whole_run()
        if not (payload.get("data", {}).get("phase") == "model" and payload["ts"] > BEGIN + 1000)
    ]
    trace = log_of(payloads).trace("r")
    assert [(span.kind, span.output_tokens) for span in trace.tree] == [
        ("run", 10),
        ("model", 5),
        ("tool", None),
        ("model", 5),
    ]
    assert trace.tree[3].problems == ["its start was not seen"]


def test_no_such_run() -> None:
    """Asking for a run that is not there is an error that says where the runs are."""
    with pytest.raises(BadArgumentError, match=r"no event of a run 'x' here; \.runs\(\) lists"):
        log_of(whole_run()).trace("x")


@pytest.mark.long
def test_a_very_long_run() -> None:
    """A run of 100,000 events and a chain of 2,000 sub-agents are read in seconds."""
    log = EventLog()
    events = [agent("r", number, "tool", phase="start", toolCallId=f"c{number}") for number in range(100_000)]
    log.extend([Event(1e9 + n, 1, "agent", n, msgspec.Raw(encode(payload))) for n, payload in enumerate(events)])
    chain: list[dict[str, Any]] = []
    for number in range(2000):
        chain += tool(f"run{number}", 0, 10, "c", "sessions_spawn", **spawning(f"run{number + 1}"))
    began = time.perf_counter()
    assert len(log.trace("r")) == 100_001
    assert len(log_of(chain).trace("run1999")) == 4000
    assert time.perf_counter() - began < 30
