"""Approvals: who is asked, who hears what was decided, and what is kept."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.nodes import owner
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test, comes_true

EXEC = {
    "command": "echo hi",
    "commandArgv": ["echo", "hi"],
    "cwd": "/tmp",
    "host": "gateway",
    "security": "allowlist",
    "ask": "always",
    "agentId": "main",
    "timeoutMs": 20_000,
    "twoPhase": True,
}
PLUGIN = {"title": "Post it?", "description": "to everybody", "severity": "warning", "pluginId": "demo"}
PLUGIN |= {"toolName": "post", "agentId": "main", "timeoutMs": 20_000, "twoPhase": True}
ASKED = {"exec": EXEC, "plugin": PLUGIN}
SHOWN = {"id", "status", "presentation", "urlPath", "createdAtMs", "expiresAtMs"}
ENDED = SHOWN | {"resolvedAtMs", "reason", "source", "resolver"}


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


@contextlib.asynccontextmanager
async def pending(
    asking: gnb.AsyncGateway, deciding: gnb.AsyncGateway, kind: str, **changes: Any
) -> AsyncIterator[tuple[dict[str, Any], asyncio.Task[Any]]]:
    """Yield an approval that waits, as its event tells it, and the asker's answer to come."""
    key = changes.pop("sessionKey", None) or session()
    requested = asyncio.create_task(
        deciding.wait_for(f"{kind}.approval.requested", lambda e: e.payload["request"]["sessionKey"] == key)
    )
    await asyncio.sleep(0)
    params = {**ASKED[kind], "sessionKey": key, **changes}
    asked = asyncio.create_task(asking.request(f"{kind}.approval.request", params, expect_final=True))
    yield (await requested).payload, asked
    await asked


@pytest.mark.parametrize("kind", ASKED)
@async_test
async def test_a_decision(gateway: AnyGateway, kind: str) -> None:
    """What waits is listed with its times and what is asked; its decision reaches the asker and those who decide."""
    async with (
        owner(gateway) as asking,
        owner(gateway, caps=["approvals"]) as deciding,
        pending(asking, deciding, kind) as (event, asked),
    ):
        assert (event["approvalKind"], event["expiresAtMs"] - event["createdAtMs"]) == (kind, 20_000)
        assert {"sessionKey", "agentId", "runId", "toolCallId"} <= set(event["request"])
        shown = {name: event["request"][name] for name in ("command", "title") if name in event["request"]}
        assert shown == ({"command": "echo hi"} if kind == "exec" else {"title": "Post it?"})
        assert event in await asking.request(f"{kind}.approval.list")
        got = (await asking.request("approval.get", {"id": event["id"]}))["approval"]
        assert set(got) >= SHOWN
        assert (got["status"], got["presentation"]["kind"]) == ("pending", kind)
        assert {"allow-once", "deny"} <= set(got["presentation"]["allowedDecisions"])

        resolved = asyncio.create_task(
            deciding.wait_for(f"{kind}.approval.resolved", lambda e: e.payload["id"] == event["id"])
        )
        await asyncio.sleep(0)
        decision = {"id": event["id"], "decision": "allow-once"}
        assert await deciding.request(f"{kind}.approval.resolve", decision) == {"ok": True}
        outcome = (await resolved).payload
        assert (outcome["decision"], outcome["resolvedBy"], outcome["request"]) == (
            "allow-once",
            "gateway_nb",
            event["request"],
        )
        final = await asked
        assert (final["id"], final["decision"]) == (event["id"], "allow-once")
        assert event["id"] not in [each["id"] for each in await asking.request(f"{kind}.approval.list")]

        assert await asking.request(f"{kind}.approval.resolve", decision) == {"ok": True}
        with pytest.raises(gnb.GatewayRequestError, match="approval already resolved") as caught:
            await asking.request(f"{kind}.approval.resolve", {**decision, "decision": "deny"})
        assert caught.value.details["reason"] == "APPROVAL_ALREADY_RESOLVED"
        who = (await asking.request("approval.get", {"id": event["id"]}))["approval"]
        assert set(who) >= ENDED
        assert (who["status"], who["decision"], who["reason"]) == ("allowed", "allow-once", "user")
        assert who["resolver"] == {"kind": "runtime", "id": "gateway_nb"}


