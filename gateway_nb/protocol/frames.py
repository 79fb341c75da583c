"""Frames: JSON text to typed envelopes and back. Payloads stay bytes until somebody looks.

Incoming frames are checked for shape only: gateways add fields in every release, so unknown fields are
ignored (protocol.md, 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from .errors import BadParamsError, GatewayRequestError

MAX_FRAME_BYTES = 25 * 1024 * 1024
NULL = msgspec.Raw(b"null")

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]  # what JSON's other readers can hold


class ErrorShape(msgspec.Struct, rename="camel", gc=False):
    """The ``error`` of a response that is not ok."""

    code: str | None = None
    message: str | None = None
    details: msgspec.Raw = NULL
    retryable: bool | None = None
    retry_after_ms: float | None = None


class EventFrame(msgspec.Struct, tag="event", tag_field="type", gc=False):
    """``{"type":"event","event":NAME,"payload"?,"seq"?}``."""

    event: _Name
    payload: msgspec.Raw = NULL
    seq: _Count | None = None


class ResponseFrame(msgspec.Struct, tag="res", tag_field="type", gc=False):
    """``{"type":"res","id":ID,"ok":BOOL,"payload"?,"error"?}``."""

    id: str
    ok: bool
    payload: msgspec.Raw = NULL
    error: ErrorShape | None = None


class RequestFrame(msgspec.Struct, tag="req", tag_field="type", omit_defaults=True, gc=False):
    """``{"type":"req","id":ID,"method":NAME,"params"?}``."""

    id: _Name
    method: _Name
    params: Any = msgspec.UNSET


class MalformedFrame(ValueError):
    """A frame that is not JSON, not UTF-8, or of the wrong shape."""


_incoming = msgspec.json.Decoder(EventFrame | ResponseFrame)
_any = msgspec.json.Decoder()


def decode(data: bytes) -> EventFrame | ResponseFrame:
    """Return the envelope of an incoming frame; its payload stays raw JSON.

    Raises:
        MalformedFrame: bad JSON, bad UTF-8, or a wrong shape. The connection can go on.
    """
    try:
        frame: EventFrame | ResponseFrame = _incoming.decode(data)
        return frame
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedFrame(str(error)) from None


def decode_payload(raw: msgspec.Raw | bytes) -> Any:
    """Return a payload as Python objects.

    Raises:
        MalformedFrame: the payload is not JSON or not UTF-8.
    """
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedFrame(str(error)) from None


def decode_answer(method: str, raw: msgspec.Raw | bytes) -> Any:
    """Return the payload of a method's answer as Python objects.

    Raises:
        GatewayRequestError: it is not JSON or not UTF-8.
    """
    try:
        return decode_payload(raw)
    except MalformedFrame as error:
        raise GatewayRequestError(f"{method}: the answer can't be read: {error}", method=method) from None


def encode_request(request_id: str, method: str, params: Any = None) -> bytes:
    """Return the bytes of a request frame, validated.

    Args:
        request_id: non-empty, unique per connection.
        method: non-empty name of a gateway method.
        params: a mapping, or ``None`` for none. Datetimes, UUIDs, dataclasses and numpy numbers are turned
            into their JSON form.

    Raises:
        BadParamsError: the params are no mapping, are not JSON, or hold NaN or infinity.
    """
    check_method(method)
    if params is None:
        return msgspec.json.encode(RequestFrame(request_id, method))
    if not isinstance(params, Mapping):
        raise BadParamsError(
            f"{method}: params must be a mapping like {{'limit': 5}}, not {type(params).__name__}",
            method=method,
        )
    try:
        _refuse_non_finite(params, "params")
        return msgspec.json.encode(RequestFrame(request_id, method, params), enc_hook=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadParamsError(f"{method}: params cannot be sent as JSON: {error}", method=method) from None


def check_method(method: object) -> None:
    """Check that this can be a method's name.

    Raises:
        BadParamsError: it is no text, or an empty one.
    """
    if not isinstance(method, str) or not method or not method.isprintable():
        raise BadParamsError(f"method must be a non-empty string of printable characters, not {method!r}")


def encode(message: Any) -> bytes:
    """Return any plain value as JSON bytes."""
    return msgspec.json.encode(message, enc_hook=_plain)


def _refuse_non_finite(value: Any, path: str) -> None:
    """JSON has no NaN; the encoder would turn it into null without a word."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} is {value}, which JSON cannot say")
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
