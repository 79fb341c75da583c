"""`AsyncGateway`: what one does with a gateway, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from ..client import options as options_
from ..client import trace_context
from ..client.calls import call, user_facing, wait_for
from ..client.core import STOP_TIMEOUT
from ..client.event import Event
from ..client.pairing import start_when_paired
from ..client.run import AsyncRun
from ..errors import PairingRequiredError
from ..protocol.handshake import HelloOk
from .agents import AsyncAgents
from .records import AsyncRecords

if TYPE_CHECKING:
    from ..tools.tool import Decorator
    from ..tools.tools import AsyncTools


@user_facing
class AsyncGateway(AsyncAgents, AsyncRecords):
    """A client of an OpenClaw Gateway for asyncio. Needs no thread; lives on the loop it is used on.

    Args:
        url: as for `gateway_nb.connect`, like the credentials and the other options.
        timeout: seconds that `connect` and ``async with`` may take.

    Raises:
        BadArgumentError: an option is wrong; nothing was sent.
        InsecureUrlError: the URL is refused by policy; nothing was sent.

    Example:
        >>> async def ask() -> None:
        ...     async with gnb.AsyncGateway(url, token=token) as agw:
        ...         print((await agw.request("health"))["ok"])
        ...         async for piece in agw.run("hello"):
        ...             print(piece, end="")
        >>> asyncio.run(ask())  # in a notebook: await ask()
        True
        hello
    """

    # Connecting

    async def connect(self, timeout: float | EllipsisType | None = ...) -> HelloOk:
        """Connect, and stay connected until `close`.

        The first connection fails at once where waiting would not help; later ones are made again and again.

        Args:
            timeout: seconds until hello-ok.

        Raises:
            GatewayConnectError: or one of its kinds, saying why.
        """
        return await self.core.start(self._limit(timeout))

    async def wait_until_paired(
        self, timeout: float = 300.0, on_pending: Callable[[PairingRequiredError], object] | None = None
    ) -> HelloOk:
        return await start_when_paired(self.core, self._connect_timeout, options_.timeout(timeout), on_pending)

    async def close(self, timeout: float = STOP_TIMEOUT) -> None:
        """Close the connection: open requests fail, handlers hear nothing more, tools are gone.

        Calling it again does nothing.

        Args:
            timeout: seconds after which the line has to be cut.

        Raises:
            GatewayTimeoutError: it was not cut by then (seed: stopAndWait).
        """
        async with contextlib.AsyncExitStack() as ends:  # the last first, each whatever becomes of the others
            ends.push_async_callback(self.core.stop, timeout)
            for offer in {"tools", "approvals"} & vars(self).keys():
                ends.push_async_callback(getattr(self, offer).stop, timeout)

    async def __aenter__(self) -> AsyncGateway:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Calling

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        traceparent: str | None = None,
    ) -> Any:
        carried = trace_context.traceparent(self.core.server_version, traceparent)
        return await call(self.core, method, params, timeout, expect_final, carried)

    def submit(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        traceparent: str | None = None,
    ) -> asyncio.Task[Any]:
        """Call a method in the background; the task's result is the payload. Arguments as for `request`."""
        return asyncio.create_task(
            self.request(method, params, timeout=timeout, expect_final=expect_final, traceparent=traceparent)
        )

    def run(
        self, message: str, *, agent: str = "main", session: str | None = None, timeout: float | None = None
    ) -> AsyncRun:
        limit, carried = options_.timeout(timeout), trace_context.traceparent(self.core.server_version, None)
        return AsyncRun(self.core, message, agent=agent, session=session, timeout=limit, traceparent=carried)

    # Listening

    def stream(self, event: str = "*") -> AsyncGenerator[Event, None]:
        """Yield events as they come, until the client is closed.

        A reader that lags by more than 64 MiB of events loses the oldest. In their place comes one whose `kind` is
        ``"dropped"`` instead of ``"event"``, with ``{"events": N}`` as its payload.

        Args:
            event: name or glob pattern.
        """
        return self.core.feed.stream(event)

    async def wait_for(
        self, event: str, where: Callable[[Event], object] | None = None, timeout: float | None = 30.0
    ) -> Event:
        return await wait_for(self.core, event, where, timeout)

    # Offering

    @property
    def tool(self) -> Decorator:
        """Offers a function, a coroutine function, too, as a tool of the gateway's agents: ``@agw.tool``.

        It is published soon; ``await agw.tools.publish()`` waits for that. See `gateway_nb.tools.tool.ToolOptions`.
        """
        from ..tools.tool import Decorator

        return Decorator(self.tools.add)

    @functools.cached_property
    def tools(self) -> AsyncTools:
        """The functions that are offered, and their calls."""
        from ..tools.tools import AsyncTools

        return AsyncTools(self.core)

    def __repr__(self) -> str:
        return f"<AsyncGateway {self.status.state} {self.status.url}>"