@async_test
async def test_deciding_by_id_alone(gateway: AnyGateway) -> None:
    """approval.resolve decides what waits, and otherwise gives who decided what; an unoffered decision denies."""
    async with owner(gateway) as asking, owner(gateway, caps=["approvals"]) as deciding:
        async with pending(asking, deciding, "exec") as (event, asked):
            ask = {"id": event["id"], "kind": "exec"}
            first = await deciding.request("approval.resolve", {**ask, "decision": "deny"})
            assert (first["applied"], first["approval"]["status"]) == (True, "denied")
            assert first["approval"]["resolver"]["kind"] == "device"
            again = await deciding.request("approval.resolve", {**ask, "decision": "allow-once"})
            assert (again["applied"], again["approval"]) == (False, first["approval"])
            assert (await asked)["decision"] == "deny"
        async with pending(asking, deciding, "exec") as (event, asked):
            always = {"id": event["id"], "decision": "allow-always"}
            assert event["request"]["allowedDecisions"] == ["allow-once", "deny"]
            with pytest.raises(gnb.GatewayRequestError, match="allow-always is unavailable"):
                await deciding.request("exec.approval.resolve", always)
            forced = await deciding.request("approval.resolve", {**always, "kind": "exec"})
            assert (forced["applied"], forced["approval"]["status"]) == (True, "denied")
        async with pending(asking, deciding, "exec", ask="on-miss") as (event, asked):
            assert "allow-always" in event["request"]["allowedDecisions"]
            await deciding.request("exec.approval.resolve", {"id": event["id"], "decision": "allow-always"})
            assert (await asked)["decision"] == "allow-always"


@pytest.mark.parametrize("kind", ASKED)
@async_test
async def test_nobody_to_ask(gateway: AnyGateway, kind: str) -> None:
    """Where no other client decides, the asker gets no decision within 0.2 s, and the reason is kept."""
    async with owner(gateway, caps=["approvals"]) as asking:
        began = time.monotonic()
        final = await asking.request(f"{kind}.approval.request", ASKED[kind], expect_final=True)
        assert time.monotonic() - began < 0.2
        assert final["decision"] is None
        kept = (await asking.request("approval.get", {"id": final["id"]}))["approval"]
        assert (kept["status"], kept["reason"], kept["decision"]) == ("denied", "no-route", "deny")
        assert kept["resolver"] == {"kind": "system", "id": "no-approval-route"}
        with pytest.raises(gnb.GatewayRequestError, match="approval already resolved"):
            await asking.request(f"{kind}.approval.resolve", {"id": final["id"], "decision": "deny"})


@pytest.mark.parametrize(("caps", "kinds"), [(["approvals"], {"exec", "plugin"}), (["exec-approvals"], {"exec"})])
@async_test
async def test_who_decides(gateway: AnyGateway, caps: list[str], kinds: set[str]) -> None:
    """The cap approvals is for both kinds, exec-approvals for commands only."""
    async with owner(gateway) as asking, owner(gateway, caps=caps) as deciding:
        for kind in ASKED:
            params = {**ASKED[kind], "timeoutMs": 300}
            final = await asking.request(f"{kind}.approval.request", params, expect_final=True)
            kept = (await deciding.request("approval.get", {"id": final["id"]}))["approval"]
            assert kept["reason"] == ("timeout" if kind in kinds else "no-route")


@async_test
async def test_time_over(gateway: AnyGateway) -> None:
    """What nobody decides in time is over: no decision for the asker, deny by nobody for those who could."""
    async with owner(gateway) as asking, owner(gateway, caps=["approvals"]) as deciding:
        resolved = asyncio.create_task(deciding.wait_for("exec.approval.resolved", timeout=10))
        async with pending(asking, deciding, "exec", timeoutMs=300) as (event, asked):
            assert (await asked)["decision"] is None
        outcome = (await resolved).payload
        assert (outcome["id"], outcome["decision"], outcome["resolvedBy"]) == (event["id"], "deny", None)
        kept = (await asking.request("approval.get", {"id": event["id"]}))["approval"]
        assert (kept["status"], kept["reason"], "decision" in kept) == ("expired", "timeout", False)
        waited = await asking.request("exec.approval.waitDecision", {"id": event["id"]})
        assert (waited["decision"], waited["terminalReason"]) == (None, "timeout")


