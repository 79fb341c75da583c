"""Approvals where the gateway does not play along: nothing is allowed by mistake, and what is left out is said."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.faces.connections import names
from gateway_nb.server.methods.approvals import ApprovalMethods
from gateway_nb.server.methods.questions import QuestionMethods
from tests.helpers.support import async_test, until

EXEC = {"command": "echo hi", "cwd": "/tmp", "sessionKey": "agent:main:x", "agentId": "main"}
ENTRY = {"id": "a", "createdAtMs": 1_000, "expiresAtMs": 9e12, "request": EXEC}


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture
def gw(local: gnb.LocalGateway) -> Iterator[gnb.Gateway]:
    with gnb.connect(local.url, token=local.token) as connection:
        connection.approvals.listen()
        yield connection


WRONG: list[Any] = [
    None,
    [],
    {},
    {**ENTRY, "request": {}},
    {**ENTRY, "request": {"command": {"$": 1}}},
    {**ENTRY, "id": 5},
    {**ENTRY, "expiresAtMs": None},
]


@pytest.mark.parametrize("payload", WRONG)
def test_what_can_not_be_read(local: gnb.LocalGateway, gw: gnb.Gateway, payload: Any) -> None:
    """An approval of another shape is never shown as one; that something waits is said; the next is as usual."""
    local.emit("exec.approval.requested", payload)
    local.emit("exec.approval.resolved", payload)
    local.emit("exec.approval.requested", {**ENTRY, "id": "b"})
    assert gw.approvals.wait(10).id == "b"
    assert len(gw.approvals) == 1
    assert "something waits at the gateway that can't be shown here" in (gw.approvals.notice or "")
    assert "can't be shown" in repr(gw.approvals)


def test_others_of_the_same_names(local: gnb.LocalGateway, gw: gnb.Gateway) -> None:
    """Events of other things that are requested and resolved, tools' pairing and kinds to come, are left alone."""
    for name in ("node.pair.requested", "openclaw.approval.requested", "approval.requested", "exec.requested"):
        local.emit(name, ENTRY)
    local.emit("exec.approval.requested", {**ENTRY, "id": "b"})
    assert gw.approvals.wait(10).id == "b"
    assert (len(gw.approvals), gw.approvals.notice) == (1, None)


def test_an_approval_that_the_gateway_does_not_know(local: gnb.LocalGateway, gw: gnb.Gateway) -> None:
    """What the gateway has forgotten can't be allowed, and is shown as gone."""
    local.emit("exec.approval.requested", ENTRY)
    item = gw.approvals.wait(10)
    with pytest.raises(gnb.GatewayRequestError, match="exec approval a does not wait any more: gone"):
        item.allow_once()  # type: ignore[union-attr]
    assert item.status == "gone"
    assert len(gw.approvals) == 0


def test_another_command_under_the_same_id(local: gnb.LocalGateway, gw: gnb.Gateway) -> None:
    """Who holds an approval whose command has changed under its id can't allow the other by it."""
    local.emit("exec.approval.requested", ENTRY)
    item = gw.approvals.wait(10)
    local.emit("exec.approval.requested", {**ENTRY, "request": {**EXEC, "command": "rm -rf ~"}})
    other = gw.approvals.wait(10)
    assert (item.command, other.command) == ("echo hi", "rm -rf ~")
    with pytest.raises(gnb.GatewayRequestError, match="gone: the gateway sent something else under its id"):
        item.allow_once()  # type: ignore[union-attr]
    assert other.status == "pending"


def test_hostile_texts(local: gnb.LocalGateway, gw: gnb.Gateway) -> None:
    """What is printed of a hostile command has no control characters; of much of it the beginning, with its length."""
    local.emit("exec.approval.requested", {**ENTRY, "request": {**EXEC, "command": "\x1b[2K\u202e" + "x" * 1_000_000}})
    item = gw.approvals.wait(10)
    text = repr(item)
    assert text.isprintable()
    assert "\\x1b[2K\\u202exxx" in text
    assert "(1,000,005 characters)" in text
    assert len(text) < 500
    assert len(item.command) == 1_000_005


