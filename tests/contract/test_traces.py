"""Traces of real runs: the tree, and times and tokens as the gateway itself keeps them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pytest
from opentelemetry import trace

import gateway_nb as gnb
from gateway_nb.events.traces.trace import Trace
from tests.helpers.proxy import Proxy
from tests.helpers.real import AnyGateway, RealGateway
from tests.helpers.support import async_test, until

CALLS = 'Look.\ntool:first:{"a": 1}\ntool:second:{}\ntool:third:{"b": [1, 2]}'


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


def kinds(trace: Trace) -> list[str]:
    return [span.kind for span in trace.tree]


def messages(gw: gnb.Gateway, key: str, run: str) -> list[dict[str, Any]]:
    history = gw.request("chat.history", {"sessionKey": key, "limit": 200})["messages"]
    return [message for message in history if message["__openclaw"].get("runId") == run]


def milliseconds(time: pd.Timestamp) -> int:
    return int(time.value // 1_000_000)


def test_a_run_with_three_tool_calls(gateway: AnyGateway) -> None:
    """A completed trace has the times, tokens and cost of the messages, and the usage of the run."""
    with gnb.connect(gateway.url, token=gateway.token, caps=["tool-events"]) as gw:
        run = gw.run(CALLS, session=session())
        result = run.result(60)
        until(lambda: run.trace().status == "ok")
        assert kinds(run.trace()) == ["run", *["model", "tool"] * 3, "model"]
        trace = run.trace(complete=True)
        frame = trace.spans
        answers = [each for each in messages(gw, run.session, run.run_id) if each["role"] == "assistant"]
        models = frame[frame["kind"] == "model"]
        assert [milliseconds(time) for time in models["start"]] == [each["timestamp"] for each in answers]
        assert [milliseconds(time) for time in models["end"]] == [
            each["__openclaw"]["recordTimestampMs"] for each in answers
        ]
        for column, name in (("input_tokens", "input"), ("output_tokens", "output")):
            assert models[column].tolist() == [each["usage"][name] for each in answers]
            assert frame[column].iloc[0] == result.usage[name]
        assert models["cost"].tolist() == [each["usage"]["cost"]["total"] for each in answers]
        assert frame["cost"].iloc[0] == pytest.approx(result.usage["cost"]["total"])
        calls = [block for each in answers for block in each["content"] if block["type"] == "toolCall"]
        tools = [span for span in trace.tree if span.kind == "tool"]
        assert [span.attributes["tool_call"] for span in tools] == [call["id"] for call in calls]
        parents = [span.parent for span in tools]
        assert parents == models["span"].tolist()[:3]
        assert frame["end"].iloc[0] >= frame["end"].max()
        assert not [problem for problem in trace.problems if "audit" not in problem]


def test_a_sub_agent(real: RealGateway) -> None:
    """The run of a sub-agent is part of its parent's trace, below the tool call that started it."""
    with gnb.connect(real.url, token=real.token, caps=["tool-events"]) as gw:
        run = gw.run('tool:sessions_spawn:{"task": "echo:child done"}', session=session())
        run.result(60)

        def announced() -> bool:
            runs = [span for span in run.trace().tree if span.kind == "run"]
            return len(runs) == 3 and all(span.status == "ok" for span in runs)

        until(announced, 60)
        trace = run.trace(complete=True)
        spans = {span.span: span for span in trace.tree}
        _, child, announce = (span for span in trace.tree if span.kind == "run")
        assert spans[child.parent or ""].name == "sessions_spawn"
        assert announce.parent == child.span
        assert gw.events.trace(child.attributes["run"]).run == run.run_id
        key = str(child.attributes["session"])
        used = [each["usage"] for each in messages(gw, key, child.attributes["run"]) if each["role"] == "assistant"]
        assert child.input_tokens == sum(each["input"] for each in used)
        assert child.output_tokens == sum(each["output"] for each in used)


@async_test
async def test_a_run_cut_by_a_lost_connection(gateway: AnyGateway) -> None:
    """Where the connection was lost during a run, its trace says so, and nothing of it is guessed."""
    async with Proxy(int(gateway.url.rpartition(":")[2])) as proxy:
        cut = partial(asyncio.get_running_loop().call_soon_threadsafe, proxy.cut)
        trace = await asyncio.to_thread(trace_of_a_cut_run, proxy.url, gateway.token, cut)
    root = trace.tree[0]
    assert "the connection was lost" in root.problems
    assert root.status in ("ok", "unknown")
    assert (root.end is None) == (root.status == "unknown")


def trace_of_a_cut_run(url: str, token: str, cut: Callable[[], object]) -> Trace:
    with gnb.connect(url, token=token) as gw:
        run = gw.run("count:40:50", session=session())
        until(lambda: any(event.event == "chat" for event in run.events), 60)
        cut()
        run.result(60)
        assert "reconnect" in set(gw.events.df["kind"])
        return run.trace()


def test_no_gateway_to_ask(gateway: AnyGateway, tmp_path: Any) -> None:
    """A recording's trace is as the events tell it; asking for more is an error."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        with gw.capture(tmp_path / "run.jsonl"):
            run = gw.run("hello", session=session())
            run.result(30)
            until(lambda: run.trace().status == "ok")
        recording = gnb.load(tmp_path / "run.jsonl")
        assert recording.trace(run.run_id).spans.equals(run.trace().spans)
        with pytest.raises(gnb.BadArgumentError, match="not a recording"):
            recording.trace(run.run_id, complete=True)


def test_part_of_another_trace(gateway: AnyGateway) -> None:
    """A request and a run can be part of a trace of the caller's: the gateway takes their frames."""
    given = f"00-{'a' * 32}-{'b' * 16}-01"
    context = trace.SpanContext(int("c" * 32, 16), int("d" * 16, 16), False, trace.TraceFlags(1))
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        assert gw.request("health", traceparent=given)["ok"]
        assert gw.submit("health", traceparent=given).result(30)["ok"]
        with trace.use_span(trace.NonRecordingSpan(context)):
            assert gw.request("health")["ok"]
            assert gw.run("hello", session=session()).result(60).text == "hello"
