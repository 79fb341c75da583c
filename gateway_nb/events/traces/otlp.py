"""Spans as OpenTelemetry has them: OTLP as JSON or protobuf, and sent to a collector by the SDK's exporter."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from ...errors import GatewayError, one_line
from ...protocol.frames import encode
from .conventions import attributes, span_name
from .spans import Span

_NEEDED = "OTLP as protobuf needs OpenTelemetry; run: pip install 'gateway-nb[otel]'"
_INTERNAL, _CLIENT = 1, 3
_OK, _ERROR = 1, 2
_CODES = {"ok": _OK, "error": _ERROR, "aborted": _ERROR}
_PATH = "/v1/traces"
_SERVICE = {"service.name": "openclaw"}


def to_json(spans: Iterable[Span], *, content: bool) -> bytes:
    """Return spans as OTLP's JSON: an ``ExportTraceServiceRequest``, its ids in hexadecimal as OTLP wants them."""
    return encode(_request(spans, content=content, identifier=str))


def json_spans(spans: Iterable[Span], *, content: bool) -> list[dict[str, Any]]:
    """Return spans as they stand in OTLP's JSON."""
    return [_span(span, content=content, identifier=str) for span in spans]


def to_protobuf(spans: Iterable[Span], *, content: bool) -> bytes:
    """Return spans as OTLP's protobuf: an ``ExportTraceServiceRequest``; several, joined, are one.

    Raises:
        ImportError: the extra ``otel`` is not installed.
    """
    try:
        from google.protobuf.json_format import ParseDict
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        raise ImportError(_NEEDED) from None
    request = _request(spans, content=content, identifier=_base64)
    data: bytes = ParseDict(request, ExportTraceServiceRequest()).SerializeToString()
    return data


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _request(spans: Iterable[Span], *, content: bool, identifier: Callable[[str], str]) -> dict[str, Any]:
    scope = {"name": "gateway_nb", "version": version("gateway-nb")}
    found = [_span(span, content=content, identifier=identifier) for span in spans]
    resource = {"attributes": _key_values(_SERVICE)}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": found}]}]}


def _span(span: Span, *, content: bool, identifier: Callable[[str], str]) -> dict[str, Any]:
    start, end = times(span)
    code, message = _status(span)
    return {
        "traceId": identifier(span.trace),
        "spanId": identifier(span.span),
        **({"parentSpanId": identifier(span.parent)} if span.parent else {}),
        "name": span_name(span),
        "kind": _CLIENT if span.kind == "model" else _INTERNAL,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": _key_values(attributes(span, content=content)),
        "status": {"code": code, **({"message": message} if message else {})},
    }


def times(span: Span) -> tuple[int, int]:
    """Return start and end, since OpenTelemetry knows no span without them: one that is missing is the other one."""
    start = span.start if span.start is not None else span.end or 0
    return start, max(span.end if span.end is not None else start, start)


def _status(span: Span) -> tuple[int, str]:
    code = _CODES.get(span.status, 0)
    return code, str(span.attributes.get("error") or span.status) if code == _ERROR else ""


def _key_values(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}


def send(spans: Iterable[Span], endpoint: str, *, content: bool) -> None:
    """Send spans to a collector with the SDK's exporter, over HTTP.

    Args:
        spans: of a trace.
        endpoint: the collector's address; without a path ``/v1/traces`` is added.
        content: with messages, arguments and results.

    Raises:
        ImportError: the extra ``otel`` is not installed.
        GatewayError: the collector did not take them.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError:
        raise ImportError(_NEEDED) from None
    address = urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise GatewayError(
            f"send: {one_line(endpoint, 80)!r} is no address of a collector; pass one like http://host:4318"
        )
    path = address.path if address.path.strip("/") else _PATH
    exporter = OTLPSpanExporter(endpoint=address._replace(path=path).geturl())
    try:
        result = exporter.export(list(_sdk_spans(spans, content=content)))
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
    if result is not SpanExportResult.SUCCESS:
        where = f"{address.scheme}://{address.hostname}{path}"
        raise GatewayError(f"send: the collector at {where} did not take the spans; the log of opentelemetry says why")


def _sdk_spans(spans: Iterable[Span], *, content: bool) -> Iterator[Any]:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    resource = Resource(_SERVICE)
    scope = InstrumentationScope("gateway_nb", version("gateway-nb"))
    codes = {0: StatusCode.UNSET, _OK: StatusCode.OK, _ERROR: StatusCode.ERROR}
    flags = TraceFlags(TraceFlags.SAMPLED)
    for span in spans:
        trace, (start, end), (code, message) = int(span.trace, 16), times(span), _status(span)
        yield ReadableSpan(
            name=span_name(span),
            context=SpanContext(trace, int(span.span, 16), is_remote=False, trace_flags=flags),
            parent=SpanContext(trace, int(span.parent, 16), is_remote=False, trace_flags=flags)
            if span.parent
            else None,
            resource=resource,
            attributes=attributes(span, content=content),
            kind=SpanKind.CLIENT if span.kind == "model" else SpanKind.INTERNAL,
            status=Status(codes[code], message or None),
            start_time=start,
            end_time=end,
            instrumentation_scope=scope,
        )
