"""Nodes: their approval, their tools, and what they are asked.

For clients with operator.pairing; approving needs operator.write, too:

- ``node.pair.list {}`` -> ``{pending[{requestId, nodeId, clientId, clientMode, displayName?, platform, version,
  deviceFamily?, caps, commands, requiredApproveScopes, silent, ts}], paired[{nodeId, ..., commands, createdAtMs,
  approvedAtMs, lastSeenAtMs}]}``.
- ``node.pair.approve {requestId}`` -> ``{requestId, node}``; ``node.pair.reject {requestId}`` -> ``{requestId,
  nodeId}``; ``node.pair.remove {nodeId}`` -> ``{nodeId}``, and the node's connection is closed with 4001.
- Events ``node.pair.requested`` (a pending row) and ``node.pair.resolved {requestId, nodeId, decision, ts}``; the node
  hears the latter without a sequence number.

For clients with operator.read:

- ``node.list {}`` -> ``{ts, nodes[{nodeId, displayName?, ..., commands, nodePluginTools?, approvalState: approved |
  pending-approval | unapproved, pendingRequestId?, pendingDeclaredCommands?, connectedAtMs?, paired, connected}]}``;
  ``node.describe {nodeId}`` -> ``{ts, ...row}``.

For clients with operator.write:

- ``node.invoke {nodeId, command, params?, timeoutMs?, idempotencyKey}`` -> ``{ok, nodeId, command, payload,
  payloadJSON?}``, or UNAVAILABLE with ``details.nodeError {code, message}``.

For nodes:

- ``node.pluginTools.update {tools[{pluginId, name, description, parameters?, command, mcp?{server, tool}}]}`` ->
  ``{nodeId, tools}``: those that were accepted and are approved.
- Event ``node.invoke.request {id, nodeId, command, paramsJSON, timeoutMs, idempotencyKey, sessionKey?}``; answered by
  ``node.invoke.result {id, nodeId, ok, payload?, payloadJSON?, error?{code, message}}`` -> ``{ok, ignored?}``.
- Event ``node.invoke.cancel {invokeId, nodeId}``: nobody waits any more.
- ``node.invoke.progress {invokeId, nodeId, seq, chunk}`` -> ``{ok, ignored}``: nobody sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import PAIRING, READ, WRITE
from ..answers import LATER, Refusal, fault
from ..calls import NodeCalls, NodeError
from ..clock import now_ms
from ..params import NOTHING, Params, anything, array, boolean, integer, mapping, nullable, string, text, word
from ..state.nodes import Node
from ..state.results import parsed
from .method import NODE, Call, Method, Table

_INVOKE_MS = 30_000
_REQUEST = Params({"requestId": text}, ("requestId",))
_NODE = Params({"nodeId": text}, ("nodeId",))
_TOOL = Params(
    {
        "pluginId": text,
        "name": word(r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"),
        "description": text,
        "parameters": mapping(anything),
        "command": text,
        "mcp": Params({"server": text, "tool": text}, ("server", "tool")),
    },
    ("pluginId", "name", "description", "command"),
)
_INVOKE = Params(
    {"nodeId": text, "command": text, "params": anything, "timeoutMs": integer(0), "idempotencyKey": text},
    ("nodeId", "command", "idempotencyKey"),
)
_RESULT = Params(
    {
        "id": text,
        "nodeId": text,
        "ok": boolean,
        "payload": anything,
        "payloadJSON": nullable(string),
        "error": nullable(Params({"code": text, "message": text})),
    },
    ("id", "nodeId", "ok"),
)
_PROGRESS = Params(
    {"invokeId": text, "nodeId": text, "seq": integer(0), "chunk": string}, ("invokeId", "nodeId", "seq", "chunk")
)


@dataclass
class NodeMethods:
    """The methods."""

    _calls: NodeCalls

    def table(self) -> Table:
        update = Params({"tools": array(_TOOL)}, ("tools",))
        return {
            "node.pair.list": Method(PAIRING, NOTHING, self._pair_list),
            "node.pair.approve": Method(PAIRING, _REQUEST, self._approve),
            "node.pair.reject": Method(PAIRING, _REQUEST, self._reject),
            "node.pair.remove": Method(PAIRING, _NODE, self._remove),
            "node.list": Method(READ, NOTHING, self._list),
            "node.describe": Method(READ, _NODE, self._describe),
            "node.invoke": Method(WRITE, _INVOKE, self._invoke),
            "node.pluginTools.update": Method(None, update, self._update, role=NODE),
            "node.invoke.result": Method(None, _RESULT, self._result, role=NODE),
            "node.invoke.progress": Method(None, _PROGRESS, self._progress, role=NODE),
        }

    def _pair_list(self, call: Call) -> dict[str, Any]:
        nodes = self._calls.nodes.values()
        return {
            "pending": [node.request for node in nodes if node.request is not None],
            "paired": [node.surface() for node in nodes if node.approved_at is not None],
        }

    def _approve(self, call: Call) -> dict[str, Any]:
        request_id = call.params["requestId"]
        if not call.peer.allows(WRITE):
            details = {"code": "MISSING_SCOPE", "missingScope": WRITE, "requiredScopes": [PAIRING, WRITE]}
            raise Refusal("FORBIDDEN", f"missing scope: {WRITE}", details)
        node = self._calls.nodes.settle(request_id, approve=True)
        self._calls.settled(request_id, node.node_id, "approved")
        return {"requestId": request_id, "node": node.surface()}

    def _reject(self, call: Call) -> dict[str, Any]:
        request_id = call.params["requestId"]
        node = self._calls.nodes.settle(request_id, approve=False)
        self._calls.settled(request_id, node.node_id, "rejected")
        return {"requestId": request_id, "nodeId": node.node_id}

    def _remove(self, call: Call) -> dict[str, Any]:
        self._calls.remove(call.params["nodeId"])
        return {"nodeId": call.params["nodeId"]}

    def _list(self, call: Call) -> dict[str, Any]:
        return {"ts": now_ms(), "nodes": [node.row() for node in self._calls.nodes.values()]}

    def _describe(self, call: Call) -> dict[str, Any]:
        node = self._calls.nodes.get(call.params["nodeId"])
        if node is None:
            raise fault("unknown nodeId")
        return {"ts": now_ms(), **node.row()}

    def _invoke(self, call: Call) -> Any:
        self._calls.check(call.params["nodeId"], call.params["command"])
        call.peer.spawn(self._answer_invoke(call))
        return LATER

    async def _answer_invoke(self, call: Call) -> None:
        params = call.params
        node_id, command, timeout_ms = params["nodeId"], params["command"], params.get("timeoutMs", _INVOKE_MS)
        try:
            answer = await self._calls.invoke(
                node_id, command, params.get("params"), timeout_ms, params["idempotencyKey"]
            )
        except NodeError as error:
            call.peer.refuse(call.id, error.refusal())
            return
        payload = {name: answer[name] for name in ("payload", "payloadJSON") if answer.get(name) is not None}
        if "payload" not in payload and "payloadJSON" in payload:
            payload["payload"] = parsed(payload["payloadJSON"])
        call.peer.answer(call.id, {"ok": True, "nodeId": node_id, "command": command, **payload})

    def _update(self, call: Call) -> dict[str, Any]:
        node = self._calls.node_of(call.peer)
        return {"nodeId": node.node_id, "tools": self._calls.nodes.offer(node.node_id, call.params["tools"])}

    def _result(self, call: Call) -> dict[str, Any]:
        node = self._own(call)
        return {"ok": True} if self._calls.answer(node, call.params) else {"ok": True, "ignored": True}

    def _progress(self, call: Call) -> dict[str, Any]:
        self._own(call)
        return {"ok": True, "ignored": True}

    def _own(self, call: Call) -> Node:
        node = self._calls.node_of(call.peer)
        if node.node_id != call.params["nodeId"]:
            raise fault("nodeId mismatch")
        return node
