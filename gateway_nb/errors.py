"""Everything that can go wrong, as one small tree under `GatewayError`.

Each error is one line that says what happened, why, and what to do next. In a notebook only that line
is shown (`_render_traceback_` is what IPython asks for); ``%tb`` shows the whole traceback.
"""

from __future__ import annotations

import re
import shlex
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")
_LONGEST_MESSAGE = 600
_METHODS_ADVICE = "; gw.methods lists what this gateway advertises"
UNREDACTED = 32_768
"""Characters kept of a gateway's text until the secrets are out of it: cut shorter before, a part of one would stay."""


def one_line(text: object, longest: int = _LONGEST_MESSAGE) -> str:
    """Turn text of a gateway into one printable line.

    What a gateway says is hostile until shown otherwise: line breaks, terminal escapes and
    direction marks become blanks, and a page becomes a line.

    Args:
        text: any; no more than `UNREDACTED` characters of it are looked at.
        longest: characters of the line.
    """
    whole = str(text)
    line = _CONTROL.sub(" ", whole[:UNREDACTED]).strip()
    return line if len(line) <= longest and len(whole) <= UNREDACTED else line[: longest - 1] + "…"


def printable(text: str) -> str:
    """Return a text whose control characters and direction marks are written out; line breaks stay."""
    return _CONTROL.sub(lambda found: "".join(c if c == "\n" else f"\\u{ord(c):04x}" for c in found.group()), text)


_ARGUMENT = re.compile(r"\b(append|detached|password|requests|rotate|tls_fingerprint|token)=(True\b)?")
_OPTIONS = {"token": "--token-env", "password": "--password-env"}


def with_options(message: str) -> str:
    """Return a message that names arguments of Python as somebody types them on a line: ``append=True``, ``--append``.

    Args:
        message: of an error that a magic or the command shows.
    """
    return _ARGUMENT.sub(lambda found: _OPTIONS.get(found[1], f"--{found[1].replace('_', '-')}"), message)


class GatewayError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        code: the gateway's code (``"INVALID_REQUEST"``) or ours; ``None`` where there is none.
        method: the method that was called, if one was.
        request_id: id of the request frame, or of the pairing request.
        details: what the gateway sent along, decoded; ``None`` if nothing.
        retryable: the gateway says that the same request may succeed later.
        retry_after: seconds to wait before that, or ``None``.
        excerpt: lines to show under the message: where in what was typed it went wrong.
    """

    excerpt: str = ""
    _rendered: TracebackType | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        method: str | None = None,
        request_id: str | None = None,
        details: Any = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(one_line(message, UNREDACTED))
        self.code = code
        self.method = method
        self.request_id = request_id
        self.details = details
        self.retryable = retryable
        self.retry_after = retry_after

    def _render_traceback_(self) -> list[str]:
        # IPython asks once when a cell ends with the error; if it asks for the same traceback again, that is %tb.
        if self._rendered is not None and self._rendered is self.__traceback__:
            return printable("".join(traceback.format_exception(self))).splitlines()
        self._rendered = self.__traceback__
        return [one_line(f"{type(self).__name__}: {self}"), *printable(self.excerpt).splitlines()]


class GatewayRequestError(GatewayError):
    """The gateway answered a request with an error.

    Attributes:
        gateway_message: the gateway's own words.
    """

    gateway_message: str = ""


class MissingScopeError(GatewayRequestError):
    """The connection was not granted the scope that the method needs: connect with `missing_scope` in ``scopes=``."""

    missing_scope: str = ""


class RateLimitedError(GatewayRequestError):
    """Too many calls of this method: make the next in `retry_after` seconds."""


class GatewayConnectError(GatewayError):
    """No connection: nothing listens there, it is not a gateway, or the gateway refused."""


class IdentityError(GatewayConnectError):
    """The device key's file can't be used, and nothing was sent: restore it, or move it away to be another device."""


class InsecureUrlError(GatewayConnectError):
    """The URL is not allowed by policy, and nothing was sent: use ``wss://``, or a tunnel to this machine."""


class TlsPinError(GatewayConnectError):
    """The server's certificate is not the pinned one, and nothing was sent: ask the owner whether it was replaced."""


class AuthenticationError(GatewayConnectError):
    """The gateway refused the credentials or the device's signature: pass the right ``token=`` or ``password=``."""


