"""Agents: pieces of an answer, its end, failure, abort, and what the methods below say."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.notebook.calls.run_view import RunView
from tests.helpers.real import AnyGateway, RealGateway
from tests.helpers.support import async_test, until


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


def test_a_run(gateway: AnyGateway) -> None:
    """A run's pieces make up its answer, and its events are kept."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        run = gw.run("count:5:60", session=session())
        pieces = list(run)
        result = run.result(30)
        assert "".join(pieces) == result.text == run.text == "1 2 3 4 5"
        assert result.run_id == run.run_id
        assert result.payload["status"] == "ok"
        assert result.usage["output"] == 5
        assert {event.event for event in run.events} == {"agent", "chat"}
        assert run.done()


def test_tokens(gateway: AnyGateway) -> None:
    """The output tokens of a run of many model calls are those of its final answer, in a frame and in a cell."""
    with gnb.connect(gateway.url, token=gateway.token, caps=["tool-events"]) as gw:
        run = gw.run("tool:no_such_tool:{}", session=session())
        used = run.result(60).usage["output"]
        row = gw.events.runs().set_index("run").loc[run.run_id]
        assert row["tokens"] == used
        view = RunView("agent", run.run_id, gw.redactor)
        for event in run.events:
            view.take(event)
        assert f"{used} output tokens" in view.caption


def test_an_answer_without_pieces(gateway: AnyGateway) -> None:
    """A short answer, which a gateway may send whole and at its end, is yielded and shown, too."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        run = gw.run("echo:a", session=session())
        assert "".join(run) == "a"
        view = RunView("agent", run.run_id, gw.redactor)
        for event in run.events:
            view.take(event)
        assert view.text == "a"


def test_an_answer_that_is_taken_back(real: RealGateway) -> None:
    """Where a gateway replaces what it sent, the whole answer follows on a line of its own, and `text` has it alone."""
    with gnb.connect(real.url, token=real.token) as gw:
        run = gw.run("echo:[Thu 2026-11-26 06:42 UTC] hello there", session=session())
        lines = "".join(run).splitlines()
        assert (lines[-1], run.text, run.result(30).text) == ("hello there", "hello there", "hello there")


def test_the_first_example(gateway: AnyGateway) -> None:
    """The loop that README shows prints the answer, and nothing else."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        assert "".join(gw.run("hello", session=session())) == "hello"


@async_test
async def test_an_echo(gateway: AnyGateway) -> None:
    """The async run gives the same result."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        assert (await agw.run("echo:hello there", session=session()).result()).text == "hello there"


@async_test
async def test_a_failing_run(gateway: AnyGateway) -> None:
    """A model's failure is a RunFailedError with the run's id."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        run = agw.run("fail:400", session=session())
        with pytest.raises(gnb.RunFailedError, match="LLM request failed") as caught:
            await run.result()
        assert caught.value.run_id == run.run_id
        assert not isinstance(caught.value, gnb.RunAbortedError)


