"""Frames: JSON text to typed envelopes and back. Payloads stay bytes until somebody looks.

Incoming frames are checked for shape only: gateways add fields in every release, so unknown fields are
ignored (protocol.md, 1).
"""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from ..errors import BadParamsError, GatewayRequestError

MAX_FRAME_BYTES = 25 * 1024 * 1024
LONGEST_TIMER = 2_147_483.647
"""Seconds; longer times are clamped to what a timer can hold."""
NULL = msgspec.Raw(b"null")

MAX_NAME = 1024
"""Characters of an event's name; the longest of today's gateways has 31."""
_SPARE_BYTES = 1024
_LARGE_PAYLOAD = 1024 * 1024
_LARGEST_DETAILS = 65_536  # bytes; an error's are read, and searched for secrets, on the loop
MAX_CONTAINERS = 4_000_000
"""Lists and objects in a payload: making more of them would hold up every thread of the process for too long."""

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_EventName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]  # what JSON's other readers can hold


class EventFrame(msgspec.Struct, tag="event", tag_field="type", gc=False):
    """``{"type":"event","event":NAME,"payload"?,"seq"?}``."""

    event: _EventName
    payload: msgspec.Raw = NULL
    seq: _Count | None = None


class ResponseFrame(msgspec.Struct, tag="res", tag_field="type", gc=False):
    """``{"type":"res","id":ID,"ok":BOOL,"payload"?,"error"?}``."""

    id: str
    ok: bool
    payload: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class ErrorShape(msgspec.Struct, frozen=True):
    """The ``error`` of a response that is not ok, as far as it has the types it should have.

    Attributes:
        code: e.g. ``INVALID_REQUEST``.
        message: the gateway's words.
        details: decoded.
        retryable: the same request may succeed later.
        retry_after: seconds until then.
    """

    code: str | None = None
    message: str | None = None
    details: Any = None
    retryable: bool = False
    retry_after: float | None = None


class RequestFrame(msgspec.Struct, tag="req", tag_field="type", omit_defaults=True, gc=False):
    """``{"type":"req","id":ID,"method":NAME,"params"?,"traceparent"?}``."""

    id: _Name
    method: _Name
    params: Any = msgspec.UNSET
    traceparent: str | None = None


class MalformedFrame(ValueError):
    """A frame that is not JSON, not UTF-8, or of the wrong shape."""


_incoming = msgspec.json.Decoder(EventFrame | ResponseFrame)
_any = msgspec.json.Decoder()
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(data: bytes) -> EventFrame | ResponseFrame:
    """Return the envelope of an incoming frame; its payload stays raw JSON.

    Raises:
        MalformedFrame: bad JSON, bad UTF-8, or a wrong shape. The connection can go on.
    """
    try:
        frame: EventFrame | ResponseFrame = _incoming.decode(data)
        if len(data) - len(frame.payload) > _SPARE_BYTES:
            # A payload is a view of its frame, and would keep all of it: a padded one costs what it shows.
            frame.payload = frame.payload.copy()
        return frame
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedFrame(str(error)) from None


def decode_payload(raw: msgspec.Raw | bytes) -> Any:
    """Return a payload as Python objects.

    Raises:
        MalformedFrame: the payload is not JSON or not UTF-8.
    """
    large = len(raw) > _LARGE_PAYLOAD
    if large and (data := bytes(raw)).count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        raise MalformedFrame(f"more than {MAX_CONTAINERS:,} lists and objects")
    collecting = large and gc.isenabled()
    if collecting:
        gc.disable()  # it would look at each of millions of new objects, again and again: four times the price
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedFrame(str(error)) from None
    finally:
        if collecting:
            gc.enable()


def read_error(raw: msgspec.Raw) -> ErrorShape:
    """Return what an ``error`` says; a field of another type is as good as missing, and the answer still counts."""
    try:
        fields: dict[str, msgspec.Raw] = _fields.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = {}
    size = len(fields.get("details", b""))
    code, message, retryable, retry_after = (
        _value(fields, name) for name in ("code", "message", "retryable", "retryAfterMs")
    )
    return ErrorShape(
        code=code if isinstance(code, str) else None,
        message=message if isinstance(message, str) else None,
        details=_value(fields, "details") if size <= _LARGEST_DETAILS else f"{size:,} bytes, left out",
        retryable=retryable is True,
        retry_after=seconds(retry_after),
    )


def _value(fields: dict[str, msgspec.Raw], name: str) -> Any:
    try:
        return decode_payload(fields.get(name, NULL))
    except MalformedFrame:
        return None


def seconds(milliseconds: object) -> float | None:
    """Return a gateway's milliseconds as seconds, at most what a timer can hold; ``None`` for what is no such number.

    Args:
        milliseconds: decoded JSON; an integer may have any number of digits.
    """
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)) or not milliseconds >= 0:
        return None
    return min(milliseconds, LONGEST_TIMER * 1000) / 1000


def decode_answer(method: str, raw: msgspec.Raw | bytes) -> Any:
    """Return the payload of a method's answer as Python objects.

    Raises:
        GatewayRequestError: it is not JSON or not UTF-8.
    """
    try:
        return decode_payload(raw)
    except MalformedFrame as error:
        raise GatewayRequestError(f"{method}: the answer can't be read: {error}", method=method) from None


def encode_request(request_id: str, method: str, params: Any = None, traceparent: str | None = None) -> bytes:
    """Return the bytes of a request frame, validated.

    Args:
        request_id: non-empty, unique per connection.
        method: non-empty name of a gateway method.
        params: a mapping, or ``None`` for none. Datetimes, UUIDs, dataclasses and numpy numbers are turned
            into their JSON form.
        traceparent: of the trace that the request is part of; older gateways refuse a frame with one.

    Raises:
        BadParamsError: the params are no mapping, are not JSON, or hold NaN or infinity.
    """
    check_method(method)
    if params is None:
        return msgspec.json.encode(RequestFrame(request_id, method, traceparent=traceparent))
    if not isinstance(params, Mapping):
        raise BadParamsError(
            f"{method}: params must be a mapping like {{'limit': 5}}, not {type(params).__name__}",
            method=method,
        )
    try:
        _refuse_non_finite(params, "params")
        return msgspec.json.encode(RequestFrame(request_id, method, params, traceparent), enc_hook=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadParamsError(f"{method}: params cannot be sent as JSON: {error}", method=method) from None


def check_method(method: object) -> None:
    """Check that this can be a method's name.

    Raises:
        BadParamsError: it is not a string, or is empty.
    """
    if not isinstance(method, str) or not method or not method.isprintable():
        raise BadParamsError(f"method must be a non-empty string of printable characters, not {method!r}")


def encode(message: Any) -> bytes:
    """Return any plain value as JSON bytes."""
    return msgspec.json.encode(message, enc_hook=_plain)


def mapping(value: Any) -> dict[str, Any]:
    """Return decoded JSON that is an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _refuse_non_finite(value: Any, path: str) -> None:
    """JSON has no NaN; the encoder would turn it into null without a word."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} is {value}, which JSON does not have")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_non_finite(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _refuse_non_finite(item, f"{path}[{index}]")


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy and pandas, by their own conversion."""
    for name in ("tolist", "item"):
        convert = getattr(value, name, None)
        if callable(convert):
            converted = convert()
            _refuse_non_finite(converted, type(value).__name__)
            return converted
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
