"""Traces in the formats of others, read back with what others read them with."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atif
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.errors import BadArgumentError, GatewayError
from gateway_nb.events.traces import export
from gateway_nb.events.traces.atif import figure
from gateway_nb.events.traces.spans import Span
from gateway_nb.events.traces.trace import Trace
from tests.helpers.runs import BEGIN, agent, log_of, spawning, tool, whole_run

RUN = "454349e4-22f0-5297-191e-ad13e21d3db5"
CONTENT = '{"path":"a"}'


def family() -> Iterator[dict[str, Any]]:
    """Yield the events of a run with a sub-agent, whose answer is announced."""
    *most, finishing, nothing, end, final = whole_run(RUN)
    yield from most
    yield from tool(RUN, 1210, 1290, "spawn", "sessions_spawn", **spawning("child"))
    yield from (finishing, nothing, end, final)
    for payload in whole_run("child"):
        yield {**payload, "spawnedBy": "agent:main:s"}
    yield from whole_run("announce:v1:agent:main:subagent:x:child")


def trace() -> Trace:
    return log_of(family()).trace(RUN)


def otlp(path: Path) -> list[Any]:
    """Return the spans of a file as OpenTelemetry's own classes read them."""
    request = ExportTraceServiceRequest()
    if path.suffix == ".pb":
        request.ParseFromString(path.read_bytes())
    else:
        document = json.loads(path.read_text())
        ParseDict(with_base64_ids(document), request)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def with_base64_ids(document: dict[str, Any]) -> dict[str, Any]:
    """OTLP's JSON has hexadecimal ids, where protobuf's own has base64."""
    import base64

    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in span:
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return document


@pytest.mark.parametrize("suffix", [".json", ".pb"])
def test_otlp(tmp_path: Path, suffix: str) -> None:
    """OTLP's JSON and protobuf hold every span, with ids, times, status and the attributes of the conventions."""
    whole = trace()
    spans = otlp(whole.to_otlp(tmp_path / f"trace{suffix}"))
    assert [span.span_id.hex() for span in spans] == [span.span for span in whole.tree]
    assert {span.trace_id.hex() for span in spans} == {RUN.replace("-", "")}
    assert [span.parent_span_id.hex() or None for span in spans] == [span.parent for span in whole.tree]
    assert [(span.start_time_unix_nano, span.end_time_unix_nano) for span in spans] == [
        (span.start, span.end) for span in whole.tree
    ]
    assert [span.name for span in spans[:3]] == ["invoke_agent main", "chat mock-1", "execute_tool read"]
    assert [span.kind for span in spans[:3]] == [1, 3, 1]  # internal, client, internal
    model = {each.key: each.value for each in spans[1].attributes}
    assert model["gen_ai.usage.output_tokens"].int_value == 5
    assert model["openinference.span.kind"].string_value == "LLM"
    assert model["openclaw.sessionKey"].string_value == "agent:main:s"
    assert all(span.status.code == 1 for span in spans)


@pytest.mark.parametrize("suffix", [".json", ".pb"])
def test_the_status_in_otlp(tmp_path: Path, suffix: str) -> None:
    """A failed span has the code of an error and says why; one that went well has no message, an open one neither."""
    failing = [
        agent("r", 0, "lifecycle", phase="start"),
        *tool("r", 10, 20, "bad", isError=True),
        *tool("r", 30, 40, "good"),
        agent("r", 50, "tool", phase="start", toolCallId="open", name="read"),
        agent("r", 60, "lifecycle", phase="error", error="HTTP 500"),
    ]
    spans = otlp(log_of(failing).trace("r").to_otlp(tmp_path / f"trace{suffix}"))
    assert [(span.status.code, span.status.message) for span in spans] == [
        (2, "HTTP 500"),
        (2, "error"),
        (1, ""),
        (0, ""),
    ]


WRITERS: dict[str, Callable[..., Any]] = {
    "otlp.json": Trace.to_otlp,
    "otlp.pb": Trace.to_otlp,
    "perfetto.json": Trace.to_perfetto,
    "atif.json": Trace.to_atif,
}


