"""Tools of nodes: called by operators and by agents."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.nodes import arguments, offering, owner, text
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test

PAYLOADS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": (text("a"), {"content": [{"type": "text", "text": "a"}]}),
    "error": (text("bad", isError=True), {"content": [{"type": "text", "text": "bad"}], "status": "error"}),
    "image": (
        {
            "ok": True,
            "payloadJSON": json.dumps({"content": [{"type": "image", "data": "QUJD", "mimeType": "image/png"}]}),
        },
        {"content": [{"type": "image", "data": "QUJD", "mimeType": "image/png"}]},
    ),
    "audio": (
        {"ok": True, "payloadJSON": json.dumps({"content": [{"type": "audio", "mimeType": "audio/ogg"}]})},
        {"content": [{"type": "text", "text": "[audio audio/ogg]"}]},
    ),
    "object": (
        {"ok": True, "payload": {"content": [{"type": "text", "text": "b"}]}},
        {"content": [{"type": "text", "text": "b"}]},
    ),
    "nothing": (
        {"ok": True},
        {"content": [{"type": "text", "text": "MCP tool completed without returning content."}]},
    ),
    "no json": (
        {"ok": True, "payloadJSON": "NaN"},
        {"content": [{"type": "text", "text": "MCP tool completed without returning content."}]},
    ),
}


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


@async_test
async def test_what_an_operator_gets(gateway: AnyGateway) -> None:
    """tools.invoke gives the tool's content, whatever the node sent, and says what failed in an ok frame."""
    answers = {name: sent for name, (sent, _) in PAYLOADS.items()}
    answers["failed"] = {"ok": False, "error": {"code": "MINE", "message": "lost"}}
    async with (
        owner(gateway) as admin,
        offering(gateway, admin, lambda request: answers[arguments(request)["case"]], "sales") as received,
    ):
        for name, (_, expected) in PAYLOADS.items():
            answer = await admin.request("tools.invoke", {"name": "sales", "args": {"case": name}})
            assert (answer["ok"], answer["toolName"], answer["source"]) == (True, "sales", "plugin")
            details = {"mcpServer": "notebook", "mcpTool": "sales"}
            details |= {"status": "error"} if "status" in expected else {}
            assert answer["output"] == {"content": expected["content"], "details": details}
        failed = await admin.request("tools.invoke", {"name": "sales", "args": {"case": "failed"}})
        error = {"code": "internal_error", "message": "tool execution failed"}
        assert failed == {"ok": False, "toolName": "sales", "error": error}
        missing = await admin.request("tools.invoke", {"name": "nothing"})
        assert (missing["ok"], missing["error"]["code"]) == (False, "not_found")

        key, ask = session(), {"name": "sales", "args": {"case": "text"}}
        await admin.request("tools.invoke", {**ask, "sessionKey": key, "idempotencyKey": "mine"})
        named = received[-1]
        assert (named["sessionKey"], named["idempotencyKey"]) == (key, "rpc-delegated-mine")
        assert received[0]["sessionKey"] == "agent:main:main"
        assert 119_000 < named["timeoutMs"] <= 120_000
        with pytest.raises(gnb.GatewayRequestError, match="must have required property 'name'"):
            await admin.request("tools.invoke", {"args": {}})


@async_test
async def test_many_calls(gateway: AnyGateway) -> None:
    """Each of fifty calls, eight at a time, is answered once with its own result."""
    gate = asyncio.Semaphore(8)
    async with owner(gateway) as admin, offering(gateway, admin, lambda r: text(r["paramsJSON"]), "sales") as received:

        async def call(number: int) -> str:
            async with gate:
                answer = await admin.request("tools.invoke", {"name": "sales", "args": {"month": number}})
            shown: str = answer["output"]["content"][0]["text"]
            return shown

        answers = await asyncio.gather(*(call(number) for number in range(50)))
        assert [json.loads(answer)["arguments"]["month"] for answer in answers] == list(range(50))
        assert len({request["id"] for request in received}) == len(received) == 50


@async_test
async def test_what_agents_can_call(gateway: AnyGateway) -> None:
    """A node's tool is in the list of a session's tools with its node's name, and in the catalog it is not."""
    key = session()
    async with owner(gateway) as admin:
        with pytest.raises(gnb.GatewayRequestError, match="unknown session key"):
            await admin.request("tools.effective", {"sessionKey": key})
        await admin.request("sessions.create", {"key": key})
        async with offering(gateway, admin, lambda request: text(""), "sales"):
            effective = await admin.request("tools.effective", {"sessionKey": key})
            (group,) = [group for group in effective["groups"] if group["id"] == "mcp"]
            (offered,) = group["tools"]
            assert (offered["id"], offered["source"], offered["pluginId"]) == ("sales", "mcp", "node-mcp")
            assert offered["description"] == "of one month (node: my node)"
            catalog = await admin.request("tools.catalog")
            ids = {tool["id"] for group in catalog["groups"] for tool in group["tools"]}
            assert "sales" not in ids
        groups = (await admin.request("tools.effective", {"sessionKey": key}))["groups"]
        assert "mcp" not in [group["id"] for group in groups]


