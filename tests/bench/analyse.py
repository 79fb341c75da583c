"""Questions to 1,000,000 agent events in memory, beside DuckDB over the same Arrow table in the same run; traces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.notebook.widgets.event_table.query import Query
from tests.helpers.runs import events_of, whole_run

_EVENTS, _RUNS, _NEW = 1_000_000, 2000, 1000
_TRACES = 10_000
_ROUNDS = 7
_PATHS = """
select found[1] run, try_cast(found[2] as bigint) number, types
from (select json_extract_string(payload, ['/runId', '/data/seq']) found,
    json_type(payload, ['/runId', '/data/seq']) types from events)
"""
_GROUPS = """
with read as (
    select time, json_extract_string(payload, ['/runId', '/sessionKey', '/stream', '/data/phase', '/data/toolCallId',
        '/data/outputTokens']) found from events
), fields as (
    select time, found[1] run, found[2] session, found[3] stream, found[4] phase, found[5] call, found[6] tokens
    from read
)
select run, first(session), min(time), max(time) filter (stream = 'lifecycle' and phase in ('end', 'error')),
    min(time) filter (stream = 'assistant'), first(phase) filter (phase in ('end', 'error')),
    count(*) filter (stream = 'assistant'), count(distinct call) filter (stream in ('tool', 'item')),
    max(try_cast(tokens as bigint))
from fields group by run
"""


def _event(number: int, place: int) -> Event:
    """Return event number `place` of a run: its start, a tool call, pieces of an answer, its tokens, its end."""
    data: dict[str, Any] = {"seq": number, "text": "x" * 150, "delta": "hello"}
    stream = "assistant"
    if place in (0, _EVENTS // _RUNS - 1):
        stream, data = "lifecycle", {"seq": number, "phase": "start" if place == 0 else "end"}
    elif place in (1, 2):
        phase = "start" if place == 1 else "result"
        stream, data = "tool", {"seq": number, "phase": phase, "toolCallId": "call", "name": "read"}
    elif place == 3:
        stream, data = "usage", {"seq": number, "outputTokens": 7}
    run = f"run-{number // (_EVENTS // _RUNS):06d}"
    payload = {
        "runId": run,
        "sessionKey": "agent:main:main",
        "stream": stream,
        "data": data,
        "seq": place,
        "ts": number,
    }
    return Event(1.79e9 + number / 1000, 1, "agent", number, msgspec.Raw(json.dumps(payload).encode()))


def _log(events: list[Event]) -> EventLog:
    log = EventLog(max_rows=2 * _EVENTS)
    for at in range(0, len(events), 256):
        log.extend(events[at : at + 256])
    return log


def _seconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _bare(table: pa.Table, sql: str) -> float:
    with duckdb.connect() as connection:
        connection.register("events", table)
        return _seconds(lambda: connection.execute(sql).df())


def _first_rows(log: EventLog) -> None:
    """Filter chunk by chunk, the newest first, until a screenful of rows is found."""
    query, found = Query.parse({"path": "data.phase=end"}), 0
    for chunk in reversed(log.pieces()[0]):
        found += int(query.mask(chunk).sum())
        if found >= 30:
            return


def _traces() -> list[float]:
    """Return seconds for the spans of runs with a tool call each, and for the trace of one of them."""
    log = EventLog()
    for number in range(_TRACES):
        log.extend(events_of(whole_run(f"{number:032x}")))
    return [_seconds(lambda: log.traces().spans), _seconds(lambda: log.trace(f"{_TRACES // 2:032x}").spans)]


def measure() -> dict[str, float]:
    """Return seconds of the best round, and the ratios to DuckDB's."""
    size = _EVENTS // _RUNS
    events = [_event(number, number % size) for number in range(_EVENTS)]
    new = [_event(number, number % size) for number in range(_EVENTS, _EVENTS + _NEW)]
    figures: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        log = _log(events)
        table = log.to_arrow()
        asked: dict[str, Callable[[], Any]] = {
            "expand": lambda log=log: log.expand("runId", "data.seq"),  # type: ignore[misc]
            "runs": log.runs,
        }
        for name, ask in asked.items():
            figures.setdefault(f"{name} in DuckDB", []).append(_bare(table, _PATHS if name == "expand" else _GROUPS))
            figures.setdefault(name, []).append(_seconds(ask))
        figures.setdefault("filter by a path, to the first rows", []).append(_seconds(lambda log=log: _first_rows(log)))  # type: ignore[misc]
        log.extend(new)
        for name, ask in asked.items():
            figures.setdefault(f"{name} after 1,000 more", []).append(_seconds(ask))
    best = {f"{name}, s": round(min(times), 4) for name, times in figures.items()}
    best["10,000 traces to spans, s"], best["one of them, s"] = (round(seconds, 4) for seconds in _traces())
    for name in ("expand", "runs"):
        best[f"{name}, ratio"] = round(min(figures[name]) / min(figures[f"{name} in DuckDB"]), 2)
    return best
