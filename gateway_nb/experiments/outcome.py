"""How a run ended: out of the gateway's final answer, or out of the messages of the session that was its own."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..client.run import agent_meta, answer_of
from ..protocol.frames import mapping
from ..records.frames import value_at
from ..records.history import INJECTED, History, about, blocks, read_history, run_of, text_of
from ..records.steps import Ask, Steps

_ENDS = {"error": "failed", "aborted": "aborted"}
_GOES_ON = ("toolUse", None)
"""Why a model stopped whose run goes on, or stopped for no reason that it told."""


class Used(NamedTuple):
    """What runs used.

    Attributes:
        input_tokens: tokens in that were in no cache.
        output_tokens: tokens out.
        cost: in USD.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        status: ok, failed, timeout or aborted.
        answer: the agent's.
        model: ``provider/model`` of its last model call.
        seconds: how long it took, where the messages tell it.
        used: what it used; ``None`` where only its messages tell it.
        error: why it failed.
    """

    status: str
    answer: str | None = None
    model: str | None = None
    seconds: float | None = None
    used: Used | None = None
    error: str | None = None


class Found(NamedTuple):
    """What a gateway knows of a run.

    Attributes:
        state: ``new``: nothing; ``active``: it goes on; ``ended``; ``lost``: it will not end, the gateway restarted.
        outcome: how it ended.
    """

    state: str
    outcome: Outcome | None = None


def of_final(final: dict[str, Any]) -> Outcome:
    """Return the outcome of a run that ended well, of the gateway's final answer."""
    meta = agent_meta(final)
    usage = mapping(meta.get("usage"))
    cost = _number(meta.get("costUsd", value_at(usage, ["cost", "total"])))
    tokens = [_number(usage.get(name)) for name in ("input", "output")]
    used = None if cost is None or None in tokens else Used(int(tokens[0] or 0), int(tokens[1] or 0), cost)
    return Outcome("ok", answer_of(final), _model(meta), None, used)


def find_run(session: str, run: str) -> Steps[Found]:
    """Read what became of a run in a session of its own."""
    payload = yield Ask("chat.history", {"sessionKey": session, "limit": 1})
    active = value_at(payload, ["sessionInfo", "activeRunIds"])
    if run in (active if isinstance(active, list) else ()) or value_at(payload, ["inFlightRun", "runId"]) == run:
        return Found("active")
    return found_in((yield from read_history(session, must_exist=False)), run)


def found_in(history: History, run: str) -> Found:
    """Return what a session's messages tell of a run that does not go on."""
    own = [message for message in history.messages if run_of(message) == run]
    answers = [message for message in own if message.get("role") == "assistant"]
    if not history.messages:
        return Found("new")
    if not answers or answers[-1].get("stopReason") in _GOES_ON:
        return Found("lost")
    last = answers[-1]
    injected = last.get("model") == INJECTED
    reason = "aborted" if injected else str(last["stopReason"])
    status = _ENDS.get(reason, "ok")
    error = None if status == "ok" else str(last.get("errorMessage") or f"the model stopped: {reason}")
    asked = _number(own[0].get("timestamp"))
    kept = _number(about(last).get("recordTimestampMs"))
    seconds = None if asked is None or kept is None else max(kept - asked, 0) / 1000
    answer = text_of(blocks(last)).strip() if status == "ok" else None
    return Found("ended", Outcome(status, answer, None if injected else _model(last), seconds, None, error))


def read_used(sessions: list[str]) -> Steps[Used]:
    """Read what the model calls of sessions used."""
    histories = []
    for session in sessions:
        histories.append((yield from read_history(session, must_exist=False)))
    usages = [message.get("usage") for history in histories for message in history.messages]
    costs = [_number(value_at(usage, ["cost", "total"])) or 0.0 for usage in usages]
    tokens = [[_number(value_at(usage, [name])) or 0 for usage in usages] for name in ("input", "output")]
    return Used(int(sum(tokens[0])), int(sum(tokens[1])), math.fsum(costs))


def _model(record: dict[str, Any]) -> str | None:
    provider, model = record.get("provider"), record.get("model")
    return f"{provider}/{model}" if isinstance(provider, str) and isinstance(model, str) else None


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and math.isfinite(value) else None
