"""A call of a tool: a decorated function that does nothing, beside a bare scripted answer to the same request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import warnings
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

import gateway_nb as gnb
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.protocol.auth import Secret
from gateway_nb.protocol.handshake import Challenge, ClientInfo, Signer, connect_params
from tests.bench.common import TOKEN, gateway_process, p50
from tests.helpers.nodes import COMMAND, approve, tool

ROUNDS = 5
CALLS = 300
TOOLS = 100
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(1_000_000)


@contextlib.asynccontextmanager
async def _bare_node(url: str, admin: gnb.AsyncGateway, name: str) -> AsyncIterator[None]:
    """Answer calls of a tool with a ready-made text, and decode no more than the call's id: the floor."""
    identity = DeviceIdentity.generate()
    async with connect(url, compression=None, ping_interval=None) as socket:
        challenge = json.loads(await socket.recv())["payload"]
        params = connect_params(
            ClientInfo(id="node-host", mode="node", role="node", commands=(COMMAND,)),
            scopes=(),
            auth={"token": Secret(TOKEN)},
            signed_token=Secret(TOKEN),
            challenge=Challenge(challenge["nonce"], challenge.get("ts")),
            now_ms=int(time.time() * 1000),
            signer=Signer(identity.device_id, identity.public_key, identity.sign),
        )
        await socket.send(json.dumps({"type": "req", "id": "c", "method": "connect", "params": params}))
        assert json.loads(await socket.recv())["ok"]
        await approve(admin, identity)
        update = {"tools": [tool(name)]}
        await socket.send(json.dumps({"type": "req", "id": "u", "method": "node.pluginTools.update", "params": update}))
        answering = asyncio.create_task(_answer(socket, identity.device_id))
        try:
            yield
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering


async def _answer(socket: ClientConnection, node_id: str) -> None:
    payload = json.dumps(json.dumps({"content": [{"type": "text", "text": "None"}]}))
    async for message in socket:
        frame = json.loads(message)
        if frame.get("event") == "node.invoke.request":
            result = f'"id":"{frame["payload"]["id"]}","nodeId":"{node_id}","ok":true,"payloadJSON":{payload}'
            await socket.send(f'{{"type":"req","id":"r","method":"node.invoke.result","params":{{{result}}}}}')


async def _calls(admin: gnb.AsyncGateway, name: str, count: int = CALLS) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        answer = await admin.request("tools.invoke", {"name": name, "args": {}})
        times.append(time.perf_counter() - began)
        assert answer["ok"], answer
    return times


async def _bare(url: str) -> float:
    async with gnb.AsyncGateway(url, token=TOKEN, device_identity=None) as admin, _bare_node(url, admin, "bare"):
        return min([p50(await _calls(admin, "bare")) for _ in range(ROUNDS)])


async def _ours(url: str) -> dict[str, float]:
    async with gnb.AsyncGateway(url, token=TOKEN, device_identity=None) as agw:

        @agw.tool
        def nothing() -> None:
            """Do nothing."""

        @agw.tool
        async def at_once() -> None:
            """Do nothing, on the loop."""

        @agw.tool
        def picture() -> bytes:
            """Return a megabyte."""
            return IMAGE

        await agw.tools.publish()
        await agw.tools.approve()
        figures = {name: min([p50(await _calls(agw, name)) for _ in range(ROUNDS)]) for name in ("nothing", "at_once")}
        return {**figures, "picture": p50(await _calls(agw, "picture", 10))}


def _published(url: str) -> float:
    """Return the seconds in which a hundred decorated functions are published, one after another."""
    with gnb.connect(url, token=TOKEN, device_identity=None) as gw, warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def nothing() -> None:
            """Do nothing."""

        gw.tool(nothing)
        gw.tools.approve()
        began = time.perf_counter()
        for number in range(TOOLS):
            gw.tool(name=f"tool_{number}")(nothing)
        return time.perf_counter() - began


def measure() -> dict[str, Any]:
    """Return medians in microseconds (best round each), what a function adds to the floor, and seconds to publish."""
    with gateway_process() as url:
        before = asyncio.run(_bare(url))
        ours = asyncio.run(_ours(url))
        bare = min(before, asyncio.run(_bare(url)))
        published = _published(url)
    return {
        "bare_answer_p50_us": round(bare, 1),
        "function_p50_us": round(ours["nothing"], 1),
        "function_adds_us": round(ours["nothing"] - bare, 1),
        "coroutine_function_p50_us": round(ours["at_once"], 1),
        "one_megabyte_p50_us": round(ours["picture"], 1),
        "hundred_tools_published_s": round(published, 2),
    }
