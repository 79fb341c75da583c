"""Traces completed with what the gateway keeps: the true times, tokens and cost of model calls, and lost tool calls."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from typing import Any

from ..errors import GatewayRequestError, one_line
from ..events.traces.spans import NO_END, NO_START, Span, depth_first, span_id
from ..events.traces.steps import nanoseconds
from ..events.traces.trace import Trace
from ..protocol.frames import encode
from .frames import value_at
from .history import INJECTED, History, about, blocks, read_history, run_of, text_of
from .messages import call_records
from .steps import Ask, Steps, together

_STATUSES = {"error": "error", "aborted": "aborted"}
_TOKENS = {"cacheRead": "cache_read_tokens", "cacheWrite": "cache_write_tokens"}
_LONGEST = 200
_MAX_ID = 1024


def complete_trace(trace: Trace) -> Steps[Trace]:
    """Complete a trace with its sessions' messages (``chat.history``) and what is decided of its runs
    (``audit.run.inspect``).

    A model call is from when it was asked to when its answer was kept, with the tokens and the cost of its message.

    Raises:
        GatewayRequestError: a session can't be read.
    """
    spans = deepcopy(trace.tree)
    by_run: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_run[str(span.attributes["run"])].append(span)
    sessions = dict.fromkeys(str(span.attributes["session"]) for span in spans if span.attributes.get("session"))
    for history in (yield from together(read_history(session, must_exist=False) for session in sessions)):
        for run, own in by_run.items():
            if own[0].attributes["session"] == history.session:
                _complete(run, own, history)
    for run, own in by_run.items():
        yield from _inspect(run, own[0])
    return Trace(depth_first([span for own in by_run.values() for span in own]))


def _inspect(run: str, root: Span) -> Steps[None]:
    try:
        payload = yield Ask("audit.run.inspect", {"runId": run})
    except GatewayRequestError as error:  # a gateway before 2026.9 has no such method; not everybody may ask
        root.mark(f"audit.run.inspect: {one_line(error, _LONGEST)}")
        return
    root.attributes["audit"] = value_at(payload, ["run", "status"])
    if isinstance(decisions := value_at(payload, ["decisionDisplays"]), list) and decisions:
        root.attributes["decisions"] = len(decisions)


def _complete(run: str, spans: list[Span], history: History) -> None:
    messages = [message for message in history.messages if run_of(message) == run]
    answers = [each for each in messages if each.get("role") == "assistant" and each.get("model") != INJECTED]
    if not messages:
        spans[0].mark("its messages are not in the session's history")
        return
    prompts = [text_of(blocks(message)) for message in messages if message.get("role") == "user"]
    if prompts:
        spans[0].content["arguments"] = prompts[0]
    seen = [span for span in spans if span.kind == "model"]
    by_message: dict[str, Span] = {}
    for number, message in enumerate(answers):
        span = _of_answer(seen, message)
        if span is None:
            span = _added(spans[0], "model", number)
            spans.append(span)
        _complete_model(span, message)
        by_message[str(about(message).get("id"))] = span
    for span in seen:
        span.mark("its message is not in the session's history")
    _complete_tools(run, spans, history, by_message)
    _total(spans, list(by_message.values()))


def _of_answer(seen: list[Span], message: dict[str, Any]) -> Span | None:
    """Take the model call whose first byte, or end, came before a message was kept; calls are one after the other."""
    recorded = nanoseconds(_number(about(message).get("recordTimestampMs")))
    if seen and (recorded is None or (seen[0].start or seen[0].end or 0) <= recorded):
        return seen.pop(0)
    return None


def _added(root: Span, kind: str, number: int) -> Span:
    run = str(root.attributes["run"])
    span = Span(root.trace, span_id(run, f"added {kind}", number), root.span, kind, kind)
    span.attributes = {name: root.attributes[name] for name in ("run", "session", "agent")}
    span.mark("its events were not seen")
    return span


def _complete_model(span: Span, message: dict[str, Any]) -> None:
    usage = message.get("usage")
    first_byte = span.start if span.attributes.pop("start_is", None) else None
    span.start = nanoseconds(_number(message.get("timestamp")))
    span.end = nanoseconds(_number(about(message).get("recordTimestampMs")))
    if first_byte is not None and span.start is not None:
        span.attributes["first_byte_s"] = (first_byte - span.start) / 1e9
    span.status = _STATUSES.get(str(message.get("stopReason")), "ok")
    if isinstance(message.get("model"), str):
        span.name = span.model = message["model"][:_LONGEST]
    span.input_tokens, span.output_tokens = (_count(value_at(usage, [name])) for name in ("input", "output"))
    cost = value_at(usage, ["cost", "total"])
    span.cost = float(cost) if type(cost) in (int, float) else None
    for name, own in _TOKENS.items():
        if count := _count(value_at(usage, [name])):
            span.attributes[own] = count
    about_message = {"provider": message.get("provider"), "message": about(message).get("id")}
    span.attributes |= {name: value for name, value in about_message.items() if isinstance(value, str)}
    span.content["result"] = encode(message.get("content")).decode()
    _recheck(span)


def _complete_tools(run: str, spans: list[Span], history: History, by_message: dict[str, Span]) -> None:
    seen: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.kind == "tool":
            seen[span.attributes["tool_call"]].append(span)
    newest: dict[str, Span] = {}
    for number, record in enumerate(each for each in call_records(history) if each["run"] == run):
        call = str(record.get("id"))[:_MAX_ID]
        if seen[call]:
            span = seen[call].pop(0)
        else:
            span = _added(spans[0], "tool", number)
            span.name = str(record.get("name") or "tool")[:_LONGEST]
            span.attributes["tool_call"] = call
            spans.append(span)
        newest[call] = span
        above = newest.get(str(record.get("parentToolCallId"))) or by_message.get(str(record.get("message")))
        span.parent = above.span if above is not None and above is not span else span.parent
        _complete_tool(span, record)
    for left in seen.values():
        for span in left:
            span.mark("its call is not in the session's history")


def _complete_tool(span: Span, record: dict[str, Any]) -> None:
    if span.start is None:
        span.start = nanoseconds(_number(record.get("start")))
    if span.end is None:
        span.end = nanoseconds(_number(record.get("end")))
    if span.status in ("running", "unknown") and record["status"] != "open":
        span.status = record["status"]
    if "arguments" not in span.content and record.get("arguments") is not None:
        text = encode(record["arguments"])
        span.attributes["argument_bytes"], span.content["arguments"] = len(text), text.decode()
    if "result" not in span.content and isinstance(result := record.get("result"), str):
        span.content["result"] = result
    _recheck(span)


def _recheck(span: Span) -> None:
    """Take back what was marked of times that are there now."""
    known = {NO_START: span.start, NO_END: span.end}
    problems = [problem for problem in span.problems if known.get(problem) is None]
    span.attributes.pop("problems", None)
    if problems:
        span.attributes["problems"] = problems


def _total(spans: list[Span], models: list[Span]) -> None:
    root = spans[0]
    for name in ("input_tokens", "output_tokens", "cost"):
        values = [getattr(span, name) for span in models]
        if values and None not in values:
            setattr(root, name, sum(values))
    root.model = models[-1].model if models else root.model


def _number(value: Any) -> int | float | None:
    return value if type(value) in (int, float) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None