WRONG: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("exec.approval.resolve", {"id": "none", "decision": "perhaps"}, "invalid decision", None),
    ("plugin.approval.resolve", {"id": "none", "decision": "deny"}, "unknown or expired", "APPROVAL_NOT_FOUND"),
    ("approval.get", {"id": "none"}, "approval not found", "APPROVAL_NOT_FOUND"),
    ("approval.resolve", {"id": "none", "kind": "exec", "decision": "deny"}, "not found", "APPROVAL_NOT_FOUND"),
    ("approval.history", {"cursor": "none"}, "invalid approval.history cursor", None),
    ("approval.history", {"limit": 101}, "invalid approval.history params", None),
    ("exec.approval.waitDecision", {"id": "none"}, "approval expired or not found", None),
    ("plugin.approval.request", {}, "must have required property 'title'", None),
]


@pytest.mark.parametrize(("method", "params", "words", "reason"), WRONG)
@async_test
async def test_what_is_refused(
    gateway: AnyGateway, method: str, params: dict[str, Any], words: str, reason: str | None
) -> None:
    """A wrong call is refused in the gateway's words, with the reason for programs."""
    async with owner(gateway) as admin:
        with pytest.raises(gnb.GatewayRequestError, match=words) as caught:
            await admin.request(method, params)
        assert (caught.value.details or {}).get("reason") == reason


@async_test
async def test_one_id_twice(gateway: AnyGateway) -> None:
    """The asker may name the id, and not one that waits."""
    own_id = str(uuid.uuid4())
    async with (
        owner(gateway) as asking,
        owner(gateway, caps=["approvals"]) as deciding,
        pending(asking, deciding, "exec", id=own_id) as (event, _),
    ):
        assert event["id"] == own_id
        with pytest.raises(gnb.GatewayRequestError, match="approval id already pending"):
            await asking.request("exec.approval.request", {**EXEC, "id": own_id})
        await deciding.request("exec.approval.resolve", {"id": own_id, "decision": "deny"})


@async_test
async def test_history(gateway: AnyGateway) -> None:
    """What was decided is listed by kind, the latest first, page by page, each once."""
    async with owner(gateway) as asking, owner(gateway, caps=["approvals"]) as deciding:
        ids = []
        for kind in ("exec", "plugin", "exec"):
            async with pending(asking, deciding, kind) as (event, _):
                await deciding.request(f"{kind}.approval.resolve", {"id": event["id"], "decision": "deny"})
                ids.append(event["id"])
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"nextCursor": None}
        while "nextCursor" in page and len(items) < 3:
            params = {"limit": 1} | ({"cursor": page["nextCursor"]} if page["nextCursor"] else {})
            page = await asking.request("approval.history", params)
            items += page["items"]
        assert {item["id"] for item in items} == set(ids)
        times = [item["resolvedAtMs"] for item in items]
        assert times == sorted(times, reverse=True)
        assert all(set(item) >= ENDED for item in items)
        plugins = (await asking.request("approval.history", {"kind": "plugin"}))["items"]
        assert plugins[0]["id"] == ids[1]
        assert {item["presentation"]["kind"] for item in plugins} == {"plugin"}


@async_test
async def test_a_session_with_its_approvals(gateway: AnyGateway) -> None:
    """Who subscribed to a session with its approvals hears of each and gets what waits, without any capability."""
    async with (
        owner(gateway) as asking,
        owner(gateway, caps=["approvals"]) as deciding,
        owner(gateway) as watching,
    ):
        key = session()
        await asking.request("sessions.create", {"key": key})
        subscription = {"key": key, "includeApprovals": True}
        replay = (await watching.request("sessions.messages.subscribe", subscription))["approvalReplay"]
        assert (replay["sessionKey"], replay["approvals"], replay["truncated"]) == (key, [], False)
        phases: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        watching.on("session.approval", lambda event: phases.put_nowait(event.payload))
        async with pending(asking, deciding, "exec", sessionKey=key) as (event, _):
            begun = await asyncio.wait_for(phases.get(), 10)
            assert (begun["sessionKey"], begun["phase"], begun["approval"]["id"]) == (key, "pending", event["id"])
            replay = (await asking.request("sessions.messages.subscribe", subscription))["approvalReplay"]
            assert [each["id"] for each in replay["approvals"]] == [event["id"]]
            assert set(replay["approvals"][0]) >= SHOWN
            await deciding.request("exec.approval.resolve", {"id": event["id"], "decision": "deny"})
            ended = await asyncio.wait_for(phases.get(), 10)
            assert (ended["phase"], ended["approval"]["status"]) == ("terminal", "denied")


