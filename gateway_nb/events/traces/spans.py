"""The spans of one run, out of its events: the run, its model calls, its tool calls. Pure.

What was not seen is missing and marked in the attribute ``problems``; nothing is guessed. The gateway's events tell the
first byte of a model call, not its start: that is in the session's messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .steps import RunSteps, Step, nanoseconds

MAX_NAME = 200
_MAX_ID = 1024
_MAX_ERROR = 1000
_HEX = set("0123456789abcdef")
_END_STATUS = {"end": "ok", "error": "error"}
_CHAT_STATUS = {"final": "ok", "error": "error", "aborted": "aborted"}
NO_START, NO_END = "its start was not seen", "its end was not seen"


@dataclass(slots=True)
class Span:
    """A part of what an agent did.

    Attributes:
        trace: 32 hexadecimal digits, the same for all spans of a trace.
        span: 16 hexadecimal digits.
        parent: the span it is part of, or ``None``.
        kind: ``run``, ``model`` or ``tool``.
        name: the agent, the model or the tool.
        start: nanoseconds since 1970 on the gateway's clock, ``None`` where it was not seen.
        end: likewise.
        status: ``ok``, ``error``, ``aborted``, ``running``, or ``unknown`` where the end may have been missed.
        model: the model's id.
        input_tokens: that were in no cache; known after `complete`.
        output_tokens: of the model call, or of all of the run's.
        cost: in USD; known after `complete`.
        attributes: run, session, agent, tool_call, sizes in bytes, and ``problems``: what is wrong with it.
        content: ``arguments`` and ``result``: of a tool call as JSON, of a run its prompt, of a model call its answer;
            it leaves the process only when asked.
    """

    trace: str
    span: str
    parent: str | None
    kind: str
    name: str
    start: int | None = None
    end: int | None = None
    status: str = "running"
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)

    def mark(self, problem: str) -> None:
        """Note what is wrong with it, once."""
        problems = self.attributes.setdefault("problems", [])
        if problem not in problems:
            problems.append(problem)

    @property
    def problems(self) -> list[str]:
        """What is wrong with it."""
        return list(self.attributes.get("problems", ()))

    @property
    def seconds(self) -> float | None:
        """How long it took; ``None`` where an end is missing, or lies before its start."""
        if self.start is None or self.end is None or self.end < self.start:
            return None
        return (self.end - self.start) / 1e9


def trace_id(run: str) -> str:
    """Return the id of the trace that begins with a run: its own digits if it is a UUID."""
    digits = run.replace("-", "").lower()
    if len(digits) == 32 and set(digits) <= _HEX and set(digits) != {"0"}:
        return digits
    return hashlib.sha256(run.encode("utf-8", "replace")).hexdigest()[:32]


def span_id(run: str, kind: str, number: int) -> str:
    """Return a span's id, the same each time it is read."""
    return hashlib.sha256(f"{kind} {number} {run}".encode("utf-8", "replace")).hexdigest()[:16]


@dataclass
class _Building:
    """The spans of a run while its steps are read, in their order."""

    root: Span
    spans: list[Span]
    calls: dict[str, tuple[Span, set[tuple[str, bool]]]] = field(default_factory=dict)
    model: Span | None = None
    open: Span | None = None
    called: bool = False
    tokens: int = 0
    attempts: int = 0
    first_piece: int | None = None

    def add(self, kind: str, name: str, parent: Span) -> Span:
        run = str(self.root.attributes["run"])
        number = len(self.spans)
        span = Span(self.root.trace, span_id(run, kind, number), parent.span, kind, name[:MAX_NAME])
        span.attributes = {name: self.root.attributes[name] for name in ("run", "session", "agent")}
        self.spans.append(span)
        return span


def run_spans(steps: RunSteps, marks: Sequence[str] = ()) -> list[Span]:
    """Return the spans of a run, itself first; `linked` says of which trace they are.

    Args:
        steps: its events.
        marks: what was missed while it went on.
    """
    name = f"agent {steps.agent}" if steps.agent else "agent"
    root = Span("", span_id(steps.run, "run", 0), None, "run", name[:MAX_NAME])
    root.attributes = {"run": steps.run, "session": steps.session, "agent": steps.agent}
    building = _Building(root, [root])
    ordered = _in_order(steps.steps)
    if ordered != steps.steps:
        root.mark("its events came out of order")
    for step in ordered:
        _READERS[step.stream](building, step)
    _finish(building, steps, marks)
    return building.spans


