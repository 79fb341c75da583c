"""Calls of nodes: asked of the node, answered by it, given up after their time."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from ..protocol import frames
from ..protocol.scopes import PAIRING
from .admission import Admission
from .answers import Refusal, fault
from .clock import now_ms
from .peer import Peer
from .peers import Peers
from .state.nodes import ALLOWED_COMMANDS, Node, Nodes

NODE_REMOVED = 4001


class NodeError(Exception):
    """A node did not do what it was asked to.

    Args:
        code: e.g. ``TIMEOUT``, or the node's own.
        message: for people.
        dispatched: it had been asked.
    """

    def __init__(self, code: str, message: str, *, dispatched: bool = True) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.dispatched = dispatched

    def refusal(self) -> Refusal:
        """Return what ``node.invoke`` answers."""
        error = {"code": self.code, "message": self.message}
        details: dict[str, Any] = {"nodeError": error, "nodeCommandDispatched": self.dispatched}
        return Refusal("UNAVAILABLE", str(self), details)


@dataclass
class _Pending:
    node_id: str
    answer: asyncio.Future[dict[str, Any]]


@dataclass
class NodeCalls:
    """The nodes that are connected, and what they were asked.

    Attributes:
        nodes: what each declared, and what of it was approved.
    """

    _peers: Peers
    _admission: Admission  # the devices, of which a removed node's is dropped
    nodes: Nodes = field(default_factory=Nodes)
    _connected: dict[str, Peer] = field(default_factory=dict)
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def connect(self, peer: Peer) -> None:
        """Register a node that has connected; of two with one key the newer counts."""
        client, node_id = peer.client, peer.device_id
        assert client is not None
        assert node_id is not None
        before = self.nodes.get(node_id)
        asked = before and before.request
        self._give_up(node_id)
        node = self.nodes.connect(node_id, client.client, client.caps, client.commands)
        self._connected[node_id] = peer
        if node.request is not None and node.request != asked:
            self._peers.broadcast("node.pair.requested", node.request, scope=PAIRING)

    def disconnect(self, peer: Peer) -> None:
        """Note that a node has gone."""
        node_id = peer.device_id
        if node_id is not None and self._connected.get(node_id) is peer:
            del self._connected[node_id]
            self.nodes.disconnect(node_id)
            self._give_up(node_id)

    def node_of(self, peer: Peer) -> Node:
        """Return the node that a client is.

        Raises:
            Refusal: UNAVAILABLE, another connection with its key is newer.
        """
        node_id = peer.device_id
        if node_id is None or self._connected.get(node_id) is not peer:
            raise _pairing_changed("before request dispatch")
        return self.nodes[node_id]

    def settled(self, request_id: str, node_id: str, decision: str) -> None:
        """Notify the node and clients with operator.pairing of how its request was decided."""
        resolved = {"requestId": request_id, "nodeId": node_id, "decision": decision, "ts": now_ms()}
        self._peers.broadcast("node.pair.resolved", resolved, scope=PAIRING)
        if peer := self._connected.get(node_id):
            peer.event("node.pair.resolved", frames.encode(resolved), numbered=False)

    def remove(self, node_id: str) -> None:
        """Forget a node and its device, and close its connection.

        Raises:
            Refusal: INVALID_REQUEST, there is no such node.
        """
        if node_id not in self.nodes:
            raise fault("unknown nodeId")
        peer = self._connected.get(node_id)
        if peer is not None:
            self.disconnect(peer)
            peer.spawn(peer.close(NODE_REMOVED, "device removed"))
        del self.nodes[node_id]
        self._admission.devices.pop(node_id, None)
        self.settled("", node_id, "removed")

    def check(self, node_id: str, command: str) -> None:
        """Check that a node can be asked for a command.

        Raises:
            Refusal: it is unknown or not approved, or the command is not one that nodes may have.
        """
        if command not in ALLOWED_COMMANDS:
            message = f'node command not allowed: "{command}" is not in the allowlist for platform "linux"'
            raise fault(message, reason="command not allowlisted", command=command)
        if node_id not in self.nodes or command not in self.nodes[node_id].approved:
            raise _pairing_changed("while invocation was active")
        if node_id not in self._connected:
            error = NodeError("NOT_CONNECTED", "node not connected", dispatched=False).refusal()
            raise Refusal(error.code, "node not connected", {"code": "NOT_CONNECTED", **(error.details or {})})

    async def invoke(
        self, node_id: str, command: str, params: Any, timeout_ms: int, idempotency_key: str, session: str | None = None
    ) -> dict[str, Any]:
        """Ask a node, and return the params of its ``node.invoke.result``.

        Raises:
            NodeError: it failed, has gone, or did not answer in time; in the last case it is told to stop.
        """
        peer = self._connected.get(node_id)
        if peer is None:
            raise NodeError("NOT_CONNECTED", "node not connected", dispatched=False)
        invoke_id = str(uuid.uuid4())
        request: dict[str, Any] = {
            "id": invoke_id,
            "nodeId": node_id,
            "command": command,
            "paramsJSON": json.dumps(params, ensure_ascii=False, separators=(",", ":")),
            "timeoutMs": timeout_ms,
            "idempotencyKey": idempotency_key,
        }
        if session is not None:
            request["sessionKey"] = session
        pending = self._pending[invoke_id] = _Pending(node_id, asyncio.get_running_loop().create_future())
        peer.event("node.invoke.request", frames.encode(request), numbered=False)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                answer = await pending.answer
        except (TimeoutError, asyncio.CancelledError) as error:
            cancel = frames.encode({"invokeId": invoke_id, "nodeId": node_id})
            peer.event("node.invoke.cancel", cancel, numbered=False)
            if isinstance(error, TimeoutError):
                raise NodeError("TIMEOUT", "node invoke timed out") from None
            raise
        finally:
            del self._pending[invoke_id]
        if not answer["ok"]:
            failed = answer.get("error", {})
            raise NodeError(failed.get("code", "UNAVAILABLE"), failed.get("message", "node command failed"))
        return answer

    def answer(self, node: Node, params: dict[str, Any]) -> bool:
        """Pass on a node's answer; return whether something still waits for it."""
        pending = self._pending.get(params["id"])
        if pending is None or pending.node_id != node.node_id or pending.answer.done():
            return False
        pending.answer.set_result(params)
        return True

    def _give_up(self, node_id: str) -> None:
        """Fail what a node was asked before its connection ended."""
        for pending in self._pending.values():
            if pending.node_id == node_id and not pending.answer.done():
                error = {"code": "NODE_DISCONNECTED", "message": "node disconnected"}
                pending.answer.set_result({"ok": False, "error": error})


def _pairing_changed(when: str) -> Refusal:
    return Refusal("UNAVAILABLE", f"node pairing changed {when}", {"code": "PAIRING_CHANGED"}, retryable=True)
