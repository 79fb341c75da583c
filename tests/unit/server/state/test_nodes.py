"""Nodes: approval and tools, without any connection."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.server.answers import Refusal
from gateway_nb.server.state.nodes import TOOL_COMMAND, Nodes

CLIENT = {"id": "node-host", "mode": "node", "platform": "linux", "version": "1"}


def tool(name: str, **changes: Any) -> dict[str, Any]:
    about = {"pluginId": "node-mcp", "name": name, "description": "d", "command": TOOL_COMMAND}
    return {**about, "mcp": {"server": "s", "tool": name}, **changes}


def connected(nodes: Nodes, node_id: str) -> None:
    nodes.connect(node_id, CLIENT, (), (TOOL_COMMAND,))


def approved(*node_ids: str) -> Nodes:
    nodes = Nodes()
    for node_id in node_ids:
        connected(nodes, node_id)
        request = nodes[node_id].request
        assert request is not None
        nodes.settle(request["requestId"], approve=True)
    return nodes


def test_an_approval_lasts() -> None:
    """A node that was approved asks no more when it connects again; its tools do not last."""
    nodes = approved("a")
    nodes.offer("a", [tool("x")])
    nodes.disconnect("a")
    assert list(nodes.callable_tools()) == []
    connected(nodes, "a")
    assert (nodes["a"].request, nodes["a"].tools) == (None, [])


def test_a_request_stays_the_same() -> None:
    """A node that connects again before it was approved waits under the same id."""
    nodes = Nodes()
    connected(nodes, "a")
    first = nodes["a"].request
    connected(nodes, "a")
    assert nodes["a"].request is first


def test_an_unknown_request() -> None:
    """Nobody can be approved twice."""
    nodes = approved("a")
    with pytest.raises(Refusal, match="unknown requestId"):
        nodes.settle("anything", approve=True)


def test_names_on_several_nodes() -> None:
    """A name that two nodes offer gets their ids in front, and only then."""
    nodes = approved("abc", "1bc")
    for node_id in nodes:
        nodes.offer(node_id, [tool("x"), tool(f"only_{node_id}")])
    names = {name for name, _, _ in nodes.callable_tools()}
    assert names == {"abc_x", "node_1bc_x", "only_abc", "only_1bc"}
