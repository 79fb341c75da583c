"""Keeps one connection alive: connects, notices the end, decides how to go on, and says what it is doing."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..errors import (
    GatewayClosedError,
    GatewayConnectError,
    GatewayError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
    IdentityError,
    PairingRequiredError,
    closed_early,
)
from ..protocol import close_codes
from ..protocol.auth import Recovery
from ..protocol.backoff import Backoff, pause_before
from ..protocol.frames import EventFrame, MalformedFrame, decode_payload, seconds
from ..protocol.handshake import Challenge, HelloOk
from .connection import Connection, E, Ended
from .credentials import DeviceAuth
from .event import Event
from .feed import Feed
from .options import Settings
from .redaction.redactor import LOGGER, Log
from .requests import Requests
from .status import Counters, Status
from .transport.opening import open_transport

_PROBLEMS_KEPT = 10


class Supervisor:
    """The life of a client across connections.

    Args:
        settings: checked options.

    Attributes:
        connection: the live connection, or ``None``.
        epoch: number of connections that reached hello-ok.
        log: the client's log.
        feed: where its events go.
        requests: makes the client's calls.
    """

    def __init__(self, settings: Settings) -> None:
        self.connection: Connection | None = None
        self.epoch = 0
        self._shown: Callable[[], HelloOk] | None = None
        self.log = Log()
        self.feed = Feed(self.log)
        self.requests = Requests(self._live_connection, settings.request_timeout, self.log)
        self._settings = settings
        self._auth = DeviceAuth(settings, self.log)
        self._backoff = Backoff()
        self._opening: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._first: asyncio.Future[HelloOk] | None = None
        self._waits_for_owner = True
        self._pairing: PairingRequiredError | None = None
        self._missing_scopes: tuple[str, ...] = ()
        self._status = Status("closed", settings.endpoint.display)
        self._shutdown_reason: str | None = None
        self._stopping = False
        self._problems: deque[str] = deque(maxlen=_PROBLEMS_KEPT)  # apart from the status: other threads add to it
        self._next_attempt: float | None = None
        self._frames = self._malformed = self._late = 0

    @property
    def hello(self) -> HelloOk | None:
        """The last hello-ok, without its secrets."""
        return self._shown() if self._shown is not None else None

    async def connect(self, limit: float | None, *, waits_for_owner: bool = True) -> HelloOk:
        """Connect within so many seconds, and keep the connection alive from then on.

        The first connection fails at once where waiting would not help.

        Args:
            limit: seconds, ``None`` for no limit.
            waits_for_owner: try again within them where the gateway says that its approval of this device is under way.

        Raises:
            GatewayConnectError: or one of its kinds.
        """
        if self.connection is not None and self.hello is not None:
            return self.hello
        await self._end()
        self._backoff.reset()
        self._stopping = False
        self._waits_for_owner, self._pairing = waits_for_owner, None
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
            if self._pairing is not None:
                raise self._pairing from None
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
        self.feed.stop(self.epoch)
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

    @property
    def status(self) -> Status:
        """A frozen snapshot; may be read from any thread."""
        connection = self.connection
        counters = Counters(
            frames=self._frames + (connection.frames if connection else 0),
            events=self.feed.events,
            gaps=self.feed.gaps,
            missed=self.feed.missed,
            jumps=self.feed.jumps,
            late=self._late,
            malformed=self._malformed + (connection.binary_frames if connection else 0),
            reconnects=max(self.epoch - 1, 0),
            retries=self.requests.retries,
            in_flight=connection.in_flight if connection else 0,
            queued=connection.queued if connection else 0,
            handler_errors=self.feed.handlers.errors,
            handler_missed=self.feed.handlers.missed,
        )
        waits = self._status.state in ("reconnecting", "restarting") and connection is None
        left = None if self._next_attempt is None else max(self._next_attempt - time.monotonic(), 0.0)
        return dataclasses.replace(
            self._status,
            rtt=connection.rtt if connection else None,
            silence=connection.silence if connection else None,
            retry_in=left if waits else None,
            problems=(*self._scope_problem(), *self._problems),
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

    def _live_connection(self, method: str) -> Connection:
        if self.connection is None:
            why = self.why_not_connected()
            raise GatewayClosedError(f"{method}: gateway not connected: {why}", method=method)
        return self.connection

    async def _end(self, reason: str | None = None) -> None:
        tasks = [task for task in (self._task, self._finishing) if task is not None]
        self._task = self._finishing = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
        try:
            await asyncio.to_thread(self._auth.load_identity)
        except IdentityError as error:
            if self._first is not None and not self._first.done():
                self._first.set_exception(error)
            return
        while True:
            before = self.epoch
            ended = await self._attempt()
            if self._finishing is not None:  # a gateway that hangs up at once said hello all the same
                await self._finishing
            if not self._stopping and self._auth.forgets(ended.error, ended.code, ended.reason):
                await asyncio.to_thread(self._auth.forget)
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
        error = self._auth.explained(ended.error)
        why = self.log.clean(error or close_codes.describe(ended.code, ended.reason))
        self.log.info(why)
        if error is not None:
            self._call("on_connect_error", error)
        if was_connected or error is None:
            self._call("on_close", ended.code, ended.reason)
        if self._stopping:
            return None
        recovery = self._auth.recover(error, ended.code)
        first = self._first if self._first is not None and not self._first.done() else None
        self._pairing = error if isinstance(error, PairingRequiredError) else None
        if first and not (recovery.transient and (self._waits_for_owner or recovery is not Recovery.PAIRING)):
            first.set_exception(error or closed_early(why, self._settings.client.role))
            return None
        if recovery is Recovery.PAUSE and error is not None:
            self._set_state("paused", why)
            self._call("on_reconnect_paused", error)
            return None
        pause = pause_before(recovery, error, self._backoff)
        self._next_attempt = time.monotonic() + pause
        self._set_state(self._way_back(recovery is Recovery.STARTING, ended.code), self._shutdown_reason or why)
        return pause

    def _set_state(self, state: str, reason: str | None = None) -> None:
        if (state, reason) != (self._status.state, self._status.reason):
            self._status = dataclasses.replace(self._status, state=state, reason=reason)
            self._call("on_state", self.status)

    def _call(self, name: str, *arguments: object) -> None:
        callback = self._settings.callbacks.get(name)
        if callback is not None:
            self.feed.handlers.call(name, callback, *arguments)

    # What the connection tells (`connection.Owner`)

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        """Return the params of the ``connect`` request."""
        return self._auth.answer(challenge)

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        """A handshake is done: the connection is open for requests."""
        assert self._opening is not None
        self.log.redactor.hide(secrets)
        has_token = self._auth.welcomed(hello)
        shown = self.log.clean_hello(dataclasses.replace(hello, methods=(), events=(), raw={}))
        self._backoff.reset()
        self._shutdown_reason = None
        self.epoch += 1
        self.connection = self._opening
        self._status = dataclasses.replace(
            self._status,
            protocol=shown.protocol,
            server_version=shown.server_version,
            role=shown.role,
            scopes=shown.scopes,
            epoch=self.epoch,
        )
        self._set_state("connected")
        self._missing_scopes = self._auth.missing_scopes(hello)
        for problem in self._scope_problem():
            self.log.warning(problem)
        self.feed.start(self.epoch, {"bootId": shown.boot_id})
        self.requests.subscriptions.make_again(self.connection)
        # The rest may be large: it is cleaned for whoever looks first, here or on a thread beside the loop.
        self._shown = functools.cache(functools.partial(self.log.clean_hello, hello))
        self._finishing = asyncio.create_task(self._finish_connecting(hello, self._shown, has_token))

    async def _finish_connecting(self, hello: HelloOk, shown: Callable[[], HelloOk], has_token: bool) -> None:
        """Show the hello-ok, keep the device token, and let `connect` return: who connects next finds the token.

        Args:
            hello: the gateway's, with its secrets: a token's scopes are kept as they are.
            shown: returns it without secrets.
            has_token: it has a device token to keep.
        """
        without_secrets = await asyncio.to_thread(shown)
        self._call("on_hello_ok", without_secrets)
        if has_token:
            await asyncio.to_thread(self._auth.keep, hello)
        if self._first is not None and not self._first.done():
            self._first.set_result(without_secrets)

    def events(self, frames: list[EventFrame]) -> None:
        """Events came: sinks first, then handlers."""
        now, epoch = time.time(), self.epoch
        events = [Event(now, epoch, frame.event, frame.seq, frame.payload) for frame in frames]
        self.feed.extend(events)
        for event in events:
            if event.event == "shutdown":
                self._note_shutdown(event)

    def gap(self, expected: int, received: int) -> None:
        """Events are missing."""
        self.feed.gap(self.epoch, expected, received)
        self._call("on_gap", expected, received)

    def jump(self, expected: int, received: int) -> None:
        """An event's number is not the next, and not one of those soon after it."""
        self.feed.jump(self.epoch, expected, received)
        if received > expected:
            self._call("on_gap", expected, received)

    def dropped(self, reason: str, count: int) -> None:
        """Frames were of no use; the reason is the first one's."""
        self._malformed += count
        self.log.debug(reason if count == 1 else f"{reason} (and {count - 1:,} more frames of no use)")

    def late(self) -> None:
        """A request was answered after it had timed out or was cancelled."""
        self._late += 1
        self.log.debug("an answer came after its request was given up")

    def silent(self, seconds: float) -> None:
        """Nothing came for so long, not even the answer of a ping."""
        self.log.warning(f"the gateway is silent: nothing was heard for {seconds:.0f} s, not even the answer of a ping")

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

    def _note_shutdown(self, event: Event) -> None:
        try:
            payload = decode_payload(event.raw)
        except MalformedFrame:
            payload = None
        fields = payload if isinstance(payload, dict) else {}
        expected = seconds(fields.get("restartExpectedMs"))
        when = "" if expected is None else f", back in about {expected:.0f} s"
        reason = fields.get("reason")
        reason = reason if isinstance(reason, str) and reason else "no reason given"
        self._shutdown_reason = self.log.clean(f"the gateway shuts down: {reason}{when}")
        self._set_state("restarting", self._shutdown_reason)

    def _scope_problem(self) -> list[str]:
        if not self._missing_scopes:
            return []
        scopes = f"the scope{'s' if len(self._missing_scopes) > 1 else ''} {', '.join(self._missing_scopes)}"
        return [f"the gateway did not grant {scopes}: methods that need more fail; its owner can grant it"]