@async_test
async def test_one_name_on_two_nodes(gateway: AnyGateway) -> None:
    """Where two nodes publish one name, both tools get a name with their node in it."""
    key = session()
    async with owner(gateway) as admin:
        await admin.request("sessions.create", {"key": key})
        async with (
            offering(gateway, admin, lambda request: text("first"), "sales"),
            offering(gateway, admin, lambda request: text("second"), "sales"),
        ):
            effective = await admin.request("tools.effective", {"sessionKey": key})
            (group,) = [group for group in effective["groups"] if group["id"] == "mcp"]
            names = [offered["id"] for offered in group["tools"]]
            assert all(name.endswith("_sales") and len(name) == 38 for name in names)
            answers = [await admin.request("tools.invoke", {"name": name}) for name in names]
            assert {answer["output"]["content"][0]["text"] for answer in answers} == {"first", "second"}
            assert (await admin.request("tools.invoke", {"name": "sales"}))["error"]["code"] == "not_found"


@async_test
async def test_an_agent_calls_a_tool(gateway: AnyGateway) -> None:
    """A run calls a node's tool: the node hears which call and session, the answer contains the tool's result."""
    key = session()
    async with (
        owner(gateway, caps=["tool-events"]) as admin,
        owner(gateway, caps=[]) as without,
        offering(gateway, admin, lambda request: text("forty-two"), "sales") as received,
    ):
        heard: list[gnb.Event] = []
        without.on("agent", heard.append)
        run = admin.run('tool:sales:{"month": 3}', session=key)
        assert "forty-two" in (await run.result()).text
        (request,) = received
        assert (arguments(request), request["sessionKey"]) == ({"month": 3}, key)
        events = [event.payload for event in run.events if event.event == "agent"]
        tools = [event["data"] for event in events if event["stream"] == "tool" and event["data"]["name"] == "sales"]
        start, result = tools
        assert (start["phase"], start["args"]) == ("start", {"month": 3})
        assert (result["phase"], result["isError"]) == ("result", False)
        assert result["result"]["content"] == [{"type": "text", "text": "forty-two"}]
        assert start["toolCallId"] == result["toolCallId"] == request["idempotencyKey"]
        items = [event["data"] for event in events if event["stream"] == "item" and event["data"]["name"] == "sales"]
        assert [(item["phase"], item["status"]) for item in items] == [("start", "running"), ("end", "completed")]
        assert {item["toolCallId"] for item in items} == {request["idempotencyKey"]}
        streams = {event.payload["stream"] for event in heard if event.payload["runId"] == run.run_id}
        assert "item" in streams
        assert "tool" not in streams


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (text("no such month", isError=True), "no such month"),
        ({"ok": False, "error": {"code": "MINE", "message": "crashed"}}, "crashed"),
    ],
)
@async_test
async def test_a_tool_that_fails(gateway: AnyGateway, sent: dict[str, Any], words: str) -> None:
    """A tool's error reaches the agent as a failed call with its words, and the run goes on."""
    async with (
        owner(gateway, caps=["tool-events"]) as admin,
        offering(gateway, admin, lambda request: sent, "sales"),
    ):
        run = admin.run('tool:sales:{"month": 3}', session=session())
        assert words in (await run.result()).text
        events = [event.payload for event in run.events if event.event == "agent"]
        (result,) = [
            event["data"]
            for event in events
            if event["stream"] == "tool" and event["data"]["phase"] == "result" and event["data"]["name"] == "sales"
        ]
        assert result["isError"] is True
        assert words in result["result"]["content"][0]["text"]


@async_test
async def test_aborting_a_run_cancels_its_call(gateway: AnyGateway) -> None:
    """When a run is aborted, the node that it waits for is told."""
    async with owner(gateway) as admin, offering(gateway, admin, lambda request: None, "sales") as received:
        run = admin.run('tool:sales:{"month": 3}', session=session())
        result = asyncio.ensure_future(run.result())
        await received.until(1)
        await run.abort()
        with pytest.raises(gnb.RunAbortedError):
            await result
        await received.until(2)
        assert (received[1]["event"], received[1]["invokeId"]) == ("node.invoke.cancel", received[0]["id"])


def test_a_tool_that_is_not_there(gateway: AnyGateway) -> None:
    """An agent that calls an unknown tool gets an error for it, and the run ends."""
    with gnb.connect(gateway.url, token=gateway.token, caps=["tool-events"]) as gw:
        run = gw.run("tool:no_such_tool:{}", session=session())
        assert "no_such_tool" in run.result(60).text
