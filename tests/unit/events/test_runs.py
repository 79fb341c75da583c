"""Runs out of events: one row each."""

from __future__ import annotations

from typing import Any

import msgspec
import pandas as pd
import pytest

from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.protocol.frames import encode

COLUMNS = {
    "run": "string",
    "session": "string",
    "start": "datetime64[ns, UTC]",
    "end": "datetime64[ns, UTC]",
    "first_token": "datetime64[ns, UTC]",
    "status": "string",
    "deltas": "Int64",
    "tool_calls": "Int64",
    "tokens": "Int64",
    "seconds": "Float64",
    "first_token_s": "Float64",
}


def log_of(*events: tuple[float, str, dict[str, Any]]) -> EventLog:
    log = EventLog()
    for seq, (second, name, payload) in enumerate(events):
        log.extend([Event(1e9 + second, 1, name, seq, msgspec.Raw(encode(payload)))])
    return log


def agent(run: str, stream: str, **data: Any) -> dict[str, Any]:
    return {"runId": run, "sessionKey": f"session-{run}", "stream": stream, "data": data}


def test_runs() -> None:
    """Each run has its session, times, end, tool calls, pieces and tokens (a total); other events are no runs."""
    log = log_of(
        (0.0, "agent", agent("a", "lifecycle", phase="start")),
        (0.5, "agent", agent("b", "lifecycle", phase="start")),
        (1.0, "agent", agent("a", "item", phase="start", toolCallId="t1")),
        (1.0, "agent", agent("a", "tool", phase="start", toolCallId="t1")),
        (1.5, "agent", agent("a", "assistant", delta="x")),
        (1.6, "agent", agent("a", "assistant", delta="y")),
        (1.7, "agent", agent("a", "usage", outputTokens=5)),
        (1.75, "agent", agent("a", "lifecycle", phase="finishing")),  # a retry begins
        (1.77, "agent", agent("a", "lifecycle", phase="start")),
        (1.8, "agent", agent("a", "usage", outputTokens=7)),
        (2.0, "agent", agent("a", "lifecycle", phase="end", aborted=False)),
        (2.1, "chat", {"runId": "a", "state": "final"}),
        (2.5, "chat", {"runId": "b", "state": "aborted"}),
        (3.0, "agent", agent("c", "lifecycle", phase="error")),
        (3.5, "chat", {"runId": "d", "sessionKey": "s", "state": "delta"}),
        (4.0, "agent", {"no": "run"}),
        (4.0, "other", {"runId": "z"}),
        (4.0, "agent", {"runId": 5}),
    )
    runs = log.runs()
    assert {name: str(dtype) for name, dtype in runs.dtypes.items()} == COLUMNS
    assert list(runs["run"]) == ["a", "b", "c", "d"]
    assert runs["tokens"].isna().tolist() == [False, True, True, True]
    assert list(runs["status"]) == ["ok", "aborted", "error", "running"]
    first = runs.iloc[0]
    assert (first["session"], first["deltas"], first["tool_calls"], first["tokens"]) == ("session-a", 2, 1, 7)
    assert (first["seconds"], first["first_token_s"]) == (2.0, 1.5)
    assert first["start"] == pd.Timestamp(1e9, unit="s", tz="UTC")
    assert runs["end"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("number", ["9" * 400, "9" * 25, "-1", "true", "1e400", '"5"', "null"])
def test_numbers_that_are_no_counts(number: str) -> None:
    """Tokens that no gateway can have counted are left out; the run is there."""
    log = log_of((0.0, "agent", agent("a", "usage", outputTokens=5)))
    payload = b'{"runId":"a","stream":"usage","data":{"outputTokens":%b}}' % number.encode()
    log.extend([Event(1e9, 1, "agent", 2, msgspec.Raw(payload))])
    assert log.runs()["tokens"].tolist() == [5]


def test_runs_that_are_none() -> None:
    """Payloads that are nested too deeply or name no run are passed over, and long names take no more than 1,024."""
    log = log_of(
        (0.0, "agent", agent("r" * 10_000, "lifecycle", phase="start")),
        (0.0, "agent", agent("a", "tool", phase="start", toolCallId="i" * 10_000)),
        (0.0, "agent", agent("a", "tool", phase="start", toolCallId="i", name="n" * 10_000)),
        (0.0, "chat", {"runId": "b", "sessionKey": "s" * 10_000, "state": "delta"}),
    )
    log.extend([Event(1e9, 1, "agent", 9, msgspec.Raw(b'{"runId":"c","data":%b}' % (b"[" * 100_000 + b"]" * 100_000)))])
    runs = log.runs()
    assert runs["run"].tolist() == ["a", "b"]
    assert runs["tool_calls"].tolist() == [1, 0]
    assert runs["session"].str.len().tolist() == [9, 1024]
    assert log.tool_calls()["tool"].str.len().tolist() == [1024]


def test_the_longest_ids() -> None:
    """Ids of 1,024 characters are ids."""
    run, call = "r" * 1024, "c" * 1024
    log = log_of((0.0, "agent", agent(run, "tool", phase="start", toolCallId=call, name="n" * 1024)))
    assert log.runs()["run"].tolist() == [run]
    assert log.tool_calls()["tool"].tolist() == ["n" * 1024]


@pytest.mark.parametrize("tokens", [0, 1, 2**63 - 1])
def test_numbers_that_are_counts(tokens: int) -> None:
    """Tokens are whatever a column of numbers can hold."""
    assert log_of((0.0, "agent", agent("a", "usage", outputTokens=tokens))).runs()["tokens"].tolist() == [tokens]


def test_calls_that_are_half_there() -> None:
    """A call ends with its result, whatever is told of it meanwhile; a result whose start was missed is no call."""
    log = log_of(
        (0.0, "agent", agent("a", "tool", phase="result", toolCallId="missed", name="m")),
        (1.0, "agent", agent("a", "tool", phase="start", toolCallId="t", name="n")),
        (2.0, "agent", agent("a", "tool", phase="update", toolCallId="t")),
        (3.0, "agent", agent("a", "tool", phase="result", toolCallId="t")),
        (4.0, "agent", agent("a", "tool", phase="result", toolCallId="t")),
    )
    calls = log.tool_calls()
    assert calls["tool"].tolist() == ["n"]
    assert calls["end"].tolist() == [pd.Timestamp(1e9 + 3, unit="s", tz="UTC")]


def test_no_runs() -> None:
    """Without runs the frame is empty, with the same dtypes."""
    assert {name: str(dtype) for name, dtype in EventLog().runs().dtypes.items()} == COLUMNS


@pytest.mark.parametrize(
    "payload",
    [
        b'{"runId":"a","stream":"usage","data":{"outputTokens":%d}}' % 2**63,
        b'{"runId":"a","stream":"usage","data":{"outputTokens":%d}}' % 2**70,
        b'{"runId":"a","stream":"usage","data":{"outputTokens":1%s}}' % (b"0" * 400),
        b'{"runId":"a","stream":"usage","data":{"outputTokens":-1}}',
        b'{"runId":"a","stream":"usage","data":{"outputTokens":true}}',
        b'{"runId":"a","stream":"usage","data":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"runId":"a","stream":"tool","data":{"toolCallId":"\\ud800","phase":"start","name":"\\ud800"}}',
        b'{"runId":"\\ud800","sessionKey":"\\ud800"}',
    ],
)
def test_an_event_that_counts_nothing(payload: bytes) -> None:
    """What no count or no payload can be is passed over; the run's other events count."""
    log = log_of((0.0, "agent", agent("a", "usage", outputTokens=5)))
    log.extend([Event(1e9, 1, "agent", 1, msgspec.Raw(payload))])
    runs = log.runs().set_index("run")
    assert runs.tokens["a"] == 5
    assert len(log.tool_calls()) <= 1
