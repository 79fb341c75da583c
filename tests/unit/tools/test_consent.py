"""Who may call a tool: this connection's runs, and the user's answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.errors import GatewayError
from gateway_nb.tools.calls import Calls
from gateway_nb.tools.consent import Confirmations, Runs
from tests.helpers.support import async_test

Step = tuple[str, *tuple[Any, ...]]


def agent(run: str, session: str, stream: str, **data: Any) -> Event:
    spawned = {"spawnedBy": data.pop("by")} if "by" in data else {}
    payload = {"runId": run, "sessionKey": session, "stream": stream, "data": data, **spawned}
    return Event(0.0, 1, "agent", 1, msgspec.Raw(json.dumps(payload).encode()))


def asked(run: str, session: str = "s", method: str = "agent") -> Step:
    return "asked", f"request of {run}", method, json.dumps({"idempotencyKey": run, "sessionKey": session}).encode()


def answered(run: str, status: str = "ok", ok: bool = True) -> Step:
    return "answered", f"request of {run}", ok, json.dumps({"status": status}).encode()


def heard(run: str, stream: str = "lifecycle", session: str = "s", **data: Any) -> Step:
    return "take", agent(run, session, stream, **data)


START, END = {"phase": "start"}, {"phase": "end"}
CALL = {"phase": "start", "toolCallId": "k"}
SPAWN, SPAWNED, FAILED = (
    heard("a", "item", "t", name="sessions_spawn", toolCallId="j", **phase)
    for phase in (START, {**END, "status": "completed"}, {**END, "status": "failed"})
)

OWN: dict[str, tuple[list[Step], bool]] = {
    "nothing is known": ([], False),
    "another's run": ([heard("b", **START), heard("b", "item", **CALL)], False),
    "own run, call heard": ([asked("a"), heard("a", **START), heard("a", "item", **CALL)], True),
    "own run, call heard as tool": ([asked("a"), heard("a", "tool", **CALL)], True),
    "own run, call not heard": ([asked("a"), heard("a", **START)], True),
    "own run, nothing heard": ([asked("a")], True),
    "own run, by chat": ([asked("a", method="chat.send")], True),
    "another method": ([asked("a", method="node.invoke")], False),
    "own run, accepted only": ([asked("a"), answered("a", "accepted")], True),
    "own run, answered": ([asked("a"), answered("a")], False),
    "own run, refused": ([asked("a"), answered("a", ok=False)], False),
    "own run, ended": ([asked("a"), heard("a", **START), heard("a", **END)], False),
    "own run, failed": ([asked("a"), heard("a", phase="error")], False),
    "own run in another session": ([asked("a", "t")], False),
    "own run waits for another's": ([asked("a"), heard("b", **START), heard("b", "item", **CALL)], False),
    "own run waits for another's, call not heard": ([asked("a"), heard("b", **START)], False),
    "the id of an earlier run's call": (
        [heard("b", "item", **CALL), heard("b", **END), asked("a"), heard("a", **START)],
        True,
    ),
    "a sub-agent of an own run": (
        [asked("a", "t"), SPAWN, heard("c", **START, by="t"), heard("c", "item", **CALL)],
        True,
    ),
    "a sub-agent that begins after it": (
        [asked("a", "t"), SPAWN, SPAWNED, answered("a"), heard("c", **START, by="t"), heard("c", "item", **CALL)],
        True,
    ),
    "a sub-agent of a sub-agent": (
        [
            asked("a", "t"),
            SPAWN,
            heard("c", session="u", **START, by="t"),
            heard("c", "item", "u", phase="start", name="sessions_spawn", toolCallId="j"),
            heard("d", **START, by="u"),
            heard("d", "item", **CALL),
        ],
        True,
    ),
    "a sub-agent that ended": ([asked("a", "t"), SPAWN, heard("c", **START, by="t"), heard("c", **END)], False),
    "a sub-agent of another's run": ([asked("a", "t"), heard("c", **START, by="t"), heard("c", "item", **CALL)], False),
    "a sub-agent of another's later run": (
        [asked("a", "t"), SPAWN, heard("c", session="v", **START, by="t"), heard("d", **START, by="t")],
        False,
    ),
    "a sub-agent that was refused": ([asked("a", "t"), SPAWN, FAILED, heard("d", **START, by="t")], False),
    "events of no use": (
        [asked("a", "t"), ("take", Event(0.0, 1, "agent", 1, msgspec.Raw(b"[1]"))), heard("b", "item", phase="start")],
        False,
    ),
    "params of no use": ([("asked", "r", "agent", b"{}"), answered("r")], False),
}


@pytest.mark.parametrize("case", OWN)
@async_test
async def test_own_runs(case: str) -> None:
    """A session may call while a run of this connection makes the call, and by no other run."""
    steps, expected = OWN[case]
    runs = Runs(patience=0.01)
    for name, *arguments in steps:
        getattr(runs, name)(*arguments)
    assert await runs.is_own("s", "k") is expected


@async_test
async def test_the_event_may_come_after_the_call() -> None:
    """A call waits a little for the event that says which run makes it."""
    runs = Runs(patience=10)
    runs.asked(*asked("a")[1:])
    waiting = asyncio.create_task(runs.is_own("s", "k"))
    await asyncio.sleep(0)
    runs.take(agent("a", "s", "lifecycle", **START))
    await asyncio.sleep(0)
    assert not waiting.done()
    runs.take(agent("b", "s", "item", **CALL))
    assert await waiting is False
    assert runs.run_of("s", "k") == "b"


@async_test
async def test_what_is_kept_of_runs_is_bounded() -> None:
    """Runs whose end is never heard give way to later ones."""
    runs = Runs()
    for number in range(10_010):
        runs.asked(*asked(str(number))[1:])
    assert len(runs.own) == 10_000
    assert "0" not in runs.own


@async_test
async def test_calls_wait_for_an_answer() -> None:
    """A call is allowed or denied by its number, denied after its time, and a late answer is refused."""
    confirmations = Confirmations()
    book = Calls(Redactor())
    calls = [book.begin("tool", "s", "k", b"{}") for _ in range(3)]
    allowed, denied = (asyncio.create_task(confirmations.ask(call, 10)) for call in calls[:2])
    await asyncio.sleep(0)
    assert [call.status for call in calls] == ["waiting", "waiting", "running"]
    confirmations.answer(1, True)
    confirmations.answer(2, False)
    confirmations.answer(2, True)  # the first answer counts
    assert (await allowed, await denied) == (True, False)
    assert await confirmations.ask(calls[2], 0.001) is None
    given_up = asyncio.create_task(confirmations.ask(calls[2], 10))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert not confirmations.waiting
    with pytest.raises(GatewayError, match="call 3 does not wait"):
        confirmations.answer(3, True)


LIMITED: dict[str, tuple[list[Step], bool]] = {
    "another run": ([asked("b"), heard("b", **START), heard("b", "item", **CALL)], True),
    "the run": ([asked("a"), heard("a", **START), heard("a", "item", **CALL)], False),
    "the run, call not heard": ([asked("a"), heard("a", **START)], False),
    "the run, nothing heard": ([asked("a")], False),
    "the run, and another that is not limited, nothing heard": ([asked("a"), asked("b")], False),
    "its sub-agent": ([asked("a", "t"), SPAWN, heard("c", **START, by="t"), heard("c", "item", **CALL)], False),
    "its sub-agent, after its end": (
        [asked("a", "t"), SPAWN, SPAWNED, answered("a"), heard("c", **START, by="t"), heard("c", "item", **CALL)],
        False,
    ),
    "a sub-agent of another": (
        [
            asked("a", "t"),
            asked("b", "t"),
            heard("b", "item", "t", name="sessions_spawn", toolCallId="j", **START),
            heard("c", **START, by="t"),
            heard("c", "item", **CALL),
        ],
        True,
    ),
}


@pytest.mark.parametrize("case", LIMITED)
@async_test
async def test_runs_with_a_list_of_tools(case: str) -> None:
    """A run that may call some tools alone calls no other, nor does its sub-agent; other runs call any."""
    steps, expected = LIMITED[case]
    runs = Runs(patience=0.01)
    runs.limit("a", frozenset({"sales"}))
    for name, *arguments in steps:
        getattr(runs, name)(*arguments)
    assert runs.may_call("s", "k", "sales")
    assert runs.may_call("s", "k", "delete") is expected
