"""Events of runs as the real gateway sends them, and logs of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.protocol.frames import encode

BEGIN = 1_795_699_191_000
"""Milliseconds since 1970: the time 0 of `agent`."""


def agent(run: str, at: int, stream: str, seq: int | None = None, /, **data: Any) -> dict[str, Any]:
    """Return the payload of an ``agent`` event, `at` milliseconds after `BEGIN`; its number is its time by default."""
    about = {"runId": run, "sessionKey": "agent:main:s", "agentId": "main", "stream": stream, "ts": BEGIN + at}
    return {**about, "seq": at if seq is None else seq, "data": data}


def tool(run: str, start: int, end: int, call: str, name: str = "read", **result: Any) -> Iterator[dict[str, Any]]:
    """Yield the payloads of a tool call: both of its streams tell of it."""
    about = {"toolCallId": call, "name": name}
    item = {"itemId": f"tool:{call}", **about, "kind": "tool", "startedAt": BEGIN + start}
    yield agent(run, start, "item", phase="start", **item)
    yield agent(run, start + 1, "tool", phase="start", args={"path": "a"}, **about)
    yield agent(run, end, "tool", phase="result", isError=result.pop("isError", False), result=result, **about)
    yield agent(run, end + 1, "item", phase="end", status="completed", endedAt=BEGIN + end, **item)


def whole_run(run: str = "r", calls: int = 1) -> Iterator[dict[str, Any]]:
    """Yield the payloads of a run: a model call of 100 ms before each tool call of 200 ms, and one that answers."""
    yield agent(run, 0, "lifecycle", phase="start", startedAt=BEGIN)
    for number in range(calls):
        at = 1000 * number
        yield agent(run, at + 100, "lifecycle", phase="model", provider="mock", model="mock-1")
        yield agent(run, at + 200, "usage", outputTokens=5 * (number + 1))
        yield from tool(run, at + 300, at + 500, f"call_{number + 1}")
    at = 1000 * calls
    yield agent(run, at + 100, "lifecycle", phase="model", provider="mock", model="mock-1")
    yield agent(run, at + 150, "assistant", text="he", delta="he")
    yield agent(run, at + 160, "assistant", text="hello", delta="llo")
    yield agent(run, at + 200, "usage", outputTokens=5 * (calls + 1))
    yield agent(run, at + 300, "lifecycle", phase="finishing", endedAt=BEGIN + at + 300)
    yield agent(run, at + 310, "lifecycle", phase="model", provider=None, model=None)
    yield agent(run, at + 320, "lifecycle", phase="end", startedAt=BEGIN, endedAt=BEGIN + at + 320, aborted=False)
    yield {"runId": run, "sessionKey": "agent:main:s", "state": "final", "seq": at + 320}


def spawning(child: str) -> dict[str, Any]:
    """Return the result of a tool call that starts a sub-agent."""
    text = encode({"status": "accepted", "childSessionKey": "agent:main:subagent:x", "runId": child}).decode()
    return {"content": [{"type": "text", "text": text}]}


def events_of(payloads: Iterable[dict[str, Any]]) -> list[Event]:
    """Return payloads as events, received one after the other."""
    return [
        Event(
            BEGIN / 1000 + number / 1000,
            1,
            "chat" if "state" in payload else "agent",
            number,
            msgspec.Raw(encode(payload)),
        )
        for number, payload in enumerate(payloads)
    ]


def log_of(payloads: Iterable[dict[str, Any] | str]) -> EventLog:
    """Return a log of ``agent`` and ``chat`` events; a text among them is the kind of a mark."""
    log = EventLog()
    for payload in payloads:
        if isinstance(payload, str):
            log.mark(payload, 1, {})
        else:
            log.extend(events_of([payload]))
    return log
