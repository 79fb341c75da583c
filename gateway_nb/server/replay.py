"""Doing again what was recorded: a gateway that sends recorded events and answers recorded requests.

Events come in their order, and not before the requests that were made before them: a notebook that asks the same
gets the same, however fast it asks.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from ..client.redaction.shapes import MARK
from ..errors import BadArgumentError, CaptureError
from ..protocol.frames import RequestFrame
from ..protocol.lines import Answer, Gap, Line, Refused, Request, detail, refused
from .answers import Refusal, fault
from .local_gateway import LocalGateway

if TYPE_CHECKING:
    from .peer import Peer

_PATIENCE = 10.0
_LARGEST_GAP = 2**31  # however many there are, the sequence numbers stay below 2**53


class ReplayGateway(LocalGateway):
    """A gateway that replays, and answers nothing that was not recorded. It begins when the first client is connected.

    Args:
        lines: returns what to do again, from its beginning.
        speed: 1.0 keeps the gaps in time, 2.0 halves them, ``None`` leaves them out.

    Raises:
        CaptureError: a line of the recording is damaged.
        ValueError: a speed that is not above 0.
    """

    def __init__(self, lines: Callable[[], Iterable[Line]], *, speed: float | None = 1.0) -> None:
        if speed is not None and not speed > 0:
            raise BadArgumentError(f"speed must be above 0, or None for as fast as possible, not {speed!r}")
        super().__init__()
        self._lines = lines
        self._speed = speed
        self._to_come: defaultdict[bytes, deque[Request]] = defaultdict(deque)
        self._methods: set[str] = set()
        self._events: set[str] = set()
        self._over = False
        self._asked: set[str] = set()
        self._waiting: defaultdict[str, list[tuple[Peer, str]]] = defaultdict(list)
        self._answers: dict[str, Answer] = {}
        self._renamed: dict[bytes, bytes] = {}
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        try:
            for line in lines():
                if line.kind == "request":
                    asked: Request = detail(line)
                    self._to_come[asked.key].append(asked)
                    self._methods.add(asked.method)
                elif line.event is not None:
                    self._events.add(line.event)
        except RecursionError:
            raise CaptureError("a request of this recording is nested too deeply to be replayed") from None

    @property
    def method_names(self) -> Iterable[str]:
        """The methods that were recorded."""
        return self._methods

    @property
    def event_names(self) -> Iterable[str]:
        """The events that were recorded."""
        return sorted(self._events)

    def welcomed(self, peer: Peer) -> None:
        """Begin when the first client is there."""
        super().welcomed(peer)
        if self._task is None:
            self._wake = asyncio.Event()
            self._task = asyncio.get_running_loop().create_task(self._play())

    def ending(self) -> None:
        """Play no more."""
        super().ending()
        if self._task is not None:
            self._task.cancel()

    def call(self, peer: Peer, request: RequestFrame) -> None:
        """Answer from the recording, when its answer's time has come.

        Raises:
            Refusal: UNAVAILABLE, the request or its answer was not recorded; INVALID_REQUEST, it is nested too deeply.
        """
        again = Request(request.id, request.method, request.params)
        try:
            to_come = self._to_come.get(again.key) or self._without_secrets(again)
        except RecursionError:
            raise fault(f"the params of {request.method} are nested too deeply") from None
        if not to_come:
            with_these = " with these params" if request.method in self._methods else ""
            raise Refusal("UNAVAILABLE", f"{request.method} was not recorded{with_these}; this is a replay")
        asked = to_come.popleft() if len(to_come) > 1 else to_come[0]
        if asked.idempotency_key and again.idempotency_key:
            self._renamed[asked.idempotency_key.encode()] = again.idempotency_key.encode()
        self._asked.add(asked.id)
        self._waiting[asked.id].append((peer, request.id))
        if asked.id in self._answers:
            self._answer(self._answers[asked.id])
        elif self._over:
            self._refuse_waiting()
        assert self._wake is not None
        self._wake.set()

    def _without_secrets(self, again: Request) -> deque[Request] | None:
        """Return the recorded requests that are this one but for secrets, which a recording does not have."""
        recorded = (to_come for to_come in self._to_come.values() if to_come[0].method == again.method)
        return next((to_come for to_come in recorded if _same(to_come[0].lasting, again.lasting)), None)

    async def _play(self) -> None:
        began, first = time.monotonic(), None
        for line in self._lines():
            first = line.received if first is None else first
            if self._speed is not None:
                await asyncio.sleep(began + (line.received - first) / self._speed - time.monotonic())
            if line.kind == "request":
                began += await self._until_asked(detail(line).id)
            elif line.kind == "answer":
                answered: Answer = detail(line)
                self._answers[answered.id] = answered
                self._answer(answered)
            elif line.kind == "gap":
                gap: Gap = detail(line)
                for peer in self.peers:
                    peer.skip(min(gap.missed, _LARGEST_GAP))
            elif line.event is not None:
                self._send(line.event, bytes(line.raw))
        self._over = True
        self._refuse_waiting()

    async def _until_asked(self, request_id: str) -> float:
        """Wait for a client to ask this, too, but not for ever; return how long that took."""
        assert self._wake is not None
        began = time.monotonic()
        while request_id not in self._asked and (left := began + _PATIENCE - time.monotonic()) > 0:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                break
        return time.monotonic() - began

    def _answer(self, answered: Answer) -> None:
        payload = self._rename(bytes(answered.answer))
        for peer, request_id in self._waiting.pop(answered.id, []):
            if answered.ok:
                peer.answer(request_id, msgspec.Raw(payload))
            else:
                error = self._refused(answered, payload)
                peer.refuse(request_id, Refusal(**msgspec.structs.asdict(error)))

    def _refused(self, answered: Answer, renamed: bytes) -> Refused:
        try:
            return refused(renamed)
        except (ValueError, RecursionError):  # an id that is not text of its own, but a part of others
            return refused(answered.answer)

    def _refuse_waiting(self) -> None:
        """The recording ended before these were answered."""
        for waiting in self._waiting.values():
            for peer, request_id in waiting:
                peer.refuse(request_id, Refusal("UNAVAILABLE", "the answer was not recorded; this is a replay"))
        self._waiting.clear()

    def _send(self, event: str, payload: bytes) -> None:
        payload = self._rename(payload)
        for peer in list(self.peers):
            peer.event(event, payload)

    def _rename(self, payload: bytes) -> bytes:
        """A run has another id this time: its events and answers are told with the new one."""
        for old, new in self._renamed.items():
            payload = payload.replace(old, new)
        return payload


def _same(recorded: Any, now: Any) -> bool:
    """Return whether params are the recorded ones, where a mark stands for any secret."""
    if isinstance(recorded, str) and isinstance(now, str):
        return _fits(recorded.split(MARK), now)
    if isinstance(recorded, dict) and isinstance(now, dict):
        return recorded.keys() == now.keys() and all(_same(value, now[name]) for name, value in recorded.items())
    if isinstance(recorded, list) and isinstance(now, list):
        return len(recorded) == len(now) and all(map(_same, recorded, now))
    return bool(recorded == now)


def _fits(pieces: list[str], text: str) -> bool:
    """Return whether a text has these pieces, in this order, with anything between them."""
    first, *between = pieces
    if not between:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in between[:-1]:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) >= at + len(between[-1]) and text.endswith(between[-1])
