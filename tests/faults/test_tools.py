"""Tools where the gateway, its owner or the notebook does not play along: a clear error, and the rest lives."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.server.methods.nodes import NodeMethods
from gateway_nb.server.state.nodes import Nodes
from tests.helpers.support import until


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture
def gw(local: gnb.LocalGateway) -> Iterator[gnb.Gateway]:
    with gnb.connect(local.url, token=local.token) as connection:
        yield connection


def work() -> str:
    """Work."""
    return "done"


def offer(gw: gnb.Gateway, name: str = "work") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gw.tool(name=name)(work)


def invoke(gw: gnb.Gateway, name: str = "work") -> str:
    answer = gw.request("tools.invoke", {"name": name})
    return str(answer["output"]["content"][0]["text"] if answer["ok"] else answer["error"]["code"])


def without(table: Any, *names: str) -> Any:
    return lambda methods: {name: method for name, method in table(methods).items() if name not in names}


def test_a_gateway_without_node_support(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older gateway is named as what is in the way; the tool is not offered, and the connection lives."""
    monkeypatch.setattr(NodeMethods, "table", without(NodeMethods.table, "node.pluginTools.update"))
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        with pytest.raises(
            gnb.GatewayError, match=r"tools can't be offered: this gateway \(.*\) has no tools of nodes"
        ):
            offer(gw)
        assert gw.tools.names == ()
        assert gw.request("health")["ok"]


def test_a_gateway_that_does_not_list_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this connection can't see its node's approval, it says how the owner finds it."""
    monkeypatch.setattr(NodeMethods, "table", without(NodeMethods.table, "node.list"))
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        offer(gw)
        assert "openclaw nodes approve REQUEST (openclaw nodes pending lists the requests)" in str(gw.tools.notice)
        gw.tools.approve()
        assert (gw.tools.notice, invoke(gw)) == (None, "done")


def test_tools_that_are_left_out(gw: gnb.Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that the gateway leaves out without a word is named."""
    offer(gw)
    gw.tools.approve()
    kept = Nodes.offer
    monkeypatch.setattr(
        Nodes, "offer", lambda self, node, tools: kept(self, node, [t for t in tools if t["name"] != "b"])
    )
    offer(gw, "a")
    assert gw.tools.notice is None
    offer(gw, "b")
    assert gw.tools.notice == "the gateway accepted all tools but b, and does not say why"
    assert any("all tools but b" in line for line in gw.log)


@pytest.mark.parametrize("tools", ["all", [3], [{"name": 3}], {}])
def test_answers_of_another_shape(gw: gnb.Gateway, monkeypatch: pytest.MonkeyPatch, tools: Any) -> None:
    """An answer that makes no sense is an error that says so; the tool is not offered, the others stay."""
    offer(gw, "a")
    monkeypatch.setattr(Nodes, "offer", lambda *_: tools)
    with pytest.raises(gnb.GatewayError, match="the gateway's answer has another shape than expected"):
        offer(gw)
    assert gw.tools.names == ("a",)


def test_an_approval_that_is_refused(gw: gnb.Gateway) -> None:
    """Where the owner rejects the node, that is said, and stopping and defining again asks once more."""
    offer(gw)
    (pending,) = gw.request("node.pair.list")["pending"]
    gw.request("node.pair.reject", {"requestId": pending["requestId"]})
    until(lambda: "the gateway's owner did not allow it" in str(gw.tools.notice))
    gw.tools.stop()
    offer(gw)
    assert "openclaw nodes approve" in str(gw.tools.notice)


def test_a_node_that_asks_for_more(gw: gnb.Gateway, local: gnb.LocalGateway) -> None:
    """A request for anything but the command for tools is not approved from here, whoever changed it."""
    offer(gw)
    (node,) = local.methods.nodes.nodes.values()
    assert node.request is not None
    node.request["commands"] = ["mcp.tools.call.v1", "system.run"]
    with pytest.raises(gnb.GatewayError, match=r"not approved: the node asks for mcp.tools.call.v1, system.run"):
        gw.tools.approve()
    assert invoke(gw) == "not_found"


def test_before_and_after_a_connection(local: gnb.LocalGateway) -> None:
    """Without a connection a tool is refused, with what to do; stopping twice, or without tools, is nothing."""
    gw = gnb.connect(local.url, token=local.token)
    with pytest.raises(gnb.GatewayError, match=r"there is nothing to approve: offer a tool first"):
        gw.tools.approve()
    gw.tools.stop()
    offer(gw)
    gw.close()
    assert gw.tools.names == ()
    with pytest.raises(gnb.GatewayClosedError, match="a tool needs a connection: connect first"):
        offer(gw)
    gw.tools.stop()
    gw.connect()
    offer(gw)
    gw.close()


def test_a_connection_that_is_forgotten(local: gnb.LocalGateway) -> None:
    """A connection that nobody holds takes its tools with it."""
    gw = gnb.Gateway(local.url, token=local.token).connect()
    offer(gw)
    gw.tools.approve()
    gone = weakref.ref(gw)
    del gw
    gc.collect()
    assert gone() is None
    with gnb.connect(local.url, token=local.token) as other:
        until(lambda: invoke(other) == "not_found")


def test_connecting_again_under_a_name(local: gnb.LocalGateway) -> None:
    """When the connect cell is run again, the former connection's tools are gone, and the next has its key."""
    first = gnb.connect(local.url, token=local.token)
    offer(first)
    first.tools.approve()
    second = gnb.connect(local.url, token=local.token)
    assert invoke(second) == "not_found"
    offer(second)
    assert (second.tools.notice, invoke(second)) == (None, "done")
    second.close()


def test_a_key_that_cannot_be_kept(gw: gnb.Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Where no device key can be kept, that is said, and nothing is offered."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path / "file"))
    with pytest.raises(gnb.IdentityError, match="a device key for tools can't be kept in"):
        offer(gw)
    assert gw.tools.names == ()
