"""One connection from the open socket to its close, without I/O.

A `Session` is given bytes and times, and returns effects for the driver to carry out. It holds what the
seed's `GatewayClient` holds per socket: handshake, sequence, pending requests, deadlines, watchdog.
"""

from __future__ import annotations

import enum
import heapq
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from . import close_codes, frames
from .effects import (
    Acknowledged,
    Answered,
    Challenged,
    Close,
    Dropped,
    Effect,
    Failed,
    Gap,
    Send,
    Welcomed,
)
from .errors import (
    FrameTooLargeError,
    GatewayClosedError,
    GatewayConnectError,
    GatewayRequestError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
    connect_error,
    request_error,
)
from .frames import EventFrame, ResponseFrame
from .handshake import hello_secrets, read_challenge, read_hello

CHALLENGE_TIMEOUT = 15.0
HELLO_TIMEOUT = 15.0
MAX_IN_FLIGHT = 128
LONGEST_TIMER = 2_147_483.647
"""Seconds; longer deadlines are clamped to what a timer can hold."""
_LARGEST_DETAILS = 65_536  # bytes; an error's are read, and searched for secrets, on the loop


class Phase(enum.Enum):
    """How far the connection is."""

    CHALLENGE = "waiting for the gateway's challenge"
    CONNECT = "waiting for hello-ok"
    READY = "connected"
    CLOSED = "closed"


_READY = Phase.READY  # as an attribute of the enum it costs as much as the rest of the comparison


@dataclass(slots=True)
class _Pending:
    method: str
    deadline: float | None
    expect_final: bool
    timeout: float | None


