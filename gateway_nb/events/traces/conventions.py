"""A span's attributes by the conventions of others: OpenTelemetry for GenAI, OpenInference, the gateway's own. Pure.

The gateway's exporter (its plugin diagnostics-otel) counts cached tokens as input tokens in ``gen_ai.usage``, as the
conventions want it, and apart from them in ``openclaw.tokens``; so do these.
"""

from __future__ import annotations

from typing import Any

from .spans import Span

_OPERATIONS = {"run": "invoke_agent", "model": "chat", "tool": "execute_tool"}
_INFERENCE = {"run": "AGENT", "model": "LLM", "tool": "TOOL"}
_JSON = "application/json"


def span_name(span: Span) -> str:
    """Return a span's name as the conventions for GenAI want it: the operation, and what it is of."""
    what = span.attributes.get("agent") if span.kind == "run" else span.name
    return f"{_OPERATIONS[span.kind]} {what or span.name}"


def attributes(span: Span, *, content: bool) -> dict[str, Any]:
    """Return a span's attributes, those that are known.

    Args:
        span: of a trace.
        content: with messages, arguments and results.
    """
    about = span.attributes
    found: dict[str, Any] = {
        "gen_ai.operation.name": _OPERATIONS[span.kind],
        "gen_ai.conversation.id": about.get("session"),
        "gen_ai.agent.name": about.get("agent"),
        "openinference.span.kind": _INFERENCE[span.kind],
        "session.id": about.get("session"),
        "openclaw.runId": about.get("run"),
        "openclaw.sessionKey": about.get("session"),
        "openclaw.outcome": span.status,
        "openclaw.problems": span.problems or None,
        "error.type": "_OTHER" if span.status == "error" else None,
    }
    found |= _tool(span) if span.kind == "tool" else _model(span)
    if content:
        found |= _content(span)
    return {name: value for name, value in found.items() if value is not None}


def _model(span: Span) -> dict[str, Any]:
    about = span.attributes
    read, written = about.get("cache_read_tokens", 0), about.get("cache_write_tokens", 0)
    prompt = None if span.input_tokens is None else span.input_tokens + read + written
    total = None if prompt is None or span.output_tokens is None else prompt + span.output_tokens
    return {
        "gen_ai.provider.name": about.get("provider"),
        "gen_ai.request.model": span.model,
        "gen_ai.usage.input_tokens": prompt,
        "gen_ai.usage.output_tokens": span.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": about.get("cache_read_tokens"),
        "gen_ai.usage.cache_creation.input_tokens": about.get("cache_write_tokens"),
        "llm.model_name": span.model,
        "llm.provider": about.get("provider"),
        "llm.token_count.prompt": prompt,
        "llm.token_count.completion": span.output_tokens,
        "llm.token_count.total": total,
        "llm.cost.total": span.cost,
        "openclaw.provider": about.get("provider"),
        "openclaw.model": span.model,
        "openclaw.tokens.input": span.input_tokens,
        "openclaw.tokens.output": span.output_tokens,
        "openclaw.tokens.total": total,
        "openclaw.cost.usd": span.cost,
    }


def _tool(span: Span) -> dict[str, Any]:
    about = span.attributes
    return {
        "gen_ai.tool.name": span.name,
        "gen_ai.tool.call.id": about.get("tool_call"),
        "gen_ai.tool.type": "function",
        "tool.name": span.name,
        "tool_call.id": about.get("tool_call"),
        "openclaw.argument_bytes": about.get("argument_bytes"),
        "openclaw.result_bytes": about.get("result_bytes"),
    }


def _content(span: Span) -> dict[str, Any]:
    given, answer = span.content.get("arguments"), span.content.get("result")
    found = {"input.value": given, "output.value": answer}
    found |= {"input.mime_type": given and _JSON, "output.mime_type": answer and _JSON}
    if span.kind == "tool":
        found |= {"gen_ai.tool.call.arguments": given, "gen_ai.tool.call.result": answer}
    elif answer is not None:
        found["gen_ai.output.messages"] = answer
    return found
