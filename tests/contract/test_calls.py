"""Calling methods: answers, errors, scopes, timeouts, many at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test, until

FIELDS = {
    "health": {"ok", "ts", "durationMs", "channels", "defaultAgentId", "agents", "sessions"},
    "status": {"runtimeVersion", "heartbeat", "channelSummary", "queuedSystemEvents", "tasks", "sessions"},
    "sessions.list": {"ts", "path", "count", "totalCount", "limitApplied", "nextOffset", "hasMore", "sessions"},
}


@async_test
async def test_hello(gateway: AnyGateway) -> None:
    """After connecting the client knows server, protocol, scopes and methods, and shows no secret of them."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        status = agw.status
        assert (status.state, status.protocol, status.role) == ("connected", 4, "operator")
        assert status.scopes == ("operator.admin",)
        assert status.epoch == 1
        assert {"health", "sessions.list", "agent"} <= set(agw.methods)
        assert {"tick", "agent", "chat"} <= set(agw.event_names)
        assert agw.hello is not None
        assert {"server", "features", "snapshot", "auth", "policy"} <= set(agw.hello)
        assert gateway.token not in repr((agw, agw.hello, agw.status, agw.log))
    assert agw.status.state == "closed"


def test_the_round_trip(gateway: AnyGateway) -> None:
    """Soon after connecting the status has the seconds of a round trip."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        until(lambda: gw.status.rtt is not None)
        assert 0 < (gw.status.rtt or 0) < 5


@pytest.mark.parametrize("method", FIELDS)
def test_fields(gateway: AnyGateway, method: str) -> None:
    """The embedded gateway answers with the real one's field names."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        answer = gw.request(method)
        assert set(answer) >= FIELDS[method]


def test_lists(gateway: AnyGateway) -> None:
    """system-presence is a list with the gateway itself, by name and by attribute."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        for entries in (gw.request("system-presence"), gw.call.system_presence(), gw.call["system-presence"]()):
            assert [entry["mode"] for entry in entries if entry["reason"] == "self"] == ["gateway"]


def test_sessions(gateway: AnyGateway) -> None:
    """A session is created, patched, listed and deleted, and subscribers hear of each."""
    key = "agent:main:contract"
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        assert gw.request("sessions.subscribe") == {"subscribed": True}
        created = gw.call.sessions.create(key=key, label="one")
        assert (created["ok"], created["key"], created["entry"]["label"]) == (True, key, "one")
        heard: list[gnb.Event] = []
        gw.on("sessions.changed", heard.append)
        patched = gw.request("sessions.patch", {"key": key, "label": "two"})
        assert patched["entry"]["sessionId"] == created["sessionId"]
        until(lambda: any(event.payload.get("reason") == "patch" for event in heard))
        (event,) = [event for event in heard if event.payload.get("reason") == "patch"]
        assert (event.payload["sessionKey"], event.payload["session"]["label"]) == (key, "two")
        rows = gw.request("sessions.list", {"limit": 50})["sessions"]
        assert [row["label"] for row in rows if row["key"] == key] == ["two"]
        assert gw.call.sessions.delete(key=key)["deleted"] is True
        assert gw.call.sessions.delete(key=key)["deleted"] is False


ERRORS: list[tuple[str, Any, str, str]] = [
    ("no.such.method", {}, "INVALID_REQUEST", "unknown method: no.such.method"),
    ("sessions.list", {"limit": "x"}, "INVALID_REQUEST", "invalid sessions.list params: at /limit: must be integer"),
    ("sessions.list", {"limit": 0}, "INVALID_REQUEST", "at /limit: must be >= 1"),
    ("sessions.patch", {}, "INVALID_REQUEST", "must have required property 'key'"),
    ("sessions.subscribe", {"zz": 1}, "INVALID_REQUEST", "at root: unexpected property 'zz'"),
    ("talk.mode", {"enabled": "x"}, "INVALID_REQUEST", "at /enabled: must be boolean"),
    ("talk.mode", {}, "INVALID_REQUEST", "must have required property 'enabled'"),
    ("agent", {"message": "x", "agentId": "nobody"}, "INVALID_REQUEST", "unknown agent id"),
    ("agent.wait", {}, "INVALID_REQUEST", "must have required property 'runId'"),
    ("chat.history", {}, "INVALID_REQUEST", "must have required property 'sessionKey'"),
    ("exec.approval.resolve", {"id": "x", "decision": "deny"}, "INVALID_REQUEST", "unknown or expired approval id"),
    ("exec.approval.request", {}, "INVALID_REQUEST", "command is required"),
    ("device.pair.approve", {"requestId": "zz"}, "INVALID_REQUEST", "unknown requestId"),
]


@pytest.mark.parametrize(("method", "params", "code", "text"), ERRORS)
@async_test
async def test_errors(gateway: AnyGateway, method: str, params: Any, code: str, text: str) -> None:
    """A wrong call raises the gateway's own words with their code, and the connection lives on."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        with pytest.raises(gnb.GatewayRequestError) as caught:
            await agw.request(method, params)
        assert (caught.value.code, caught.value.method) == (code, method)
        assert text in str(caught.value)
        assert (await agw.request("health"))["ok"] is True


