"""One connection from the open socket to its close, without I/O.

A `Session` is given bytes and times, and returns effects for the driver to carry out. It holds what the
seed's `GatewayClient` holds per socket: handshake, sequence, pending requests, deadlines, watchdog.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from typing import Any

import msgspec

from ..errors import (
    FrameTooLargeError,
    GatewayClosedError,
    GatewayConnectError,
    GatewayRequestError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
    connect_error,
    request_error,
)
from . import close_codes, frames
from .effects import Acknowledged, Answered, Challenged, Close, Dropped, Effect, Failed, Gap, Jump, Late, Send, Welcomed
from .frames import EventFrame, ResponseFrame
from .handshake import PROTOCOL_RANGE, hello_secrets, read_challenge, read_hello
from .pending import Pending, Requests, deadline

CHALLENGE_TIMEOUT = 15.0
HELLO_TIMEOUT = 15.0
MAX_IN_FLIGHT = 128
MAX_GAP = 1_000_000
"""Events; numbers that are farther apart were not missed, they are wrong."""
MAX_HELLO_BYTES = 2 * 1024 * 1024
"""Of a hello-ok: today's have 20 KB."""


class Phase(enum.Enum):
    """How far the connection is."""

    CHALLENGE = "waiting for the gateway's challenge"
    CHALLENGED = "about to answer the challenge"
    CONNECT = "waiting for hello-ok"
    READY = "connected"
    CLOSED = "closed"