def _in_order(steps: list[Step]) -> list[Step]:
    """Return steps by their number; one without a number, as a chat's, keeps its place behind the one before."""
    numbered, last = [], 0
    for place, step in enumerate(steps):
        last = step.seq if step.seq is not None else last
        numbered.append((last, place, step))
    return [step for _, _, step in sorted(numbered, key=lambda entry: entry[:2])]


def _lifecycle(building: _Building, step: Step) -> None:
    root, phase, data = building.root, step.phase, step.data
    if phase == "start":
        building.attempts += 1
        root.start = step.started if root.start is None else root.start
    elif phase == "model" and data.model:
        if building.open is not None:
            building.open.mark(NO_END)
        span = building.add("model", data.model, root)
        span.start, span.model = step.at, span.name
        span.attributes |= {"provider": data.provider and data.provider[:MAX_NAME], "start_is": "first byte"}
        building.model = building.open = span
        building.called = False
        root.model = span.model
    elif phase == "finishing":
        _end_model(building, step, "error" if data.error else "ok")
    elif phase in _END_STATUS and root.status in ("running", "ok"):
        # An error may follow an aborted end: the run stays aborted.
        root.status = "aborted" if data.aborted else _END_STATUS[phase]
        root.end = step.ended
        if root.start is None:
            root.start = nanoseconds(data.started_at)
            root.mark(NO_START)
    if data.error and phase in ("finishing", "error"):
        root.attributes["error"] = data.error[:_MAX_ERROR]


def _end_model(building: _Building, step: Step, status: str) -> None:
    if building.open is not None:
        building.open.end, building.open.status = step.at, status
        building.open = None


def _usage(building: _Building, step: Step) -> None:
    tokens = step.data.output_tokens
    if tokens is None:
        return
    span = building.model
    if span is None or building.called:  # a model call of which this is the first that was seen
        span = building.model = building.add("model", "model", building.root)
        building.called = False
    span.output_tokens = (span.output_tokens or 0) + max(tokens - building.tokens, 0)
    building.tokens = building.root.output_tokens = tokens
    span.end, span.status, building.open = step.at, "ok", None


def _tool(building: _Building, step: Step) -> None:
    """Two streams tell of a call, item around tool; an id comes again where its call has been told already."""
    if step.data.tool_call_id is None:
        return
    call, is_start = step.data.tool_call_id[:_MAX_ID], step.phase == "start"
    found = building.calls.get(call)
    if found is None or (step.stream, is_start) in found[1]:
        if building.open is not None:  # it had asked for the tool by then
            building.open.mark(NO_END)
            building.open.status, building.open = "ok", None
        building.called = True
        span = building.add("tool", step.data.name or "tool", building.model or building.root)
        span.attributes["tool_call"] = call
        if found is not None:
            span.mark("its id was used before in this run")
        found = building.calls[call] = (span, set())
    span, seen = found
    above = building.calls.get(step.data.parent_tool_call_id or "")
    if above is not None and above[0] is not span:  # of the two streams, one names it
        span.parent = above[0].span
    seen.add((step.stream, is_start))
    if is_start:
        span.start = step.started if span.start is None else min(span.start, step.started)
        _sized(span, step)
        return
    span.end = step.ended
    span.status = "error" if step.failed or span.status == "error" else "ok"
    _sized(span, step)
    if step.child is not None:
        span.attributes["child_run"] = step.child


def _sized(span: Span, step: Step) -> None:
    for name, text in step.content.items():
        span.attributes[f"{name.removesuffix('s')}_bytes"] = len(text.encode("utf-8", "replace"))
        span.content[name] = text


def _status(building: _Building, step: Step) -> None:
    if step.data.retrying:
        building.root.attributes["retries"] = int(building.root.attributes.get("retries", 0)) + 1


def _chat(building: _Building, step: Step) -> None:
    root, status = building.root, _CHAT_STATUS.get(step.phase)
    if status is not None and root.status == "running":
        root.status, root.end = status, step.at
    elif status == "aborted":
        root.status = status


