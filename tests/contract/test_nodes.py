"""Nodes: their approval, what they publish, and what they are asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.identity.device import DeviceIdentity
from tests.helpers.nodes import COMMAND, approve, node, offering, owner, text, tool
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test, comes_true

PENDING = {"requestId", "nodeId", "clientId", "clientMode", "displayName", "platform", "version", "commands", "ts"}
ROW = {"nodeId", "displayName", "platform", "version", "clientId", "clientMode", "caps", "commands", "approvalState"}
ROW |= {"paired", "connected", "approvedAtMs", "lastSeenAtMs"}


async def row(admin: gnb.AsyncGateway, identity: DeviceIdentity) -> dict[str, Any]:
    rows = (await admin.request("node.list"))["nodes"]
    (listed,) = [row for row in rows if row["nodeId"] == identity.device_id]
    return dict(listed)


async def left(admin: gnb.AsyncGateway, identity: DeviceIdentity) -> None:
    """Wait until the gateway knows that a node has gone."""

    async def gone() -> bool:
        return not (await row(admin, identity))["connected"]

    await comes_true(gone)


@async_test
async def test_a_new_node_is_approved(gateway: AnyGateway) -> None:
    """A new key connects, waits for approval, and what it published meanwhile is callable once it has it."""
    identity = DeviceIdentity.generate()
    async with owner(gateway) as admin:
        requested = asyncio.create_task(
            admin.wait_for("node.pair.requested", lambda event: event.payload["nodeId"] == identity.device_id)
        )
        await asyncio.sleep(0)
        async with node(gateway, identity) as client:
            asked = (await requested).payload
            assert set(asked) >= PENDING
            assert (asked["commands"], asked["displayName"]) == ([COMMAND], "my node")
            assert asked["requiredApproveScopes"] == ["operator.pairing", "operator.write"]
            pending = (await admin.request("node.pair.list"))["pending"]
            assert asked in pending
            waiting = await row(admin, identity)
            assert set(waiting) >= ROW
            assert (waiting["approvalState"], waiting["commands"]) == ("pending-approval", [])
            assert waiting["pendingRequestId"] == asked["requestId"]
            assert waiting["pendingDeclaredCommands"] == [COMMAND]
            published = await client.request("node.pluginTools.update", {"tools": [tool("sales")]})
            assert published == {"nodeId": identity.device_id, "tools": []}

            resolved = [
                asyncio.create_task(side.wait_for("node.pair.resolved", timeout=10)) for side in (admin, client)
            ]
            await asyncio.sleep(0)
            approved = await approve(admin, identity)
            assert (approved["requestId"], approved["node"]["commands"]) == (asked["requestId"], [COMMAND])
            for event in await asyncio.gather(*resolved):
                assert event.payload["decision"] == "approved"
                assert event.payload["nodeId"] == identity.device_id
            ready = await row(admin, identity)
            described = await admin.request("node.describe", {"nodeId": identity.device_id})
            assert {name: described[name] for name in ready} == ready
            assert (ready["approvalState"], ready["commands"]) == ("approved", [COMMAND])
            assert ready["nodePluginTools"] == [tool("sales")]
            assert asked not in (await admin.request("node.pair.list"))["pending"]
        await left(admin, identity)
        away = await row(admin, identity)
        assert (away["approvalState"], "nodePluginTools" in away) == ("approved", False)
        async with node(gateway, identity):
            assert (await row(admin, identity))["approvalState"] == "approved"
        await admin.request("node.pair.remove", {"nodeId": identity.device_id})


@async_test
async def test_a_node_is_rejected(gateway: AnyGateway) -> None:
    """A rejected node stays connected and may do nothing; it asks again when it connects again."""
    identity = DeviceIdentity.generate()
    async with owner(gateway) as admin:
        async with node(gateway, identity):
            first = (await row(admin, identity))["pendingRequestId"]
            answer = await admin.request("node.pair.reject", {"requestId": first})
            assert answer == {"requestId": first, "nodeId": identity.device_id}
            rejected = await row(admin, identity)
            assert (rejected["approvalState"], "pendingRequestId" in rejected) == ("unapproved", False)
        async with node(gateway, identity):
            again = await row(admin, identity)
            assert (again["approvalState"], again["pendingRequestId"] != first) == ("pending-approval", True)
        await admin.request("node.pair.remove", {"nodeId": identity.device_id})


@async_test
async def test_a_node_is_removed(gateway: AnyGateway) -> None:
    """A removed node's connection is closed with 4001, and nothing of it is left."""
    identity = DeviceIdentity.generate()
    closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
    async with owner(gateway) as admin:

        def on_close(code: int, reason: str) -> None:
            if not closed.done():
                closed.set_result((code, reason))

        client = node(gateway, identity, on_close=on_close)
        await client.connect()
        assert await admin.request("node.pair.remove", {"nodeId": identity.device_id}) == {"nodeId": identity.device_id}
        assert await asyncio.wait_for(closed, 10) == (4001, "device removed")
        await client.close()
        with pytest.raises(gnb.GatewayRequestError, match="unknown nodeId"):
            await admin.request("node.describe", {"nodeId": identity.device_id})
        pairs = await admin.request("node.pair.list")
        nodes = (await admin.request("node.list"))["nodes"]
        assert identity.device_id not in {entry["nodeId"] for entry in [*pairs["pending"], *pairs["paired"], *nodes]}


