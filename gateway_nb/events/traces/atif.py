"""Trajectories in the Agent Trajectory Interchange Format, version 1.8: their frame, and those of traces. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from .spans import Span

_VERSION = "ATIF-v1.8"
_NO_CONTENT = ""


def trajectory_of(
    session: str, agent: str | None, version: str | None, steps: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """Return steps as a trajectory, with their totals.

    Args:
        session: the session's key.
        agent: the agent's id.
        version: the gateway's.
        steps: as the format has them.
        more: fields of the trajectory.
    """
    models = [step["model_name"] for step in steps if "model_name" in step]
    about: dict[str, Any] = {"name": agent or "openclaw", "version": version or "unknown"}
    about |= {"model_name": models[-1]} if models else {}
    metrics = [step["metrics"] for step in steps if "metrics" in step]
    totals = {
        "total_prompt_tokens": sum(each["prompt_tokens"] for each in metrics),
        "total_completion_tokens": sum(each["completion_tokens"] for each in metrics),
        "total_cached_tokens": sum(each["cached_tokens"] for each in metrics),
        "total_cost_usd": math.fsum(each["cost_usd"] for each in metrics),
        "total_steps": len(steps),
    }
    whole = {"schema_version": _VERSION, "session_id": session, "agent": about, "steps": steps}
    return {**whole, "final_metrics": totals, **more}


def metrics_of(fresh: int, cached: int, written: int, output: int, cost: float) -> dict[str, Any]:
    """Return what a model call used; cached tokens are part of the prompt's."""
    return {
        "prompt_tokens": fresh + cached + written,
        "completion_tokens": output,
        "cached_tokens": cached,
        "cost_usd": cost,
    }


def figure(value: Any) -> float:
    """Return a number that adds up; 0 for anything else."""
    return value if type(value) in (int, float) and math.isfinite(value) else 0


def trajectory(spans: Sequence[Span], *, content: bool) -> dict[str, Any]:
    """Return a trace as a trajectory: a step for each model call, those of sub-agents as trajectories of their own.

    Args:
        spans: of a trace, as its tree is read.
        content: with messages, arguments and results; without it they are empty.
    """
    runs = [span for span in spans if span.kind == "run"]
    children = [_of_run(run, spans, content=content) for run in runs[1:]]
    more = {"subagent_trajectories": children} if children else {}
    return _of_run(runs[0], spans, content=content) | more


def _of_run(run: Span, spans: Sequence[Span], *, content: bool) -> dict[str, Any]:
    own = [span for span in spans if span.attributes["run"] == run.attributes["run"] and span is not run]
    asked = run.content.get("arguments", _NO_CONTENT) if content else _NO_CONTENT
    steps: list[dict[str, Any]] = [{"step_id": 1, "source": "user", "message": asked, **_time(run)}]
    calls: dict[str | None, list[Span]] = {}
    above = {span.span: span for span in own}
    for span in own:
        if span.kind == "tool":  # a call within a call belongs to the step of the outer one
            parent = above.get(span.parent or "")
            while parent is not None and parent.kind == "tool":
                parent = above.get(parent.parent or "")
            calls.setdefault(parent.span if parent else None, []).append(span)
    if orphans := calls.get(None):
        steps.append(_step(2, run, orphans, content=content))
    for model in (span for span in own if span.kind == "model"):
        steps.append(_step(len(steps) + 1, model, calls.get(model.span, []), content=content))
    extra = {"run": run.attributes["run"], "status": run.status, "problems": run.problems}
    session, agent = run.attributes.get("session"), run.attributes.get("agent")
    return trajectory_of(str(session), agent, None, steps, trajectory_id=run.span, extra=extra)


def _step(number: int, span: Span, tools: list[Span], *, content: bool) -> dict[str, Any]:
    """Return the step of a model call, or of a run the tools that nobody knows which model call asked for."""
    is_model = span.kind == "model"
    answer = span.content.get("result", _NO_CONTENT) if content and is_model else _NO_CONTENT
    step: dict[str, Any] = {"step_id": number, "source": "agent", "message": answer, **_time(span)}
    if is_model:
        about = span.attributes
        cached = (about.get("cache_read_tokens", 0), about.get("cache_write_tokens", 0))
        step["metrics"] = metrics_of(span.input_tokens or 0, *cached, span.output_tokens or 0, span.cost or 0.0)
        step |= {"model_name": span.model} if span.model else {}
    else:
        step["llm_call_count"] = 0
    if tools:
        step["tool_calls"] = [_call(tool, content=content) for tool in tools]
        step["observation"] = {"results": [_result(tool, content=content) for tool in tools if tool.end is not None]}
    if span.problems:
        step["extra"] = {"problems": span.problems}
    return step


def _call(tool: Span, *, content: bool) -> dict[str, Any]:
    given: Any = {}
    if content and "arguments" in tool.content:
        given = msgspec.json.decode(tool.content["arguments"])
    arguments = given if isinstance(given, dict) else {"value": given}
    return {"tool_call_id": tool.span, "function_name": tool.name, "arguments": arguments}


def _result(tool: Span, *, content: bool) -> dict[str, Any]:
    text = tool.content.get("result") if content else None
    extra = {"status": tool.status, "seconds": tool.seconds, "tool_call": tool.attributes.get("tool_call")}
    return {"source_call_id": tool.span, "content": text, "extra": extra}


def _time(span: Span) -> dict[str, str]:
    if span.start is None:
        return {}
    return {"timestamp": dt.datetime.fromtimestamp(span.start / 1e9, dt.UTC).isoformat()}