@pytest.mark.parametrize("name", WRITERS)
def test_content_only_when_asked(tmp_path: Path, name: str) -> None:
    """Arguments and results are in a file only with content=True; a file that exists is not overwritten."""
    without = WRITERS[name](trace(), tmp_path / name)
    with pytest.raises(FileExistsError):
        WRITERS[name](trace(), tmp_path / name)
    whole = WRITERS[name](trace(), tmp_path / f"whole-{name}", content=True)
    assert b"path" not in without.read_bytes()
    assert b"path" in whole.read_bytes()


def test_another_suffix(tmp_path: Path) -> None:
    """The suffix decides how OTLP is written; another one is refused."""
    with pytest.raises(BadArgumentError, match=r"must end in \.json or \.pb"):
        trace().to_otlp(tmp_path / "trace.txt")


def test_no_secrets(tmp_path: Path) -> None:
    """The connection's secrets are in no trace."""
    log = log_of([*tool("r", 0, 9, "c", "read", text="the hunter2hunter2"), *whole_run("r")])
    log.redactor = Redactor(["hunter2hunter2"])
    path = log.trace("r").to_otlp(tmp_path / "trace.json", content=True)
    assert "hunter2" not in path.read_text()
    assert "the [secret]" in path.read_text()


def test_what_is_not_known(tmp_path: Path) -> None:
    """A span without a start or an end is one of no length in OTLP, marked, and one that goes on in Perfetto."""
    cut = log_of([agent("r", 0, "lifecycle", phase="start"), "reconnect"]).trace("r")
    (span,) = otlp(cut.to_otlp(tmp_path / "otlp.json"))
    assert span.start_time_unix_nano == span.end_time_unix_nano > 0
    problems = next(each.value for each in span.attributes if each.key == "openclaw.problems")
    assert [each.string_value for each in problems.array_value.values] == cut.problems
    begun = log_of([agent("s", 5, "usage", outputTokens=1)]).trace("s")
    _, model = otlp(begun.to_otlp(tmp_path / "begun.json"))
    assert model.start_time_unix_nano == model.end_time_unix_nano == (BEGIN + 5) * 1_000_000
    events = json.loads(cut.to_perfetto(tmp_path / "perfetto.json").read_text())["traceEvents"]
    assert [event["ph"] for event in events] == ["M", "M", "B"]
    *_, event = json.loads(begun.to_perfetto(tmp_path / "begun-perfetto.json").read_text())["traceEvents"]
    assert (event["ph"], event["ts"]) == ("i", (BEGIN + 5) * 1000)


def check_perfetto(document: dict[str, Any], spans: list[Span]) -> None:
    """Check a document against the JSON format: phases and the fields that each has to have."""
    events = document["traceEvents"]
    for event in events:
        assert isinstance(event["name"], str)
        assert {"ph", "pid", "tid"} <= set(event)
        assert event["ph"] in "MXBi"
        assert event["pid"] == 1
        if event["ph"] != "M":
            assert isinstance(event["ts"], int | float)
            assert isinstance(event["cat"], str)
        if event["ph"] == "X":
            assert event["dur"] >= 0
    drawn = [event for event in events if event["ph"] != "M"]
    assert len(drawn) == len(spans)
    assert [round(event["ts"]) * 1000 for event in drawn] == [span.start for span in spans]
    tracks = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert tracks == {event["tid"] for event in drawn}
    assert len(tracks) == len({span.attributes["run"] for span in spans})


def test_perfetto(tmp_path: Path) -> None:
    """A file for Perfetto has each span as an event of the JSON format, and a named track for each run."""
    whole = trace()
    check_perfetto(json.loads(whole.to_perfetto(tmp_path / "trace.json").read_text()), whole.tree)


def test_atif(tmp_path: Path) -> None:
    """A trajectory has a step for each model call with its tools, and sub-agents as trajectories of their own."""
    path = trace().to_atif(tmp_path / "trace.json", content=True)
    trajectory = atif.Trajectory.model_validate_json(path.read_text())
    assert [step.source for step in trajectory.steps] == ["user", "agent", "agent"]
    (call,) = trajectory.steps[1].tool_calls or []
    assert (call.function_name, call.arguments) == ("read", {"path": "a"})
    metrics = trajectory.steps[1].metrics
    assert metrics is not None
    assert (metrics.prompt_tokens, metrics.completion_tokens, metrics.cached_tokens, metrics.cost_usd) == (0, 5, 0, 0)
    assert trajectory.final_metrics is not None
    assert trajectory.final_metrics.total_completion_tokens == 10
    assert len(trajectory.subagent_trajectories or []) == 2


