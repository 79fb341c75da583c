"""One line of a journal, checked: whatever passes has its place in every column, and no reader fails on it later.

A line is ``{"t":SECONDS,"epoch":N,"event":NAME,"seq":N,"payload":...}``; a mark has ``"kind"`` instead of
``"event"``, and no ``"seq"``. In the journal of many gateways a line says which: ``"gateway":NAME``.
"""

from __future__ import annotations

import _thread
from concurrent.futures import Future
from typing import Annotated, Any

import msgspec

from .frames import MAX_FRAME_BYTES

MAX_LINE_BYTES = MAX_FRAME_BYTES + 1024 * 1024
"""The largest frame, and what a journal puts around it."""
REQUEST_KINDS = ("request", "answer")

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_Epoch = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=9e9)]  # nanoseconds in 64 bits end in 2262


class TornEndWarning(UserWarning):
    """The last line of a journal is torn: its writer was killed. All before it is there."""


def torn_end(path: object, torn: object) -> TornEndWarning:
    """Return the warning for a journal that is continued, and whose torn end is in a file of its own now."""
    return TornEndWarning(f"{path} ended in a torn line, which is in {torn} now")


class DamagedLine(ValueError):
    """A line that no capture writes."""


class Line(msgspec.Struct, gc=False, rename={"received": "t", "raw": "payload"}):
    """One line of a journal, with the attributes of an event; in that of a fleet, with the gateway's name."""

    received: _Seconds
    epoch: _Epoch
    raw: msgspec.Raw
    event: _Name | None = None
    kind: _Name = "event"
    seq: _Count | None = None
    gateway: _Name | None = None


class Gap(msgspec.Struct):
    """What a ``gap`` or ``jump`` line holds: the sequence number that was due, and the one that came."""

    expected: _Count
    received: _Count

    @property
    def missed(self) -> int:
        """Events in between; none where the numbers went back."""
        return max(self.received - self.expected, 0)


class Dropped(msgspec.Struct):
    """What a ``dropped`` line holds: how many events, requests, answers and marks the disk was too slow for."""

    events: _Count


class Request(msgspec.Struct):
    """What a ``request`` line holds."""

    id: str
    method: str
    params: Any = None

    @property
    def lasting(self) -> Any:
        """Its params without the idempotency key."""
        if not isinstance(self.params, dict):
            return self.params
        return {name: value for name, value in self.params.items() if name != "idempotencyKey"}

    @property
    def key(self) -> bytes:
        """What makes it the same request again: method and params, without the idempotency key."""
        return msgspec.json.encode([self.method, self.lasting], order="sorted")

    @property
    def idempotency_key(self) -> str | None:
        """Its idempotency key, which is a run's id."""
        found = self.params.get("idempotencyKey") if isinstance(self.params, dict) else None
        return found if isinstance(found, str) else None


class Refused(msgspec.Struct):
    """What an ``answer`` line holds of a request that failed."""

    code: str = "UNAVAILABLE"
    message: str = "unknown error"
    details: Any = None
    retryable: bool = False
    retry_after_ms: float | None = None


class Answer(msgspec.Struct):
    """What an ``answer`` line holds: the payload, or a `Refused`."""

    id: str
    ok: bool
    answer: msgspec.Raw


_line = msgspec.json.Decoder(Line)
_refused = msgspec.json.Decoder(Refused)
_DETAILS: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(shape)
    for kind, shape in {"gap": Gap, "jump": Gap, "dropped": Dropped, "request": Request, "answer": Answer}.items()
}


def read_line(text: bytes) -> Line:
    """Return a line that was checked; its text may end in a line break.

    Raises:
        DamagedLine: no capture writes such a line.
    """
    try:
        try:
            return _checked(text)
        except RecursionError:
            return _checked_with_a_whole_stack(text)
    except DamagedLine:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedLine(str(error)) from None


def read_lines(data: bytes) -> list[Line]:
    """Return whole lines that were checked, several times as fast as one by one.

    Raises:
        DamagedLine: one of them is damaged, or nested so deep that only `read_line` can tell.
    """
    try:
        lines: list[Line] = _line.decode_lines(data)
        for line in lines:
            _check(line)
    except (ValueError, RecursionError) as error:
        raise DamagedLine(str(error)) from None
    return lines


def _checked(text: bytes) -> Line:
    line: Line = _line.decode(text)
    _check(line)
    return line


def _check(line: Line) -> None:
    if line.event is None:
        detail(line)
    elif line.kind != "event":
        raise DamagedLine("it is an event and a mark at once")


def _checked_with_a_whole_stack(text: bytes) -> Line:
    """Check a line on a thread of its own: how deep a payload may be nested depends on how deep the caller stands,
    and the connection that took it in stands on a thread with next to nothing on its stack.
    """
    outcome: Future[Line] = Future()
    # threading.Thread would leave an entry behind for the caller's thread where that is one of DuckDB's or Arrow's.
    _thread.start_new_thread(_settle, (outcome, text))
    return outcome.result()


def _settle(outcome: Future[Line], text: bytes) -> None:
    try:
        outcome.set_result(_checked(text))
    except (ValueError, RecursionError) as error:
        outcome.set_exception(error)


def detail(line: Line) -> Any:
    """Return what a mark holds: a `Gap`, `Dropped`, `Request` or `Answer`; ``None`` for other kinds.

    Raises:
        ValueError: it does not hold that.
    """
    if line.kind == "event":
        raise DamagedLine("it is neither an event nor a mark")
    if (decoder := _DETAILS.get(line.kind)) is None:
        return None
    held = decoder.decode(line.raw)
    if isinstance(held, Answer) and not held.ok:
        refused(held.answer)
    return held


def refused(answer: msgspec.Raw | bytes) -> Refused:
    """Return the error that a request was answered with.

    Raises:
        ValueError: it is none.
    """
    return _refused.decode(answer)
