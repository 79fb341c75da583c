"""One socket from handshake to close: carries out what the protocol's `Session` asks for."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ..errors import GatewayConnectError, GatewayError
from ..protocol import effects
from ..protocol.effects import Effect
from ..protocol.frames import EventFrame
from ..protocol.handshake import Challenge, HelloOk
from ..protocol.session import Session
from .feed import Feed
from .log import LOGGER, Log
from .trace_context import TRACEPARENT
from .transport.interface import CLOSE_GRACE, Transport, TransportClosed

PING_EVERY = 10.0
TURN_SECONDS = 0.01
"""What one turn of the event loop may spend on one connection's messages, a slice more or less."""
_SLICE = 256


class Owner(Protocol):
    """What a connection asks and tells the client that owns it; events go to its feed."""

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        """Return the params of the ``connect`` request."""

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        """The handshake is done."""

    def closed(self, code: int) -> None:
        """The socket is closed; open requests fail next."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended.

    Attributes:
        code: close code.
        reason: the close frame's text.
        error: why connecting failed, if it did.
    """

    code: int
    reason: str
    error: GatewayConnectError | None


class Connection:
    """Drives one session over one transport.

    Args:
        transport: an open socket.
        owner: whose connection it is.
        feed: where events go.
        log: where the rest is noted; it takes the secrets out of errors.
        challenge_timeout: seconds.
        tick_min_interval: seconds.

    Attributes:
        frames: frames received.
        late: answers that came after their request was given up.
        rtt: round trip of the last ping in seconds, or ``None``.
    """

    def __init__(
        self,
        transport: Transport,
        owner: Owner,
        feed: Feed,
        log: Log,
        *,
        challenge_timeout: float,
        tick_min_interval: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._transport = transport
        self._owner = owner
        self._feed = feed
        self._log = log
        self._session = Session(
            self._loop.time(), challenge_timeout=challenge_timeout, tick_min_interval=tick_min_interval
        )
        self._waiters: dict[str, asyncio.Future[msgspec.Raw]] = {}
        self._acknowledged: dict[str, Callable[[msgspec.Raw], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._close: effects.Close | None = None
        self._unread: deque[bytes] = deque()
        self._heard = time.monotonic()
        self.frames = self.late = self._dropped = 0
        self.rtt: float | None = None

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""
        return self._session.pending - self._session.waiting

    @property
    def queued(self) -> int:
        """Requests waiting for a place."""
        return self._session.waiting

    @property
    def silence(self) -> float:
        """Seconds since something came: a frame, or the answer of a ping. From any thread."""
        return time.monotonic() - self._heard

    @property
    def malformed(self) -> int:
        """Messages that were of no use."""
        return self._dropped + self._transport.binary_frames

    async def run(self) -> Ended:
        """Live until the socket is closed, whoever closes it; no waiter and no task is left behind."""
        self._arm()
        try:
            self._transport.listen(self._receive)
            code, reason = await self._transport.closed()
            while self._unread:  # what came before the end counts: `_read` goes on with it, turn by turn
                await asyncio.sleep(0)
            return self._ended(code, reason)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._transport.abort()
            self._unread.clear()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._perform(self._session.closed(1006, "connection dropped"))

    async def request(
        self,
        method: str,
        params: Any,
        *,
        timeout: float | None,
        expect_final: bool = False,
        on_acknowledged: Callable[[msgspec.Raw], None] | None = None,
    ) -> msgspec.Raw:
        """Return the payload of the answer, as JSON bytes; arguments and errors as for `Requests.ask`."""
        request_id = str(uuid.uuid4())
        asked = self._session.request(
            request_id,
            method,
            params,
            self._loop.time(),
            timeout=timeout,
            expect_final=expect_final,
            traceparent=TRACEPARENT.get(),
        )
        waiter: asyncio.Future[msgspec.Raw] = self._loop.create_future()
        self._waiters[request_id] = waiter
        if on_acknowledged is not None:
            self._acknowledged[request_id] = on_acknowledged
        self._arm()
        try:
            self._perform(asked)
            return await waiter
        except asyncio.CancelledError:
            self._perform(self._session.cancel(request_id))
            raise
        finally:
            self._waiters.pop(request_id, None)
            self._acknowledged.pop(request_id, None)

    async def stop(self) -> None:
        """End the connection: every waiter fails, a close frame, 250 ms of grace, then the line is cut."""
        for effect in self._session.stop():
            if isinstance(effect, effects.Close):
                await self._transport.close(effect.code, effect.reason, CLOSE_GRACE)
            else:
                self._perform([effect])

    def _receive(self, messages: list[bytes]) -> None:
        self._heard = time.monotonic()
        self.frames += len(messages)
        if self._unread:
            self._unread += messages
        elif len(messages) <= _SLICE:
            self._take(messages)
        else:
            self._unread += messages
            self._read()

    def _read(self) -> None:
        """Take in what came, and leave the loop to others after a while: the rest, and the socket, come next turn."""
        until = self._time() + TURN_SECONDS
        while self._unread and self._time() < until:
            self._take([self._unread.popleft() for _ in range(min(_SLICE, len(self._unread)))])
        if self._unread:
            self._transport.pause()
            self._loop.call_soon(self._read)
        else:
            self._transport.resume()

    def _take(self, messages: list[bytes]) -> None:
        events: list[EventFrame] = []
        dropped: list[effects.Dropped] = []
        try:
            for effect in self._session.receive(messages, self._time()):
                if type(effect) is EventFrame:
                    events.append(effect)
                    continue
                if type(effect) is effects.Dropped:
                    dropped.append(effect)
                    continue
                if events:
                    self._feed.receive(events)
                    events = []
                self._perform([effect])
            if events:
                self._feed.receive(events)
            if dropped:
                self._drop(dropped[0].reason, len(dropped))
        except Exception:  # noqa: BLE001 - a bug of ours, or a keeper's: logged, and met by a new connection
            LOGGER.exception("receiving failed")
            self._transport.abort()

    def _perform(self, asked: list[Effect]) -> None:
        for effect in asked:
            match effect:
                case effects.Answered(request_id, payload):
                    self._settle(request_id, payload, None)
                case effects.Failed(request_id, error):
                    self._settle(request_id, None, error)
                case effects.Acknowledged(request_id, payload):
                    if request_id in self._acknowledged:
                        self._acknowledged[request_id](payload)
                case effects.Send(data):
                    self._transport.write(data)
                case effects.Gap(expected, received):
                    self._feed.gap(expected, received)
                case effects.Jump(expected, received):
                    self._feed.jump(expected, received)
                case effects.Late():
                    self.late += 1
                    self._log.debug("an answer came after its request was given up")
                case effects.Challenged(challenge):
                    params = self._owner.answer_challenge(challenge)
                    self._perform(self._session.connect(str(uuid.uuid4()), params, self._loop.time()))
                case effects.Welcomed(hello, secrets):
                    self._arm()
                    self.spawn(self._measure())
                    self._owner.welcomed(hello, secrets)
                case effects.Close():
                    if self._close is None:
                        self._close = effect
                        self.spawn(self._transport.close(effect.code, effect.reason, CLOSE_GRACE))

    def _drop(self, reason: str, count: int) -> None:
        """Count frames that were of no use; the reason is the first one's."""
        self._dropped += count
        self._log.debug(reason if count == 1 else f"{reason} (and {count - 1:,} more frames of no use)")

    def _settle(self, request_id: str, payload: msgspec.Raw | None, error: GatewayError | None) -> None:
        waiter = self._waiters.get(request_id)
        if waiter is None or waiter.done():
            return
        if error is not None:
            waiter.set_exception(self._log.clean_error(error))
        else:
            assert payload is not None
            waiter.set_result(payload)

    def _ended(self, code: int, reason: str) -> Ended:
        """Our own close code counts where the peer only echoed it or cut the line."""
        if self._close is not None:
            code, reason = self._close.code, reason or self._close.reason
        self._owner.closed(code)
        self._perform(self._session.closed(code, reason))
        error = self._close.error if self._close else None
        return Ended(code, self._log.clean(reason), self._log.clean_error(error) if error else None)

    def _arm(self) -> None:
        """Call the session's timer when it wants to be called; later than armed for is never a change."""
        when = self._session.next_timer()
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = None if when == float("inf") else self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._perform(self._session.timer(self._loop.time()))
        self._arm()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside reading; it ends with the connection at the latest."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _measure(self) -> None:
        with contextlib.suppress(TransportClosed):
            while True:
                try:
                    async with asyncio.timeout(PING_EVERY):
                        self.rtt = await self._transport.ping()
                except TimeoutError:
                    if self.silence >= PING_EVERY:
                        why = f"nothing was heard for {self.silence:.0f} s, not even the answer of a ping"
                        self._log.warning(f"the gateway is silent: {why}")
                else:
                    self._heard = time.monotonic()
                    await asyncio.sleep(PING_EVERY)
