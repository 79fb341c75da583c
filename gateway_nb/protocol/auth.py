"""Which credential to send, and what to do when the gateway refuses it (protocol.md, 2; seed: selectConnectAuth)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import BadArgumentError, GatewayConnectError, detail_code
from . import close_codes
from .scopes import ADMIN, allows

DEFAULT_ROLE = "operator"
DEFAULT_SCOPES = (ADMIN,)
ROLES = (DEFAULT_ROLE, "node")

# Reconnecting by itself can't mend these; the user has to act first.
_PAUSING = frozenset(
    {
        "AUTH_TOKEN_MISSING",
        "AUTH_BOOTSTRAP_TOKEN_INVALID",
        "AUTH_PASSWORD_MISSING",
        "AUTH_PASSWORD_MISMATCH",
        "AUTH_RATE_LIMITED",
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "AUTH_SCOPE_MISMATCH",
        "AUTH_TOKEN_MISMATCH",
        "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
        "DEVICE_IDENTITY_REQUIRED",
        "PROTOCOL_MISMATCH",
        "CLIENT_VERSION_MISMATCH",
    }
)


class Secret:
    """A string that never shows itself: not in a repr, a format, a traceback or a pickle.

    Example:
        >>> Secret("hunter2")
        Secret(…)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret cannot be pickled")


def secret(value: str | Secret | None, name: str) -> Secret | None:
    """Return an input as a secret; blank is absent.

    Args:
        value: what the user passed.
        name: the option's name, for the error.

    Raises:
        TypeError: not a string.
        ValueError: it holds half a character, as an environment variable that is not UTF-8 does.
    """
    if value is None or isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise BadArgumentError(f"{name} must be a string or None, not {type(value).__name__}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise BadArgumentError(f"{name} must be Unicode text; it holds an unpaired surrogate: check how it was read")
    return Secret(value.strip()) if value.strip() else None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the user gave: each a secret or ``None``."""

    token: Secret | None = None
    bootstrap_token: Secret | None = None
    device_token: Secret | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A device token kept from an earlier hello-ok, for one device and role."""

    token: Secret
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selected:
    """What a ``connect`` request carries.

    Attributes:
        auth: the request's ``auth``, as secrets; empty for none.
        scopes: the scopes to ask for.
        signed_token: the token that goes into the signed device payload.
    """

    auth: dict[str, Secret]
    scopes: tuple[str, ...]
    signed_token: Secret | None


def select(
    given: Credentials,
    stored: StoredToken | None,
    *,
    scopes: Sequence[str] | None = None,
    retry_with_stored: bool = False,
) -> Selected:
    """Return the credentials for the next ``connect``.

    Args:
        given: the user's.
        stored: the device token on disk for this device and role.
        scopes: the user's explicit wish, or ``None``.
        retry_with_stored: the one-shot second try with the stored device token is pending.
    """
    retrying = bool(retry_with_stored and stored and given.token and not given.device_token)
    use_stored = stored is not None and (
        retrying or (not given.token and not given.password)  # a stored token beats a bootstrap token
    )
    device_token = given.device_token or (stored.token if use_stored and stored else None)
    token = given.token or device_token
    bootstrap = given.bootstrap_token if token is None else None
    fields = {
        "token": token,
        "bootstrapToken": bootstrap,
        "deviceToken": device_token,
        "password": given.password,
    }
    stored_in_use = stored is not None and given.device_token is None and device_token == stored.token
    if scopes is not None:
        wanted = tuple(scopes)
    else:
        wanted = (stored.scopes if stored_in_use and stored else ()) or DEFAULT_SCOPES
    return Selected(
        auth={name: value for name, value in fields.items() if value is not None},
        scopes=wanted,
        signed_token=token or bootstrap,
    )


class Recovery(enum.Enum):
    """What to do after a connection failed."""

    BACKOFF = "try again after a growing pause"
    DEVICE_TOKEN = "try once more, at once, with the stored device token"
    STARTING = "the gateway is starting: try again soon, without growing the pause"
    RESTARTING = "the gateway restarts: try again after a growing pause"
    PAIRING = "the gateway says that its approval is under way: try again after a growing pause"
    PAUSE = "wait for the user"

    @property
    def transient(self) -> bool:
        """Whether the first connection is tried again, too; for any other reason it fails at once."""
        return self not in (Recovery.BACKOFF, Recovery.PAUSE)


def recover(
    error: GatewayConnectError | None,
    close_code: int,
    given: Credentials,
    stored: StoredToken | None,
    *,
    trusted: bool,
    retry_used: bool,
) -> Recovery:
    """Return what to do after a connection failed or ended (protocol.md, 2 "When connect fails").

    Args:
        error: how the gateway refused the ``connect``, or why it was not reached; ``None`` if it did neither.
        close_code: the WebSocket close code.
        given: the user's credentials.
        stored: the device token on disk.
        trusted: the endpoint may be shown the stored token.
        retry_used: the one-shot second try was made since the last hello-ok.
    """
    details = error.details if error is not None and isinstance(error.details, dict) else {}
    code = detail_code(error) if error is not None else None
    if details.get("reason") == "startup-sidecars" or close_code == close_codes.TRY_AGAIN:
        return Recovery.STARTING
    advised = (
        details.get("canRetryWithDeviceToken") is True
        or details.get("recommendedNextStep") == "retry_with_device_token"
        or code == "AUTH_TOKEN_MISMATCH"
    )
    possible = given.token is not None and stored is not None and given.device_token is None
    if advised and possible and trusted and not retry_used:
        return Recovery.DEVICE_TOKEN
    if code == "PAIRING_REQUIRED":
        waits = details.get("pauseReconnect") is False or details.get("recommendedNextStep") == "wait_then_retry"
        return Recovery.PAIRING if waits else Recovery.PAUSE
    if code is not None and (code in _PAUSING or code.startswith("DEVICE_AUTH_")):
        return Recovery.PAUSE
    return Recovery.RESTARTING if close_code == close_codes.RESTART else Recovery.BACKOFF


def forgets_stored_token(
    given: Credentials, *, error: GatewayConnectError | None, close_code: int, close_reason: str
) -> bool:
    """Return whether the stored device token has proved to be worthless and is to be deleted.

    Only while no token and no password were given: their failure says nothing of the device token.

    Args:
        given: the user's credentials.
        error: how the gateway refused, if it did.
        close_code: the WebSocket close code.
        close_reason: the close frame's text.
    """
    if given.token is not None or given.password is not None:
        return False
    mismatch = close_code == 1008 and "device token mismatch" in close_reason.lower()
    return mismatch or (error is not None and detail_code(error) == "AUTH_DEVICE_TOKEN_MISMATCH")


def missing_scopes(wanted: Iterable[str], granted: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes that were asked for and not granted nor implied by others, sorted.

    Example:
        >>> missing_scopes(["operator.read", "operator.write"], ["operator.read"])
        ('operator.write',)
    """
    granted = set(granted)
    return tuple(sorted(scope for scope in set(wanted) if not allows(granted, scope)))