class Session:
    """The state machine of one connection.

    Every time is a float of seconds from one monotonic clock. `next_timer` tells when `timer` wants to be
    called; calling it early or late does no harm.

    Args:
        now: when the socket opened.
        challenge_timeout: seconds to wait for the challenge.
        hello_timeout: seconds to wait for hello-ok after that.
        tick_min_interval: seconds; the watchdog looks no more often.
        max_in_flight: requests sent and not answered; more wait in line. The gateway refuses beyond about 256.
    """

    def __init__(
        self,
        now: float,
        *,
        challenge_timeout: float = CHALLENGE_TIMEOUT,
        hello_timeout: float = HELLO_TIMEOUT,
        tick_min_interval: float = 1.0,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self.phase = Phase.CHALLENGE
        self._opened = now
        self._challenge_timeout = challenge_timeout
        self._hello_timeout = hello_timeout
        self._handshake_deadline = now + challenge_timeout
        self._tick_min_interval = tick_min_interval
        self._tick_interval = math.inf
        self._next_look = math.inf
        self._last_life = now
        self._last_seq: int | None = None
        self._max_in_flight = max_in_flight
        self._methods: tuple[str, ...] = ()
        self._max_payload = frames.MAX_FRAME_BYTES
        self._connect_id: str | None = None
        self._pending: dict[str, _Pending] = {}
        self._unbounded = 0
        self._deadlines: list[tuple[float, str]] = []
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._in_flight: set[str] = set()

    @property
    def pending(self) -> int:
        """Requests not yet settled, waiting ones included."""
        return len(self._pending)

    @property
    def waiting(self) -> int:
        """Requests that wait for a free place."""
        return len(self._waiting)

    def connect(self, request_id: str, params: dict[str, object], now: float) -> list[Effect]:
        """Answer the challenge.

        Args:
            request_id: id of the ``connect`` frame.
            params: from `handshake.connect_params`.
            now: the time.
        """
        assert self.phase is Phase.CHALLENGE, "connect answers a challenge, once"
        self.phase = Phase.CONNECT
        self._connect_id = request_id
        self._opened = now
        self._handshake_deadline = now + self._hello_timeout
        return [Send(frames.encode_request(request_id, "connect", params))]

    def request(
        self,
        request_id: str,
        method: str,
        params: object,
        now: float,
        *,
        timeout: float | None,
        expect_final: bool = False,
    ) -> list[Effect]:
        """Send a request, or put it in line.

        Args:
            request_id: unique on this connection.
            method: gateway method.
            params: mapping or ``None``.
            now: the time.
            timeout: seconds until it fails, ``None`` for never.
            expect_final: an answer with ``status: "accepted"`` is only an acknowledgement.

        Raises:
            GatewayClosedError: the handshake is not done, or the connection is closed.
            BadParamsError: the params are not JSON.
            FrameTooLargeError: the frame is larger than the gateway takes.
        """
        if self.phase is not Phase.READY:
            raise GatewayClosedError(f"{method}: gateway not connected", method=method, request_id=request_id)
        data = frames.encode_request(request_id, method, params)
        if len(data) > self._max_payload:
            raise FrameTooLargeError(
                f"{method}: the request is {len(data):,} bytes, the gateway takes {self._max_payload:,}; send less",
                method=method,
                request_id=request_id,
            )
        deadline = None if timeout is None else now + min(max(timeout, 0.0), LONGEST_TIMER)
        self._pending[request_id] = _Pending(method, deadline, expect_final, timeout)
        if deadline is None:
            self._unbounded += 1
        else:
            heapq.heappush(self._deadlines, (deadline, request_id))
        if len(self._in_flight) >= self._max_in_flight:
            self._waiting.append((request_id, data))
            return []
        self._in_flight.add(request_id)
        return [Send(data)]

    def cancel(self, request_id: str) -> list[Effect]:
        """Forget a request: a late answer to it is then an unknown id.

        Args:
            request_id: of a request that may be settled already.
        """
        return self._next_in_line() if self._take(request_id) else []

    def receive(self, messages: Iterable[bytes], now: float) -> list[Effect]:
        """Take in the frames that came together.

        Args:
            messages: the frames' bytes, in order.
            now: when they came.
        """
        self._last_life = now
        effects: list[Effect] = []
        for data in messages:
            try:
                frame = frames.decode(data)
                if isinstance(frame, ResponseFrame):
                    effects += self._response(frame)
                elif self.phase is _READY and frame.seq is not None and frame.seq - 1 == self._last_seq:
                    # Nearly every frame is this one: the next event. A call more would cost a tenth of its way.
                    self._last_seq = frame.seq
                    effects.append(frame)
                else:
                    effects += self._event(frame)
            except frames.MalformedFrame as error:
                effects.append(Dropped(f"malformed frame: {error}"))
        return effects

    def closed(self, code: int, reason: str) -> list[Effect]:
        """Take note that the socket is closed: every request fails.

        Args:
            code: WebSocket close code.
            reason: the close frame's text.
        """
        return self._end(close_codes.describe(code, reason))

    def stop(self) -> list[Effect]:
        """End the connection because the user said so (seed: stop)."""
        return [*self._end("gateway client stopped"), Close(close_codes.NORMAL, "")]

    def next_timer(self) -> float:
        """Return when `timer` wants to be called next; infinity for never."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][1] not in self._pending:
            heapq.heappop(deadlines)
        return min(self._handshake_deadline, self._next_look, deadlines[0][0] if deadlines else math.inf)

    def timer(self, now: float) -> list[Effect]:
        """Carry out what is due.

        Args:
            now: the time.
        """
        if self.phase is Phase.CLOSED:
            return []
        if now >= self._handshake_deadline:
            return [self._handshake_timeout(now)]
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, request_id = heapq.heappop(self._deadlines)
            pending = self._take(request_id)
            if pending is not None:
                effects.append(Failed(request_id, _timeout_error(request_id, pending)))
                effects += self._next_in_line()
        if now >= self._next_look:
            self._next_look = now + max(self._tick_interval, self._tick_min_interval)
            if self._is_silent(now):
                effects.append(Close(close_codes.TIMEOUT, "tick timeout"))
        return effects

    # Incoming frames

    def _event(self, frame: EventFrame) -> list[Effect]:
        if frame.event == "connect.challenge":
            return self._challenge(frame)
        if self.phase is not Phase.READY:
            return [Dropped("an event outside the connection's life")]
        seq = frame.seq
        if seq is None:
            return [frame]
        last = self._last_seq
        if last is not None and seq <= last:
            return [Dropped("an event came twice")]
        self._last_seq = seq
        if last is not None and seq > last + 1:
            return [Gap(last + 1, seq), frame]
        return [frame]

    def _challenge(self, frame: EventFrame) -> list[Effect]:
        if self.phase is not Phase.CHALLENGE:
            return [Dropped("a second connect.challenge")]
        challenge = read_challenge(frames.decode_payload(frame.payload))
        if challenge is None:
            text = "gateway connect challenge missing nonce"
            error = GatewayConnectError(f"{text}; this is not an OpenClaw gateway, or a broken one")
            return [Close(close_codes.POLICY, "connect challenge missing nonce", error)]
        return [Challenged(challenge)]

    def _response(self, frame: ResponseFrame) -> list[Effect]:
        if frame.id == self._connect_id:
            return self._connect_response(frame)
        pending = self._pending.get(frame.id)
        if pending is None:
            return [Dropped("a response to no open request")]
        if pending.expect_final and frame.ok and _status(frame.payload) == "accepted":
            return [Acknowledged(frame.id, frame.payload)]
        settled: Effect = (
            Answered(frame.id, frame.payload)
            if frame.ok
            else Failed(frame.id, _error(pending.method, frame, self._methods))
        )
        self._take(frame.id)
        return [settled, *self._next_in_line()]

    def _connect_response(self, frame: ResponseFrame) -> list[Effect]:
        self._connect_id = None
        if not frame.ok:
            error = connect_error(_error("connect", frame))
            return [Close(close_codes.POLICY, "connect failed", error)]
        payload = frames.decode_payload(frame.payload)
        hello = read_hello(payload, max_payload=frames.MAX_FRAME_BYTES)
        if hello is None:
            error = GatewayConnectError("the gateway's hello-ok has no protocol version; update gateway-nb")
            return [Close(close_codes.PROTOCOL_ERROR, "bad hello-ok", error)]
        self.phase = Phase.READY
        self._handshake_deadline = math.inf
        self._max_payload = hello.max_payload
        self._methods = hello.methods
        self._tick_interval = hello.tick_interval
        self._next_look = self._last_life + max(hello.tick_interval, self._tick_min_interval)
        return [Welcomed(hello, hello_secrets(payload))]

    # Requests and time

    def _take(self, request_id: str) -> _Pending | None:
        pending = self._pending.pop(request_id, None)
        if pending is None:
            return None
        if pending.deadline is None:
            self._unbounded -= 1
        self._in_flight.discard(request_id)
        return pending

    def _next_in_line(self) -> list[Effect]:
        while self._waiting and len(self._in_flight) < self._max_in_flight:
            request_id, data = self._waiting.popleft()
            if request_id in self._pending:
                self._in_flight.add(request_id)
                return [Send(data)]
        return []

    def _is_silent(self, now: float) -> bool:
        """Whether the watchdog bites: requests that all have a deadline speak for themselves."""
        if self._pending and not self._unbounded:
            return False
        return now - self._last_life > 2 * self._tick_interval

    def _handshake_timeout(self, now: float) -> Close:
        waited = (now - self._opened) * 1000
        if self.phase is Phase.CHALLENGE:
            limit, what, code = self._challenge_timeout, "connect challenge timeout", close_codes.POLICY
            advice = "is this a gateway's port?"
        else:
            limit, what, code = self._hello_timeout, "hello-ok timeout", close_codes.TIMEOUT
            advice = "the gateway is busy or stuck; try again"
        error = HandshakeTimeoutError(f"gateway {what} (waited {waited:.0f}ms, limit {limit * 1000:.0f}ms); {advice}")
        self._handshake_deadline = math.inf
        return Close(code, what, error)

    def _end(self, why: str) -> list[Effect]:
        self.phase = Phase.CLOSED
        self._handshake_deadline = self._next_look = math.inf
        failed: list[Effect] = [
            Failed(
                request_id,
                GatewayClosedError(f"{pending.method}: {why}", method=pending.method, request_id=request_id),
            )
            for request_id, pending in self._pending.items()
        ]
        self._pending.clear()
        self._deadlines.clear()
        self._waiting.clear()
        self._in_flight.clear()
        self._unbounded = 0
        return failed


class _Status(msgspec.Struct):
    status: str | None = None


_status_decoder = msgspec.json.Decoder(_Status)


def _status(payload: msgspec.Raw) -> str | None:
    try:
        return _status_decoder.decode(payload).status
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _error(method: str, frame: ResponseFrame, methods: Sequence[str] = ()) -> GatewayRequestError:
    shape = frame.error or frames.ErrorShape()
    size = len(shape.details)
    details = f"{size:,} bytes, left out" if size > _LARGEST_DETAILS else frames.decode_payload(shape.details)
    return request_error(
        method,
        frame.id,
        code=shape.code,
        message=shape.message,
        details=details,
        retryable=shape.retryable is True,
        retry_after_ms=shape.retry_after_ms,
        methods=methods,
    )


def _timeout_error(request_id: str, pending: _Pending) -> GatewayTimeoutError:
    return GatewayTimeoutError(
        f"gateway request timeout for {pending.method}: no answer within {pending.timeout:.3g} s; "
        "pass a longer timeout=, or None for no limit",
        method=pending.method,
        request_id=request_id,
    )
