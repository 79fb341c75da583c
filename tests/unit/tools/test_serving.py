"""Calls from request to answer, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pydantic
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.log import Log
from gateway_nb.errors import GatewayClosedError
from gateway_nb.tools.serving import Serving
from gateway_nb.tools.tool import COMMAND, Tool
from tests.helpers.support import async_test, comes_true


class Node:
    """A node without a connection: what it is asked, and what it answers."""

    def __init__(self, **tools: Callable[..., Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self.log = Log()
        self.error: Exception | None = None
        self.serving = Serving({name: Tool.of(tool, name=name) for name, tool in tools.items()}, self.send, self.log)

    async def send(self, result: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(result)

    def ask(self, id: str, tool: str, args: Any = None, **changes: Any) -> None:
        params = json.dumps({"server": "notebook", "tool": tool, "arguments": args or {}})
        about = {"id": id, "nodeId": "n", "command": COMMAND, "paramsJSON": params, "timeoutMs": 60_000}
        about |= {"idempotencyKey": f"rpc-delegated-{id}", "sessionKey": "s"}
        self.event("node.invoke.request", {**about, **changes})

    def event(self, name: str, payload: Any) -> None:
        self.serving.receive(Event(0.0, 1, name, None, msgspec.Raw(json.dumps(payload).encode())))

    async def answers(self, count: int) -> dict[str, str]:
        async def there() -> bool:
            return len(self.sent) >= count

        await comes_true(there)
        return {sent["id"]: json.loads(sent["payloadJSON"])["content"][0]["text"] for sent in self.sent}

    @property
    def statuses(self) -> list[str]:
        return [call.status for call in self.serving.calls.all]


@contextlib.asynccontextmanager
async def a_node(**tools: Callable[..., Any]) -> AsyncIterator[Node]:
    node = Node(**tools)
    try:
        yield node
    finally:
        await node.serving.give_up()
        node.serving.workers.stop()


def echo(text: str = "") -> str:
    """Return a text."""
    return text


@async_test
async def test_each_id_runs_once() -> None:
    """A call that comes twice runs once, and is answered once."""
    ran: list[str] = []

    def note(text: str) -> None:
        """Note."""
        ran.append(text)

    async with a_node(note=note) as node:
        node.ask("1", "note", {"text": "a"})
        node.ask("1", "note", {"text": "a"})
        node.ask("2", "note", {"text": "b"})
        assert set(await node.answers(2)) == {"1", "2"}
        assert sorted(ran) == ["a", "b"]
        assert "the gateway made a call twice" in node.log.lines[-1]


@async_test
async def test_equal_calls_share_a_result_while_it_is_under_way() -> None:
    """Calls with one key share a result only if session, tool and arguments are equal, and only until it is there."""
    go, ran = asyncio.Event(), []

    async def wait(text: str) -> str:
        """Wait."""
        ran.append(text)
        await go.wait()
        return f"{text} {len(ran)}"

    async with a_node(wait=wait, other=wait) as node:
        same: dict[str, Any] = {"idempotencyKey": "rpc-delegated-k"}
        node.ask("1", "wait", {"text": "a"}, **same)
        node.ask("2", "wait", {"text": "a"}, **same)
        node.ask("3", "wait", {"text": "b"}, **same)
        node.ask("4", "wait", {"text": "a"}, **same, sessionKey="t")
        node.ask("5", "other", {"text": "a"}, **same)

        async def four() -> bool:
            return len(ran) == 4

        await comes_true(four)
        node.event("node.invoke.cancel", {"invokeId": "1"})  # the other still waits
        go.set()
        answers = await node.answers(4)
        assert answers == {"2": "a 4", "3": "b 4", "4": "a 4", "5": "a 4"}
        node.ask("6", "wait", {"text": "a"}, **same)
        assert (await node.answers(5))["6"] == "a 5"


@async_test
async def test_a_cancelled_call() -> None:
    """A call that the gateway gave up is cancelled, and not answered."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait."""
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with a_node(wait=wait, echo=echo) as node:
        node.ask("1", "wait")
        await started.wait()
        node.event("node.invoke.cancel", {"invokeId": "1", "nodeId": "n"})
        await cancelled.wait()
        node.event("node.invoke.cancel", {"invokeId": "unknown"})
        node.ask("2", "echo", {"text": "a"})
        assert await node.answers(1) == {"2": "a"}
        assert node.statuses == ["cancelled", "ok"]


