"""The older generation: protocol 3, on the embedded gateway and on a real one of that time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.real import AnyGateway, RealGateway, installed
from tests.helpers.support import async_test

OLD = "2026.5.7"


@pytest.fixture(scope="module")
def old_real() -> Iterator[RealGateway]:
    installed(OLD)
    gateway = RealGateway(OLD)
    yield gateway
    gateway.stop()


@pytest.fixture(params=["local", "openclaw"])
def old(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each gateway that speaks protocol 3."""
    if request.param == "openclaw":
        yield request.getfixturevalue("old_real")
    else:
        with gnb.LocalGateway(protocol=3) as local:
            yield local


@async_test
async def test_connect_and_call(old: AnyGateway) -> None:
    """The same client connects to a gateway of the older generation and calls it."""
    async with gnb.AsyncGateway(old.url, token=old.token) as agw:
        assert agw.status.protocol == 3
        assert (await agw.request("health"))["ok"] is True
        assert "sessions.list" in agw.methods
        with pytest.raises(gnb.GatewayRequestError, match="unknown method"):
            await agw.request("no.such.method")


@async_test
async def test_four_only_is_a_mismatch(old: AnyGateway) -> None:
    """A client that insists on protocol 4 is told of the mismatch."""
    with pytest.raises(gnb.ProtocolMismatchError, match=r"expects version 3, this client speaks 4.*update"):
        await gnb.AsyncGateway(old.url, token=old.token, min_protocol=4).connect()


@async_test
async def test_missing_scope(old: AnyGateway) -> None:
    """A missing scope is named, whether in details or in the message alone."""
    async with gnb.AsyncGateway(old.url, token=old.token, scopes=["operator.read"]) as agw:
        with pytest.raises(gnb.MissingScopeError) as caught:
            await agw.request("sessions.delete", {"key": "k"})
        assert caught.value.missing_scope == "operator.admin"


COMMAND = {"command": "echo hi", "cwd": "/tmp", "host": "gateway", "security": "allowlist", "ask": "always"}
COMMAND |= {"agentId": "main", "sessionKey": "agent:main:x", "timeoutMs": 20_000, "twoPhase": True}


@async_test
async def test_approvals(old: AnyGateway) -> None:
    """What waits can be decided here, too; what was decided elsewhere is known, and can't be decided again."""
    async with gnb.AsyncGateway(old.url, token=old.token) as agw:
        with pytest.warns(UserWarning, match="now decides for the gateway"):
            await agw.approvals.start()
        for decision in ("allow-once", "deny"):
            asked = agw.submit("exec.approval.request", COMMAND, expect_final=True)
            item = await agw.approvals.wait(10)
            assert item.command == "echo hi"
            await (item.allow_once() if decision == "allow-once" else item.deny())  # type: ignore[union-attr]
            assert (await asked)["decision"] == decision
            with pytest.raises(gnb.GatewayRequestError, match=rf"\({decision}\) by gateway_nb"):
                await item.allow_once()  # type: ignore[union-attr]
        asked = agw.submit("exec.approval.request", COMMAND, expect_final=True)
        item = await agw.approvals.wait(10)
        await agw.request("exec.approval.resolve", {"id": item.id, "decision": "deny"})
        assert (await asked)["decision"] == "deny"
        with pytest.raises(gnb.GatewayRequestError, match="does not wait any more: denied"):
            await item.allow_once()  # type: ignore[union-attr]


@async_test
async def test_approvals_that_an_older_gateway_has_not(old_real: RealGateway) -> None:
    """What an older gateway has not is said: questions, and the history."""
    async with gnb.AsyncGateway(old_real.url, token=old_real.token) as agw:
        with pytest.warns(UserWarning, match="now decides for the gateway"):
            await agw.approvals.start()
        assert "has none of the kind question" in (agw.approvals.notice or "")
        with pytest.raises(gnb.GatewayRequestError, match=r"approval\.history: this gateway .* has no such method"):
            await agw.approvals.history()


@async_test
async def test_events(old: AnyGateway) -> None:
    """Events of the older generation are numbered and kept."""
    async with gnb.AsyncGateway(old.url, token=old.token) as agw:
        seen: list[gnb.Event] = []
        agw.on("talk.mode", seen.append)
        for number in range(50):
            await agw.request("talk.mode", {"enabled": True, "phase": str(number)})
        await agw.request("health")
        assert [event.payload["phase"] for event in seen] == [str(number) for number in range(50)]
        assert agw.status.counters.gaps == 0


@async_test
async def test_a_run(old: AnyGateway) -> None:
    """An agent of the older generation answers and fails; abort tells the truth of whether it could be aborted."""
    async with gnb.AsyncGateway(old.url, token=old.token) as agw:
        assert (await agw.run("echo:hello there", session="agent:main:old").result()).text == "hello there"
        with pytest.raises(gnb.RunFailedError):
            await agw.run("fail:400", session="agent:main:old").result()
        run = agw.run("count:100:60", session="agent:main:old")
        async for _ in run:
            break
        if await run.abort():
            with pytest.raises(gnb.RunAbortedError):
                await run.result()
        else:  # gateways of that time abort what chat.send began, and let what agent began go on
            assert (await run.result()).text.endswith("99 100")


@pytest.mark.parametrize("version", [OLD, "2026.6.11"])
def test_gateways_without_tools_of_nodes(version: str) -> None:
    """A gateway whose nodes can't offer tools is named as what is in the way; the rest works as before."""
    installed(version)
    gateway = RealGateway(version)
    try:
        with gnb.connect(gateway.url, token=gateway.token) as gw:
            why = rf"tools can't be offered: this gateway \({version}\) has no tools of nodes; update it"
            with pytest.raises(gnb.GatewayError, match=why):

                @gw.tool
                def work() -> str:
                    """Work."""
                    return "done"

            assert gw.tools.names == ()
            with pytest.raises(gnb.GatewayError, match="there is nothing to approve: offer a tool first"):
                gw.tools.approve()
            assert gw.run("echo:hi", session="agent:main:old").result(60).text == "hi"
    finally:
        gateway.stop()
