"""Entries as a trajectory in the Agent Trajectory Interchange Format, version 1.8. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .entries import Call, Entry
from .frames import value_at

VERSION = "ATIF-v1.8"
_SOURCES = {"user": "user", "assistant": "agent", "custom": "agent"}


def trajectory(session: str, agent: str | None, version: str | None, entries: Iterable[Entry]) -> dict[str, Any]:
    """Return entries as a trajectory: a step for each, tool results as observations of the step that calls the tool.

    Args:
        session: the session's key.
        agent: the agent's id.
        version: the gateway's.
        entries: of the session.
    """
    steps = [_step(number, entry) for number, entry in enumerate(entries, 1)]
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
    return {"schema_version": VERSION, "session_id": session, "agent": about, "steps": steps, "final_metrics": totals}


def _step(number: int, entry: Entry) -> dict[str, Any]:
    source = _SOURCES.get(entry.role, "system")
    text = "\n".join([*([entry.text] if entry.text else []), *(f"[{image}]" for image in entry.images)])
    step: dict[str, Any] = {"step_id": number, "source": source, "message": text}
    if entry.time is not None:
        step["timestamp"] = entry.time.isoformat()
    if source == "agent":
        step |= _agents(entry)
    extra = {"message": entry.id, "role": entry.role, "cut": entry.cut, "stop": entry.message.get("stopReason")}
    return step | {"extra": {name: value for name, value in extra.items() if isinstance(value, str)}}


def _agents(entry: Entry) -> dict[str, Any]:
    """Return what only an agent's step has; calls that a tool made are no answer of a model."""
    step: dict[str, Any] = {}
    if entry.role == "custom":
        step["llm_call_count"] = 0
    else:
        model, usage = entry.message.get("model"), entry.message.get("usage")
        step |= {"model_name": model} if isinstance(model, str) else {}
        step |= {"reasoning_content": entry.thinking} if entry.thinking else {}
        step |= {"metrics": _metrics(usage)} if isinstance(usage, dict) else {}
    if entry.calls:
        step["tool_calls"] = [_call(call) for call in entry.calls]
        results = [_result(call) for call in entry.calls if call.result is not None]
        step |= {"observation": {"results": results}} if results else {}
    return step


def _call(call: Call) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, dict) else {"value": call.arguments}
    return {"tool_call_id": call.id, "function_name": call.tool, "arguments": arguments}


def _result(call: Call) -> dict[str, Any]:
    return {"source_call_id": call.id, "content": call.result, "extra": {"status": call.status}}


def _metrics(usage: dict[str, Any]) -> dict[str, Any]:
    inputs = [_figure(usage.get(kind)) for kind in ("input", "cacheRead", "cacheWrite")]
    return {
        "prompt_tokens": int(sum(inputs)),
        "completion_tokens": int(_figure(usage.get("output"))),
        "cached_tokens": int(inputs[1]),
        "cost_usd": float(_figure(value_at(usage, ["cost", "total"]))),
    }


def _figure(value: Any) -> float:
    return value if type(value) in (int, float) and math.isfinite(value) else 0
