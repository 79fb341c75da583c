"""Agent runs out of events: one row per run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ..protocol.frames import MAX_NAME

if TYPE_CHECKING:
    import pandas as pd


class _AgentPayload(msgspec.Struct, rename="camel"):
    """What is read of an ``agent`` or ``chat`` event; the rest is skipped."""

    run_id: str | None = None
    session_key: str | None = None
    stream: str | None = None
    state: str | None = None
    data: Any = None


@dataclass
class _Call:
    tool: str
    start: Any
    end: Any = None


@dataclass
class AgentRun:
    """What is known of a run so far; times are whatever times the events were given with.

    Attributes:
        run: its id.
        session: its session's key, or ``None``.
        start: when its first event came.
        end: when it ended, or ``None``.
        first_token: when the first piece of its answer came, or ``None``.
        status: ``running``, ``ok``, ``error`` or ``aborted``.
        deltas: pieces of its answer.
        tokens: output tokens of all its model calls so far, where the gateway reports them.
        calls: the tools it called, with their start and end.
        open_calls: those of them that have not ended, by id.
    """

    run: str
    session: str | None = None
    start: Any = None
    end: Any = None
    first_token: Any = None
    status: str = "running"
    deltas: int = 0
    tokens: int | None = None
    calls: list[_Call] = field(default_factory=list)
    open_calls: dict[str, _Call] = field(default_factory=dict)


_decoder = msgspec.json.Decoder(_AgentPayload)
RUN_EVENTS = ("agent", "chat")
_ENDS = {"end": "ok", "error": "error"}


def runs_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per agent run.

    Args:
        frame: events, as `EventLog.df` or `Recording.df` gives them.

    Returns:
        Columns: `run` and `session` (string), `start`, `end` and `first_token` (receive times), `status` (running, ok,
        error, aborted), `seconds` and `first_token_s` (Float64), `deltas`, `tool_calls` and `tokens` (Int64; output
        tokens of all model calls of the run, where the gateway reports them).
    """
    return _frame(_collected(frame))


def tool_calls_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per tool call of an agent's runs.

    Args:
        frame: events, as `EventLog.df` or `Recording.df` gives them.

    Returns:
        Columns: `run` and `tool` (string), `start` and `end` (receive times; `end` is missing where it was not seen).
    """
    import pandas as pd

    text, time = pd.StringDtype("pyarrow"), pd.DatetimeTZDtype("ns", "UTC")
    calls = [(run.run, call.tool, call.start, call.end) for run in _collected(frame) for call in run.calls]
    rows = pd.DataFrame(calls, columns=["run", "tool", "start", "end"])
    return rows.astype({"run": text, "tool": text, "start": time, "end": time})


def _collected(frame: pd.DataFrame) -> list[AgentRun]:
    runs: dict[str, AgentRun] = {}
    chosen = frame[frame["event"].isin(RUN_EVENTS)]
    for when, event, text in zip(chosen["time"], chosen["event"], chosen["payload"], strict=True):
        take(runs, when, event, text)
    return list(runs.values())


def take(runs: dict[str, AgentRun], when: Any, event: str, text: str | bytes) -> None:
    """Learn from an ``agent`` or ``chat`` event; ids of more than 1,024 characters are none.

    Args:
        runs: the runs by id; a new one is added.
        when: the receive time.
        event: the event's name.
        text: its payload as JSON.
    """
    try:
        payload = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if payload.run_id is None or len(payload.run_id) > MAX_NAME:
        return
    run = runs.setdefault(payload.run_id, AgentRun(payload.run_id))
    run.session = run.session or (payload.session_key or "")[:MAX_NAME] or None
    run.start = when if run.start is None else run.start
    (_agent if event == "agent" else _chat)(run, payload, when)


def _agent(run: AgentRun, payload: _AgentPayload, when: Any) -> None:
    data = payload.data if isinstance(payload.data, dict) else {}
    if payload.stream == "assistant":
        run.deltas += 1
        run.first_token = when if run.first_token is None else run.first_token
    elif payload.stream == "usage" and _is_count(data.get("outputTokens")):
        run.tokens = data["outputTokens"]  # of the run so far: the gateway adds up its model calls
    elif payload.stream in ("tool", "item") and _is_id(data.get("toolCallId")):
        _tool(run, data, when)
    elif payload.stream == "lifecycle" and data.get("phase") in _ENDS and run.status == "running":
        run.status = "aborted" if data.get("aborted") is True else _ENDS[str(data["phase"])]
        run.end = when


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63  # what a column of numbers can hold


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME


def _tool(run: AgentRun, data: dict[str, Any], when: Any) -> None:
    """Both streams, item around tool, tell of a call; an id may come again when its call has ended."""
    call = run.open_calls.get(data["toolCallId"])
    if data.get("phase") == "start" and call is None:
        call = _Call(str(data.get("name") or "?")[:MAX_NAME], when)
        run.open_calls[data["toolCallId"]] = call
        run.calls.append(call)
    elif data.get("phase") in ("result", "end") and call is not None:
        call.end = when
        del run.open_calls[data["toolCallId"]]


def _chat(run: AgentRun, payload: _AgentPayload, when: Any) -> None:
    if payload.state in ("error", "aborted") and run.status in ("running", "ok"):
        run.status = payload.state
        run.end = when
    elif payload.state == "final" and run.status == "running":
        run.status, run.end = "ok", when


def _frame(runs: list[AgentRun]) -> pd.DataFrame:
    import pandas as pd

    text, time = pd.StringDtype("pyarrow"), pd.DatetimeTZDtype("ns", "UTC")
    frame = pd.DataFrame(
        {
            "run": pd.array([run.run for run in runs], text),
            "session": pd.array([run.session for run in runs], text),
            "start": pd.array([run.start for run in runs], time),
            "end": pd.array([run.end for run in runs], time),
            "first_token": pd.array([run.first_token for run in runs], time),
            "status": pd.array([run.status for run in runs], text),
            "deltas": pd.array([run.deltas for run in runs], "Int64"),
            "tool_calls": pd.array([len(run.calls) for run in runs], "Int64"),
            "tokens": pd.array([run.tokens for run in runs], "Int64"),
        }
    )
    frame["seconds"] = (frame["end"] - frame["start"]).dt.total_seconds().astype("Float64")
    frame["first_token_s"] = (frame["first_token"] - frame["start"]).dt.total_seconds().astype("Float64")
    return frame
