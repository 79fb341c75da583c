"""Nodes: what each declared, what of it was approved, and the tools it publishes.

A node that connects with commands that nobody approved waits for approval; its tools exist for agents only then.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...protocol.scopes import PAIRING, WRITE
from ..answers import fault
from ..clock import now_ms

TOOL_COMMAND = "mcp.tools.call.v1"
ALLOWED_COMMANDS = frozenset({TOOL_COMMAND})
"""What a node can be approved for; what else it declares is as if it had not."""
MAX_TOOLS = 128
MAX_DESCRIPTION = 1024
_PREFIX = 32


@dataclass
class Node:
    """A node that is paired.

    Attributes:
        about: what its client says of itself, in the gateway's names.
        declared: the commands of its latest connection.
        approved: the commands that were approved.
        offered: the tools of its connection, whether approved or not.
        request: the approval that it waits for.
    """

    node_id: str
    about: dict[str, Any]
    declared: tuple[str, ...]
    paired_at: int
    approved: tuple[str, ...] = ()
    approved_at: int | None = None
    connected_at: int | None = None
    last_seen: int = 0
    offered: list[dict[str, Any]] = field(default_factory=list)
    request: dict[str, Any] | None = None

    @property
    def commands(self) -> list[str]:
        """The commands that it declares and that were approved."""
        return [command for command in self.declared if command in self.approved]

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools that agents may call."""
        return [tool for tool in self.offered if tool["command"] in self.commands]

    def row(self) -> dict[str, Any]:
        """Return the row of ``node.list``."""
        row = {"nodeId": self.node_id, **self.about, "commands": self.commands, "sessionHost": False}
        if self.connected_at is not None:
            row["nodePluginTools"] = self.tools
            row |= {"connectedAtMs": self.connected_at, "lastConnectedAtMs": self.connected_at}
        row["approvalState"] = "unapproved" if self.approved_at is None else "approved"
        if self.request is not None:
            row |= {"approvalState": "pending-approval", "pendingRequestId": self.request["requestId"]}
            row |= {"pendingDeclaredCaps": self.about["caps"], "pendingDeclaredCommands": list(self.declared)}
        seen = {"lastSeenAtMs": self.last_seen, "lastSeenReason": "connect"}
        approved = self.paired_at if self.approved_at is None else self.approved_at
        return {**row, **seen, "approvedAtMs": approved, "paired": True, "connected": self.connected_at is not None}

    def surface(self) -> dict[str, Any]:
        """Return what was approved, as ``node.pair.list`` and ``node.pair.approve`` show it."""
        times = {"createdAtMs": self.approved_at, "approvedAtMs": self.approved_at, "lastSeenAtMs": self.last_seen}
        return {"nodeId": self.node_id, **self.about, "commands": list(self.approved), **times}


class Nodes(dict[str, Node]):
    """Nodes by id."""

    def connect(self, node_id: str, client: dict[str, Any], caps: Sequence[str], commands: Sequence[str]) -> Node:
        """Note that a node has connected; it has a new `request` if its commands were not approved.

        Args:
            node_id: the id of its device.
            client: what it said of itself.
            caps: what it can do.
            commands: what it declared.
        """
        now = now_ms()
        names = {"id": "clientId", "mode": "clientMode", "displayName": "displayName", "platform": "platform"}
        names |= {"version": "version", "deviceFamily": "deviceFamily"}
        about = {new: client[old] for old, new in names.items() if old in client} | {"caps": list(caps)}
        node = self.setdefault(node_id, Node(node_id, about, (), now))
        declared = tuple(command for command in dict.fromkeys(commands) if command in ALLOWED_COMMANDS)
        asked = node.request is not None and node.declared == declared
        node.about, node.declared, node.offered = about, declared, []
        node.connected_at = node.last_seen = now
        if node.approved_at is not None and set(declared) <= set(node.approved):
            node.request = None
        elif not asked:
            node.request = {
                "requestId": str(uuid.uuid4()),
                "nodeId": node_id,
                **about,
                "commands": list(node.declared),
                "requiredApproveScopes": [PAIRING, WRITE],
                "silent": True,
                "ts": now,
            }
        return node

    def disconnect(self, node_id: str) -> None:
        """Note that a node has gone: its tools are gone, its approval stays."""
        if node := self.get(node_id):
            node.connected_at, node.offered = None, []

    def settle(self, request_id: str, *, approve: bool) -> Node:
        """Approve or reject what a node asked for.

        Raises:
            Refusal: no node waits under that id.
        """
        node = next((node for node in self.values() if node.request and node.request["requestId"] == request_id), None)
        if node is None:
            raise fault("unknown requestId")
        node.request = None
        if approve:
            node.approved, node.approved_at = node.declared, now_ms()
        return node

    def offer(self, node_id: str, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Replace a node's tools; return those that are accepted and approved.

        Those without an MCP tool or of a command that the node did not declare are left out, and so is the second of
        one name; descriptions are cut, and no more than 128 by name are kept.
        """
        node = self[node_id]
        usable = [tool for tool in tools if "mcp" in tool and tool["command"] in node.declared]
        first = {tool["name"]: tool for tool in reversed(usable)}
        node.offered = [
            {**first[name], "description": first[name]["description"][:MAX_DESCRIPTION]}
            for name in sorted(first)[:MAX_TOOLS]
        ]
        return node.tools

    def callable_tools(self) -> Iterator[tuple[str, Node, dict[str, Any]]]:
        """Yield name, node and tool of what agents may call; one name on several nodes is made distinct on each."""
        every = [(node, tool) for node in self.values() if node.connected_at is not None for tool in node.tools]
        names = [tool["name"] for _, tool in every]
        for node, tool in every:
            unique = names.count(tool["name"]) == 1
            yield tool["name"] if unique else _distinct(node.node_id, tool["name"]), node, tool


def _distinct(node_id: str, name: str) -> str:
    prefix = node_id if node_id[0].isalpha() else f"node_{node_id}"
    return f"{prefix[:_PREFIX]}_{name}"