class PairingRequiredError(GatewayConnectError):
    """The gateway's owner has to approve this device first, with `approve_command`.

    Attributes:
        request_id: what to approve, or ``None`` if the gateway named no (valid) id.
        reason: ``not-paired``, ``role-upgrade``, ``scope-upgrade`` or ``metadata-upgrade``.
        approve_command: the exact command for the gateway's owner, or ``None``.
        requested_scopes: what this client asked for.
        approved_scopes: what this device was approved for before.
    """

    reason: str | None = None
    approve_command: str | None = None
    requested_scopes: tuple[str, ...] = ()
    approved_scopes: tuple[str, ...] = ()

    @property
    def rows(self) -> dict[str, str]:
        """What the gateway's owner needs to know, by label; what there is nothing to say of is left out."""
        rows = {
            "why": self.reason or "this device is not approved",
            "asked for": ", ".join(self.requested_scopes),
            "approved before": ", ".join(self.approved_scopes),
            "request": self.request_id,
            "on the gateway's host run": self.approve_command or "openclaw devices list",
        }
        return {label: text for label, text in rows.items() if text}


class ProtocolMismatchError(GatewayConnectError):
    """Client and gateway have no protocol version in common: update the older one."""


class HandshakeTimeoutError(GatewayConnectError, TimeoutError):
    """The server did not finish the handshake in time: it is busy, or not a gateway; pass a longer ``timeout=``."""


class GatewayTimeoutError(GatewayError, TimeoutError):
    """No answer within the time given: pass a longer ``timeout=``."""


class GatewayClosedError(GatewayError, ConnectionError):
    """The connection is closed, or closed before the answer came: `gw.status` says why, and when it is made again."""


class RunFailedError(GatewayError):
    """An agent run ended with an error (`run_id` tells which)."""

    run_id: str | None = None


class RunAbortedError(RunFailedError):
    """An agent run was aborted before its end."""


class CaptureError(GatewayError):
    """Events could not be written to, or read from, a capture."""


class ExperimentError(GatewayError):
    """An experiment can't be run or continued; what was done before is kept."""


class OpenClawUnavailable(GatewayError, RuntimeError):
    """The real gateway, or something else of npm's, can't be installed or does not run here."""


class FrameTooLargeError(GatewayRequestError, ValueError):
    """The request is larger than the gateway takes. It was not sent."""


class BadParamsError(GatewayError, TypeError):
    """The params are not JSON (or hold NaN). They were not sent."""


class BadArgumentError(GatewayError, TypeError, ValueError):
    """An argument of a function is missing, of the wrong type, or not one of the values it takes. Nothing was sent."""


def request_error(
    method: str,
    request_id: str,
    *,
    code: str | None,
    message: str | None,
    details: Any = None,
    retryable: bool = False,
    retry_after: float | None = None,
) -> GatewayRequestError:
    """Return the error for a response that is not ok (seed: `GatewayClientRequestError`).

    Args:
        method: the method that was called.
        request_id: the id of its frame.
        code: the gateway's code; ``UNAVAILABLE`` if it sent none.
        message: the gateway's message.
        details: the gateway's details.
        retryable: the gateway's flag.
        retry_after: seconds to wait.
    """
    text = one_line(message or "unknown error", UNREDACTED)
    code = one_line(code or "UNAVAILABLE", UNREDACTED)
    kind: type[GatewayRequestError] = GatewayRequestError
    advice = ""
    scope = _missing_scope(text, details)
    if scope is not None:
        kind = MissingScopeError
        advice = f"; connect with scopes=[..., {scope!r}] (or operator.admin)"
    elif retryable and retry_after is not None and isinstance(details, dict) and "limit" in details:
        kind = RateLimitedError
        advice = f"; call again in {retry_after:.3g} s"
    elif text.startswith("unknown method"):
        advice = _METHODS_ADVICE
    error = kind(
        f"{method}: {text} [{code}]{advice}",
        code=code,
        method=method,
        request_id=request_id,
        details=details,
        retryable=retryable,
        retry_after=retry_after,
    )
    error.gateway_message = text
    if isinstance(error, MissingScopeError):
        error.missing_scope = scope or ""
    return error


def is_unknown_method(error: GatewayRequestError) -> bool:
    """Return whether the gateway does not know the method that was called."""
    return error.gateway_message.startswith("unknown method")


def suggest_methods(error: GatewayRequestError, near: Sequence[str]) -> None:
    """Name the methods that may have been meant in the error for an unknown one.

    Args:
        error: see `is_unknown_method`.
        near: from `gateway_nb.protocol.spelling.closest`; empty leaves the error as it is.
    """
    if near:
        error.args = (str(error).removesuffix(_METHODS_ADVICE) + f"; did you mean {' or '.join(near)}?",)