@async_test
async def test_roles(gateway: AnyGateway) -> None:
    """A node may call node methods only, an operator none of them, and a paired operator's key is no node's."""
    identity, paired = DeviceIdentity.generate(), DeviceIdentity.generate()
    async with owner(gateway) as admin, node(gateway, identity) as client:
        assert client.status.scopes == ()
        for side, method, role in (
            (client, "node.list", "node"),
            (client, "sessions.list", "node"),
            (admin, "node.pluginTools.update", "operator"),
        ):
            with pytest.raises(gnb.GatewayRequestError, match=f"unauthorized role: {role}"):
                await side.request(method, {"tools": []} if role == "operator" else {})
        assert (await client.request("health"))["ok"] is True
        async with gnb.AsyncGateway(
            gateway.url, token=gateway.token, client_name="cli", mode="cli", device_identity=paired
        ):
            pass
        with pytest.raises(gnb.PairingRequiredError) as caught:
            await node(gateway, paired).connect()
        assert caught.value.reason == "role-upgrade"
        await admin.request("node.pair.remove", {"nodeId": identity.device_id})


PUBLISHED: list[tuple[list[dict[str, Any]], list[str]]] = [
    ([tool("b"), tool("a")], ["a", "b"]),
    ([], []),
    ([tool("other", command="other.command")], []),
    ([{name: value for name, value in tool("bare").items() if name != "mcp"}], []),
    ([tool(f"t{number:03}") for number in range(200)], [f"t{number:03}" for number in range(128)]),
]


@async_test
async def test_what_is_published(gateway: AnyGateway) -> None:
    """The gateway answers with the tools it accepted: sorted, no more than 128, and silently without the unusable."""
    identity = DeviceIdentity.generate()
    async with owner(gateway) as admin, node(gateway, identity) as client:
        await approve(admin, identity)
        for tools, names in PUBLISHED:
            accepted = (await client.request("node.pluginTools.update", {"tools": tools}))["tools"]
            assert [each["name"] for each in accepted] == names
        twice = [tool("same", "first"), tool("same", "second"), tool("long", "y" * 2000)]
        accepted = (await client.request("node.pluginTools.update", {"tools": twice}))["tools"]
        assert {each["name"]: each["description"] for each in accepted} == {"long": "y" * 1024, "same": "first"}
        for wrong, words in ((tool("1st"), "at /tools/0/name: must match pattern"), ({}, "must have required")):
            with pytest.raises(gnb.GatewayRequestError, match=words):
                await client.request("node.pluginTools.update", {"tools": [wrong]})
        await admin.request("node.pair.remove", {"nodeId": identity.device_id})


