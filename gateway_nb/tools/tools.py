"""`AsyncTools`: the tools of one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pandas as pd

from ..client.core import STOP_TIMEOUT, Core
from ..errors import GatewayClosedError, GatewayError, one_line
from .calls import Call
from .surface import Surface
from .tool import Tool

MOST_TOOLS = 128


class AsyncTools:
    """The Python functions that one connection offers to the agents of its gateway: ``agw.tools``.

    Args:
        core: of the connection.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tools: dict[str, Tool] = {}
        self._surface = Surface(core, self._tools)
        self._background: set[asyncio.Task[None]] = set()

    def add(self, tool: Tool) -> None:
        """Offer a tool soon; `publish` waits for that, and raises what goes wrong.

        Raises:
            GatewayClosedError: the client is not connected.
            GatewayError: there are 128 tools.
        """
        self._check(tool)
        self._tools[tool.signature.name] = tool
        task = asyncio.get_running_loop().create_task(self._publish_soon())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _publish_soon(self) -> None:
        try:
            await self.publish()
        except GatewayError as error:
            self._core.log.problem(GatewayError(f"the tools are not published: {error}"))

    async def offer(self, tool: Tool) -> None:
        """Offer a tool, in the place of the one of its name; what can't be published is not offered.

        Raises:
            GatewayError: it can't be published: why, and what to do.
        """
        self._check(tool)
        name = tool.signature.name
        former = self._tools.get(name)
        self._tools[name] = tool
        try:
            await self.publish()
        except BaseException:
            if former is not None:
                self._tools[name] = former
            else:
                self._tools.pop(name, None)
            raise

    def _check(self, tool: Tool) -> None:
        if self._core.status.state != "connected":
            raise GatewayClosedError("a tool needs a connection: connect first")
        if tool.signature.name not in self._tools and len(self._tools) >= MOST_TOOLS:
            raise GatewayError(
                f"a connection offers at most {MOST_TOOLS} tools, and a gateway drops more without a word; remove one "
                "with gw.tools.remove(name)"
            )

    async def publish(self) -> None:
        """Publish all tools and wait until the gateway has them.

        Raises:
            GatewayError: it can't be done: why, and what to do. That nobody approved it yet is no error, but in
                `notice`.
        """
        await self._surface.publish()

    async def approve(self) -> None:
        """Approve, as this connection's operator, that its own node offers tools, and publish them.

        Raises:
            MissingScopeError: this connection may not (operator.pairing and operator.write, or operator.admin).
            GatewayError: there is nothing to approve.
        """
        await self._surface.approve()

    async def remove(self, name: str) -> None:
        """Offer a tool no more.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._tools:
            raise KeyError(f"there is no tool {name!r}; offered are {', '.join(self.names) or 'none'}")
        del self._tools[name]
        await self._surface.publish()

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Offer nothing more: the tools are gone at the gateway, and calls under way are cancelled.

        Args:
            timeout: seconds to close the node's connection.
        """
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._tools.clear()
        await self._surface.stop(timeout)

    def abort(self) -> None:
        """Cut the node's connection now. On the loop's own thread."""
        self._surface.abort()

    def allow(self, id: int) -> None:
        """Allow a call that waits for it.

        Args:
            id: the call's number.

        Raises:
            GatewayError: it does not wait (any more).
        """
        self._surface.serving.confirmations.answer(id, allow=True)

    def deny(self, id: int) -> None:
        """Deny a call that waits to be allowed; arguments and errors as for `allow`."""
        self._surface.serving.confirmations.answer(id, allow=False)

    def restrict(self, run: str, names: Iterable[str]) -> None:
        """Let a run call these tools alone, and none of the others; so with its sub-agents.

        A gateway has no list of tools for a run: it is kept here, for the tools of this connection.

        Args:
            run: its id; best before it has begun.
            names: of tools.

        Raises:
            GatewayError: there is no tool of that name.
        """
        names = frozenset(names)
        if unknown := names - set(self._tools):
            offered = ", ".join(self.names) or "none"
            raise GatewayError(f"there is no tool {min(unknown)!r}; this connection offers {offered}")
        self._surface.serving.runs.limit(run, names)

    def last_error(self) -> str | None:
        """Return the traceback of the latest function that raised, ``None`` if none did."""
        return self._surface.serving.calls.last_error

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        return tuple(self._tools)

    @property
    def calls(self) -> pd.DataFrame:
        """The last 10,000 calls, one row each, oldest first."""
        return self._surface.serving.calls.df

    @property
    def waiting(self) -> tuple[Call, ...]:
        """The calls that wait for the user to allow them."""
        return tuple(self._surface.serving.confirmations.waiting.values())

    def latest(self, count: int) -> tuple[Call, ...]:
        """Return the records of the latest calls, oldest first."""
        return self._surface.serving.calls.all[-count:]

    @property
    def notice(self) -> str | None:
        """What stands in the way of the tools, and what to do; ``None`` if nothing does."""
        return self._surface.notice

    @property
    def renamed(self) -> dict[str, str]:
        """The gateway's names of tools whose name another node offers, too, by ours."""
        return self._surface.renamed

    @property
    def workers(self) -> int:
        """How many functions run at once on threads; can be set."""
        return self._surface.serving.workers.places

    @workers.setter
    def workers(self, count: int) -> None:
        self._surface.serving.workers.places = count

    def __repr__(self) -> str:
        names = [
            f"{name} (agents call it {self.renamed[name]})" if name in self.renamed else name for name in self._tools
        ]
        lines = [
            f"<tools of {self._core.status.url}: {', '.join(names) or 'none'}; "
            f"node {self._surface.state}; calls: {len(self._surface.serving.calls.all):,}>"
        ]
        lines += [self.notice] if self.notice else []
        lines += [
            f"call {call.id} waits: {call.tool}({one_line(call.arguments)}) of {one_line(call.session, 200)}; "
            f"gw.tools.allow({call.id})"
            for call in self.waiting
        ]
        return "\n".join(lines)