def _piece(building: _Building, step: Step) -> None:
    building.first_piece = step.at if building.first_piece is None else building.first_piece


_READERS = {
    "lifecycle": _lifecycle,
    "usage": _usage,
    "tool": _tool,
    "item": _tool,
    "run_status": _status,
    "chat": _chat,
    "assistant": _piece,
}


def _finish(building: _Building, steps: RunSteps, marks: Sequence[str]) -> None:
    root = building.root
    ended = root.status != "running"
    for problem in [*steps.problems, *marks]:
        root.mark(problem)
    if building.attempts > 1:
        root.attributes["attempts"] = building.attempts
    if steps.pieces:
        root.attributes["pieces"] = steps.pieces
    if steps.spawned_by:
        root.attributes["spawned_by"] = steps.spawned_by
    if building.first_piece is not None and root.start is not None:
        root.attributes["first_token_s"] = (building.first_piece - root.start) / 1e9
    if not ended:
        root.mark(NO_END)
        root.status = "unknown" if marks else "running"
    for span in building.spans:
        _check(span, root, ended)


def _check(span: Span, root: Span, ended: bool) -> None:
    """Mark what is missing of a span, and times that can't be."""
    if span.status == "running" and root.status != "running":
        span.status = "aborted" if root.status == "aborted" else "unknown"
    if span.start is None:
        span.mark(NO_START)
    if span.end is None and (ended or root.status == "unknown"):
        span.mark(NO_END)
    if span.start is not None and span.end is not None and span.end < span.start:
        span.mark("it ends before it starts")


def announced_by(run: str) -> str | None:
    """Return the sub-agent's run whose answer a run announces to its parent: its id is ``announce:v1:SESSION:RUN``."""
    return run.rpartition(":")[2] if run.startswith("announce:") else None


def linked(runs: Iterable[list[Span]]) -> list[list[Span]]:
    """Return the spans of traces: those of a run with those of the runs it started, through all generations.

    Args:
        runs: the spans of each run, itself first.
    """
    by_run = {str(spans[0].attributes["run"]): spans for spans in runs}
    parents: dict[str, Span] = {}
    for spans in by_run.values():
        for span in spans:
            if isinstance(child := span.attributes.get("child_run"), str) and child in by_run:
                parents.setdefault(child, span)
    for run, spans in by_run.items():
        announced = announced_by(run)
        if announced in by_run and announced is not None:
            parents.setdefault(run, by_run[announced][0])
            spans[0].name = f"announce {spans[0].name}"[:MAX_NAME]
    traces: dict[str, list[Span]] = {}
    ids: dict[str, str] = {}
    for run, root in _roots(by_run, parents).items():
        spans, trace = by_run[run], ids.get(root) or ids.setdefault(root, trace_id(root))
        if run in parents:
            spans[0].parent = parents[run].span
        for span in spans:
            span.trace = trace
        traces.setdefault(root, []).extend(spans)
    return [depth_first(spans) for spans in traces.values()]


def _roots(runs: Iterable[str], parents: dict[str, Span]) -> dict[str, str]:
    """Return for each run the one with which its trace begins; runs that name each other are cut apart."""
    roots: dict[str, str] = {}
    for run in runs:
        path: dict[str, None] = {}
        at = run
        while at not in roots and at not in path and at in parents:
            path[at] = None
            at = str(parents[at].attributes["run"])
        if at in path:
            del parents[at]
        roots |= dict.fromkeys([*path, at], roots.get(at, at))
    return roots


def depth_first(spans: list[Span]) -> list[Span]:
    """Return the spans of a trace as its tree is read: each before its children, these by their start."""
    children: dict[str | None, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent, []).append(span)
    for group in children.values():
        group.sort(key=lambda span: span.start if span.start is not None else span.end or 0)
    ordered: list[Span] = []
    seen: set[str] = set()
    for first in [*children.get(None, ()), *spans]:
        if first.span in seen:
            continue
        if first.parent is not None:  # not reached from the root: calls that name each other as parents
            first.parent = spans[0].span
            first.mark("it is said to be part of itself")
        waiting = [first]
        while waiting:
            span = waiting.pop()
            if span.span not in seen:
                seen.add(span.span)
                ordered.append(span)
                waiting += children.get(span.span, [])[::-1]
    return ordered
