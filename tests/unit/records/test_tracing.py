"""Traces completed with messages: what they tell more, and what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.events.traces.trace import Trace
from gateway_nb.records.tracing import complete_trace
from tests.helpers.records import read, refusal
from tests.helpers.runs import BEGIN, log_of, whole_run

USAGE = {"input": 7, "output": 5, "cacheRead": 3, "cacheWrite": 0, "cost": {"total": 0.5}}


def answer(number: int, asked: int, kept: int, run: str = "r", **fields: Any) -> dict[str, Any]:
    meta = {"id": f"m{number}", "seq": number, "runId": run, "recordTimestampMs": BEGIN + kept}
    return {
        "role": "assistant",
        "content": [],
        "model": "mock-1",
        "usage": USAGE,
        "stopReason": "stop",
        "timestamp": BEGIN + asked,
        "__openclaw": meta,
    } | fields


def calling(number: int, asked: int, kept: int, call: str = "call_1") -> dict[str, Any]:
    block = {"type": "toolCall", "id": call, "name": "read", "arguments": {"path": "a"}}
    return answer(number, asked, kept, content=[block], stopReason="toolUse")


def completed(trace: Trace, messages: list[dict[str, Any]], audit: Any = None) -> Trace:
    def respond(method: str, params: dict[str, Any]) -> Any:
        if method == "chat.history":
            return {"messages": messages, "totalMessages": len(messages), "sessionId": "s"}
        if audit is None:
            raise refusal("unknown method")
        return audit

    return read(complete_trace(trace), respond)


def test_true_times_tokens_and_cost() -> None:
    """A model call is from when it was asked to when its answer was kept, with its tokens and cost; so is the run's."""
    trace = log_of(whole_run()).trace("r")
    audit = {"run": {"status": "known"}, "decisionDisplays": [{}]}
    done = completed(trace, [calling(1, 50, 210), answer(2, 1050, 1210)], audit)
    root, first, tool, last = done.tree
    assert [(first.start or 0) // 1_000_000 - BEGIN, (last.end or 0) // 1_000_000 - BEGIN] == [50, 1210]
    assert (first.attributes["first_byte_s"], first.attributes["cache_read_tokens"]) == (0.05, 3)
    assert (root.input_tokens, root.output_tokens, root.cost) == (14, 10, 1.0)
    assert tool.parent == first.span
    assert (root.attributes["audit"], root.attributes["decisions"]) == ("known", 1)
    assert not done.problems
    assert trace.tree[1].input_tokens is None, "the trace itself stays as it was"


def test_what_events_missed() -> None:
    """Model and tool calls whose events were missed are there, and marked; their times are known then."""
    payloads = [each for each in whole_run() if each.get("stream") not in ("tool", "item", "usage")]
    payloads = [each for each in payloads if each.get("data", {}).get("phase") != "model"]
    result = {"role": "toolResult", "toolCallId": "call_1", "content": "x", "timestamp": BEGIN + 300}
    result["__openclaw"] = {"id": "t", "seq": 2, "runId": "r"}
    done = completed(log_of(payloads).trace("r"), [calling(1, 50, 210), result, answer(3, 1050, 1210)])
    assert [(span.kind, span.status) for span in done.tree[1:]] == [("model", "ok"), ("tool", "ok"), ("model", "ok")]
    assert all(span.problems == ["its events were not seen"] for span in done.tree[1:])
    assert done.tree[2].seconds == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "its messages are not in the session's history"),
        ([answer(1, 0, 9, run="other")], "its messages are not in the session's history"),
        ([calling(1, 50, 210)], "its message is not in the session's history"),
        ([answer(1, 50, 210), answer(2, 1050, 1210)], "its call is not in the session's history"),
    ],
)
def test_a_history_that_lacks_something(messages: list[dict[str, Any]], problem: str) -> None:
    """What is in the events and not in the messages stays as it was, and is marked; a refused audit, too."""
    done = completed(log_of(whole_run()).trace("r"), messages)
    assert len(done) == 4
    assert problem in done.problems
    assert "audit.run.inspect: unknown method" in done.problems


@pytest.mark.parametrize(
    "change",
    [
        {"usage": None},
        {"usage": {"input": -1, "output": "5", "cost": {"total": "x"}}},
        {"timestamp": "x", "model": 5},
        {"content": [{"type": "toolCall", "id": ["x"], "name": None}]},
    ],
)
def test_odd_messages(change: dict[str, Any]) -> None:
    """A message of an odd shape gives what it says, and nothing else."""
    done = completed(log_of(whole_run()).trace("r"), [answer(1, 50, 210) | change, answer(2, 1050, 1210)])
    assert len(done.spans) == len(done) >= 4