WAYS: dict[str, Callable[[gnb.Gateway, str, str], Any]] = {
    "run": lambda gw, message, key: gw.run(message, session=key).result(30),
    "iterate": lambda gw, message, key: list(gw.run(message, session=key)),
    "agent": lambda gw, message, key: gw.request("agent", {"message": message, "sessionKey": key}, expect_final=True),
    "chat": lambda gw, message, key: gw.request(
        "chat.send", {"message": message, "sessionKey": key}, expect_final=True
    ),
    "submit": lambda gw, message, key: gw.submit(
        "agent", {"message": message, "sessionKey": key}, expect_final=True
    ).result(30),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_class_for_a_run_that_fails(gateway: AnyGateway, way: str) -> None:
    """However a run is asked for, its failure is a RunFailedError, and a refusal a GatewayRequestError."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        with pytest.raises(gnb.RunFailedError, match="LLM request failed") as caught:
            WAYS[way](gw, "fail:400", session())
        assert (caught.value.code, bool(caught.value.run_id)) == ("RUN_FAILED", True)
    with gnb.connect(gateway.url, token=gateway.token, scopes=["operator.read"]) as gw:
        with pytest.raises(gnb.MissingScopeError) as refused:
            WAYS[way](gw, "hello", session())
        assert refused.value.missing_scope == "operator.write"


def test_a_result_that_is_not_there_yet(gateway: AnyGateway) -> None:
    """Waiting too shortly for a run or a request is one line that says what it is of, and waiting again goes on."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        run = gw.run("count:5:60", session=session())
        handle = gw.submit("agent.wait", {"runId": "nobody", "timeoutMs": 300})
        for wait in (run.result, handle.result, handle.exception):
            with pytest.raises(gnb.GatewayTimeoutError, match=r"(run .*|agent\.wait): no result within 0\.01 s"):
                wait(0.01)
        with pytest.raises(TypeError, match="timeout must be a number of seconds"):
            run.result("soon")  # type: ignore[arg-type]
        assert run.result(30).text == "1 2 3 4 5"
        assert handle.result(30)["status"] == "timeout"


@async_test
async def test_an_aborted_run(gateway: AnyGateway) -> None:
    """An aborted run is an error, though the gateway answers ok."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        run = agw.run("count:100:60", session=session())
        async for _ in run:
            break
        assert await run.abort() is True
        with pytest.raises(gnb.RunAbortedError):
            await run.result()
        assert await run.abort() is False


@async_test
async def test_a_run_that_takes_too_long(gateway: AnyGateway) -> None:
    """A run's timeout is an error that says that the run goes on."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        run = agw.run("count:50:60", session=session(), timeout=0.3)
        with pytest.raises(gnb.GatewayTimeoutError, match="continues"):
            await run.result()
        await run.abort()


@async_test
async def test_the_methods_below(gateway: AnyGateway) -> None:
    """agent answers twice, agent.wait knows the end, chat.send answers once and ends with an event."""
    key = session()
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        run_id = str(uuid.uuid4())
        params = {"message": "echo:one", "agentId": "main", "sessionKey": key, "idempotencyKey": run_id}
        accepted = await agw.request("agent", params)
        assert (accepted["status"], accepted["runId"], accepted["sessionKey"]) == ("accepted", run_id, key)
        waited = await agw.request("agent.wait", {"runId": run_id, "timeoutMs": 20_000})
        assert (waited["status"], waited["terminalReply"]["text"]) == ("ok", "one")
        assert (await agw.request("agent.wait", {"runId": "nobody", "timeoutMs": 1}))["status"] == "timeout"

        chat_id = str(uuid.uuid4())
        ends = asyncio.create_task(
            agw.wait_for("chat", lambda e: e.payload["runId"] == chat_id and e.payload["state"] == "final")
        )
        await asyncio.sleep(0)
        chat = {"sessionKey": key, "message": "count:3:50", "idempotencyKey": chat_id}
        assert await agw.request("chat.send", chat) == {"runId": chat_id, "status": "started"}
        assert await agw.request("chat.send", chat) == {"runId": chat_id, "status": "in_flight"}
        final = (await ends).payload
        assert final["message"]["content"][0]["text"].strip() == "1 2 3"
        assert await agw.request("chat.send", chat) == {"runId": chat_id, "status": "ok"}

        history = await agw.request("chat.history", {"sessionKey": key})
        assert [message["role"] for message in history["messages"]] == ["user", "assistant"] * 2
        assert history["sessionInfo"]["activeRunIds"] == []
        aborted = await agw.request("chat.abort", {"sessionKey": key, "runId": chat_id})
        assert (aborted["ok"], aborted["aborted"], aborted["runIds"]) == (True, False, [])


@async_test
async def test_agent_to_its_end(gateway: AnyGateway) -> None:
    """agent with expect_final gives the final answer, and an aborted run is an error, though the gateway says ok."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        key = session()
        final = await agw.request("agent", {"message": "count:3:50", "sessionKey": key}, expect_final=True)
        assert (final["status"], final["result"]["payloads"][0]["text"]) == ("ok", "1 2 3")
        with pytest.raises(gnb.RunFailedError, match="LLM request failed"):
            await agw.request("agent", {"message": "fail:400", "sessionKey": key}, expect_final=True)
        run_id = str(uuid.uuid4())
        params = {"message": "count:100:60", "sessionKey": key, "idempotencyKey": run_id}
        speaking = asyncio.create_task(agw.wait_for("chat", lambda event: event.payload["runId"] == run_id))
        asked = agw.submit("agent", params, expect_final=True)
        await speaking
        await agw.request("chat.abort", {"sessionKey": key, "runId": run_id})
        with pytest.raises(gnb.RunAbortedError, match="was aborted"):
            await asked
        slow = {"message": "count:100:60", "sessionKey": key, "idempotencyKey": str(uuid.uuid4())}
        with pytest.raises(gnb.GatewayTimeoutError, match="continues in the gateway"):
            await agw.request("agent", slow, expect_final=True, timeout=0.3)
        await agw.request("chat.abort", {"sessionKey": key, "runId": slow["idempotencyKey"]})


@async_test
async def test_chat_send_to_its_end(gateway: AnyGateway) -> None:
    """chat.send with expect_final waits for the event that ends its run, and fails as the run fails."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        key = session()
        final = await agw.request("chat.send", {"sessionKey": key, "message": "count:3:50"}, expect_final=True)
        assert (final["state"], final["message"]["content"][0]["text"].strip()) == ("final", "1 2 3")
        with pytest.raises(gnb.RunFailedError, match="LLM request failed"):
            await agw.request("chat.send", {"sessionKey": key, "message": "fail:400"}, expect_final=True)
        chat = agw.submit("chat.send", {"sessionKey": key, "message": "count:100:60"}, expect_final=True)
        await agw.wait_for("chat", lambda e: e.payload["state"] == "delta")
        await agw.request("chat.abort", {"sessionKey": key})
        with pytest.raises(gnb.RunAbortedError):
            await chat
        params = {"sessionKey": key, "message": "count:30:60"}
        with pytest.raises(gnb.GatewayTimeoutError, match="did not end within"):
            await agw.request("chat.send", params, expect_final=True, timeout=0.3)
        await agw.request("chat.abort", {"sessionKey": key})


@async_test
async def test_event_fields(gateway: AnyGateway) -> None:
    """The events of a run have the fields that the captures and plots rely on."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        run = agw.run("count:3:90", session=session())
        await run.result()
        payloads = [event.payload for event in run.events if event.event == "agent"]
        assert all({"runId", "sessionKey", "stream", "data", "seq", "ts"} <= set(payload) for payload in payloads)
        phases = [payload["data"]["phase"] for payload in payloads if payload["stream"] == "lifecycle"]
        assert (phases[0], phases[-1]) == ("start", "end")
        assert {"assistant", "lifecycle", "usage"} <= {payload["stream"] for payload in payloads}
        chats = [event.payload for event in run.events if event.event == "chat"]
        assert {chat["state"] for chat in chats} == {"delta", "final"}
        assert all({"runId", "sessionKey", "seq", "state"} <= set(chat) for chat in chats)


ENDS: dict[str, Callable[[gnb.Gateway, AnyGateway], object]] = {
    "close": lambda gw, gateway: gw.close(),
    "connect again": lambda gw, gateway: gnb.connect(gateway.url, token=gateway.token),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("reads", [False, True], ids=["started", "reading"])
def test_closing_while_a_run_goes_on(gateway: AnyGateway, end: str, reads: bool) -> None:
    """A connection closes at once while a run goes on, and the run says that its result can't be fetched."""
    gw = gnb.connect(gateway.url, token=gateway.token)
    run = gw.run("count:200:50", session=session())  # not behind the run of another test
    if reads:
        next(iter(run))
    else:
        until(lambda: run.events, 60)  # the real gateway loads much for its first run
    ENDS[end](gw, gateway)
    assert gw.status.state == "closed"
    with pytest.raises(gnb.GatewayClosedError, match=r"may continue in the gateway.*it was closed; connect again"):
        run.result(10)
    for left in gnb.connections().values():
        left.close()


@async_test
async def test_leaving_while_a_run_goes_on(gateway: AnyGateway) -> None:
    """Who stops reading a run's answer can leave: the client closes, and nothing complains of the run."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        run = agw.run("count:200:50")
        async for _ in run:
            break
    assert agw.status.state == "closed"
    with pytest.raises(gnb.GatewayClosedError):
        await run.result()
