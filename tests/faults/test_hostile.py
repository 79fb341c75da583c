"""A hostile gateway, a hostile moment: no secret is told, nothing hangs, nothing is poisoned."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

import gateway_nb as gnb
from gateway_nb.notebook.display.result import Result
from tests.helpers.servers import (
    CHALLENGE,
    answer_all,
    raw_server,
    script,
    socket_server,
    welcome,
    welcome_and_answer,
    welcome_and_wait,
)
from tests.helpers.support import async_test, until

TOKEN = "hunter2-Zq8xK4vT"


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:18789/#token={TOKEN}",
        f"ws://127.0.0.1/#{TOKEN}",
        f"http://u:{TOKEN}@h/",
        f"ws://h/?token={TOKEN} ",
        f"wss://u:{TOKEN}@h:99999/",
    ],
)
def test_urls_that_hold_a_secret(url: str) -> None:
    """A refused URL is shown without its user name, query and fragment."""
    with pytest.raises(gnb.InsecureUrlError) as caught:
        gnb.AsyncGateway(url)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("identity", [None, "auto"])
@async_test
async def test_nothing_secret_in_debug_logs(identity: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG no secret is logged, not by the WebSocket library either."""
    caplog.set_level(logging.DEBUG)
    with gnb.LocalGateway(token=TOKEN) as local:
        async with gnb.AsyncGateway(local.url, token=TOKEN, device_identity=identity) as agw:
            await agw.request("health")
            assert TOKEN[-6:] not in repr(agw.log)
    assert TOKEN[-6:] not in caplog.text


@async_test
async def test_a_gateway_that_repeats_the_secret() -> None:
    """A refusal, an error, its details or a close reason that repeats a secret is told without it."""

    async def refuse(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        error = {"code": "X", "message": f"no {TOKEN}", "details": {"you": [TOKEN]}}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.close(1008, f"it was {TOKEN}")

    async def repeat(socket: ServerConnection) -> None:
        await welcome(socket)
        request = json.loads(await socket.recv())
        error = {"code": "X", "message": f"no {TOKEN}", "details": {"you": [TOKEN]}}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.recv()
        await socket.close(1008, f"it was {TOKEN}")

    told: list[gnb.GatewayError] = []
    async with socket_server(script(refuse, repeat, welcome_and_answer)) as url:
        agw = gnb.AsyncGateway(url, token=TOKEN, device_identity=None, on_connect_error=told.append)
        with pytest.raises(gnb.GatewayConnectError) as refused:
            await agw.connect()
        await agw.connect()
        with pytest.raises(gnb.GatewayRequestError) as failed:
            await agw.request("x")
        with pytest.raises(gnb.GatewayClosedError) as closed:
            await agw.request("y")
        await agw.close()
        for error in (refused.value, failed.value, closed.value, *told):
            assert TOKEN not in f"{error} {error.details} {error.args}"
            assert "[secret]" in str(error)
        assert TOKEN not in f"{agw.log} {agw.status}"


@async_test
async def test_deadlines_hold_when_nobody_reads() -> None:
    """A gateway that stops reading does not hold up a request beyond its time."""

    async with raw_server(welcome_and_wait) as port:
        agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
        await agw.connect()
        requests = [agw.submit("x", {"big": "y" * 20_000_000}, timeout=0.5) for _ in range(3)]
        done, _ = await asyncio.wait(requests, timeout=10)
        assert len(done) == 3
        assert {type(request.exception()) for request in requests} == {gnb.GatewayTimeoutError}
        await agw.close()


@async_test
async def test_numbers_and_early_events() -> None:
    """A number beyond what can be held, and events before hello-ok, are dropped; the log stays whole."""

    async def hostile(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "event", "event": "early", "seq": 1}))
        await welcome(socket)
        first = json.loads(await socket.recv())
        for seq in (2**63, 10**30, 7):
            await socket.send(f'{{"type":"event","event":"x","seq":{seq}}}')
        await socket.send(json.dumps({"type": "res", "id": first["id"], "ok": True}))
        await answer_all(socket)

    log = gnb.EventLog()
    async with socket_server(hostile) as url:
        agw = gnb.AsyncGateway(url, device_identity=None)
        agw.core.feed.keep(log)
        await agw.connect()
        await agw.request("x")
        await agw.close()
    assert list(log.df["seq"].dropna()) == [7]
    assert log.to_arrow().num_rows == 3  # start, the event, stop
    assert agw.status.counters.malformed == 3


@async_test
async def test_connect_and_close_meet() -> None:
    """Closing while a connect is under way ends it with an error, at once."""
    with gnb.LocalGateway() as local:
        agw = gnb.AsyncGateway(local.url, token=local.token, device_identity=None)
        connecting = asyncio.create_task(agw.connect(None))
        await asyncio.sleep(0)
        await agw.close()
        with pytest.raises(gnb.GatewayClosedError, match="gateway client stopped"):
            await asyncio.wait_for(connecting, 5)


