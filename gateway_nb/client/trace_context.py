"""The trace that a request is part of (W3C trace context): given, or that of the span which is active where it is made.

It travels with the task that makes the request, so that every frame of a call or of a run carries it.
"""

from __future__ import annotations

import re
import sys
from contextvars import ContextVar

from ..errors import BadArgumentError, one_line

TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""What the frames of this task's requests carry."""
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_VERSION = re.compile(r"(\d{4})\.(\d{1,2})\.")
_FIRST = (2026, 9)


def traceparent(version: str | None, given: str | None) -> str | None:
    """Return what the frames of a request carry, ``None`` for nothing.

    Args:
        version: the gateway's.
        given: by the user; without it that of the OpenTelemetry span which is active here, where there is one and the
            gateway takes it.

    Raises:
        BadArgumentError: `given` is no traceparent, or the gateway is known to refuse frames with one.
    """
    if given is None:
        active = _active()
        return None if active is None or _refuses(version) else active
    if not isinstance(given, str) or not _FORM.match(given):
        raise BadArgumentError(
            f"traceparent must be like 00-{'a' * 4}...-{'b' * 4}...-01 (W3C trace context, 55 characters), "
            f"not {one_line(str(given), 60)!r}"
        )
    if _refuses(version):
        raise BadArgumentError(
            f"traceparent: this gateway ({version}) refuses requests that carry one; "
            "leave it out, or update the gateway to 2026.9"
        )
    return given


def _refuses(version: str | None) -> bool:
    found = _VERSION.match(version or "")
    return found is not None and (int(found[1]), int(found[2])) < _FIRST


def _active() -> str | None:
    """Return the active span's; who has not imported OpenTelemetry has none."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