@async_test
async def test_two_connections_with_one_key(gateway: AnyGateway) -> None:
    """Of two nodes with one key the newer counts: the older stays open, and can publish nothing."""
    identity = DeviceIdentity.generate()
    async with owner(gateway) as admin, node(gateway, identity) as older:
        await approve(admin, identity)
        await older.request("node.pluginTools.update", {"tools": [tool("old")]})
        async with node(gateway, identity) as newer:
            with pytest.raises(gnb.GatewayRequestError, match="node pairing changed before request dispatch") as caught:
                await older.request("node.pluginTools.update", {"tools": [tool("old")]}, timeout=0.2)
            assert (caught.value.code, caught.value.retryable) == ("UNAVAILABLE", True)
            assert (await row(admin, identity))["nodePluginTools"] == []
            await newer.request("node.pluginTools.update", {"tools": [tool("new")]})
        await left(admin, identity)
        assert older.status.state == "connected"
        await admin.request("node.pair.remove", {"nodeId": identity.device_id})


@async_test
async def test_invoking_a_node(gateway: AnyGateway) -> None:
    """node.invoke asks the node and gives its answer, its error, or a timeout that is announced to the node."""
    answers: dict[str, Any] = {
        "good": text("fine"),
        "bad": {"ok": False, "error": {"code": "MINE", "message": "no such month"}},
        "slow": None,
    }
    async with owner(gateway) as admin, offering(gateway, admin, lambda r: answers[r["idempotencyKey"]]) as received:
        (node_id,) = [each["nodeId"] for each in (await admin.request("node.list"))["nodes"] if each["connected"]]
        ask = {"nodeId": node_id, "command": COMMAND, "params": {"a": 1}}
        answer = await admin.request("node.invoke", {**ask, "idempotencyKey": "good"})
        assert (answer["ok"], answer["nodeId"], answer["command"]) == (True, node_id, COMMAND)
        assert answer["payload"] == {"content": [{"type": "text", "text": "fine"}]}
        (request,) = received
        assert (request["command"], request["paramsJSON"], request["timeoutMs"]) == (COMMAND, '{"a":1}', 30_000)
        assert (request["seq"], "sessionKey" in request) == (None, False)
        with pytest.raises(gnb.GatewayRequestError, match="MINE: no such month") as caught:
            await admin.request("node.invoke", {**ask, "idempotencyKey": "bad"})
        assert caught.value.details["nodeError"] == {"code": "MINE", "message": "no such month"}
        with pytest.raises(gnb.GatewayRequestError, match="TIMEOUT: node invoke timed out"):
            await admin.request("node.invoke", {**ask, "idempotencyKey": "slow", "timeoutMs": 300})
        await received.until(4)
        assert (received[-1]["event"], received[-1]["invokeId"]) == ("node.invoke.cancel", received[-2]["id"])
        with pytest.raises(gnb.GatewayRequestError, match="not in the allowlist") as caught:
            await admin.request("node.invoke", {**ask, "command": "other", "idempotencyKey": "x"})
        assert caught.value.details["reason"] == "command not allowlisted"
        with pytest.raises(gnb.GatewayRequestError, match="node pairing changed while invocation was active"):
            await admin.request("node.invoke", {**ask, "nodeId": "nobody", "idempotencyKey": "x"}, timeout=0.2)


@async_test
async def test_answers_that_nobody_waits_for(gateway: AnyGateway) -> None:
    """A late or unknown result and any progress are acknowledged as ignored; another node's are refused."""
    identity = DeviceIdentity.generate()
    async with owner(gateway) as admin, node(gateway, identity) as client:
        await approve(admin, identity)
        about = {"nodeId": identity.device_id}
        late = await client.request("node.invoke.result", {"id": "nothing", **about, "ok": True})
        progress = {"invokeId": "nothing", **about, "seq": 0, "chunk": "half"}
        assert late == await client.request("node.invoke.progress", progress) == {"ok": True, "ignored": True}
        with pytest.raises(gnb.GatewayRequestError, match="nodeId mismatch"):
            await client.request("node.invoke.result", {"id": "nothing", "nodeId": "another", "ok": True})
        await admin.request("node.pair.remove", {"nodeId": identity.device_id})
