"""One client of the embedded gateway: its handshake, its requests, its own count of events."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Coroutine
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from ..protocol import close_codes, frames
from ..protocol.scopes import allows
from .admission import Admission, Admitted
from .answers import Refusal, WrongCredential, fault
from .clock import now_ms
from .params import Params, anything, choice, parse, string, text
from .spawning import Tasks

MAX_BUFFERED_BYTES = 50 * 1024 * 1024
MAX_BYTES_BEFORE_SIGN_IN = 64 * 1024
HANDSHAKE_TIMEOUT = 15.0
_REQUEST = Params(
    {"type": choice("req"), "id": text, "method": text, "params": anything, "traceparent": string},
    ("type", "id", "method"),
)


class Socket(ServerConnection):
    """A connection that reads little before its client has signed in."""

    signed_in = False
    _bytes = 0

    def data_received(self, data: bytes) -> None:
        """Read, unless it is too much for a client that nobody knows."""
        if self.request is not None and not self.signed_in:
            self._bytes += len(data)
            if self._bytes > MAX_BYTES_BEFORE_SIGN_IN:
                self.transport.pause_reading()
                self._closing = asyncio.ensure_future(self.close(close_codes.TOO_LARGE, "preauth payload too large"))
                return
        super().data_received(data)


class Host(Protocol):
    """What a client needs of its gateway.

    Attributes:
        admission: decides who may connect.
    """

    admission: Admission

    def hello(self, peer: Peer) -> dict[str, Any]:
        """Return the hello-ok payload for a client."""

    def welcomed(self, peer: Peer) -> None:
        """A client has connected."""

    def left(self, peer: Peer) -> None:
        """It has gone."""

    def call(self, peer: Peer, request: frames.RequestFrame) -> None:
        """Answer its request, or raise `Refusal`."""


class Peer:
    """A connected client."""

    def __init__(self, gateway: Host, socket: Socket) -> None:
        self.conn_id = str(uuid.uuid4())
        self.client: Admitted | None = None
        self.session_events = False
        self.message_keys: set[str] = set()
        self.approval_keys: set[str] = set()
        self._gateway = gateway
        self._socket = socket
        self._seq = 0
        self._tasks = Tasks()

    async def serve(self) -> None:
        """Answer until the socket closes."""
        try:
            if await self._welcome():
                self._gateway.welcomed(self)
                async for data in self._socket:
                    self._take(data)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            self._gateway.left(self)
            await self._tasks.end()

    def allows(self, scope: str | None) -> bool:
        """Return whether what the client was granted covers a scope; ``None`` needs none."""
        return scope is None or allows(self.client.scopes if self.client else (), scope)

    @property
    def role(self) -> str | None:
        """What the client connected as, ``None`` before it has."""
        return self.client.role if self.client else None

    @property
    def device_id(self) -> str | None:
        """The device that the client proved to be, ``None`` without one."""
        return self.client.device_id if self.client else None

    @property
    def name(self) -> str:
        """What the client calls itself."""
        client = self.client.client if self.client else {}
        return str(client.get("displayName") or client.get("id") or self.conn_id)

    def has_cap(self, *caps: str) -> bool:
        """Return whether the client declared one of these capabilities."""
        return self.client is not None and not set(caps).isdisjoint(self.client.caps)

    def answer(self, request_id: str, payload: Any) -> None:
        """Send a response that is ok."""
        self._write(frames.encode({"type": "res", "id": request_id, "ok": True, "payload": payload}))

    def refuse(self, request_id: Any, refusal: Refusal, payload: Any = None) -> None:
        """Send a response that is not ok."""
        response: dict[str, Any] = {"type": "res", "id": request_id, "ok": False}
        if payload is not None:
            response["payload"] = payload
        self._write(frames.encode({**response, "error": refusal.shape()}))

    def event(self, name: str, payload: bytes, *, droppable: bool = True, numbered: bool = True) -> None:
        """Send an event, with the next number or none; a client that does not read loses it, or its connection."""
        self._seq += numbered
        if self._socket.transport.get_write_buffer_size() > MAX_BUFFERED_BYTES:
            if not droppable:
                self.spawn(self._socket.close(close_codes.POLICY, "slow consumer"))
            return
        head = b'{"type":"event","event":' + frames.encode(name) + b',"payload":'
        self._write(head + payload + (b',"seq":%d}' % self._seq if numbered else b"}"))

    def skip(self, count: int) -> None:
        """Lose the next events without sending them: the client sees a gap."""
        self._seq += count

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something on behalf of this client, which ends with its connection."""
        self._tasks.spawn(work)

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; code 1006 cuts it without a close frame."""
        if code == close_codes.ABNORMAL:
            self._socket.transport.abort()
        else:
            await self._socket.close(code, reason)

    def _write(self, data: bytes) -> None:
        broadcast([self._socket], data, text=True)

    async def _welcome(self) -> bool:
        nonce = str(uuid.uuid4())
        challenge = {"nonce": nonce, "ts": now_ms()}
        await self._socket.send(
            frames.encode({"type": "event", "event": "connect.challenge", "payload": challenge}), text=True
        )
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            data = await self._socket.recv()
        try:
            frame = parse(data)
        except ValueError:
            return False
        if any(_REQUEST(frame, "")):
            await self._socket.close(close_codes.POLICY, "invalid request frame")
            return False
        try:
            if frame["method"] != "connect":
                raise fault("invalid handshake: first request must be connect", close=close_codes.POLICY)
            self.client = self._gateway.admission.admit(frame.get("params"), nonce)
        except Refusal as refusal:
            if isinstance(refusal, WrongCredential):
                await self._delay(self._gateway.admission.failure_delay.next(time.monotonic()))
            self.refuse(frame["id"], refusal)
            await self._socket.close(refusal.close or close_codes.POLICY, refusal.message[:120])
            return False
        self._socket.signed_in = True
        self.answer(frame["id"], self._gateway.hello(self))
        return True

    async def _delay(self, seconds: float) -> None:
        """Wait, but not for a client that has gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._socket.wait_closed()

    def _take(self, data: str | bytes) -> None:
        try:
            frame = parse(data)
        except ValueError:
            return
        request_id = frame.get("id", "invalid") if isinstance(frame, dict) else "invalid"
        try:
            if faults := "; ".join(_REQUEST(frame, "")):
                raise fault(f"invalid request frame: {faults}")
            self._gateway.call(self, frames.RequestFrame(request_id, frame["method"], frame.get("params")))
        except Refusal as refusal:
            self.refuse(request_id, refusal)
