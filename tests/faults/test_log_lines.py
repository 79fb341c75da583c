"""What fails in the background: the connection goes on, and the log says so."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable

import pytest
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb.events.log import EventLog
from gateway_nb.identity import files
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.identity.tokens import DeviceTokens
from tests.helpers import support
from tests.helpers.servers import CHALLENGE, HELLO, answer_all, answer_one, script, socket_server, welcome
from tests.helpers.support import async_test

TOKEN = "a-device-token"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def gives_a_token(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    request = json.loads(await socket.recv())
    hello = {**HELLO, "auth": {"role": "operator", "scopes": ["s"], "deviceToken": TOKEN}}
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": hello}))
    await answer_all(socket)


async def refuses_the_token(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    await socket.recv()
    await socket.close(1008, "Device Token Mismatch")


@async_test
async def test_a_full_token_file() -> None:
    """When older device tokens have to make room for a new one, the log says how many, and in which file."""
    device = DeviceIdentity.load_or_create()
    tokens = DeviceTokens(device.device_id, "ws://127.0.0.1:1")
    entries = {f"wss://{number}": {"operator": {"token": "x" * 4000, "updatedAtMs": number}} for number in range(9)}
    document = {"version": 1, "deviceId": device.device_id, "tokens": {}, "gateways": entries, "newer": ""}
    document["newer"] = "x" * (files.MAX_BYTES - len(json.dumps(document)) - 1)
    tokens.path.write_text(json.dumps(document))
    async with socket_server(gives_a_token) as url, gnb.AsyncGateway(url) as agw:
        said = f"{tokens.path} is full: the 1 oldest device tokens in it were dropped"
        await until(lambda: any(said in line for line in agw.log))
        kept = json.loads(tokens.path.read_text())["gateways"]
        assert [number for number in range(9) if f"wss://{number}" not in kept] == [0]
        assert TOKEN not in repr(agw.log)


@pytest.mark.parametrize("deleted", [True, False])
@async_test
async def test_a_token_that_is_refused(deleted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored device token that the gateway refuses is deleted; the log says so, or why it could not be."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with socket_server(script(gives_a_token, refuses_the_token)) as url:
        async with gnb.AsyncGateway(url) as agw:
            await until(lambda: TOKEN in DeviceTokens(*_of(url)).path.read_text())
        if not deleted:
            monkeypatch.setattr("gateway_nb.identity.tokens.files.write_private", full)
        agw = gnb.AsyncGateway(url)
        with pytest.raises(gnb.GatewayConnectError, match="Device Token Mismatch"):
            await agw.connect()
        said = "refused and is deleted" if deleted else "can't be deleted: [Errno 28] No space left on device"
        await until(lambda: any(said in line for line in agw.log))
        await agw.close()
        assert (DeviceTokens(*_of(url)).load("operator") is None) is deleted


def _of(url: str) -> tuple[str, str]:
    return DeviceIdentity.load_or_create().device_id, url


@async_test
async def test_a_subscription_that_is_refused() -> None:
    """A subscription that a reconnected gateway refuses is named in the log, and the others are made again."""
    connections = 0
    asked: list[str] = []

    async def refusing(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await welcome(socket)
        async for data in socket:
            request = json.loads(data)
            if request["method"] == "drop":
                socket.transport.abort()
                return
            if connections == 2:
                asked.append(request["method"])
            if connections == 2 and request["method"] == "a.subscribe":
                error = {"code": "FORBIDDEN", "message": "not any more"}
                await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
            else:
                await answer_one(socket, data)

    async with socket_server(refusing) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        await agw.request("a.subscribe")
        await agw.request("b.subscribe")
        with pytest.raises(gnb.GatewayClosedError):
            await agw.request("drop")
        await until(lambda: any("a subscription was not made again" in line for line in agw.log))
        await until(lambda: asked == ["a.subscribe", "b.subscribe"])
        assert any("a.subscribe: not any more [FORBIDDEN]" in line for line in agw.log)


@async_test
async def test_what_was_wrong_with_frames() -> None:
    """The log names missed events, numbers that jump, frames of no use, and why the connection ended."""

    async def odd(socket: ServerConnection) -> None:
        await welcome(socket)
        for number in (1, 4, 2):
            await socket.send(json.dumps({"type": "event", "event": "x", "seq": number}))
        await socket.send("nonsense")
        await socket.close(1012, "going away for a moment")

    lines = [
        "warning: missed 2 events: expected 2, received 4",
        "warning: the events' numbers jump: expected 5, received 2",
        "debug: malformed frame: ",
        "info: gateway closed (1012): going away for a moment",
    ]
    async with (
        socket_server(script(odd, answer_after_welcome)) as url,
        gnb.AsyncGateway(url, device_identity=None) as agw,
    ):
        await until(lambda: agw.status.epoch == 2)
        said = [next((line for line in agw.log if line.startswith(start)), None) for start in lines]
        assert None not in said, agw.log
        counters = agw.status.counters
        assert (counters.gaps, counters.missed, counters.jumps, counters.malformed) == (1, 2, 1, 1)


async def answer_after_welcome(socket: ServerConnection) -> None:
    await welcome(socket)
    await answer_all(socket)


def test_a_log_that_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """When events can't be kept, because of a bug, that is logged, and the connection is made anew."""
    keep, failed = EventLog.extend, list[bool]()

    def fails_once(log: EventLog, events: list[gnb.Event]) -> None:
        if not failed:
            failed.append(True)
            raise AttributeError("no such thing")
        keep(log, events)

    monkeypatch.setattr("random.Random.uniform", lambda _, low, high: low)  # no pauses
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, device_identity=None) as gw:
        monkeypatch.setattr(EventLog, "extend", fails_once)
        local.emit("lost")
        support.until(lambda: gw.status.counters.reconnects == 1)
        local.emit("kept")
        support.until(lambda: len(gw.events.where("kept")) == 1)
    assert "receiving failed" in caplog.text
    assert "no such thing" in caplog.text


@async_test
async def test_what_is_left_of_requests() -> None:
    """Of requests that were answered, refused by their deadline or cancelled nothing is kept."""

    async def half(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            if json.loads(data)["method"] == "answered":
                await answer_one(socket, data)

    def futures() -> int:
        gc.collect()
        return sum(isinstance(thing, asyncio.Future) for thing in gc.get_objects())

    async with socket_server(half) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        await agw.request("answered")
        before = futures()
        for _ in range(50):
            await agw.request("answered", {"x": 1})
            with pytest.raises(gnb.GatewayTimeoutError):
                await agw.request("silent", timeout=0.001)
            task = asyncio.create_task(agw.request("silent", expect_final=True))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        del task
        assert futures() < before + 20
        counters = agw.status.counters
        assert (counters.in_flight, counters.queued) == (0, 0)


@async_test
async def test_requests_at_the_end() -> None:
    """Closing fails the requests that have no answer yet, in the seed's words."""
    got = asyncio.Event()

    async def silent(socket: ServerConnection) -> None:
        await welcome(socket)
        async for _ in socket:
            got.set()

    async with socket_server(silent) as url:
        agw = gnb.AsyncGateway(url, device_identity=None)
        await agw.connect()
        request = asyncio.create_task(agw.request("health", timeout=None))
        await got.wait()
        await agw.close()
        with pytest.raises(gnb.GatewayClosedError, match="health: gateway client stopped"):
            await request
