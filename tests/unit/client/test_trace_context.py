"""The trace that requests are part of: given, or the active one."""

from __future__ import annotations

import json

import pytest
from opentelemetry import trace

from gateway_nb.client.trace_context import traceparent
from gateway_nb.errors import BadArgumentError
from gateway_nb.protocol.frames import encode_request

GIVEN = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize("version", ["2026.9.6", "2027.1.0", "local", None])
def test_given(version: str | None) -> None:
    """A traceparent goes as it is to a gateway that is not known to refuse it."""
    assert traceparent(version, GIVEN) == GIVEN
    assert json.loads(encode_request("1", "m", {}, GIVEN))["traceparent"] == GIVEN
    assert "traceparent" not in json.loads(encode_request("1", "m", {}))


@pytest.mark.parametrize("version", ["2026.6.11", "2025.12.1"])
def test_an_older_gateway(version: str) -> None:
    """A gateway that refuses such requests is not sent one: the error says so; an active span is left out."""
    with pytest.raises(BadArgumentError, match=rf"this gateway \({version}\) refuses requests that carry one"):
        traceparent(version, GIVEN)
    with trace.use_span(active()):
        assert traceparent(version, None) is None


@pytest.mark.parametrize(
    "given", ["", "x", GIVEN[:-1], GIVEN + "0", GIVEN.upper(), f"00-{'0' * 32}-{'b' * 16}-01", f"ff{GIVEN[2:]}", 5]
)
def test_no_traceparent(given: str) -> None:
    """What is no traceparent is refused before anything is sent."""
    with pytest.raises(BadArgumentError, match="W3C trace context"):
        traceparent("2026.9.6", given)


def active() -> trace.Span:
    return trace.NonRecordingSpan(trace.SpanContext(int("c" * 32, 16), int("d" * 16, 16), False, trace.TraceFlags(1)))


def test_the_active_span() -> None:
    """Where an OpenTelemetry span is active, requests are part of it; without one of nothing."""
    assert traceparent("2026.9.6", None) is None
    with trace.use_span(active()):
        assert traceparent("2026.9.6", None) == f"00-{'c' * 32}-{'d' * 16}-01"
        assert traceparent("2026.9.6", GIVEN) == GIVEN
