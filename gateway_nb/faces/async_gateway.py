"""`AsyncGateway`: what one does with a gateway, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Never, Unpack

from ..client import options as options_
from ..client.calls import call, refuse_keywords, subscribe, wait_for
from ..client.core import STOP_TIMEOUT, Core
from ..client.event import Event
from ..client.feed import Subscription
from ..client.options import ConnectOptions
from ..client.pairing import start_when_paired
from ..client.redaction.redactor import Redactor
from ..client.run import AsyncRun
from ..client.status import Status
from ..errors import PairingRequiredError
from ..protocol.handshake import HelloOk
from .agents import AsyncAgents
from .records import AsyncRecords

if TYPE_CHECKING:
    from ..tools.tool import Decorator
    from ..tools.tools import AsyncTools


class AsyncGateway(AsyncAgents, AsyncRecords):
    """A client of an OpenClaw Gateway for asyncio. Needs no thread; lives on the loop it is used on.

    Args:
        url: ``ws://`` to this machine or ``wss://``; default: `OPENCLAW_GATEWAY_URL`, else
            ``ws://127.0.0.1:18789``.
        token: shared gateway token; default: `OPENCLAW_GATEWAY_TOKEN` if no credential is passed, and the URL is the
            environment's.
        password: shared gateway password; default: `OPENCLAW_GATEWAY_PASSWORD` likewise.
        device_token: a device token to use instead of the stored one.
        bootstrap_token: a token for a device's first connection.
        timeout: seconds that `connect` and ``async with`` may take.
        options: see `ConnectOptions`; times in seconds.

    Attributes:
        core: the client's core, of which this is a face: for what is built on this package.

    Raises:
        TypeError, ValueError: an option is wrong; nothing was sent.
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

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        password: str | None = None,
        device_token: str | None = None,
        bootstrap_token: str | None = None,
        timeout: float = 15.0,
        **options: Unpack[ConnectOptions],
    ) -> None:
        self._connect_timeout = options_.timeout(timeout)
        self.core = Core(
            options_.resolve(
                url,
                token=token,
                password=password,
                device_token=device_token,
                bootstrap_token=bootstrap_token,
                options=options,
            )
        )

    # Connecting

    async def connect(self, timeout: float | EllipsisType | None = ...) -> HelloOk:
        """Connect, and stay connected until `close`.

        The first connection fails at once where waiting would not help; later ones are made again and again.

        Args:
            timeout: seconds until hello-ok.

        Raises:
            GatewayConnectError: or one of its kinds, saying why.
        """
        limit = self._connect_timeout if isinstance(timeout, EllipsisType) else options_.timeout(timeout)
        return await self.core.start(limit)

    async def wait_until_paired(
        self, timeout: float = 300.0, on_pending: Callable[[PairingRequiredError], object] | None = None
    ) -> HelloOk:
        """Connect, and where the gateway's owner has to approve this device first, wait until that is done.

        Args:
            timeout: seconds to wait for the owner.
            on_pending: called once with the error that says what to approve; what it raises is logged, and in
                `status.problems`.

        Raises:
            PairingRequiredError: nobody approved it in time.
            GatewayConnectError: connecting failed for another reason.
        """
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
        **others: Never,
    ) -> Any:
        """Call a method and return the payload of its answer.

        Args:
            method: e.g. ``"sessions.list"``.
            params: a mapping; an `idempotencyKey` is added for the methods that need one.
            timeout: seconds, ``None`` for no limit; default `request_timeout` (30 s), and no limit with
                `expect_final`. Requests that the gateway asks to repeat are repeated within it.
            expect_final: an answer ``status: "accepted"`` is only an acknowledgement; wait for the next. The runs
                of ``agent`` and ``chat.send`` are waited for to their end, across a lost connection, too; for
                ``chat.send`` that is a ``chat`` event.

        Returns:
            The payload, decoded: dict, list, str, number, bool or ``None``.

        Raises:
            GatewayRequestError: the gateway said no.
            RunFailedError, RunAbortedError: with `expect_final`, how a run ended.
            GatewayTimeoutError: no answer in time.
            GatewayClosedError: not connected, or not any more.
        """
        refuse_keywords(others)
        return await call(self.core, method, params, timeout, expect_final)

    def submit(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
    ) -> asyncio.Task[Any]:
        """Call a method in the background; the task's result is the payload. Arguments as for `request`."""
        return asyncio.create_task(self.request(method, params, timeout=timeout, expect_final=expect_final))

    def run(
        self, message: str, *, agent: str = "main", session: str | None = None, timeout: float | None = None
    ) -> AsyncRun:
        """Start a turn of an agent; see `AsyncRun`.

        Args:
            message: what to say to it.
            agent: agent id.
            session: session key; default: the agent's main session.
            timeout: seconds for the whole run, ``None`` for no limit.
        """
        return AsyncRun(self.core, message, agent=agent, session=session, timeout=options_.timeout(timeout))

    # Listening

    def on(self, event: str, handler: Callable[[Event], object]) -> Subscription:
        """Call a handler for each event; on the loop, so it must be quick.

        Args:
            event: name or glob pattern.
            handler: called with an `Event`; what it raises is logged.

        Raises:
            TypeError: it can't be called, or is a coroutine function: iterate over `stream` instead.
        """
        return subscribe(self.core, event, handler)

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
        """Return the next event of that name for which `where` is true.

        Args:
            event: name or glob pattern.
            where: called with each; default: the first will do.
            timeout: seconds, ``None`` for no limit.

        Raises:
            GatewayTimeoutError: none came in time.
            GatewayClosedError: the client was closed.
        """
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

    # Seeing

    @property
    def redactor(self) -> Redactor:
        """What takes this client's secrets out of what is shown, written or exported."""
        return self.core.log.redactor

    @property
    def status(self) -> Status:
        """A frozen snapshot; may be read from any thread."""
        return self.core.status

    @property
    def log(self) -> tuple[str, ...]:
        """The last 500 log lines, secrets replaced."""
        return self.core.log.lines

    @property
    def hello(self) -> dict[str, Any] | None:
        """The last hello-ok, with its secrets replaced; ``None`` before the first."""
        return self.core.hello.raw if self.core.hello else None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods the gateway advertised (some callable ones are not among them)."""
        return self.core.hello.methods if self.core.hello else ()

    @property
    def event_names(self) -> tuple[str, ...]:
        """The event names the gateway advertised."""
        return self.core.hello.events if self.core.hello else ()

    def __repr__(self) -> str:
        return f"<AsyncGateway {self.status.state} {self.status.url}>"
