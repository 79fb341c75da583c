"""How a method of the embedded gateway answers: with a payload, with a refusal, or later."""

from __future__ import annotations

from typing import Any

LATER = object()
"""Returned by a method that sends its answer itself."""


class Refusal(Exception):
    """What the embedded gateway answers instead of a payload.

    Args:
        code: e.g. ``INVALID_REQUEST``.
        message: for people.
        details: for programs.
        retryable: the same request may succeed later.
        retry_after_ms: milliseconds to wait before that.
        close: close the connection after it with this code.
    """

    def __init__(
        self,
        code: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        retryable: bool = False,
        retry_after_ms: float | None = None,
        close: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms
        self.close = close

    def shape(self) -> dict[str, Any]:
        """Return the ``error`` of the response; absent fields are left out."""
        fields: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            fields["details"] = self.details
        if self.retryable:
            fields["retryable"] = True
        if self.retry_after_ms is not None:
            fields["retryAfterMs"] = self.retry_after_ms
        return fields


class WrongCredential(Refusal):
    """The refusal of a sign-in that may have been a guess: it is sent after a delay."""


def fault(message: str, *, close: int | None = None, **details: Any) -> Refusal:
    """Return the refusal of a request that is wrong: INVALID_REQUEST."""
    return Refusal("INVALID_REQUEST", message, details or None, close=close)