@async_test
async def test_the_gateways_time() -> None:
    """A call is answered just before the gateway gives it up, whatever the tool's own time."""
    go = threading.Event()

    def wait() -> None:
        """Wait."""
        go.wait()

    async with a_node(wait=wait) as node:
        node.ask("1", "wait", timeoutMs=100)
        assert await node.answers(1) == {"1": "wait: no answer within the gateway's 0.1 s"}
        assert node.statuses == ["timeout"]
        assert node.serving.calls.all[0].cancelled.is_set()
        go.set()


@async_test
async def test_prints_of_a_function_that_was_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """What a function prints after its call was given up is in the call's record, and nowhere else."""
    go, printed = threading.Event(), threading.Event()

    def wait() -> None:
        """Wait."""
        go.wait()
        print("late")
        printed.set()

    async with a_node(wait=wait) as node:
        node.ask("1", "wait", timeoutMs=100)
        await node.answers(1)
        go.set()
        await asyncio.to_thread(printed.wait)
        assert node.serving.calls.all[0].printed == "late\n"
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "args", "changes", "text", "status"),
    [
        ("missing", {}, {}, "there is no tool 'missing' in this notebook (any more)", "unknown"),
        ("__import__", {}, {}, "there is no tool '__import__' in this notebook (any more)", "unknown"),
        ("echo", {"text": 1}, {}, "echo: 'text': Expected `str`, got `int`; it takes text", "invalid"),
        ("echo", [1], {}, "echo: the arguments must be a JSON object", "invalid"),
        ("echo", {}, {"idempotencyKey": "call_1"}, "echo is not offered to this session", "refused"),
        (
            "echo",
            {},
            {"idempotencyKey": "call_1", "sessionKey": None},
            "echo is not offered to this session",
            "refused",
        ),
        ("echo", {}, {"paramsJSON": "[" * 10_000}, "there is no tool '' in this notebook (any more)", "unknown"),
        ("echo", {}, {"paramsJSON": "NaN"}, "there is no tool '' in this notebook (any more)", "unknown"),
    ],
)
@async_test
async def test_calls_that_run_nothing(name: str, args: Any, changes: dict[str, Any], text: str, status: str) -> None:
    """Only published names are answered, with arguments that they take, and to sessions that may call."""
    async with a_node(echo=echo) as node:
        node.ask("1", name, args, **changes)
        assert await node.answers(1) == {"1": text}
        assert json.loads(node.sent[0]["payloadJSON"])["isError"] is True
        assert node.statuses == [status]


@async_test
async def test_events_of_no_use() -> None:
    """What is no call is noted and dropped, another command is refused, and later calls are answered."""
    async with a_node(echo=echo) as node:
        for payload in ([], {}, {"id": 1}, {"id": "1", "nodeId": "n", "command": COMMAND}):
            node.event("node.invoke.request", payload)
            node.event("node.invoke.cancel", payload)
        assert sum("is of no use" in line for line in node.log.lines) == 8
        node.ask("1", "echo", command="system.run")

        async def refused() -> bool:
            return bool(node.sent)

        await comes_true(refused)
        assert node.sent.pop()["error"]["code"] == "UNSUPPORTED"
        node.ask("2", "echo", {"text": "a"})
        assert await node.answers(1) == {"2": "a"}


@async_test
async def test_an_answer_that_cannot_be_sent() -> None:
    """Where the connection is lost before the answer, that is noted, and nothing else happens."""
    async with a_node(echo=echo) as node:
        node.error = GatewayClosedError("gateway closed")
        node.ask("1", "echo")

        async def noted() -> bool:
            return bool(node.log.lines)

        await comes_true(noted)
        assert "could not be sent: gateway closed" in node.log.lines[0]
        node.error = None
        node.ask("2", "echo", {"text": "a"})
        assert await node.answers(1) == {"2": "a"}


