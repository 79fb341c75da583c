"""What the gateway is made of: nodes, models with their prices, tools, devices, approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .frames import Book, Column, value_at
from .paging import pages, rows_of
from .steps import Ask, Steps

if TYPE_CHECKING:
    import pandas as pd

_HISTORY_PAGE = 100
NODES = Book(
    "node.list",
    (
        Column("node", "text", "nodeId", "its id"),
        Column("name", "text", "displayName", "its name for people"),
        Column("approval", "text", "approvalState", "approved, pending-approval, unapproved"),
        Column("connected", "flag", "connected", "whether it is there now"),
        Column("platform", "text", "platform", "its operating system"),
        Column("version", "text", "version", "of its client"),
        Column("client", "text", "clientId", "what it connects with"),
        Column("approved", "time", "approvedAtMs", "when it was approved"),
        Column("connected_at", "time", "connectedAtMs", "when it connected"),
        Column("seen", "time", "lastSeenAtMs", "when it was there last"),
        Column("commands", "json", "commands", "what it can be asked, as JSON"),
        Column("tools", "json", "nodePluginTools", "the tools that it offers, as JSON"),
    ),
)
MODELS = Book(
    "models.list",
    (
        Column("provider", "text", "provider", "its provider"),
        Column("model", "text", "id", "its id"),
        Column("name", "text", "name", "its name for people"),
        Column("available", "flag", "available", "whether it can be used now"),
        Column("reasoning", "flag", "reasoning", "whether it thinks"),
        Column("context_tokens", "count", "contextWindow", "tokens that it can look at"),
        Column("input_price", "number", "prices.input", "USD per 1,000,000 tokens in (``config.get``)"),
        Column("output_price", "number", "prices.output", "USD per 1,000,000 tokens out"),
        Column("cache_read_price", "number", "prices.cacheRead", "USD per 1,000,000 tokens read from the cache"),
        Column("cache_write_price", "number", "prices.cacheWrite", "USD per 1,000,000 tokens written to the cache"),
        Column("thinking_levels", "json", "thinkingLevels", "the levels of thinking it has, as JSON"),
    ),
)
TOOLS = Book(
    "tools.catalog",
    (
        Column("tool", "text", "id", "its name"),
        Column("label", "text", "label", "its name for people"),
        Column("group", "text", "group", "the group it stands in"),
        Column("source", "text", "source", "core, plugin, mcp, ..."),
        Column("plugin", "text", "pluginId", "the plugin it comes from"),
        Column("description", "text", "rawDescription|description", "what the model is told of it"),
    ),
)
DEVICES = Book(
    "device.pair.list",
    (
        Column("device", "text", "deviceId", "its id"),
        Column("request", "text", "requestId", "what to approve, of one that waits"),
        Column("status", "text", "status", "paired, pending"),
        Column("name", "text", "displayName", "its name for people"),
        Column("role", "text", "role", "operator, node"),
        Column("client", "text", "clientId", "what it connects with"),
        Column("mode", "text", "clientMode", "backend, cli, node, ..."),
        Column("platform", "text", "platform", "its operating system"),
        Column("connected", "flag", "connected", "whether it is there now"),
        Column("created", "time", "createdAtMs|ts", "when it asked first"),
        Column("approved", "time", "approvedAtMs", "when it was approved"),
        Column("seen", "time", "lastSeenAtMs", "when it was there last"),
        Column("scopes", "json", "scopes", "what it may do, as JSON"),
    ),
)
APPROVALS = Book(
    "exec.approval.list, plugin.approval.list, approval.history",
    (
        Column("approval", "text", "id", "its id"),
        Column("kind", "text", "kind|presentation.kind", "exec, plugin"),
        Column("status", "text", "status", "pending, allowed, denied, expired, cancelled"),
        Column("decision", "text", "decision", "allow-once, allow-always, deny"),
        Column("command", "text", "presentation.command|presentation.commandText", "the command, of kind exec"),
        Column("title", "text", "presentation.title", "what is asked, of kind plugin"),
        Column("tool", "text", "presentation.toolName", "the tool's name, of kind plugin"),
        Column("agent", "text", "presentation.agentId", "the agent's id"),
        Column("session", "text", "presentation.sessionKey|source.sessionKey", "the session's key"),
        Column("run", "text", "presentation.runId|source.runId", "the run's id"),
        Column("tool_call", "text", "presentation.toolCallId|source.toolCallId", "the call's id"),
        Column("created", "time", "createdAtMs", "when it was asked"),
        Column("expires", "time", "expiresAtMs", "until when it can be decided"),
        Column("resolved", "time", "resolvedAtMs", "when it was decided or over"),
        Column("resolver", "text", "resolver.id|resolver.kind", "who decided it"),
        Column("reason", "text", "reason", "why it is over: user, timeout, no-route, run-aborted"),
    ),
)


def read_nodes() -> Steps[pd.DataFrame]:
    """Read the nodes."""
    return NODES.frame(rows_of("node.list", (yield Ask("node.list", {})), "nodes"))


def read_models() -> Steps[pd.DataFrame]:
    """Read the models, with their prices."""
    rows = rows_of("models.list", (yield Ask("models.list", {})), "models")
    prices = yield from read_prices()
    return MODELS.frame([{**row, "prices": prices.get((row.get("provider"), row.get("id")))} for row in rows])


def read_prices() -> Steps[dict[tuple[Any, Any], dict[str, Any]]]:
    """Read what models cost, by provider and model: USD per 1,000,000 tokens of each kind."""
    payload = yield Ask("config.get", {})
    providers = value_at(payload, ["config", "models", "providers"])
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for provider, about in (providers if isinstance(providers, dict) else {}).items():
        models = value_at(about, ["models"])
        for model in models if isinstance(models, list) else []:
            cost = value_at(model, ["cost"])
            if isinstance(cost, dict) and isinstance(model.get("id"), str):
                found[provider, model["id"]] = cost
    return found


def read_tools(session: str | None = None) -> Steps[pd.DataFrame]:
    """Read the tools: the gateway's own, or all that a session's agent can call."""
    method, params = ("tools.catalog", {}) if session is None else ("tools.effective", {"sessionKey": session})
    groups = rows_of(method, (yield Ask(method, params)), "groups")
    return TOOLS.frame(
        [{**tool, "group": group.get("id")} for group in groups for tool in rows_of(method, group, "tools")]
    )


def read_devices() -> Steps[pd.DataFrame]:
    """Read the devices that are paired, and those that wait for it."""
    payload = yield Ask("device.pair.list", {})
    rows = [
        {**row, "status": status}
        for status in ("pending", "paired")
        for row in rows_of("device.pair.list", payload, status)
    ]
    return DEVICES.frame(rows)


def read_approvals(limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read the approvals: those that wait for a decision, then the others, the latest first."""
    pending: list[dict[str, Any]] = []
    for kind in ("exec", "plugin"):
        method = f"{kind}.approval.list"
        rows = rows_of(method, {"approvals": (yield Ask(method, {}))}, "approvals")
        pending += [_pending(kind, row) for row in rows]
    left = None if limit is None else limit - len(pending)
    if left is not None and left < 1:
        return APPROVALS.frame(pending[:limit])
    return APPROVALS.frame([*pending, *(yield from _decided(left))])


def read_decisions(limit: int | None = None) -> Steps[pd.DataFrame]:
    """Read the approvals that do not wait any more, the latest first."""
    return APPROVALS.frame((yield from _decided(limit)))


def _decided(limit: int | None) -> Steps[list[dict[str, Any]]]:
    return pages("approval.history", {}, "items", "id", size=_HISTORY_PAGE, by="cursor", limit=limit)


def _pending(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return an approval that waits as those that are over are told."""
    fields = {name: value for name, value in row.items() if name not in ("request", "approvalKind")}
    return {**fields, "kind": kind, "status": "pending", "presentation": row.get("request")}