def test_secrets_are_hidden(local: gnb.LocalGateway, gw: gnb.Gateway) -> None:
    """A command that has the connection's token is shown without it."""
    local.emit("exec.approval.requested", {**ENTRY, "request": {**EXEC, "command": f"curl -H {local.token}"}})
    item = gw.approvals.wait(10)
    assert item.command == "curl -H [secret]"
    assert local.token not in repr(item) + repr(gw.approvals) + str(item.details)


def test_a_gateway_without_approvals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that has none of the methods is refused with a clear word, and nothing is declared."""
    for methods in (ApprovalMethods, QuestionMethods):
        monkeypatch.setattr(methods, "table", lambda self: {})
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        with pytest.raises(gnb.GatewayError, match=r"this gateway \(.*\) has no approvals that can be answered here"):
            gw.approvals.start()
        assert not gw.approvals.listening


@async_test
async def test_what_a_plugin_offers() -> None:
    """Where an event does not say which decisions are offered, the gateway is asked before it is always allowed."""
    plugin = {"title": "t", "description": "d", "ask": "always"}
    with gnb.LocalGateway() as local:
        async with gnb.AsyncGateway(local.url, token=local.token) as agw:
            with pytest.warns(UserWarning, match="now decides"):
                await agw.approvals.start()
            asked = agw.submit("plugin.approval.request", plugin, expect_final=True)
            item = await agw.approvals.wait(10)
            with pytest.raises(gnb.GatewayError, match="does not offer allow-always, only allow-once, deny"):
                await item.allow_always()  # type: ignore[union-attr]
            assert item.status == "pending"
            await item.deny()  # type: ignore[union-attr]
            assert (await asked)["decision"] == "deny"


NOTED: list[tuple[Any, str]] = [
    ({"applied": True, "approval": {"status": "denied", "decision": "deny"}}, "denied"),
    ({"applied": False, "approval": {"status": "expired"}}, "expired"),
    ({"applied": "yes"}, "gone"),
    ([], "gone"),
]


@pytest.mark.parametrize(("answer", "status"), NOTED)
def test_a_decision_that_is_noted_otherwise(monkeypatch: pytest.MonkeyPatch, answer: Any, status: str) -> None:
    """Where the gateway does not answer an allowance with one, that is an error, and nothing counts as allowed."""
    monkeypatch.setattr(ApprovalMethods, "_resolve_any", lambda self, call: answer)
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        gw.approvals.listen()
        local.emit("exec.approval.requested", ENTRY)
        item = gw.approvals.wait(10)
        with pytest.raises(gnb.GatewayRequestError, match=f"does not wait any more: {status}"):
            item.allow_once()  # type: ignore[union-attr]
        assert item.status == status


def test_nothing_is_left(local: gnb.LocalGateway) -> None:
    """A connection that is dropped without being closed takes its approvals' connection along."""
    gw = gnb.connect(local.url, token=local.token, name="dropped")
    gw.approvals.listen()
    until(lambda: len([peer for peer in local.peers if peer.has_cap("approvals")]) == 1)
    gone = weakref.ref(gw.approvals)
    names().gateways.pop("dropped")
    del gw
    gc.collect()
    assert gone() is None
    until(lambda: not [peer for peer in local.peers if peer.has_cap("approvals")])


def test_closing_while_something_waits(local: gnb.LocalGateway) -> None:
    """Closing the connection ends the waiting for the next, and the gateway asks nobody here any more."""
    with gnb.connect(local.url, token=local.token) as gw, ThreadPoolExecutor() as threads:
        gw.approvals.listen()
        waiting = threads.submit(gw.approvals.wait)
        until(waiting.running)
        gw.close()
        with pytest.raises(gnb.GatewayClosedError, match=r"approvals were stopped|connect first"):
            waiting.result(10)
    until(lambda: not [peer for peer in local.peers if peer.has_cap("approvals")])
