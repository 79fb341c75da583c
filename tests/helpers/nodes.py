"""Nodes for tests: clients that publish tools and answer calls of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import gateway_nb as gnb
from gateway_nb.identity.device import DeviceIdentity
from tests.helpers.real import AnyGateway

COMMAND = "mcp.tools.call.v1"
OWNER = ["operator.admin", "operator.approvals", "operator.pairing", "operator.questions"]
Answer = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Returns the rest of ``node.invoke.result``, given the request; ``None``: no answer."""


def tool(name: str, description: str = "of one month", **changes: Any) -> dict[str, Any]:
    """Return a tool to publish."""
    month = {"type": "object", "properties": {"month": {"type": "integer"}}}
    about = {"pluginId": "node-mcp", "name": name, "description": description, "parameters": month}
    return {**about, "command": COMMAND, "mcp": {"server": "notebook", "tool": name}, **changes}


def text(answer: str, **more: Any) -> dict[str, Any]:
    """Return a result that is a text."""
    return {"ok": True, "payloadJSON": json.dumps({"content": [{"type": "text", "text": answer}], **more})}


def arguments(request: dict[str, Any]) -> Any:
    """Return what a tool was called with."""
    return json.loads(request["paramsJSON"])["arguments"]


def owner(gateway: AnyGateway, **options: Any) -> gnb.AsyncGateway:
    """Return a connection that may do everything."""
    return gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=OWNER, **options)


def node(gateway: AnyGateway, identity: DeviceIdentity, **options: Any) -> gnb.AsyncGateway:
    """Return a node's connection."""
    about: dict[str, Any] = {"role": "node", "scopes": [], "client_name": "node-host", "mode": "node"}
    about |= {"client_display_name": "my node", "commands": [COMMAND], "device_identity": identity, **options}
    return gnb.AsyncGateway(gateway.url, token=gateway.token, **about)


async def approve(admin: gnb.AsyncGateway, identity: DeviceIdentity) -> dict[str, Any]:
    """Approve what a node waits for; return the answer."""
    (request,) = [
        request
        for request in (await admin.request("node.pair.list"))["pending"]
        if request["nodeId"] == identity.device_id
    ]
    approved: dict[str, Any] = await admin.request("node.pair.approve", {"requestId": request["requestId"]})
    return approved


class Received(list[dict[str, Any]]):
    """The requests and cancels that a node has received."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def add(self, event: gnb.Event) -> None:
        self.append({"event": event.event, "seq": event.seq, **event.payload})
        self._more.set()

    async def until(self, count: int) -> None:
        """Wait until there are so many."""
        while len(self) < count:
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), 10)


@contextlib.asynccontextmanager
async def offering(
    gateway: AnyGateway, admin: gnb.AsyncGateway, answer: Answer, *names: str
) -> AsyncIterator[Received]:
    """Offer tools from an approved node, and answer calls of them; yields what the node receives."""
    identity, received = DeviceIdentity.generate(), Received()

    async def serve(client: gnb.AsyncGateway) -> None:
        async for event in client.stream("node.invoke.*"):
            received.add(event)
            if event.event == "node.invoke.request" and (result := answer(event.payload)) is not None:
                about = {"id": event.payload["id"], "nodeId": event.payload["nodeId"]}
                await client.request("node.invoke.result", {**about, **result})

    async with node(gateway, identity) as client:
        await approve(admin, identity)
        serving = asyncio.create_task(serve(client))
        await asyncio.sleep(0)
        await client.request("node.pluginTools.update", {"tools": [tool(name) for name in names]})
        try:
            yield received
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
    await admin.request("node.pair.remove", {"nodeId": identity.device_id})