@async_test
async def test_secrets_in_answers() -> None:
    """A secret of the connection's that a function returns does not reach the agent."""
    async with a_node(echo=echo) as node:
        secret = "correct-horse-battery-staple"
        node.log.redactor.keep([secret])
        node.ask("1", "echo", {"text": f"it is {secret}"})
        assert secret not in (await node.answers(1))["1"]
        assert secret not in node.serving.calls.df.to_csv()


class Slow(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def wait(cls, number: int) -> int:
        GO.wait(10)
        if number < 0:
            raise RuntimeError("no such number")
        return number


GO = threading.Event()


@async_test
async def test_arguments_with_code_of_the_users() -> None:
    """A validator that is slow, or raises, stops no other call."""

    def take(slow: Slow) -> int:
        """Take."""
        return slow.number

    GO.clear()
    async with a_node(take=take, echo=echo) as node:
        node.ask("1", "take", {"slow": {"number": 3}})
        node.ask("2", "take", {"slow": {"number": -1}})
        node.ask("3", "echo", {"text": "a"})
        assert await node.answers(1) == {"3": "a"}
        GO.set()
        assert await node.answers(3) == {"1": "3", "2": "RuntimeError: no such number", "3": "a"}


@async_test
async def test_a_function_that_cancels_itself() -> None:
    """What a function raises of asyncio's own is an answer, too."""

    async def cancel() -> None:
        """Cancel."""
        raise asyncio.CancelledError

    async def late() -> None:
        """Be late."""
        raise TimeoutError("mine")

    async with a_node(cancel=cancel, late=late) as node:
        node.ask("1", "cancel")
        node.ask("2", "late")
        answers = await node.answers(2)
        assert answers == {"1": "CancelledError: the function cancelled itself", "2": "TimeoutError: mine"}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds"),
        ({"timeout": None}, ValueError, "timeout must be more than 0 seconds, not None"),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds"),
        ({"confirm_timeout": -1}, ValueError, "confirm_timeout must be 0 or more"),
        ({"confirm": 1}, TypeError, "confirm must be True or False, not 1"),
        ({"sessions": "mine"}, ValueError, r"sessions must be 'own', '\*' or a list of patterns"),
        ({"sessions": []}, ValueError, "sessions must be a list of patterns such as"),
        ({"sessions": [3]}, ValueError, "sessions must be a list of patterns such as"),
        ({"sessions": None}, ValueError, "sessions must be 'own'"),
        ({"retries": 3}, TypeError, "a tool has no option 'retries'; there are name, description"),
    ],
)
def test_options_of_a_tool(options: dict[str, Any], error: type[Exception], words: str) -> None:
    """A wrong option is refused when the tool is defined, with what is allowed."""
    with pytest.raises(error, match=words):
        Tool.of(echo, **options)


@async_test
async def test_runs_that_may_call_some_tools_alone() -> None:
    """A run with a list of tools is refused another one, and told why; an operator's own call is not a run's."""
    async with a_node(echo=echo, other=echo) as node:
        node.serving.runs.asked("r", "agent", b'{"idempotencyKey": "run", "sessionKey": "s"}')
        node.serving.runs.limit("run", frozenset({"echo"}))
        started = {"runId": "run", "sessionKey": "s", "stream": "item", "data": {"phase": "start", "toolCallId": "k"}}
        node.serving.runs.take(Event(0.0, 1, "agent", 1, msgspec.Raw(json.dumps(started).encode())))
        node.ask("1", "echo", {"text": "a"}, idempotencyKey="k")
        node.ask("2", "other", {"text": "b"}, idempotencyKey="k")
        node.ask("3", "other", {"text": "c"})
        assert await node.answers(3) == {
            "1": "a",
            "2": "other is not one of the tools that this run may call",
            "3": "c",
        }
        assert sorted(node.statuses) == ["ok", "ok", "refused"]