SCOPES = [
    ([], "sessions.list", {}, "operator.read"),
    ([], "agent.wait", {"runId": "x"}, "operator.write"),
    (["operator.read"], "talk.mode", {"enabled": True}, "operator.talk"),
    (["operator.read"], "sessions.patch", {"key": "k"}, "operator.write"),
    (["operator.read"], "sessions.delete", {"key": "k"}, "operator.admin"),
    (["operator.read"], "exec.approval.request", {}, "operator.approvals"),
    (["operator.read"], "device.pair.list", {}, "operator.pairing"),
]


@pytest.mark.parametrize(("scopes", "method", "params", "missing_scope"), SCOPES)
@async_test
async def test_scopes(
    gateway: AnyGateway, scopes: list[str], method: str, params: dict[str, Any], missing_scope: str
) -> None:
    """A method beyond the granted scopes says which scope is missing and how to ask for it."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=scopes) as agw:
        with pytest.raises(gnb.MissingScopeError, match=r"connect with scopes=") as caught:
            await agw.request(method, params)
        assert caught.value.missing_scope == missing_scope
        assert (await agw.request("health"))["ok"] is True


@async_test
async def test_many_at_once(gateway: AnyGateway) -> None:
    """A thousand requests at once are all answered: more than the gateway takes in flight wait in line."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        answers = await asyncio.gather(*(agw.request("last-heartbeat") for _ in range(1000)))
        assert len(answers) == 1000
        assert (agw.status.counters.in_flight, agw.status.counters.queued) == (0, 0)


@async_test
async def test_timeout(gateway: AnyGateway) -> None:
    """A request without an answer fails in its time, and a late answer harms nothing."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        with pytest.raises(gnb.GatewayTimeoutError, match=r"agent.wait.*0.1 s"):
            await agw.request("agent.wait", {"runId": "nobody", "timeoutMs": 300}, timeout=0.1)
        assert (await agw.request("agent.wait", {"runId": "nobody", "timeoutMs": 400}))["status"] == "timeout"
        assert (agw.status.counters.late, agw.status.counters.malformed) == (1, 0)


@async_test
async def test_cancel(gateway: AnyGateway) -> None:
    """A cancelled request leaves nothing behind."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        task = agw.submit("agent.wait", {"runId": "nobody", "timeoutMs": 300})
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert agw.status.counters.in_flight == 0


@async_test
async def test_two_phases(gateway: AnyGateway) -> None:
    """With expect_final an accepted request waits for its final answer."""
    params = {
        "command": "echo hi",
        "commandArgv": ["echo", "hi"],
        "cwd": "/tmp",
        "host": "gateway",
        "security": "allowlist",
        "ask": "always",
        "agentId": "main",
        "sessionKey": "agent:main:main",
        "timeoutMs": 20_000,
        "twoPhase": True,
    }
    options: dict[str, Any] = {"token": gateway.token, "scopes": ["operator.admin", "operator.approvals"]}
    async with (
        gnb.AsyncGateway(gateway.url, **options) as asking,
        gnb.AsyncGateway(gateway.url, caps=["approvals", "exec-approvals"], **options) as deciding,
    ):
        requested = asyncio.create_task(deciding.wait_for("exec.approval.requested", timeout=10))
        await asyncio.sleep(0)
        asked = asking.submit("exec.approval.request", params, expect_final=True)
        event = await requested
        assert event.payload["request"]["command"] == "echo hi"
        await deciding.request("exec.approval.resolve", {"id": event.payload["id"], "decision": "allow-once"})
        final = await asked
        assert (final["id"], final["decision"]) == (event.payload["id"], "allow-once")