def _missing_scope(text: str, details: Any) -> str | None:
    """Return the scope that is missing; old gateways say it in the message only (protocol.md, 6)."""
    if isinstance(details, dict) and details.get("code") == "MISSING_SCOPE":
        return one_line(details.get("missingScope") or "?", UNREDACTED)
    found = re.match(r"missing scope: (\S+)", text)
    return found.group(1) if found else None


def connect_error(error: GatewayRequestError, protocols: tuple[int, int]) -> GatewayConnectError:
    """Return the error for a refused ``connect``, by its detail code (protocol.md, 2).

    Args:
        error: what the gateway answered.
        protocols: the oldest and the newest version that this client offered.
    """
    details = error.details if isinstance(error.details, dict) else {}
    code = detail_code(error)
    message = str(error).removeprefix("connect: ")
    kind, advice = _connect_kind(code)
    if kind is ProtocolMismatchError:
        message += _versions(details.get("expectedProtocol"), protocols)
    refused = kind(
        f"the gateway refused the connection: {message}{advice}",
        code=code or error.code,
        method="connect",
        request_id=error.request_id,
        details=error.details,
        retryable=error.retryable,
        retry_after=error.retry_after,
    )
    if isinstance(refused, PairingRequiredError):
        _add_pairing(refused, details)
    return refused


def detail_code(error: GatewayError) -> str | None:
    """Return ``details.code``, which drives recovery; old gateways only say it in the message."""
    if isinstance(error.details, dict) and isinstance(error.details.get("code"), str):
        return str(error.details["code"])
    return "PROTOCOL_MISMATCH" if "protocol mismatch" in str(error).lower() else None


def closed_early(description: str, role: str) -> GatewayConnectError:
    """Return the error for a gateway that closed the connection instead of answering the ``connect``.

    Args:
        description: close code and reason, see `close_codes.describe`.
        role: the role that was asked for.
    """
    advice = "the gateway's log says why"
    if role == "node":
        advice = (
            "a node needs client_name='node-host' and mode='node' (the defaults of role='node') and a device key that "
            "the gateway does not know as an operator's (device_identity=PATH); " + advice
        )
    return GatewayConnectError(f"no connection before hello-ok: {description}; {advice}")


def _versions(expected: Any, protocols: tuple[int, int]) -> str:
    oldest, newest = protocols
    spoken = f"this client speaks {oldest}" + (f" to {newest}" if newest != oldest else "")
    usable = type(expected) is int and 0 < expected < 1000
    return f" (the gateway expects version {expected}, {spoken})" if usable else f" ({spoken})"


def _connect_kind(code: str | None) -> tuple[type[GatewayConnectError], str]:
    if code == "PAIRING_REQUIRED":
        return PairingRequiredError, ""
    if code in ("PROTOCOL_MISMATCH", "CLIENT_VERSION_MISMATCH"):
        return ProtocolMismatchError, "; update gateway-nb or the gateway, whichever is older"
    if code == "DEVICE_AUTH_SIGNATURE_EXPIRED":
        return AuthenticationError, "; set this computer's clock"
    if code is not None and code.startswith(("AUTH_TOKEN", "AUTH_PASSWORD")):
        return AuthenticationError, "; pass token= or password=, or set OPENCLAW_GATEWAY_URL and OPENCLAW_GATEWAY_TOKEN"
    if code is not None and code.endswith("DEVICE_IDENTITY_REQUIRED"):
        return AuthenticationError, "; pass token= or password=, or leave device_identity on"
    if code is not None and code.startswith(("AUTH_", "DEVICE_AUTH_")):
        return AuthenticationError, ""
    return GatewayConnectError, ""


def _scopes(value: Any) -> tuple[str, ...]:
    return tuple(one_line(scope, UNREDACTED) for scope in value) if isinstance(value, list) else ()


def _add_pairing(error: PairingRequiredError, details: dict[str, Any]) -> None:
    request_id = details.get("requestId")
    valid = isinstance(request_id, str) and _REQUEST_ID.match(request_id) is not None
    error.request_id = request_id if valid else None
    reason = details.get("reason")
    error.reason = one_line(reason, UNREDACTED) if isinstance(reason, str) else None
    error.requested_scopes = _scopes(details.get("requestedScopes"))
    error.approved_scopes = _scopes(details.get("approvedScopes"))
    if valid:
        error.approve_command = f"openclaw devices approve {shlex.quote(str(request_id))}"
    run = "on the gateway's host run"
    error.args = (f"{error}; {run}: {error.rows[run]}",)


def _table() -> str:
    kinds = [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, GatewayError)]
    return "\n".join(f"    {kind.__name__:22} {str(kind.__doc__).splitlines()[0]}" for kind in kinds)


__doc__ = f"{__doc__}\n{_table()}\n"  # what help() shows on its first screen
