"""The embedded gateway's methods as a careless or hostile client calls them: an answer each, and it lives on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.identity.device import DeviceIdentity
from tests.helpers.nodes import approve, node, owner, tool
from tests.helpers.raw import answer_to, signed_in
from tests.helpers.support import async_test

NAMES = re.findall(
    r"\w+",
    """
    key sessionKey sessionId label agentId model permissionMode archived expectedSessionId limit offset search
    cursor maxChars messageId query sessionKeys startDate endDate days range mode timeZone utcOffset agentScope
    groupBy kind status after before id jobId scope statuses name schedule sessionTarget wakeMode payload
    decision command commandArgv timeoutMs twoPhase unavailableDecisions title description questions answers
    cancel requestId nodeId params idempotencyKey tools invokeId seq chunk ok payloadJSON error args message
    runId enabled phase includeApprovals severity toolName delivery
    """,
)
WORDS = (
    "",
    "x",
    "main",
    "agent:main:main",
    "exec",
    "agentTurn",
    "deny",
    "specific",
    "utc",
    "UTC+99",
    "2026-01-01",
    "all",
)
WORDS += (
    "9999-12-31",
    "9" * 5000,
    "W1tb" * 999,
    "node-mcp",
    "mcp.tools.call.v1",
    "\u0000",
    "\ud7ff\u202e",
    "\U0001f600",
)
OTHERS = (None, True, False, 0, 1, -1, 2.5, 10**9, 10**15, 1e300, [], {}, [[]], {"a": 1})
_REQUIRED, _UNEXPECTED = (
    re.compile(r"(?<=required property ')\w+|^\w+(?= is required)"),
    re.compile(r"unexpected property '(\w+)'"),
)


class Shapes:
    """What refusals tell of each method's params: names that are required, and names that it does not have."""

    def __init__(self) -> None:
        self._required: defaultdict[str, set[str]] = defaultdict(set)
        self._unexpected: defaultdict[str, set[str]] = defaultdict(set)

    def learn(self, method: str, message: str) -> None:
        self._required[method] |= set(_REQUIRED.findall(message))
        self._unexpected[method] |= set(_UNEXPECTED.findall(message))

    def params(self, method: str, rng: random.Random) -> Any:
        if rng.random() < 0.05:
            return value(rng)
        some = {rng.choice(NAMES) for _ in range(rng.randrange(6))} | self._required[method]
        return {name: value(rng) for name in sorted(some - self._unexpected[method])}


@pytest.fixture
def _no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail if a task of the gateway ended with an error that nobody took."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def value(rng: random.Random, depth: int = 0) -> Any:
    """Return any JSON value, more often a likely one."""
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(WORDS)
    if kind < 0.8 or depth > 2:
        return rng.choice(OTHERS)
    if kind < 0.9:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(NAMES): value(rng, depth + 1) for _ in range(rng.randrange(4))}


@pytest.mark.usefixtures("_no_errors")
@pytest.mark.parametrize("seed", range(5))
@async_test
async def test_odd_params(seed: int) -> None:
    """Whatever a client passes, the connection lives on and no task of the gateway fails."""
    rng, shapes = random.Random(seed), Shapes()
    with gnb.LocalGateway() as local:
        names = sorted(local.methods.names | {"sessions.usage", "sessions.get", "sessions.resolve"})
        socket = await signed_in(local.url, local.token)
        for turn in range(60):
            asked = {f"{turn} {number}": rng.choice(names) for number in range(50)}
            for request_id, name in asked.items():
                request = {"type": "req", "id": request_id, "method": name, "params": shapes.params(name, rng)}
                await socket.send(json.dumps(request))
            await socket.send(json.dumps({"type": "req", "id": f"{turn}", "method": "health"}))
            async with asyncio.timeout(30):
                while (answer := await answer_to(socket, None))["id"] != f"{turn}":
                    if not answer["ok"]:
                        shapes.learn(asked.get(answer["id"], ""), answer["error"]["message"])
        await socket.close()


@pytest.mark.usefixtures("_no_errors")
@pytest.mark.parametrize("seed", range(3))
@async_test
async def test_odd_params_of_a_node(seed: int) -> None:
    """Whatever a node passes, its connection lives on."""
    rng, identity = random.Random(seed), DeviceIdentity.generate()
    with gnb.LocalGateway() as local:
        async with owner(local) as admin, node(local, identity) as client:
            await approve(admin, identity)
            for _ in range(300):
                name = rng.choice(("node.pluginTools.update", "node.invoke.result", "node.invoke.progress"))
                odd = {rng.choice(NAMES): value(rng) for _ in range(rng.randrange(4))}
                full = {"tools": [{**tool("x"), **odd}], "nodeId": identity.device_id, "id": "x", "ok": True, **odd}
                wanted = ("tools",) if name == "node.pluginTools.update" else ("id", "nodeId", "ok", "payload", "error")
                with contextlib.suppress(gnb.GatewayRequestError):
                    await client.request(name, {each: full[each] for each in wanted if each in full})
            await client.request("node.pluginTools.update", {"tools": [tool("x")]})


ANSWERS: list[dict[str, Any]] = [
    {"ok": True, "payloadJSON": "[" * 100_000},
    {"ok": True, "payloadJSON": '{"content": [{"type": "text", "text": 1}, 2, null, {"type": {}}]}'},
    {"ok": True, "payloadJSON": '{"content": [{"type": "image", "data": 1}], "structuredContent": [1]}'},
    {"ok": True, "payloadJSON": '"\\ud800"'},
    {"ok": False},
    {"ok": False, "error": {}},
    {"ok": False, "error": {"code": "\x1b[31m", "message": "<script>"}},
]


@pytest.mark.usefixtures("_no_errors")
@pytest.mark.parametrize("number", range(len(ANSWERS)))
@async_test
async def test_odd_answers_of_a_node(number: int) -> None:
    """Whatever a node answers, who asked and the agent's run get an answer."""
    identity = DeviceIdentity.generate()

    async def serve(client: gnb.AsyncGateway) -> None:
        async for event in client.stream("node.invoke.request"):
            about = {"id": event.payload["id"], "nodeId": identity.device_id}
            await client.request("node.invoke.result", {**about, **ANSWERS[number]})

    with gnb.LocalGateway() as local:
        async with owner(local) as admin, node(local, identity) as client:
            await approve(admin, identity)
            await client.request("node.pluginTools.update", {"tools": [tool("sales")]})
            serving = asyncio.create_task(serve(client))
            answer = await admin.request("tools.invoke", {"name": "sales"}, timeout=10)
            assert answer["ok"] is ANSWERS[number]["ok"]
            assert (await admin.run("tool:sales", session="agent:main:odd").result()).text
            serving.cancel()
            await asyncio.wait([serving])
