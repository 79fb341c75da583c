"""Steps of `gateway_nb.records`, gone through with a function for the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gateway_nb.errors import GatewayError, GatewayRequestError
from gateway_nb.records import activity, inventory, messages, sessions
from gateway_nb.records.frames import Book
from gateway_nb.records.steps import Ask, Batch, Done, Pause, Steps, advance

T = TypeVar("T")
Answers = Callable[[str, dict[str, Any]], Any]
_MOST_STEPS = 10_000
BOOKS: dict[str, tuple[Book, Callable[[Any], Any]]] = {
    "sessions": (sessions.SESSIONS, lambda data: data.sessions()),
    "messages": (messages.MESSAGES, lambda data: data.messages("agent:no:such:*")),
    "tool_calls": (messages.TOOL_CALLS, lambda data: data.tool_calls("agent:no:such:*")),
    "cron_runs": (activity.CRON_RUNS, lambda data: data.cron_runs()),
    "tasks": (activity.TASKS, lambda data: data.tasks()),
    "audit": (activity.AUDIT, lambda data: data.audit()),
    "logs": (activity.LOGS, lambda data: data.logs(20)),
    "approvals": (inventory.APPROVALS, lambda data: data.approvals()),
    "nodes": (inventory.NODES, lambda data: data.nodes()),
    "models": (inventory.MODELS, lambda data: data.models()),
    "tools": (inventory.TOOLS, lambda data: data.tools()),
    "devices": (inventory.DEVICES, lambda data: data.devices()),
}
"""Each book that is read without arguments, and how; of messages those of no session."""


def read(steps: Steps[T], answer: Answers, pauses: list[Pause] | None = None) -> T:
    """Return what steps come to.

    Args:
        steps: what is read.
        answer: the gateway: returns a payload for a method and its params, or raises.
        pauses: takes those that the steps ask for.
    """
    outcome: Any = None
    for _ in range(_MOST_STEPS):
        step = advance(steps, outcome)
        if isinstance(step, Done):
            result: T = step.result
            return result
        outcome = None
        if isinstance(step, Ask):
            outcome = _outcome(step, answer)
        elif isinstance(step, Batch):
            outcome = [_outcome(ask, answer) for ask in step.asks]
            step.meanwhile()
        elif pauses is not None:
            pauses.append(step)
    raise AssertionError(f"no end after {_MOST_STEPS:,} steps")


def _outcome(ask: Ask, answer: Answers) -> Any:
    try:
        return answer(ask.method, ask.params)
    except GatewayError as error:
        return error


def refusal(message: str) -> GatewayRequestError:
    """Return the error of a gateway that refuses."""
    error = GatewayRequestError(message)
    error.gateway_message = message
    return error


def history(messages: list[dict[str, Any]], largest: int = 1000) -> Answers:
    """Return a gateway with one session, ``agent:main:s``, and its messages, in pages of at most so many."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "sessions.describe":
            return {"session": {"key": params["key"]} if params["key"] == "agent:main:s" else None}
        if method == "sessions.list":
            return {"sessions": [{"key": "agent:main:s", "agentId": "main"}], "nextOffset": None}
        if method == "chat.message.get":
            return {"ok": False, "unavailableReason": "not_found"}
        assert method == "chat.history"
        own = messages if params["sessionKey"] == "agent:main:s" else []
        end = max(len(own) - params.get("offset", 0), 0)
        begin = max(end - min(params["limit"], largest), 0)
        payload = {"sessionId": "id", "messages": own[begin:end], "totalMessages": len(own)}
        return payload | ({"nextOffset": len(own) - begin} if begin else {})

    return answer


def message(number: int, role: str = "user", content: Any = "hello", **more: Any) -> dict[str, Any]:
    """Return a message as gateways keep it."""
    meta = {"id": f"m{number}", "seq": number, "recordTimestampMs": 1_700_000_000_000 + number, "runId": "r1"}
    about = {"role": role, "content": content, "timestamp": 1_700_000_000_000 + number}
    return {**about, **more, "__openclaw": meta | more.get("__openclaw", {})}


def usage(tokens: int, cost: float) -> dict[str, Any]:
    """Return what one call of a model used: tokens in and out, and as many read from the cache."""
    kinds = {"input": tokens, "output": tokens, "cacheRead": tokens, "cacheWrite": 0}
    return {**kinds, "totalTokens": 3 * tokens, "cost": {"total": cost}}