@async_test
async def test_a_host_that_is_no_name() -> None:
    """A host name that can't be one is an error at once."""
    with pytest.raises(gnb.GatewayConnectError, match="can't be reached"):
        await asyncio.wait_for(gnb.AsyncGateway(f"wss://{'a' * 64}.example", device_identity=None).connect(), 5)


@async_test
async def test_iterating_twice() -> None:
    """A run that has ended can be iterated again; there is nothing more."""
    with gnb.LocalGateway() as local:
        async with gnb.AsyncGateway(local.url, token=local.token) as agw:
            run = agw.run("echo:hello")
            assert [piece async for piece in run] == ["hello"]
            assert [piece async for piece in run] == []


@async_test
async def test_a_chat_whose_connection_is_lost() -> None:
    """chat.send with expect_final ends with its connection's end, or with the result after a reconnect."""
    with gnb.LocalGateway() as local:
        agw = gnb.AsyncGateway(local.url, token=local.token)
        await agw.connect()
        chat = {"sessionKey": "agent:main:c", "message": "count:10:60"}
        across = agw.submit("chat.send", chat, expect_final=True)
        await agw.wait_for("chat")
        await asyncio.to_thread(local.drop)
        final = await asyncio.wait_for(across, 20)
        assert final["message"]["content"][0]["text"] == "1 2 3 4 5 6 7 8 9 10"
        left = agw.submit("chat.send", {**chat, "message": "count:1000:60"}, expect_final=True)
        await agw.wait_for("chat")
        await agw.close()
        with pytest.raises(gnb.GatewayClosedError):
            await asyncio.wait_for(left, 5)


