"""The core of a client: its credentials, the connection that it keeps alive, and what it is doing."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

from ..errors import (
    GatewayClosedError,
    GatewayConnectError,
    GatewayError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
    IdentityError,
)
from ..protocol import close_codes
from ..protocol.frames import MalformedFrame, decode_payload, mapping, seconds
from ..protocol.handshake import Challenge, HelloOk
from .connection import Connection, Ended
from .credentials import DeviceCredentials
from .event import Event
from .feed import Feed
from .handlers import Handlers
from .log import LOGGER, Log
from .options import Settings
from .reconnect import Pause, Reconnect, Stop
from .requests import Requests
from .status import Counters, Status
from .transport.opening import open_transport

STOP_TIMEOUT = 1.0
_RECONNECT_PATIENCE = 120.0


class Core:
    """One client across its connections.

    Attributes:
        settings: the options.
        log: its log; takes its secrets out.
        handlers: calls the user's functions.
        feed: where its events go.
        requests: makes its calls.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = Log()
        self.handlers = Handlers(self.log)
        self.feed = Feed(self.log, functools.partial(self._call, "on_gap"))
        self.requests = Requests(self._live_connection, settings.request_timeout, self.log)
        self._credentials = DeviceCredentials(settings, self.log)
        self._reconnect = Reconnect(settings.client.role)
        self._connection: Connection | None = None
        self._opening: Connection | None = None
        self._hello: Callable[[], HelloOk] | None = None
        self._connected: asyncio.Future[HelloOk] | None = None
        self._task: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._stopping = self._persists = False
        self._status = Status("closed", settings.endpoint.display)
        self._changed = asyncio.Event()
        self._next_attempt: float | None = None
        self._missing_scopes: tuple[str, ...] = ()
        self._frames = self._malformed = self._late = 0
        self.feed.subscribe("shutdown", self._note_shutdown)
        if "on_event" in settings.callbacks:
            self.feed.subscribe("*", self.handlers.listener("*", settings.callbacks["on_event"]))

    @property
    def hello(self) -> HelloOk | None:
        """The last hello-ok, without its secrets; ``None`` before the first."""
        return self._hello() if self._hello is not None else None

    async def start(self, limit: float | None, *, waits_for_owner: bool = True, persists: bool = False) -> HelloOk:
        """Connect within so many seconds, and keep the connection alive from then on.

        The first connection fails at once where waiting would not help.

        Args:
            limit: seconds, ``None`` for no limit.
            waits_for_owner: try again within them where the gateway says that its approval of this device is under way.
            persists: where it fails, go on as after a lost connection: try again, or pause until the user acts.

        Raises:
            GatewayConnectError: or one of its kinds.
        """
        if self._connection is not None and self.hello is not None:
            return self.hello
        await self._end()
        self._stopping, self._persists = False, persists
        self._reconnect.begin(waits_for_owner=waits_for_owner)
        self._connected = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live())
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(self._connected)
        except BaseException as error:
            why = self._status.reason
            if persists and self._goes_on(error):
                self._connected = None  # nobody waits for it any more
            else:
                await self._end(str(error) if isinstance(error, GatewayError) else None)
            if isinstance(error, GatewayError) or not isinstance(error, TimeoutError):
                raise
            if self._reconnect.pairing is not None:
                raise self._reconnect.pairing from None
            raise HandshakeTimeoutError(
                f"no connection to {self._status.url} within {limit:g} s" + (f": {why}" if why else "")
            ) from None

    def _goes_on(self, error: BaseException) -> bool:
        failed = isinstance(error, GatewayError) and self._status.state in ("reconnecting", "restarting", "paused")
        return failed or isinstance(error, TimeoutError)

    async def stop(self, timeout: float) -> None:
        """Close the connection and connect no more.

        Raises:
            GatewayTimeoutError: the line was not cut within `timeout` seconds.
        """
        connection, self._connection, self._stopping = self._connection, None, True
        self.feed.stop()
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

    async def _end(self, reason: str | None = None) -> None:
        tasks = [task for task in (self._task, self._finishing) if task is not None]
        self._task = self._finishing = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connected is not None:
            self._fail(GatewayClosedError("connect: gateway client stopped"))
            self._connected.exception()  # raised already, or of no interest any more
        self._set_state("closed", reason)

    # What it is doing

    @property
    def status(self) -> Status:
        """A frozen snapshot; may be read from any thread."""
        connection = self._connection
        counters = Counters(
            frames=self._frames + (connection.frames if connection else 0),
            events=self.feed.events,
            gaps=self.feed.gaps,
            missed=self.feed.missed,
            jumps=self.feed.jumps,
            late=self._late + (connection.late if connection else 0),
            malformed=self._malformed + (connection.malformed if connection else 0),
            reconnects=max(self.feed.epoch - 1, 0),
            retries=self.requests.retries,
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
            silence=connection.silence if connection else None,
            retry_in=left if waits else None,
            problems=(*self._scope_problem(), *self.log.problems),
            counters=counters,
        )

    @property
    def server_version(self) -> str | None:
        """The gateway's, without the price of a whole `status`; ``None`` before the first hello-ok."""
        return self._status.server_version

    async def lost(self, epoch: int) -> None:
        """Wait until the connection of this number is no longer there."""
        while self._connection is not None and self.feed.epoch == epoch:
            await self._changed.wait()

    async def returned(self) -> bool:
        """Wait until it is connected, at most two minutes; return whether it is."""
        try:
            async with asyncio.timeout(_RECONNECT_PATIENCE):
                while self._connection is None:
                    if self._stopping or self._status.state in ("closed", "paused"):
                        return False
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _set_state(self, state: str, reason: str | None = None) -> None:
        if (state, reason) != (self._status.state, self._status.reason):
            self._status = dataclasses.replace(self._status, state=state, reason=reason)
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            self._call("on_state", self.status)

    def _call(self, name: str, *arguments: object) -> None:
        callback = self.settings.callbacks.get(name)
        if callback is not None:
            self.handlers.call(name, callback, *arguments)

    def _scope_problem(self) -> list[str]:
        if not self._missing_scopes:
            return []
        scopes = f"the scope{'s' if len(self._missing_scopes) > 1 else ''} {', '.join(self._missing_scopes)}"
        return [f"the gateway did not grant {scopes}: methods that need more fail; its owner can grant it"]

    def _live_connection(self, method: str) -> Connection:
        if self._connection is None:
            why = self._why_not_connected()
            raise GatewayClosedError(f"{method}: gateway not connected: {why}", method=method)
        return self._connection

    def _why_not_connected(self) -> str:
        status = self.status
        if status.state == "paused":
            return f"paused: {status.reason}; fix that and connect again"
        if status.retry_in is not None:
            return f"{status.state}, next attempt in {status.retry_in:.1f} s: {status.reason}"
        if self._stopping:
            return "it was closed; connect again"
        return "connect first" if status.state == "closed" else status.state

    # Its life

    async def _live(self) -> None:
        """Connect, live, wait, again."""
        try:
            await asyncio.to_thread(self._credentials.load_identity)
            while (pause := await self._attempt()) is not None:
                await asyncio.sleep(pause)
        except IdentityError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours: nobody may wait for it for ever
            LOGGER.exception("keeping the connection failed")
            self._set_state("closed", self.log.clean(f"a bug in gateway_nb: {error!r}"))
            self._fail(error)

    async def _attempt(self) -> float | None:
        """Live through one connection; return the seconds until the next attempt, or ``None`` for none."""
        before = self.feed.epoch
        ended = await self._connect()
        if self._finishing is not None:  # a gateway that hangs up at once said hello all the same
            await self._finishing
        if not self._stopping and self._credentials.forgets(ended.error, ended.code, ended.reason):
            await asyncio.to_thread(self._credentials.forget)
        return self._after(ended, was_connected=self.feed.epoch > before)

    async def _connect(self) -> Ended:
        if self._status.state == "closed":
            self._set_state("connecting")
        settings = self.settings
        try:
            transport = await open_transport(
                settings.endpoint,
                timeout=settings.connect_challenge_timeout,
                ssl_context=settings.ssl_context,
            )
            self._opening = Connection(
                transport,
                self,
                self.feed,
                self.log,
                challenge_timeout=settings.connect_challenge_timeout,
                tick_min_interval=settings.tick_watch_min_interval,
            )
            return await self._opening.run()
        except GatewayConnectError as error:
            return Ended(close_codes.ABNORMAL, "", self.log.clean_error(error))
        finally:
            if self._opening is not None:
                self._frames += self._opening.frames
                self._malformed += self._opening.malformed
                self._late += self._opening.late
            self._connection = self._opening = None

    def _after(self, ended: Ended, *, was_connected: bool) -> float | None:
        """Tell how a connection ended, and return the seconds until the next attempt, or ``None`` for none."""
        error = self._credentials.explained(ended.error)
        why = self.log.clean(error or close_codes.describe(ended.code, ended.reason))
        self.log.info(why)
        if error is not None:
            self._call("on_connect_error", error)
        if was_connected or error is None:
            self._call("on_close", ended.code, ended.reason)
        if self._stopping:
            return None
        recovery = self._credentials.recover(error, ended.code)
        decision = self._reconnect.after(recovery, error, ended.code, why)
        if isinstance(decision, Stop):
            self._fail(decision.error)
            if not self._persists:
                return None
            decision = self._reconnect.go_on(recovery, error, ended.code, why)
        if isinstance(decision, Pause):
            self._set_state("paused", decision.reason)
            self._call("on_reconnect_paused", decision.error)
            return None
        self._next_attempt = time.monotonic() + decision.seconds
        self._set_state(decision.state, decision.reason)
        return decision.seconds

    def _fail(self, error: BaseException) -> None:
        """Who waits for the first connection waits in vain."""
        if self._connected is not None and not self._connected.done():
            self._connected.set_exception(error)

    # What the connection asks and tells (`connection.Owner`)

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        """Return the params of the ``connect`` request."""
        return self._credentials.answer(challenge)

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        """A handshake is done: the connection is open for requests."""
        assert self._opening is not None
        self.log.redactor.hide(secrets)
        has_token = self._credentials.welcomed(hello)
        shown = self.log.clean_hello(dataclasses.replace(hello, methods=(), events=(), raw={}))
        self._reconnect.connected()
        self._connection = self._opening
        self.feed.start({"bootId": shown.boot_id})
        self._status = dataclasses.replace(
            self._status,
            protocol=shown.protocol,
            server_version=shown.server_version,
            role=shown.role,
            scopes=shown.scopes,
            epoch=self.feed.epoch,
        )
        self._set_state("connected")
        self._missing_scopes = self._credentials.missing_scopes(hello)
        for problem in self._scope_problem():
            self.log.warning(problem)
        self.requests.subscriptions.make_again(self._connection)
        # The rest may be large: it is cleaned for whoever asks first, here or on a thread beside the loop.
        self._hello = functools.cache(functools.partial(self.log.clean_hello, hello))
        self._finishing = asyncio.create_task(self._finish_connecting(hello, self._hello, has_token))

    async def _finish_connecting(self, hello: HelloOk, shown: Callable[[], HelloOk], has_token: bool) -> None:
        """Show the hello-ok, keep the device token, and let `start` return: who connects next finds the token.

        Args:
            hello: the gateway's, with its secrets: a token's scopes are kept as they are.
            shown: returns it without secrets.
            has_token: it has a device token to keep.
        """
        without_secrets = await asyncio.to_thread(shown)
        self._call("on_hello_ok", without_secrets)
        if has_token:
            await asyncio.to_thread(self._credentials.keep, hello)
        if self._connected is not None and not self._connected.done():
            self._connected.set_result(without_secrets)

    def closed(self, code: int) -> None:
        """The socket is closed: whoever sees a request fail sees the state that goes with it."""
        if self._connection is not None:
            self._connection = self._next_attempt = None
            self._set_state(self._reconnect.lose(code), self._reconnect.shutdown)

    def _note_shutdown(self, event: Event) -> None:
        try:
            fields = mapping(decode_payload(event.raw))
        except MalformedFrame:
            fields = {}
        expected = seconds(fields.get("restartExpectedMs"))
        when = "" if expected is None else f", back in about {expected:.0f} s"
        reason = fields.get("reason")
        reason = reason if isinstance(reason, str) and reason else "no reason given"
        shutdown = self.log.clean(f"the gateway shuts down: {reason}{when}")
        self._set_state(self._reconnect.announce(shutdown), shutdown)
