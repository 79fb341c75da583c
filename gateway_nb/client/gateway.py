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

from ..protocol.errors import (
    GatewayClosedError,
    GatewayError,
    GatewayRequestError,
    GatewayTimeoutError,
    PairingRequiredError,
)
from ..protocol.frames import decode_answer, encode, encode_request
from ..protocol.handshake import HelloOk
from . import options as options_
from .connection import Connection, E
from .events import Event
from .handlers import EventStream, Subscription
from .options import ConnectOptions
from .redact import Redactor
from .runs import FINISH, AsyncRun
from .status import Status
from .subscriptions import Subscriptions
from .supervisor import Recorder, Sink, Supervisor

STOP_TIMEOUT = 1.0
NEEDS_IDEMPOTENCY_KEY = frozenset({"agent", "chat.send", "send", "poll", "message.action", "node.invoke"})
_FIRST_RETRY_PAUSE = 0.1
_PAIRING_PAUSE = 1.0
_LONGEST_RETRY_PAUSE = 5.0


class AsyncGateway:
    """A client of an OpenClaw Gateway for asyncio. Needs no thread; lives on the loop it is used on.

    Args:
        url: ``ws://`` to this machine or ``wss://``; default: `OPENCLAW_GATEWAY_URL`, else
            ``ws://127.0.0.1:18789``.
        token: shared gateway token; default: `OPENCLAW_GATEWAY_TOKEN` if no credential is passed.
        password: shared gateway password; default: `OPENCLAW_GATEWAY_PASSWORD` likewise.
        device_token: a device token to use instead of the stored one.
        bootstrap_token: a token for a device's first connection.
        timeout: seconds that `connect` and ``async with`` may take.
        options: see `ConnectOptions`; times in seconds.

    Raises:
        TypeError, ValueError: an option is wrong; nothing was sent.
        InsecureUrlError: the URL is refused by policy; nothing was sent.

    Example:
        >>> async with gnb.AsyncGateway(url, token=token) as agw:      # doctest: +SKIP
        ...     health = await agw.request("health")
        ...     async for event in agw.stream("agent"):
        ...         print(event.payload["stream"])
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
        self._supervisor = Supervisor(self.settings, lambda connection: self._subscriptions.make_again(connection))
        self._streams: set[EventStream] = set()
        self._subscriptions = Subscriptions(self.settings.request_timeout, self._supervisor.log)
        if "on_event" in self.settings.callbacks:
            self._supervisor.handlers.add("*", self.settings.callbacks["on_event"])

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
            on_pending: called once with the error that says what to approve.

        Raises:
            PairingRequiredError: nobody approved it in time.
            GatewayConnectError: connecting failed for another reason.
        """
        limit = options_.timeout(timeout)
        deadline = None if limit is None else time.monotonic() + limit
        while True:
            try:
                return await self.connect()
            except PairingRequiredError as error:
                if deadline is not None and time.monotonic() + _PAIRING_PAUSE > deadline:
                    raise
                if on_pending is not None:
                    on_pending(error)
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
        if expect_final and method in FINISH and isinstance(params, Mapping):
            keyed = {"idempotencyKey": str(uuid.uuid4()), **params}
            try:
                return await FINISH[method](self, keyed, self._limit(timeout, True))
            except GatewayError as error:  # what it says of the run is the gateway's, as in a refusal
                raise self.clean(error) from None
        raw = await self.request_raw(method, params, timeout=timeout, expect_final=expect_final)
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
        if method in NEEDS_IDEMPOTENCY_KEY and isinstance(params, Mapping) and "idempotencyKey" not in params:
            params = {**params, "idempotencyKey": str(uuid.uuid4())}
        if not self._supervisor.recorders:
            return await self._ask(method, params, timeout, expect_final, on_acknowledged)
        request_id = str(uuid.uuid4())
        encode_request(request_id, method, params)  # what can't be sent is not recorded either
        self._record("asked", request_id, method, encode(params))
        try:
            answer = await self._ask(method, params, timeout, expect_final, on_acknowledged)
        except GatewayRequestError as error:
            shape = {
                "code": error.code,
                "message": error.gateway_message,
                "details": error.details,
                "retryable": error.retryable,
                "retry_after_ms": None if error.retry_after is None else error.retry_after * 1000,
            }
            self._record("answered", request_id, False, encode(shape))
            raise
        self._record("answered", request_id, True, bytes(answer))
        return answer

    def _record(self, what: str, request_id: str, about: object, data: bytes) -> None:
        for recorder in self._supervisor.recorders:
            getattr(recorder, what)(request_id, about, data)

    async def _ask(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        timeout: float | EllipsisType | None,
        expect_final: bool,
        on_acknowledged: Callable[[msgspec.Raw], None] | None,
    ) -> msgspec.Raw:
        """Ask, and ask again where the gateway wishes so, until the deadline."""
        limit = self._limit(timeout, expect_final)
        deadline = None if limit is None else time.monotonic() + limit
        pause, left = _FIRST_RETRY_PAUSE, limit
        while True:
            connection = self._connection(method)
            try:
                payload = await connection.request(
                    method, params, timeout=left, expect_final=expect_final, on_acknowledged=on_acknowledged
                )
            except GatewayRequestError as error:
                wait = max(pause, error.retry_after or 0.0)
                late = deadline is not None and time.monotonic() + wait >= deadline
                if not error.retryable or late:
                    raise
                self._supervisor.retries += 1
                await asyncio.sleep(wait)
                pause = min(pause * 2, _LONGEST_RETRY_PAUSE)
                left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            else:
                self._subscriptions.remember(method, params)
                return payload

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

    def _connection(self, method: str) -> Connection:
        connection = self._supervisor.connection
        if connection is None:
            why = self._supervisor.why_not_connected()
            raise GatewayClosedError(f"{method}: gateway not connected: {why}", method=method)
        return connection

    # Listening

    def on(self, event: str, handler: Callable[[Event], object]) -> Subscription:
        """Call a handler for each event; on the loop, so it must be quick.

        Args:
            event: name or glob pattern.
            handler: called with an `Event`; what it raises is logged.
        """
        return self._supervisor.handlers.add(event, handler)

    def listen(self, event: str, listener: Callable[[Event], object]) -> Subscription:
        """Like `on`, for this package's own listeners: always on the loop, never dispatched elsewhere."""
        return self._supervisor.handlers.listen(event, listener)

    def dispatch_with(self, dispatch: Callable[[Callable[[], object]], bool]) -> None:
        """Call handlers and callbacks through this function, instead of on the loop.

        Args:
            dispatch: calls what it is given, soon and in order; returns whether it will.
        """
        self._supervisor.handlers.dispatch = dispatch

    async def stream(self, event: str = "*") -> AsyncGenerator[Event, None]:
        """Yield events as they come, until the client is closed.

        Args:
            event: name or glob pattern.
        """
        stream = EventStream()
        self._streams.add(stream)
        try:
            with self._supervisor.handlers.listen(event, stream.put):
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
        try:
            async with asyncio.timeout(limit), contextlib.aclosing(self.stream(event)) as events:
                async for item in events:
                    if where is None or where(item):
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
        return self._supervisor.add_sink(sink)

    def add_recorder(self, recorder: Recorder) -> Callable[[], None]:
        """Give every request and its answer to a recorder; return the way to take it out again."""
        self._supervisor.recorders = (*self._supervisor.recorders, recorder)

        def remove() -> None:
            self._supervisor.recorders = tuple(one for one in self._supervisor.recorders if one is not recorder)

        return remove

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