@async_test
async def test_a_run_that_is_in_flight_already() -> None:
    """An agent that answers in_flight or started is asked for its result."""

    async def in_flight(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            request = json.loads(data)
            run_id = request["params"].get("runId") or request["params"]["idempotencyKey"]
            payload: dict[str, Any] = {"runId": run_id, "status": "in_flight"}
            if request["method"] == "agent.wait":
                payload |= {"status": "ok", "endedAt": 1, "terminalReply": {"text": "done"}}
            await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": payload}))

    async with socket_server(in_flight) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        assert (await agw.run("x").result()).text == "done"


Reply = tuple[bool, dict[str, Any]]


def agents(*behaviours: Callable[[ServerConnection], Awaitable[Reply | None]]) -> Callable[..., Awaitable[None]]:
    """A gateway whose first connections answer ``agent`` in these ways, and that knows the end of every run."""
    left = list(behaviours)

    async def answer(socket: ServerConnection) -> None:
        behaviour = left.pop(0) if len(left) > 1 else left[0]
        await welcome(socket)
        while (data := await next_frame(socket)) is not None:
            request = json.loads(data)
            reply: Reply | None = (True, {"status": "ok", "endedAt": 1, "terminalReply": {"text": "done"}})
            if request["method"] == "agent":
                reply = await behaviour(socket)
            if reply is not None:
                ok, body = reply
                await socket.send(
                    json.dumps({"type": "res", "id": request["id"], "ok": ok, "payload" if ok else "error": body})
                )

    return answer


async def next_frame(socket: ServerConnection) -> str | bytes | None:
    """The next frame; none when the connection is lost."""
    try:
        return await socket.recv()
    except ConnectionClosed:
        return None


async def hang_up(socket: ServerConnection) -> None:
    """Close without an answer."""
    socket.transport.abort()


async def accept(socket: ServerConnection) -> Reply:
    """Accept, and answer no second time."""
    return True, {"status": "accepted"}


async def accept_and_hang_up_later(socket: ServerConnection) -> Reply:
    """Accept, and close after a while."""
    asyncio.get_running_loop().call_later(2.5, socket.transport.abort)
    return True, {"status": "accepted"}


async def not_now(socket: ServerConnection) -> Reply:
    """Refuse for a minute."""
    return False, {"code": "UNAVAILABLE", "message": "busy", "retryable": True, "retryAfterMs": 60_000}


async def silent(socket: ServerConnection) -> None:
    """Answer nothing."""


@async_test
async def test_a_run_whose_acceptance_was_lost() -> None:
    """A run whose connection is lost before it was accepted is asked for again; the acceptance alone is enough then."""
    async with socket_server(agents(hang_up, accept)) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        assert (await agw.run("x").result()).text == "done"
        assert agw.status.epoch == 2


@async_test
async def test_a_long_run_whose_connection_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a run has lasted, its result is fetched when its connection is lost."""
    monkeypatch.setattr("gateway_nb.client.core._RECONNECT_PATIENCE", 2.0)
    server = agents(accept_and_hang_up_later, accept)
    async with socket_server(server) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        asked = agw.submit("agent", {"message": "x", "sessionKey": "s"}, expect_final=True)
        while agw.status.state == "connected":
            await asyncio.sleep(0.01)
        while agw.status.state != "connected":
            await asyncio.sleep(0.01)
        assert (await asked)["terminalReply"]["text"] == "done"


@async_test
async def test_a_run_that_never_starts() -> None:
    """A refusal comes at once, and a run that nobody has accepted is not said to go on."""
    async with socket_server(agents(not_now, silent)) as url:
        async with gnb.AsyncGateway(url, device_identity=None) as agw:
            with pytest.raises(gnb.GatewayRequestError, match="busy"):
                await asyncio.wait_for(
                    agw.request("agent", {"message": "x", "sessionKey": "s"}, expect_final=True, timeout=30), 10
                )
            with pytest.raises(gnb.GatewayRequestError, match="busy"):
                await asyncio.wait_for(agw.run("x", timeout=30).result(), 10)
        async with gnb.AsyncGateway(url, device_identity=None) as agw:
            with pytest.raises(gnb.GatewayTimeoutError, match="and was not accepted by then"):
                await agw.run("x", timeout=0.3).result()


@pytest.mark.parametrize("timeout", [None, 600])
@async_test
async def test_a_gateway_that_is_stuck_after_a_run(timeout: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the question for a run's result is not answered, that is what the error says, with and without a limit."""

    async def stuck(*_: object) -> dict[str, Any]:
        raise gnb.GatewayTimeoutError("agent.wait: no answer within 15 s")

    monkeypatch.setattr("gateway_nb.client.run._result_after_reconnect", stuck)

    async def in_flight(socket: ServerConnection) -> Reply:
        return True, {"status": "in_flight"}

    async with socket_server(agents(in_flight)) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        with pytest.raises(gnb.GatewayTimeoutError, match=r"agent\.wait: no answer within 15 s"):
            await agw.run("x", timeout=timeout).result()


@async_test
async def test_a_final_answer_that_is_unreadable() -> None:
    """An answer that is not JSON after all is an error of ours, for a run as for any method."""

    async def unreadable(socket: ServerConnection) -> None:
        await welcome(socket)
        while (data := await next_frame(socket)) is not None:
            answer = {"type": "res", "id": json.loads(data)["id"], "ok": True, "payload": "TOO LARGE"}
            await socket.send(json.dumps(answer).replace('"TOO LARGE"', '{"n":1e999}'))

    async with socket_server(unreadable) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        with pytest.raises(gnb.GatewayRequestError, match="health: the answer can't be read"):
            await agw.request("health")
        with pytest.raises(gnb.GatewayRequestError, match="agent: the answer can't be read"):
            await agw.request("agent", {"message": "x", "sessionKey": "s"}, expect_final=True)
        with pytest.raises(gnb.GatewayRequestError, match="the answer can't be read"):
            await agw.run("x").result()


def test_what_a_recording_keeps(tmp_path: Path) -> None:
    """A capture of requests keeps numpy numbers as numbers, and no value of a secret's field."""
    with (
        gnb.LocalGateway() as local,
        gnb.connect(local.url, token=local.token) as gw,
        gw.capture(tmp_path / "run.jsonl", requests=True),
    ):
        gw.request("sessions.list", {"limit": np.int64(5)})
        gw.request("last-heartbeat", {"token": "NEWDEVICETOKEN1234", "deep": [{"password": "pass/word\u00e9"}]})
    text = (tmp_path / "run.jsonl").read_text()
    assert '"limit":5' in text
    assert "NEWDEVICETOKEN1234" not in text
    assert "pass/word" not in text


@pytest.mark.parametrize("params", [{"n": float("nan")}, {"n": object()}, [1]])
def test_what_is_not_sent_is_not_recorded(tmp_path: Path, params: Any) -> None:
    """A request that can't be sent is in no recording."""
    with (
        gnb.LocalGateway() as local,
        gnb.connect(local.url, token=local.token, device_identity=None) as gw,
        gw.capture(tmp_path / "run.jsonl", requests=True),
    ):
        with pytest.raises(gnb.BadParamsError):
            gw.request("health", params)
        gw.request("health")
    kinds = [line.kind for line in gnb.load(tmp_path / "run.jsonl").lines() if line.event is None]
    assert kinds == ["start", "request", "answer", "stop"]


def test_handlers_that_exit() -> None:
    """A handler that calls sys.exit ends nothing but itself."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        heard: list[Any] = []
        gw.on("x", lambda event: sys.exit(1))
        gw.on("x", heard.append)
        local.emit("x")
        local.emit("x")
        until(lambda: len(heard) == 2)
        assert gw.status.counters.handler_errors == 2


def test_events_outlive_a_failed_connect() -> None:
    """When running the connect cell again fails, the next success still has the events."""
    with gnb.LocalGateway() as local:
        gw = gnb.connect(local.url, token=local.token)
        local.emit("before")
        until(lambda: gw.events.stats.events)
        with pytest.raises(gnb.AuthenticationError):
            gnb.connect(local.url, token="wrong", device_identity=None)
        with gnb.connect(local.url, token=local.token) as again:
            assert list(again.events.df["event"].dropna()) == ["before"]


def test_terminal_sequences() -> None:
    """No control character of a gateway's reaches the terminal through a result."""
    shown = repr(Result({"a": "\x9b31m\x1b[31m\u202e\x7f"}, ""))
    assert not set("\x9b\x1b\u202e\x7f") & set(shown)
    assert "\\u009b" in shown
