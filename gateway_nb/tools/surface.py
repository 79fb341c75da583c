"""The node's side: a second connection, on which tools are published, and where the gateway's calls arrive."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import msgspec

from ..client.core import STOP_TIMEOUT, Core
from ..errors import GatewayClosedError, GatewayError, GatewayRequestError, is_unknown_method, one_line
from ..identity import pool
from ..protocol.auth import Credentials
from ..protocol.frames import decode_answer
from ..protocol.handshake import HelloOk
from .serving import Serving
from .tool import COMMAND, Tool

T = TypeVar("T")
_CONNECT = 15.0
_PUBLISH = 5.0
"""Seconds: where another connection took over, the gateway asks to try again, for ever."""
_ANSWER = 10.0
_NOT_A_NODES = "unauthorized role: node"
"""What gateways say of a method that no node may call, as those do that have no tools of nodes (2026.6.11)."""
_NODE_PREFIX = 32


class _Named(msgspec.Struct):
    name: str = ""


class _Published(msgspec.Struct):
    tools: list[_Named] = []


class _Row(msgspec.Struct, rename="camel"):
    node_id: str = ""
    connected: bool = False
    approval_state: str = ""
    pending_request_id: str | None = None
    node_plugin_tools: list[_Named] = []


class _Rows(msgspec.Struct):
    nodes: list[_Row] = []


class _Pending(msgspec.Struct, rename="camel"):
    request_id: str = ""
    node_id: str = ""
    commands: list[str] = []


class _PairList(msgspec.Struct):
    pending: list[_Pending] = []


class _Group(msgspec.Struct):
    tools: list[dict[str, Any]] = []


class _Catalog(msgspec.Struct):
    groups: list[_Group] = []


class Surface:
    """What one connection offers to the agents of its gateway.

    Args:
        operator: the core of the connection that the tools belong to.
        tools: what is offered, by name.

    Attributes:
        serving: answers the calls.
        notice: what stands in the way of the tools, and what to do; ``None`` if nothing does.
        renamed: the gateway's names of tools whose name another node offers, too, by ours.
    """

    def __init__(self, operator: Core, tools: Mapping[str, Tool]) -> None:
        self.serving = Serving(tools, self._send, operator.log)
        self.notice: str | None = None
        self.renamed: dict[str, str] = {}
        self._operator = operator
        self._tools = tools
        self._node: Core | None = None
        self._key: pool.PooledIdentity | None = None
        self._publishing = asyncio.Lock()
        self._stops = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._core_tools: tuple[int, frozenset[str]] = (0, frozenset())
        self._removals: list[Callable[[], None]] = []

    async def publish(self) -> None:
        """Offer the tools, all of them, and compare with what the gateway accepts; connects first.

        Raises:
            GatewayError: it can't be done: why, and what to do. That nobody approved it yet is no error, but `notice`.
        """
        async with self._publishing:
            for name in self._tools:
                await self._check_name(name)
            node = self._node or await self._connect()
            tools = [tool.published() for tool in self._tools.values()]
            try:
                raw = await node.requests.ask("node.pluginTools.update", {"tools": tools}, _PUBLISH)
            except GatewayRequestError as error:
                if is_unknown_method(error) or _NOT_A_NODES in error.gateway_message:
                    await self.stop()
                    why = f"this gateway ({node.server_version}) has no tools of nodes; update it"
                    raise GatewayError(f"tools can't be offered: {why}", code=error.code) from None
                raise
            accepted = {tool.name for tool in _decode(raw, _Published).tools}
            missing = sorted({tool["name"] for tool in tools} - accepted)
            rows = await self._rows()
            self.renamed = _renamed(rows, self.node_id, self._tools)
            self.notice = self._notice(missing, next((row for row in rows if row.node_id == self.node_id), None))
        if self.notice is not None:
            self._operator.log.warning(self.notice)
        for name, there in sorted(self.renamed.items()):
            self._operator.log.warning(f"another node offers {name!r}, too: agents call it {there!r}")

    async def approve(self) -> None:
        """Approve this connection's own node with the command for tools, as the operator that it belongs to.

        Raises:
            MissingScopeError: that is another's to do: on the gateway's host, ``openclaw nodes approve``.
            GatewayError: the node asks for something else than the command for tools.
        """
        if self._node is None:
            raise GatewayError("there is nothing to approve: offer a tool first, with @gw.tool")
        waiting = _decode(await self._ask("node.pair.list"), _PairList).pending
        for request in waiting:
            if request.node_id == self.node_id:
                if request.commands != [COMMAND]:
                    asked = one_line(", ".join(request.commands), 200)
                    raise GatewayError(f"not approved: the node asks for {asked}, and not for {COMMAND} alone")
                await self._ask("node.pair.approve", {"requestId": request.request_id})
        await self.publish()

    async def _check_name(self, name: str) -> None:
        """Check that the gateway has no tool of its own of a name, as far as this connection may see that.

        Raises:
            GatewayError: it has.
        """
        epoch = self._operator.feed.epoch
        if self._core_tools[0] != epoch:
            try:
                catalog = _decode(await self._ask("tools.catalog"), _Catalog)
            except GatewayRequestError as error:
                self._operator.log.debug(f"the gateway's own tools are not known: {error}")
                catalog = _Catalog()
            names = frozenset(str(tool.get("id")) for group in catalog.groups for tool in group.tools)
            self._core_tools = (epoch, names)
        if name in self._core_tools[1]:
            raise GatewayError(f"a tool must not be called {name!r}: it would replace the gateway's own; pass name=")

    @property
    def node_id(self) -> str:
        """The id of the node; empty while there is none."""
        return self._key.identity.device_id if self._key is not None else ""

    @property
    def state(self) -> str:
        """What the node's connection is doing, as `Status.state`."""
        return self._node.status.state if self._node is not None else "closed"

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Close the connection: the tools are gone at the gateway, calls under way are cancelled.

        Raises:
            GatewayTimeoutError: the line was not cut within `timeout` seconds.
        """
        node = self._node
        tasks = self._let_go()
        await asyncio.gather(*tasks, self.serving.give_up(), return_exceptions=True)
        try:
            if node is not None:
                await node.stop(timeout)
        finally:
            self._release()

    def abort(self) -> None:
        """Cut the line now, without a word. On the loop's own thread."""
        if self._node is not None:
            self._node.abort()
        self._let_go()
        self._release()

    def _let_go(self) -> list[asyncio.Task[None]]:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        for remove in self._removals:
            remove()
        self.serving.workers.stop()
        self._removals, self._node, self.notice, self.renamed = [], None, None, {}
        self._stops += 1
        return tasks

    def _release(self) -> None:
        key, self._key = self._key, None
        if key is not None:
            key.release()

    async def _connect(self) -> Core:
        operator, settings, stops = self._operator, self._operator.settings, self._stops
        key = await asyncio.to_thread(pool.acquire, settings.endpoint.gateway)
        for change in key.changes:
            operator.log.warning(change)
        given = settings.credentials
        client = dataclasses.replace(
            settings.client, role="node", id="node-host", mode="node", caps=(), commands=(COMMAND,), permissions=None
        )
        node = Core(
            dataclasses.replace(
                settings,
                client=client,
                scopes=(),
                device_identity=key.identity,
                credentials=Credentials(token=given.token, password=given.password),
                callbacks={"on_hello_ok": self._connected_again, "on_close": self._closed},
            )
        )
        self._key = key
        try:
            await node.start(_CONNECT, waits_for_owner=False)
            if stops != self._stops:
                await node.stop(STOP_TIMEOUT)
                raise GatewayClosedError("the tools were stopped before they were published")
        except BaseException:
            self._release()
            raise
        self._node = node
        runs = self.serving.runs
        self._removals = [
            node.feed.subscribe("node.invoke.*", self.serving.receive).cancel,
            node.feed.subscribe("node.pair.resolved", lambda _: self._spawn(self._publish_again())).cancel,
            operator.feed.subscribe("agent", runs.take).cancel,
            operator.requests.record(runs),
        ]
        return node

    def _connected_again(self, _: HelloOk) -> None:
        if self._node is not None:  # not on the first connection, which `publish` itself waits for
            self._spawn(self._publish_again())

    def _closed(self, code: int, reason: str) -> None:
        if self._node is not None:  # else `stop` gives them up
            self._spawn(self.serving.give_up())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish_again(self) -> None:
        try:
            await self.publish()
        except GatewayError as error:
            self.notice = f"the tools are not published: {error}"
            self._operator.log.problem(GatewayError(self.notice))

    async def _send(self, result: dict[str, Any]) -> None:
        if self._node is None:
            raise GatewayClosedError("the tools were stopped")
        await self._node.requests.ask("node.invoke.result", result, _ANSWER)

    async def _ask(self, method: str, params: dict[str, Any] | None = None) -> msgspec.Raw:
        return await self._operator.requests.ask(method, params or {}, self._operator.settings.request_timeout)

    async def _rows(self) -> list[_Row]:
        """Return what the gateway lists of nodes; nothing where this connection may not see it."""
        try:
            return _decode(await self._ask("node.list"), _Rows).nodes
        except GatewayError as error:
            self._operator.log.debug(f"the gateway's nodes are not known: {error}")
            return []

    def _notice(self, missing: list[str], row: _Row | None) -> str | None:
        if not missing:
            return None
        if row is not None and row.approval_state == "approved":
            names = one_line(", ".join(missing), 200)
            return f"the gateway accepted all tools but {names}, and does not say why"
        if row is not None and row.approval_state == "unapproved":
            return (
                "no agent can call this notebook's tools: the gateway's owner did not allow it; gw.tools.stop(), and "
                "defining a tool again, asks once more"
            )
        request = row.pending_request_id if row is not None else None
        command = f"openclaw nodes approve {one_line(request or 'REQUEST', 100)}"
        listed = "" if request else " (openclaw nodes pending lists the requests)"
        return (
            "no agent can call this notebook's tools yet: the gateway's owner has to allow that it offers Python "
            "functions to every agent of the gateway; run gw.tools.approve() here, or on the gateway's host: "
            f"{command}{listed}"
        )


def _renamed(rows: list[_Row], node_id: str, tools: Mapping[str, Tool]) -> dict[str, str]:
    """Return the names that the gateway makes of those that several nodes offer."""
    others = {tool.name for row in rows if row.node_id != node_id for tool in row.node_plugin_tools}
    prefix = (node_id if node_id[:1].isalpha() else f"node_{node_id}")[:_NODE_PREFIX]
    return {name: f"{prefix}_{name}" for name in tools if name in others}


def _decode(raw: msgspec.Raw, kind: type[T]) -> T:
    """Return an answer of the gateway's in its shape.

    Raises:
        GatewayError: it has another.
    """
    try:
        return msgspec.convert(decode_answer("tools", raw), kind)
    except msgspec.ValidationError as error:
        raise GatewayError(f"the gateway's answer has another shape than expected: {error}") from None