def test_atif_of_calls_alone(tmp_path: Path) -> None:
    """Tool calls whose model call is not known are a step of their own; one that goes on has no result."""
    opened = [*tool("r", 6, 9, "d", "write")][:2]
    calls = log_of([agent("r", 0, "lifecycle", phase="start"), *tool("r", 1, 5, "c"), *opened]).trace("r")
    path = calls.to_atif(tmp_path / "trace.json")
    _, step = atif.Trajectory.model_validate_json(path.read_text()).steps
    assert step.observation is not None
    assert [result.source_call_id for result in step.observation.results] == [calls.tree[1].span]
    assert [call.function_name for call in step.tool_calls or []] == ["read", "write"]
    assert step.llm_call_count == 0


STREAMS: dict[str, Any] = {
    "json": export.write_otlp_json,
    "pb": export.write_otlp_protobuf,
    "perfetto": export.write_perfetto,
    "atif": export.write_atif,
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("rows", [3, 10, 1000])
def test_streamed_traces_are_the_same(rows: int, named: bool) -> None:
    """Traces read piece by piece have the spans of those read at once, also where a child does not name its parent."""
    payloads = [payload if named else {**payload, "spawnedBy": None} for payload in family()]
    log = log_of([*payloads, *whole_run("other")])
    table = log.to_arrow()
    pieces = [table.slice(at, rows) for at in range(0, table.num_rows, rows)]
    stream = export.TraceStream(Redactor())
    found = {span.span: span for spans in stream.read(pieces) for span in spans}
    wanted = {span.span: span for each in log.traces() for span in each.tree}
    assert {key: (span.trace, span.parent, span.start, span.end) for key, span in found.items()} == {
        key: (span.trace, span.parent, span.start, span.end) for key, span in wanted.items()
    }
    assert stream.late == 0


def test_a_run_is_written_when_nothing_came_of_it() -> None:
    """A run that ends in the first row of a piece is held for the next piece, where its last event may be."""
    *most, end, final = whole_run()
    stream = export.TraceStream(Redactor())
    tables = [log_of(payloads).to_arrow() for payloads in (most, [end], [final], whole_run("other"))]
    assert [spans[0].attributes["run"] for spans in stream.read(tables)] == ["r", "other"]
    assert stream.late == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (0.5, 0.5), (True, 0), (None, 0), ("3", 0), (float("nan"), 0), (float("inf"), 0), ([3], 0)],
)
def test_figures(value: Any, expected: float) -> None:
    """Only finite numbers are added up."""
    assert figure(value) == expected


@pytest.mark.parametrize("form", STREAMS)
def test_streamed_files(tmp_path: Path, form: str) -> None:
    """A streamed file holds what a trace's own does."""
    out = io.BytesIO()
    STREAMS[form](export.TraceStream(Redactor()).read([log_of(family()).to_arrow()]), out, content=False)
    whole = trace()
    if form == "perfetto":
        check_perfetto(json.loads(out.getvalue()), whole.tree)
    elif form == "atif":
        (line,) = out.getvalue().splitlines()
        assert len(atif.Trajectory.model_validate_json(line).subagent_trajectories or []) == 2
    else:
        path = tmp_path / f"x.{form}"
        path.write_bytes(out.getvalue())
        assert len(otlp(path)) == len(whole)


@pytest.mark.long
def test_runs_that_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs that do not end, the oldest are written when they would need too much memory; what still comes counts."""
    monkeypatch.setattr(export, "MAX_HELD", 5000)
    starts = [agent(f"r{number}", number, "lifecycle", phase="start") for number in range(100)]
    late = agent("r0", 1000, "usage", outputTokens=1)
    stream = export.TraceStream(Redactor())
    tables = [log_of([payload]).to_arrow() for payload in [*starts, late]]
    assert len(list(stream.read(tables))) == 100
    assert stream.late == 1


@pytest.mark.parametrize("endpoint", ["", "localhost:4318", "ftp://x"])
def test_no_collector(endpoint: str) -> None:
    """What is no address of a collector is refused before anything is sent."""
    with pytest.raises(GatewayError, match="no address of a collector"):
        trace().send(endpoint)
