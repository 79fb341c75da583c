"""The tools that the embedded gateway's agents can call: those of nodes, and a few of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .calls import NodeCalls, NodeError
from .state.nodes import TOOL_COMMAND
from .state.results import ToolResult, from_node

TIMEOUT_MS = 120_000


class ToolFailure(Exception):
    """A tool could not be called, or gave no result.

    Args:
        code: ``not_found`` or ``internal_error``.
        message: what operators are told.
        reason: what a model is told; default: the same.
    """

    def __init__(self, code: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason or message


@dataclass(frozen=True)
class Caller:
    """Who calls a tool.

    Attributes:
        session: the session's key.
        key: what the call is known by: a run's ``toolCallId``, or an operator's idempotency key.
        run_id: the run, ``None`` for an operator.
    """

    session: str
    key: str
    run_id: str | None = None


@dataclass(frozen=True)
class CoreTool:
    """A tool of the gateway's own."""

    name: str
    description: str
    answer: Callable[[dict[str, Any], Caller], Awaitable[ToolResult]]


class Tools:
    """All tools by name; one of a node hides the gateway's own of that name."""

    def __init__(self, calls: NodeCalls, core: Iterable[CoreTool] = ()) -> None:
        self._calls = calls
        self._core = {tool.name: tool for tool in core}

    async def call(self, name: str, args: dict[str, Any], caller: Caller) -> ToolResult:
        """Call a tool.

        Raises:
            ToolFailure: there is no such tool, or its node did not do it.
        """
        for offered, node, tool in self._calls.nodes.callable_tools():
            if offered == name:
                params = {**tool["mcp"], "arguments": args}
                try:
                    answer = await self._calls.invoke(
                        node.node_id, TOOL_COMMAND, params, TIMEOUT_MS, caller.key, caller.session
                    )
                except NodeError as error:
                    raise ToolFailure("internal_error", "tool execution failed", str(error)) from None
                return from_node(answer, tool["mcp"])
        core = self._core.get(name)
        if core is None:
            raise ToolFailure("not_found", f"Tool not available: {name}", f"Tool {name} not found")
        return await core.answer(args, caller)

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of ``tools.effective``."""
        offered = list(self._calls.nodes.callable_tools())
        hidden = {name for name, _, _ in offered}
        core = [tool for tool in self.catalog() if tool["id"] not in hidden]
        mcp = []
        for name, node, tool in sorted(offered, key=lambda each: each[0]):
            description = f"{tool['description']} (node: {node.about.get('displayName', node.node_id)})"
            described = {"description": description, "rawDescription": description}
            label = " ".join(word.capitalize() for word in name.split("_"))
            mcp.append({"id": name, "label": label, **described, "source": "mcp", "pluginId": tool["pluginId"]})
        groups = [{"id": "core", "label": "Built-in tools", "source": "core", "tools": core}]
        return groups + [{"id": "mcp", "label": "MCP server tools", "source": "mcp", "tools": mcp}] * bool(mcp)

    def catalog(self) -> list[dict[str, Any]]:
        """Return the gateway's own tools, as ``tools.catalog`` lists them."""
        return [
            {"id": tool.name, "label": tool.name, "description": tool.description, "source": "core"}
            for tool in self._core.values()
        ]
