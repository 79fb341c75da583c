"""Keeps one connection alive: connects, notices the end, decides how to go on, and says what it is doing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..protocol import close_codes
from ..protocol.auth import Recovery
from ..protocol.backoff import DEVICE_TOKEN_RETRY, Backoff, starting_pause
from ..protocol.errors import (
    GatewayClosedError,
    GatewayConnectError,
    GatewayError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
)
from ..protocol.frames import EventFrame, MalformedFrame
from ..protocol.handshake import Challenge, HelloOk
from .connection import Connection, E, Ended
from .device_auth import DeviceAuth
from .events import Event
from .handlers import Handlers
from .options import Settings
from .redact import LOGGER, Log
from .status import Counters, Status
from .transport.opening import open_transport

_PROBLEMS_KEPT = 10


class Sink(Protocol):
    """Something that keeps events: the event log, a journal."""

    def extend(self, events: list[Event]) -> None:
        """Keep events that came together. Called on the loop thread: it must be quick."""

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Keep a note in the events' order: ``gap`` or ``reconnect``, with what is known of it."""


class Recorder(Protocol):
    """Something that keeps requests and answers; it takes the secrets out of them, away from the loop."""

    def asked(self, request_id: str, method: str, params: bytes) -> None:
        """A request is made; its params are JSON."""

    def answered(self, request_id: str, ok: bool, answer: bytes) -> None:
        """It was answered, with a payload or an error; both are JSON."""


