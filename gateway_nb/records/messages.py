"""Messages of sessions, and the tool calls among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .frames import Book, Column, json_text
from .history import History, about, agent_of, blocks, cut_reason, read_history, run_of, text_of
from .paging import check_limit
from .sessions import choose_keys
from .steps import Steps, together

if TYPE_CHECKING:
    import pandas as pd

MESSAGES = Book(
    "chat.history",
    (
        Column("session", "text", "session", "the session's key"),
        Column("message", "text", "__openclaw.id", "its id"),
        Column("number", "count", "__openclaw.seq", "its place in the session, from 1"),
        Column("run", "text", "run|__openclaw.runId", "the id of its run"),
        Column("agent", "text", "agent", "the agent's id, from the session's key"),
        Column("time", "time", "timestamp", "when it was written; of a model's answer, when it was asked"),
        Column("recorded", "time", "__openclaw.recordTimestampMs", "when the gateway kept it"),
        Column("role", "text", "role", "user, assistant, toolResult, system, custom"),
        Column("text", "text", "text", "its texts"),
        Column("thinking", "text", "thinking", "a model's thinking"),
        Column("calls", "count", "calls", "tools that it calls"),
        Column("images", "count", "images", "images in it"),
        Column("tool_call", "text", "toolCallId", "the call's id, of a tool's result"),
        Column("tool", "text", "toolName", "the tool's name, of its result"),
        Column("error", "flag", "isError", "whether the tool failed"),
        Column("stop", "text", "stopReason", "why the model stopped: stop, toolUse, error, aborted"),
        Column("provider", "text", "provider", "the model's provider"),
        Column("model", "text", "model", "the model's id"),
        Column("input_tokens", "count", "usage.input", "tokens in that were in no cache"),
        Column("output_tokens", "count", "usage.output", "tokens out"),
        Column("cache_read_tokens", "count", "usage.cacheRead", "tokens in, read from the provider's cache"),
        Column("cache_write_tokens", "count", "usage.cacheWrite", "tokens in, written to the provider's cache"),
        Column("total_tokens", "count", "usage.totalTokens", "the sum of these four"),
        Column("cost", "number", "usage.cost.total", "what the call cost, in USD"),
        Column("cut", "text", "cut", "why a part of it is missing; missing itself where it is whole"),
        Column("content", "json", "content", "all its blocks, as JSON"),
    ),
)
TOOL_CALLS = Book(
    "chat.history",
    (
        Column("session", "text", "session", "the session's key"),
        Column("run", "text", "run", "the id of its run"),
        Column("message", "text", "message", "the id of the message that calls it"),
        Column("tool_call", "text", "id", "its id"),
        Column("parent", "text", "parentToolCallId", "the id of the call that made it"),
        Column("agent", "text", "agent", "the agent's id, from the session's key"),
        Column("tool", "text", "name", "the tool's name"),
        Column("status", "text", "status", "ok, error; open where there is no result"),
        Column("start", "time", "start", "when it was called"),
        Column("end", "time", "end", "when its result was there"),
        Column("seconds", "seconds", "milliseconds", "between these two"),
        Column("provider", "text", "provider", "the provider of the model that calls it"),
        Column("model", "text", "model", "the model's id"),
        Column("arguments", "json", "arguments", "what it was called with, as JSON"),
        Column("result", "text", "result", "the texts of its result"),
        Column("cut", "text", "cut", "why a part of the result is missing; missing itself where it is whole"),
    ),
)

_CALL_FIELDS = ("id", "name", "arguments", "parentToolCallId")


def read_messages(session: str | None = None, limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read the messages of sessions: by session, the oldest first."""
    return MESSAGES.joined((yield from read_histories(session, limit, _table)))


def _table(history: History) -> pa.Table:
    return MESSAGES.table(list(message_records(history)))


def read_tool_calls(session: str | None = None, limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read the tool calls of sessions: by session, the oldest first."""
    check_limit(limit)
    records = [record for history in (yield from read_histories(session)) for record in call_records(history)]
    for record in records:
        for name in ("position", "result_position"):  # of the messages in the list, which nobody has
            record.pop(name, None)
    return TOOL_CALLS.frame(records[-limit:] if limit else records)


def read_histories(
    session: str | None, limit: int | None = None, then: Callable[[History], Any] = lambda history: history
) -> Steps[list[Any]]:
    """Read the messages of the sessions that are meant, until there are enough; return what `then` makes of each."""
    check_limit(limit)
    keys = yield from choose_keys(session)
    if limit is None:
        return (yield from together((read_history(key, must_exist=key == session) for key in keys), then))
    histories: list[History] = []
    count = 0
    for key in keys:
        left = limit - count
        if not left:
            break
        histories.append((yield from read_history(key, left, must_exist=key == session)))
        count += len(histories[-1].messages)
    return [then(history) for history in histories]


def message_records(history: History) -> Iterator[dict[str, Any]]:
    """Yield a session's messages with what `MESSAGES` has of them."""
    agent = agent_of(history.session)
    for message in history.messages:
        parts = list(blocks(message))
        kinds = [block.get("type") for block in parts]
        yield {
            **message,
            "session": history.session,
            "run": run_of(message),
            "agent": agent,
            "text": (text_of(parts) or None) if "text" in kinds else None,
            "thinking": (text_of(parts, "thinking") or None) if "thinking" in kinds else None,
            "calls": kinds.count("toolCall"),
            "images": kinds.count("image"),
            "cut": cut_reason(message),
        }


def call_records(history: History) -> list[dict[str, Any]]:
    """Return a session's tool calls, each with its result. An id may come again once its call has its result.

    ``position`` and ``result_position`` are those of the messages, from 0.
    """
    records: list[dict[str, Any]] = []
    open_calls: dict[tuple[Any, Any], dict[str, Any]] = {}
    agent = agent_of(history.session)
    for position, message in enumerate(history.messages):
        for block in [*blocks(message), *([message] if message.get("role") == "toolResult" else [])]:
            if block.get("type") == "toolCall":
                record = _call(message, block) | {"session": history.session, "agent": agent, "position": position}
                records.append(record)
                open_calls[(record["run"], _hashable(block.get("id")))] = record
            elif "toolCallId" in block:
                call = open_calls.pop((run_of(message), _hashable(block["toolCallId"])), None)
                if call is not None:
                    _end(call, message, block)
                    call["result_position"] = position
    return records


def _hashable(call_id: Any) -> Any:
    return call_id if isinstance(call_id, str) else json_text(call_id)


def _call(message: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """Return a call; one that another call made has its own time, others are made when the model has answered."""
    meta = about(message)
    start = block.get("timestamp", meta.get("recordTimestampMs", message.get("timestamp")))
    shared = {"run": run_of(message), "message": meta.get("id"), "start": start, "status": "open"}
    fields = {name: block.get(name) for name in _CALL_FIELDS}
    others = {name: value for name, value in block.items() if name not in (*_CALL_FIELDS, "type", "timestamp", "runId")}
    model = {"provider": message.get("provider"), "model": message.get("model")}
    return {**fields, **shared, **model, "block": others or None}


def _end(call: dict[str, Any], message: dict[str, Any], block: dict[str, Any]) -> None:
    end, start = block.get("timestamp"), call["start"]
    call |= {"end": end, "status": "error" if block.get("isError") is True else "ok"}
    call |= {"result": text_of(blocks(block)) or None, "cut": cut_reason(message)}
    if isinstance(end, int | float) and isinstance(start, int | float):
        call["milliseconds"] = max(end - start, 0)