@pytest.mark.parametrize(("decision", "words"), [("allow-once", "hi there"), ("deny", "Exec denied")])
@async_test
async def test_a_run_asks(gateway: AnyGateway, decision: str, words: str) -> None:
    """A run in a guarded session asks before it runs a command, and goes on with the decision."""
    key = session()
    async with owner(gateway) as asking, owner(gateway, caps=["approvals"]) as deciding:
        await asking.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
        requested = asyncio.create_task(deciding.wait_for("exec.approval.requested", timeout=30))
        await asyncio.sleep(0)
        run = asking.run('tool:exec:{"command": "echo hi there"}', session=key)
        result = asyncio.ensure_future(run.result())
        event = (await requested).payload
        request = event["request"]
        assert (request["command"], request["sessionKey"], request["runId"]) == ("echo hi there", key, run.run_id)
        assert event["expiresAtMs"] - event["createdAtMs"] == 1_800_000
        await deciding.request("exec.approval.resolve", {"id": event["id"], "decision": decision})
        assert words in (await result).text


@async_test
async def test_an_aborted_run_asks_no_more(gateway: AnyGateway) -> None:
    """When a run is aborted, what it waits for is cancelled."""
    key = session()
    async with owner(gateway) as asking, owner(gateway, caps=["approvals"]) as deciding:
        await asking.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
        requested = asyncio.create_task(deciding.wait_for("exec.approval.requested", timeout=30))
        resolved = asyncio.create_task(deciding.wait_for("exec.approval.resolved", timeout=30))
        await asyncio.sleep(0)
        run = asking.run('tool:exec:{"command": "echo hi there"}', session=key)
        result = asyncio.ensure_future(run.result())
        event = (await requested).payload
        await run.abort()
        with pytest.raises(gnb.RunAbortedError):
            await result
        assert (await resolved).payload["decision"] == "deny"
        kept = (await asking.request("approval.get", {"id": event["id"]}))["approval"]
        assert (kept["status"], kept["reason"]) == ("cancelled", "run-aborted")


@async_test
async def test_scopes(gateway: AnyGateway) -> None:
    """Approvals need operator.approvals, questions operator.questions."""
    for granted, allowed in (("operator.approvals", "approval.history"), ("operator.questions", "question.list")):
        async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=[granted]) as agw:
            for method in ("approval.history", "question.list"):
                if method == allowed:
                    await agw.request(method)
                    continue
                with pytest.raises(gnb.MissingScopeError):
                    await agw.request(method)


@async_test
async def test_a_restart(gateway: AnyGateway) -> None:
    """What waits does not outlive the gateway: after a restart it is not listed, and can't be decided any more."""
    async with owner(gateway) as asking, owner(gateway, caps=["approvals"]) as deciding:
        requested = asyncio.create_task(deciding.wait_for("exec.approval.requested"))
        await asyncio.sleep(0)
        asked = asyncio.create_task(asking.request("exec.approval.request", EXEC, expect_final=True))
        event = (await requested).payload
        await asyncio.to_thread(gateway.restart)
        with pytest.raises(gnb.GatewayError):
            await asked

        async def back() -> bool:
            return deciding.status.state == "connected" and deciding.status.epoch == 2

        await comes_true(back, 60)
        assert event["id"] not in [each["id"] for each in await deciding.request("exec.approval.list")]
        with pytest.raises(gnb.GatewayRequestError):
            await deciding.request("exec.approval.resolve", {"id": event["id"], "decision": "allow-once"})
