"""`AsyncGateway`: what one does with a gateway, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from types import EllipsisType
from typing import Any, Unpack

import msgspec

from ..client import options as options_
from ..client.connection import E
from ..client.core import Supervisor
from ..client.event import Event
from ..client.feed import Sink
from ..client.handlers import EventStream, Subscription
from ..client.options import ConnectOptions
from ..client.redaction.redactor import Redactor
from ..client.requests import Recorder
from ..client.run import FINISH, AsyncRun
from ..client.status import Status
from ..errors import (
    GatewayClosedError,
    GatewayError,
    GatewayRequestError,
    GatewayTimeoutError,
    PairingRequiredError,
    is_unknown_method,
    suggest_methods,
)
from ..protocol.frames import check_method, decode_answer
from ..protocol.handshake import HelloOk
from ..protocol.names import closest

STOP_TIMEOUT = 1.0
_PAIRING_PAUSE = 1.0


class AsyncGateway:
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
        self.settings = options_.resolve(
            url,
            token=token,
            password=password,
            device_token=device_token,
            bootstrap_token=bootstrap_token,
            options=options,
        )
        self._connect_timeout = options_.timeout(timeout)
        self._supervisor = Supervisor(self.settings)
        self._streams: set[EventStream] = set()
        if "on_event" in self.settings.callbacks:
            self._supervisor.feed.handlers.add("*", self.settings.callbacks["on_event"])

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
        return await self._supervisor.connect(limit)

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
        limit = options_.timeout(timeout)
        deadline = None if limit is None else time.monotonic() + limit
        while True:
            try:
                return await self._supervisor.connect(self._connect_timeout, waits_for_owner=False)
            except PairingRequiredError as error:
                if deadline is not None and time.monotonic() + _PAIRING_PAUSE > deadline:
                    raise
                if on_pending is not None:
                    try:
                        on_pending(error)
                    except Exception as raised:  # noqa: BLE001 - the user's code; the owner may approve all the same
                        self.problem(GatewayError(f"on_pairing raised {type(raised).__name__}: {raised}"))
                    on_pending = None
                await asyncio.sleep(_PAIRING_PAUSE)

    async def close(self, timeout: float = STOP_TIMEOUT) -> None:
        """Close the connection: open requests fail, handlers hear nothing more. Calling it again does nothing.

        Args:
            timeout: seconds after which the line has to be cut.

        Raises:
            GatewayTimeoutError: it was not cut by then (seed: stopAndWait).
        """
        try:
            await self._supervisor.close(timeout)
        finally:
            for stream in self._streams:
                stream.end()

    def abort(self) -> None:
        """Cut the line now, from the loop's own thread."""
        self._supervisor.abort()

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
        check_method(method)
        if expect_final and method in FINISH and isinstance(params, Mapping):
            keyed = {"idempotencyKey": str(uuid.uuid4()), **params}
            try:
                return await FINISH[method](self, keyed, self._limit(timeout, True))
            except GatewayError as error:  # what it says of the run is the gateway's, as in a refusal
                raise self.clean(error) from None
        try:
            raw = await self.request_raw(method, params, timeout=timeout, expect_final=expect_final)
        except GatewayRequestError as error:
            if is_unknown_method(error):
                suggest_methods(error, await asyncio.to_thread(closest, method, self.methods))
            raise
        return decode_answer(method, raw)

    async def request_raw(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        on_acknowledged: Callable[[msgspec.Raw], None] | None = None,
    ) -> msgspec.Raw:
        """Like `request`, but the payload stays JSON bytes."""
        limit = self._limit(timeout, expect_final)
        return await self._supervisor.requests.ask(
            method, params, limit, expect_final=expect_final, on_acknowledged=on_acknowledged
        )

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
        return AsyncRun(self, message, agent=agent, session=session, timeout=options_.timeout(timeout))

    def _limit(self, timeout: float | EllipsisType | None, expect_final: bool) -> float | None:
        if isinstance(timeout, EllipsisType):
            return None if expect_final else self.settings.request_timeout
        return options_.timeout(timeout)

    # Listening

    def on(self, event: str, handler: Callable[[Event], object]) -> Subscription:
        """Call a handler for each event; on the loop, so it must be quick.

        Args:
            event: name or glob pattern.
            handler: called with an `Event`; what it raises is logged.
        """
        return self._supervisor.feed.handlers.add(event, handler)

    def listen(self, event: str, listener: Callable[[Event], object]) -> Subscription:
        """Like `on`, for this package's own listeners: always on the loop, never dispatched elsewhere."""
        return self._supervisor.feed.handlers.listen(event, listener)

    def dispatch_with(self, dispatch: Callable[[Callable[[], object], int], bool]) -> None:
        """Call handlers and callbacks through this function, instead of on the loop.

        Args:
            dispatch: calls what it is given, soon and in order; returns whether it will. Its second argument is how
                many bytes that keeps in memory until then.
        """
        self._supervisor.feed.handlers.dispatch = dispatch

    async def stream(self, event: str = "*") -> AsyncGenerator[Event, None]:
        """Yield events as they come, until the client is closed.

        A reader that lags by more than 64 MiB of events loses the oldest. In their place comes one whose `kind` is
        ``"dropped"`` instead of ``"event"``, with ``{"events": N}`` as its payload.

        Args:
            event: name or glob pattern.
        """
        stream = EventStream()
        self._streams.add(stream)
        try:
            with self._supervisor.feed.handlers.listen(event, stream.put):
                async for item in stream:
                    yield item
        finally:
            self._streams.discard(stream)

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
        limit = options_.timeout(timeout)
        if where is not None and not callable(where):
            raise TypeError(f"where must be callable, or None, not {where!r}")
        try:
            async with asyncio.timeout(limit), contextlib.aclosing(self.stream(event)) as events:
                async for item in events:
                    if item.kind == "event" and (where is None or where(item)):
                        return item
        except TimeoutError as error:
            if isinstance(error, GatewayError):
                raise
            raise GatewayTimeoutError(f"no event {event!r} within {limit:g} s") from None
        raise GatewayClosedError(f"no event {event!r}: gateway client stopped")

    def problem(self, error: GatewayError) -> None:
        """Note what went wrong beside the connection: in the log as a warning, and in `status` from now on."""
        self._supervisor.problem(error)

    @property
    def redactor(self) -> Redactor:
        """What takes this client's secrets out of what is shown, written or exported."""
        return self._supervisor.log.redactor

    def clean(self, error: E) -> E:
        """Return an error without this client's secrets."""
        return self._supervisor.clean(error)

    def add_sink(self, sink: Sink) -> Callable[[], None]:
        """Give every event to a sink, before any handler; return the way to take it out again."""
        return self._supervisor.feed.add_sink(sink)

    def add_recorder(self, recorder: Recorder) -> Callable[[], None]:
        """Give every request and its answer to a recorder; return the way to take it out again."""
        return self._supervisor.requests.add_recorder(recorder)

    # Seeing

    @property
    def status(self) -> Status:
        """A frozen snapshot; may be read from any thread."""
        return self._supervisor.status

    @property
    def log(self) -> tuple[str, ...]:
        """The last 500 log lines, secrets replaced."""
        return self._supervisor.log.lines

    @property
    def hello(self) -> dict[str, Any] | None:
        """The last hello-ok, with its secrets replaced; ``None`` before the first."""
        return self._supervisor.hello.raw if self._supervisor.hello else None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods the gateway advertised (some callable ones are not among them)."""
        return self._supervisor.hello.methods if self._supervisor.hello else ()

    @property
    def event_names(self) -> tuple[str, ...]:
        """The event names the gateway advertised."""
        return self._supervisor.hello.events if self._supervisor.hello else ()

    def __repr__(self) -> str:
        return f"<AsyncGateway {self.status.state} {self.status.url}>"