_READY = Phase.READY  # as an attribute of the enum it costs as much as the rest of the comparison


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
        self._next_check = math.inf
        self._last_life = now
        self._last_seq: int | None = None
        self._max_payload = frames.MAX_FRAME_BYTES
        self._connect_id: str | None = None
        self._protocols = PROTOCOL_RANGE
        self._requests = Requests(max_in_flight)

    @property
    def pending(self) -> int:
        """Requests not yet settled, waiting ones included."""
        return len(self._requests)

    @property
    def waiting(self) -> int:
        """Requests that wait for a free place."""
        return self._requests.waiting

    def connect(self, request_id: str, params: dict[str, Any], now: float) -> list[Effect]:
        """Answer the challenge.

        Args:
            request_id: id of the ``connect`` frame.
            params: from `handshake.connect_params`.
            now: the time.
        """
        assert self.phase is Phase.CHALLENGED, "connect answers a challenge, once"
        self.phase = Phase.CONNECT
        self._connect_id = request_id
        self._protocols = (params.get("minProtocol", PROTOCOL_RANGE[0]), params.get("maxProtocol", PROTOCOL_RANGE[1]))
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
        traceparent: str | None = None,
    ) -> list[Effect]:
        """Send a request, or put it in line.

        Args:
            request_id: unique on this connection.
            method: gateway method.
            params: mapping or ``None``.
            now: the time.
            timeout: seconds until it fails, ``None`` for never.
            expect_final: an answer with ``status: "accepted"`` is only an acknowledgement.
            traceparent: of the trace that it is part of (W3C trace context), or ``None``.

        Raises:
            GatewayClosedError: the handshake is not done, or the connection is closed.
            BadParamsError: the params are not JSON.
            FrameTooLargeError: the frame is larger than the gateway takes.
        """
        if self.phase is not Phase.READY:
            raise GatewayClosedError(f"{method}: gateway not connected", method=method, request_id=request_id)
        data = frames.encode_request(request_id, method, params, traceparent)
        if len(data) > self._max_payload:
            raise FrameTooLargeError(
                f"{method}: the request is {len(data):,} bytes, the gateway takes {self._max_payload:,}; send less",
                method=method,
                request_id=request_id,
            )
        pending = Pending(method, deadline(now, timeout), expect_final, timeout)
        return [Send(data)] if self._requests.add(request_id, data, pending) else []

    def cancel(self, request_id: str) -> list[Effect]:
        """Forget a request, which may be settled already: a late answer to it is then an unknown id."""
        return self._next_in_line() if self._requests.give_up(request_id) else []

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
        return min(self._handshake_deadline, self._next_check, self._requests.next_deadline())

    def timer(self, now: float) -> list[Effect]:
        """Carry out what is due now."""
        if self.phase is Phase.CLOSED:
            return []
        if now >= self._handshake_deadline:
            return self._handshake_timeout(now)
        expired = list(self._requests.expired(now))
        effects: list[Effect] = [
            Failed(request_id, _timeout_error(request_id, pending)) for request_id, pending in expired
        ]
        for _ in expired:
            effects += self._next_in_line()
        if now >= self._next_check:
            self._next_check = now + max(self._tick_interval, self._tick_min_interval)
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
        last, self._last_seq = self._last_seq, seq
        expected = seq if last is None else last + 1
        if seq == expected:
            return [frame]
        # Whatever came before it, the next number to expect is the one after this: a wrong one is wrong alone.
        if expected < seq <= expected + MAX_GAP:
            return [Gap(expected, seq), frame]
        return [Jump(expected, seq), frame]

    def _challenge(self, frame: EventFrame) -> list[Effect]:
        if self.phase is not Phase.CHALLENGE:
            return [Dropped("a second connect.challenge")]
        challenge = read_challenge(frames.decode_payload(frame.payload))
        if challenge is None:
            text = "gateway connect challenge missing nonce"
            error = GatewayConnectError(f"{text}; this is not an OpenClaw gateway, or a broken one")
            return self._refuse(close_codes.POLICY, "connect challenge missing nonce", error)
        self.phase = Phase.CHALLENGED
        return [Challenged(challenge)]

    def _response(self, frame: ResponseFrame) -> list[Effect]:
        if self.phase is Phase.CONNECT and frame.id == self._connect_id:
            return self._connect_response(frame)
        pending = self._requests.get(frame.id)
        if pending is None:
            late = self._requests.was_given_up(frame.id)
            return [Late(frame.id) if late else Dropped("a response to no open request")]
        if pending.expect_final and frame.ok and _status(frame.payload) == "accepted":
            return [Acknowledged(frame.id, frame.payload)]
        settled: Effect = (
            Answered(frame.id, frame.payload) if frame.ok else Failed(frame.id, _error(pending.method, frame))
        )
        self._requests.settle(frame.id)
        return [settled, *self._next_in_line()]

    def _connect_response(self, frame: ResponseFrame) -> list[Effect]:
        if not frame.ok:
            error = connect_error(_error("connect", frame), self._protocols)
            return self._refuse(close_codes.POLICY, "connect failed", error)
        if len(frame.payload) > MAX_HELLO_BYTES:
            error = GatewayConnectError(
                f"the gateway's hello-ok has {len(frame.payload):,} bytes, more than {MAX_HELLO_BYTES:,}; "
                "this is not an OpenClaw gateway, or a broken one"
            )
            return self._refuse(close_codes.TOO_LARGE, "hello-ok is too large", error)
        try:
            payload = frames.decode_payload(frame.payload)
        except frames.MalformedFrame as malformed:
            error = GatewayConnectError(f"the gateway's hello-ok can't be read: {malformed}; update gateway-nb")
            return self._refuse(close_codes.PROTOCOL_ERROR, "bad hello-ok", error)
        hello = read_hello(payload, max_payload=frames.MAX_FRAME_BYTES)
        if hello is None:
            error = GatewayConnectError("the gateway's hello-ok has no protocol version; update gateway-nb")
            return self._refuse(close_codes.PROTOCOL_ERROR, "bad hello-ok", error)
        self.phase = Phase.READY
        self._handshake_deadline = math.inf
        self._max_payload = hello.max_payload
        self._tick_interval = hello.tick_interval
        self._next_check = self._last_life + max(hello.tick_interval, self._tick_min_interval)
        return [Welcomed(hello, hello_secrets(payload))]

    # Requests and time

    def _next_in_line(self) -> list[Effect]:
        data = self._requests.next_in_line()
        return [] if data is None else [Send(data)]

    def _is_silent(self, now: float) -> bool:
        """Whether the watchdog bites: requests that all have a deadline speak for themselves."""
        if self._requests.all_have_deadlines:
            return False
        return now - self._last_life > 2 * self._tick_interval

    def _handshake_timeout(self, now: float) -> list[Effect]:
        waited = (now - self._opened) * 1000
        if self.phase is Phase.CHALLENGE:
            limit, what, code = self._challenge_timeout, "connect challenge timeout", close_codes.POLICY
            advice = "is this a gateway's port?"
        else:
            limit, what, code = self._hello_timeout, "hello-ok timeout", close_codes.TIMEOUT
            advice = "the gateway is busy or stuck; try again"
        error = HandshakeTimeoutError(f"gateway {what} (waited {waited:.0f}ms, limit {limit * 1000:.0f}ms); {advice}")
        return self._refuse(code, what, error)

    def _refuse(self, code: int, reason: str, error: GatewayConnectError) -> list[Effect]:
        """Give up the handshake: whatever comes after it is of no use."""
        self._end(reason)
        return [Close(code, reason, error)]

    def _end(self, why: str) -> list[Effect]:
        self.phase = Phase.CLOSED
        self._handshake_deadline = self._next_check = math.inf
        return [
            Failed(
                request_id,
                GatewayClosedError(f"{pending.method}: {why}", method=pending.method, request_id=request_id),
            )
            for request_id, pending in self._requests.clear()
        ]


class _Status(msgspec.Struct):
    status: str | None = None


_status_decoder = msgspec.json.Decoder(_Status)


def _status(payload: msgspec.Raw) -> str | None:
    try:
        return _status_decoder.decode(payload).status
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _error(method: str, frame: ResponseFrame) -> GatewayRequestError:
    return request_error(method, frame.id, **msgspec.structs.asdict(frames.read_error(frame.error)))


def _timeout_error(request_id: str, pending: Pending) -> GatewayTimeoutError:
    return GatewayTimeoutError(
        f"gateway request timeout for {pending.method}: no answer within {pending.timeout:.3g} s; "
        "pass a longer timeout=, or None for no limit",
        method=pending.method,
        request_id=request_id,
    )