class Supervisor:
    """The life of a client across connections.

    Args:
        settings: checked options.
        on_connected: called after every hello-ok with the connection; the first has epoch 1.

    Attributes:
        connection: the live connection, or ``None``.
        epoch: number of connections that reached hello-ok.
        hello: the last hello-ok.
        log: the client's log.
        handlers: the user's handlers.
        retries: requests sent again; counted by the caller of the connection.
        recorders: who keeps requests and answers.
    """

    def __init__(self, settings: Settings, on_connected: Callable[[Connection], None]) -> None:
        self.connection: Connection | None = None
        self.epoch = 0
        self.hello: HelloOk | None = None
        self.log = Log()
        self.handlers = Handlers(self.log)
        self.retries = 0
        self._continues = False
        self.recorders: tuple[Recorder, ...] = ()
        self._settings = settings
        self._on_connected = on_connected
        self._auth = DeviceAuth(settings, self.log)
        self._backoff = Backoff()
        self._opening: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[HelloOk] | None = None
        self._status = Status("closed", settings.endpoint.display)
        self._shutdown_reason: str | None = None
        self._stopping = False
        self._problems: deque[str] = deque(maxlen=_PROBLEMS_KEPT)  # apart from the status: other threads add to it
        self._next_attempt: float | None = None
        self._sinks: tuple[Sink, ...] = ()
        self._frames = self._events = self._gaps = self._missed = self._malformed = 0

    async def connect(self, limit: float | None) -> HelloOk:
        """Connect within so many seconds, and keep the connection alive from then on.

        The first connection fails at once where waiting would not help.

        Raises:
            GatewayConnectError: or one of its kinds.
        """
        if self.connection is not None and self.hello is not None:
            return self.hello
        await self._end()
        self._auth.load_identity()
        self._backoff.reset()
        self._stopping = False
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._supervise())
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(self._first)
        except TimeoutError as error:
            why = self._status.reason
            await self._end()
            if isinstance(error, GatewayError):
                raise
            raise HandshakeTimeoutError(
                f"no connection to {self._status.url} within {limit:g} s" + (f": {why}" if why else "")
            ) from None
        except BaseException as error:
            await self._end(str(error) if isinstance(error, GatewayError) else None)
            raise

    async def close(self, timeout: float) -> None:
        """Close the connection and connect no more.

        Raises:
            GatewayTimeoutError: the line was not cut within `timeout` seconds.
        """
        connection, self.connection, self._stopping = self.connection, None, True
        if self._continues:
            self._continues = False
            self._mark("stop", {})
        try:
            if connection is not None:
                async with asyncio.timeout(timeout):
                    await connection.stop()
        except TimeoutError:
            raise GatewayTimeoutError(f"gateway client stop timed out after {timeout * 1000:.0f}ms") from None
        finally:
            await self._end()

    def abort(self) -> None:
        """Cut the line now, without a word. On the loop's own thread."""
        if self._task is not None:
            self._task.cancel()

    def problem(self, error: GatewayError) -> None:
        """Note what went wrong beside the connection. From any thread."""
        said = self.log.clean(error)
        self.log.warning(said)
        self._problems.append(said)

    def add_sink(self, sink: Sink) -> Callable[[], None]:
        """Give every event to a sink, before any handler; return the way to take it out again."""
        self._sinks = (*self._sinks, sink)

        def remove() -> None:
            self._sinks = tuple(other for other in self._sinks if other is not sink)

        return remove

    @property
    def status(self) -> Status:
        """A frozen snapshot; may be read from any thread."""
        connection = self.connection
        counters = Counters(
            frames=self._frames + (connection.frames if connection else 0),
            events=self._events,
            gaps=self._gaps,
            missed=self._missed,
            malformed=self._malformed + (connection.binary_frames if connection else 0),
            reconnects=max(self.epoch - 1, 0),
            retries=self.retries,
            in_flight=connection.in_flight if connection else 0,
            queued=connection.queued if connection else 0,
            handler_errors=self.handlers.errors,
            handler_missed=self.handlers.missed,
        )
        waits = self._status.state in ("reconnecting", "restarting") and connection is None
        left = None if self._next_attempt is None else max(self._next_attempt - time.monotonic(), 0.0)
        return dataclasses.replace(
            self._status,
            rtt=connection.rtt if connection else None,
            retry_in=left if waits else None,
            problems=tuple(self._problems),
            counters=counters,
        )

    def why_not_connected(self) -> str:
        """Return what a caller without a connection should know."""
        status = self.status
        if status.state == "paused":
            return f"paused: {status.reason}; mend that and connect again"
        if status.retry_in is not None:
            return f"{status.state}, next attempt in {status.retry_in:.1f} s: {status.reason}"
        return "connect first" if status.state == "closed" else status.state

    async def _end(self, reason: str | None = None) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._first is not None:
            if not self._first.done():
                self._first.set_exception(GatewayClosedError("connect: gateway client stopped"))
            self._first.exception()  # raised already, or of no interest any more
        self._set_state("closed", reason)

    # The life of a client

    async def _supervise(self) -> None:
        """Connect, live, wait, again."""
        try:
            await self._live()
        except Exception as error:  # noqa: BLE001 - a bug of ours: nobody may wait for it for ever
            LOGGER.exception("the supervisor failed")
            self._set_state("closed", self.log.clean(f"a bug in gateway_nb: {error!r}"))
            if self._first is not None and not self._first.done():
                self._first.set_exception(error)

    async def _live(self) -> None:
        while True:
            before = self.epoch
            ended = await self._attempt()
            pause = self._plan(ended, was_connected=self.epoch > before)
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def _attempt(self) -> Ended:
        if self._status.state == "closed":
            self._set_state("connecting")
        settings = self._settings
        try:
            transport = await open_transport(
                settings.endpoint,
                timeout=settings.connect_challenge_timeout,
                ssl_context=settings.ssl_context,
            )
            self._opening = Connection(
                transport,
                self,
                challenge_timeout=settings.connect_challenge_timeout,
                tick_min_interval=settings.tick_watch_min_interval,
            )
            return await self._opening.run()
        except GatewayConnectError as error:
            return Ended(close_codes.ABNORMAL, "", self.clean(error))
        finally:
            if self._opening is not None:
                self._frames += self._opening.frames
                self._malformed += self._opening.binary_frames
            self.connection = self._opening = None

    def _plan(self, ended: Ended, *, was_connected: bool) -> float | None:
        """Return the seconds until the next attempt, or ``None`` for none."""
        error = ended.error
        why = self.log.clean(error or close_codes.describe(ended.code, ended.reason))
        self.log.info(why)
        if error is not None:
            self._call("on_connect_error", error)
        if was_connected or error is None:
            self._call("on_close", ended.code, ended.reason)
        if self._stopping:
            return None
        recovery = self._auth.failed(error, ended.code, ended.reason)
        starting = recovery is Recovery.STARTING or ended.code == close_codes.TRY_AGAIN
        first = self._first if self._first is not None and not self._first.done() else None
        if first and not (starting or recovery is Recovery.DEVICE_TOKEN or ended.code == close_codes.RESTART):
            first.set_exception(error or GatewayConnectError(f"no connection: {why}"))
            return None
        if recovery is Recovery.PAUSE and error is not None:
            self._set_state("paused", why)
            self._call("on_reconnect_paused", error)
            return None
        pause = starting_pause(error.retry_after if error else None) if starting else self._backoff.next()
        if recovery is Recovery.DEVICE_TOKEN:
            pause = min(pause, DEVICE_TOKEN_RETRY)
        self._next_attempt = time.monotonic() + pause
        self._set_state(self._way_back(starting, ended.code), self._shutdown_reason or why)
        return pause

    def _set_state(self, state: str, reason: str | None = None) -> None:
        if (state, reason) != (self._status.state, self._status.reason):
            self._status = dataclasses.replace(self._status, state=state, reason=reason)
            self._call("on_state", self.status)

    def _call(self, name: str, *arguments: object) -> None:
        callback = self._settings.callbacks.get(name)
        if callback is not None:
            self.handlers.call(name, callback, *arguments)

    # What the connection tells (`connection.Owner`)

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        """Return the params of the ``connect`` request."""
        return self._auth.answer(challenge)

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        """A handshake is done: the connection is open for requests."""
        assert self._opening is not None
        self.log.redactor.hide(secrets)
        self._auth.welcomed(hello)
        hello = self.log.clean_hello(hello)
        self._backoff.reset()
        self._shutdown_reason = None
        self.epoch += 1
        self.connection = self._opening
        self.hello = hello
        self._status = dataclasses.replace(
            self._status,
            protocol=hello.protocol,
            server_version=hello.server_version,
            role=hello.role,
            scopes=hello.scopes,
            epoch=self.epoch,
        )
        self._set_state("connected")
        self._warn_of_scopes(hello)
        self._mark("reconnect" if self._continues else "start", {"bootId": hello.boot_id})
        self._continues = True
        self._on_connected(self.connection)
        if self._first is not None and not self._first.done():
            self._first.set_result(hello)
        self._call("on_hello_ok", hello)

    def events(self, frames: list[EventFrame]) -> None:
        """Events came: sinks first, then handlers."""
        now, epoch = time.time(), self.epoch
        events = [Event(now, epoch, frame.event, frame.seq, frame.payload) for frame in frames]
        self._events += len(events)
        for sink in self._sinks:
            sink.extend(events)
        for event in events:
            if event.event == "shutdown":
                self._note_shutdown(event)
        self.handlers(events)

    def gap(self, expected: int, received: int) -> None:
        """Events are missing."""
        self._gaps += 1
        self._missed += received - expected
        self.log.warning(f"missed {received - expected} events: expected {expected}, received {received}")
        self._mark("gap", {"expected": expected, "received": received})
        self._call("on_gap", expected, received)

    def dropped(self, reason: str) -> None:
        """A frame was of no use."""
        self._malformed += 1
        self.log.debug(reason)

    def clean(self, error: E) -> E:
        """Return an error that says no secret, whatever the gateway said."""
        return self.log.clean_error(error)

    def clean_text(self, text: str) -> str:
        """Return a close reason that says no secret."""
        return self.log.clean(text)

    def lost(self, code: int) -> None:
        """The socket is closed: whoever sees a request fail sees the state that goes with it."""
        if self.connection is not None:
            self.connection = self._next_attempt = None
            self._set_state(self._way_back(False, code), self._shutdown_reason)

    def _way_back(self, starting: bool, code: int) -> str:
        restarting = starting or code == close_codes.RESTART or self._status.state == "restarting"
        return "restarting" if restarting else "reconnecting"

    def _mark(self, kind: str, detail: dict[str, Any]) -> None:
        for sink in self._sinks:
            sink.mark(kind, self.epoch, detail)

    def _note_shutdown(self, event: Event) -> None:
        with contextlib.suppress(MalformedFrame):
            payload = event.payload if isinstance(event.payload, dict) else {}
            expected = payload.get("restartExpectedMs")
            when = f", back in about {expected / 1000:.0f} s" if isinstance(expected, (int, float)) else ""
            reason = payload.get("reason")
            reason = reason if isinstance(reason, str) and reason else "no reason given"
            self._shutdown_reason = self.log.clean(f"the gateway shuts down: {reason}{when}")
            self._set_state("restarting", self._shutdown_reason)

    def _warn_of_scopes(self, hello: HelloOk) -> None:
        wanted = set(self._auth.selected.scopes) if self._auth.selected else set()
        missing = sorted(wanted - set(hello.scopes))
        if missing and "operator.admin" not in hello.scopes:
            self.log.warning(f"the gateway did not grant {', '.join(missing)}")
