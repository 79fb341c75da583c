"""Agent runs out of events: one row per run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute

from ..protocol.frames import MAX_NAME
from .paths import decoded
from .payloads import query
from .rows import named

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


_KEYS = (("runId",), ("sessionKey",), ("stream",))
# The pieces of an answer, by run and session: the first and how many; and every other row, alone.
_FIRST_OR_ALONE = """
with keys as (
    select row, gateway, found[1] run, nullif(found[2], 'null') session, coalesce(agent and found[3] = '"assistant"'
        and starts_with(run, '"') and coalesce(starts_with(session, '"'), true), false) is_piece from rows
)
select gateway, run, session, is_piece, min(row) as row, count(*) as count from keys
group by gateway, run, session, is_piece, if(is_piece, -1, row)
"""


def condensed(table: pa.Table) -> pa.Table:
    """Return what there is to read of runs: of the pieces of each answer the first, every other event as it is.

    Args:
        table: rows with the columns of the event log, and ``gateway`` where they are of several.

    Returns:
        ``row`` (its place in the table), ``gateway``, ``time`` (nanoseconds), ``event``, ``kind``, ``payload``,
        ``run`` and ``session`` (JSON texts), ``is_piece``, and ``count``: of how many pieces it is the first.
    """
    chosen = pa.array(named(table, RUN_EVENTS, or_mark=False))
    rows = pa.table(
        {
            "payload": table.column("payload"),
            "gateway": table.column("gateway") if "gateway" in table.schema.names else _none(table.num_rows),
            "row": np.arange(table.num_rows),
            "agent": named(table, ("agent",), or_mark=False),
        }
    )
    rows = rows if pa.compute.all(chosen).as_py() else rows.filter(chosen)
    found = query(rows, _KEYS, _FIRST_OR_ALONE).sort_by("row")
    taken = table.select(["time", "event", "kind", "payload"]).take(found["row"])
    for name, column in zip(taken.column_names, taken.columns, strict=True):
        found = found.append_column(name, column.cast(pa.int64()) if name == "time" else column)
    return found


def _none(count: int) -> Any:
    return pa.nulls(count, pa.string())


class RunReader:
    """Reads the runs out of a log's rows, again and again, at the cost of what is new.

    Most events of a run are pieces of its answer: DuckDB counts them, and only the first is looked at, for its time.

    Attributes:
        rows: how many were read.
        runs_by_id: what is known of each run.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.runs_by_id: dict[str, AgentRun] = {}

    def extend(self, table: pa.Table) -> None:
        """Read on.

        Args:
            table: the next rows, with the columns of the event log.
        """
        self.rows += table.num_rows
        self.take(condensed(table))

    def take(self, found: pa.Table) -> None:
        """Read on in rows as `condensed` returns them."""
        taken = (found[name].to_pylist() for name in ("time", "event", "payload"))
        for time, event, text in zip(*taken, strict=True):
            take(self.runs_by_id, time, event, text)
        more = found.filter(pa.compute.greater(found["count"], 1))
        for name, count in zip(more["run"].to_pylist(), more["count"].to_pylist(), strict=True):
            run = self.runs_by_id.get(decoded(name))
            if run is not None:
                run.deltas += count - 1

    def runs(self) -> pd.DataFrame:
        """Return a row for each run: see `EventView.runs`."""
        return runs_frame(self.runs_by_id.values())

    def tool_calls(self) -> pd.DataFrame:
        """Return a row for each tool call: see `EventView.tool_calls`."""
        return calls_frame(self.runs_by_id.values())


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


def calls_frame(runs: Iterable[AgentRun]) -> pd.DataFrame:
    """Return a row for each tool call of runs: see `EventView.tool_calls`."""
    import pandas as pd

    text, time = pd.StringDtype("pyarrow"), pd.DatetimeTZDtype("ns", "UTC")
    calls = [(run.run, call.tool, call.start, call.end) for run in runs for call in run.calls]
    names, tools, starts, ends = zip(*calls, strict=True) if calls else ((), (), (), ())
    return pd.DataFrame(
        {
            "run": pd.array(names, text),
            "tool": pd.array(tools, text),
            "start": pd.array(starts, time),
            "end": pd.array(ends, time),
        }
    )


def runs_frame(runs: Collection[AgentRun]) -> pd.DataFrame:
    """Return a row for each run: see `EventView.runs`."""
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
