"""Entries as a trajectory in the Agent Trajectory Interchange Format, version 1.8. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..events.traces.atif import figure, metrics_of, trajectory_of
from .entries import Call, Entry
from .frames import value_at

_SOURCES = {"user": "user", "assistant": "agent", "custom": "agent"}


def trajectory(session: str, agent: str | None, version: str | None, entries: Iterable[Entry]) -> dict[str, Any]:
    """Return entries as a trajectory: a step for each, tool results as observations of the step that calls the tool.

    Args:
        session: the session's key.
        agent: the agent's id.
        version: the gateway's.
        entries: of the session.
    """
    return trajectory_of(session, agent, version, [_step(number, entry) for number, entry in enumerate(entries, 1)])


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
    fresh, cached, written, output = (
        int(figure(usage.get(kind))) for kind in ("input", "cacheRead", "cacheWrite", "output")
    )
    return metrics_of(fresh, cached, written, output, float(figure(value_at(usage, ["cost", "total"]))))
