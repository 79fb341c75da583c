"""Every option of a connection: checked before any I/O, so that a wrong one is named at once."""

from __future__ import annotations

import dataclasses
import os
import ssl
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ..errors import BadArgumentError, GatewayError
from ..protocol.auth import DEFAULT_ROLE, ROLES, Credentials, secret
from ..protocol.endpoint import Endpoint
from ..protocol.frames import LONGEST_TIMER
from ..protocol.handshake import CLIENT_IDS, CLIENT_MODES, PROTOCOL_RANGE, ClientInfo, HelloOk, platform_name
from ..protocol.scopes import SCOPES
from ..protocol.session import CHALLENGE_TIMEOUT
from ..protocol.spelling import closest
from . import environment

if TYPE_CHECKING:
    from ..identity.device import DeviceIdentity
    from .event import Event
    from .status import Status

_LONGEST_TEXT = 200
_PARAMETERS = ("url", "token", "password", "device_token", "bootstrap_token", "timeout", "name")
_LONGEST_PATH_ENV = 100_000
_OPERATOR_CAPS = ("tool-events",)


class ConnectOptions(TypedDict, total=False):
    """Options of `connect`, which describes them, and `AsyncGateway` (the seed's, in snake_case, seconds)."""

    role: str
    scopes: Iterable[str] | None
    caps: Iterable[str]
    commands: Iterable[str] | None
    permissions: Mapping[str, bool] | None
    path_env: str | None
    client_name: str
    client_display_name: str | None
    client_version: str | None
    mode: str
    platform: str | None
    device_family: str | None
    instance_id: str | None
    device_identity: DeviceIdentity | str | os.PathLike[str] | Literal["auto"] | None
    min_protocol: int
    max_protocol: int
    tls_fingerprint: str | None
    ssl_context: ssl.SSLContext | None
    ca_file: str | os.PathLike[str] | None
    request_timeout: float
    connect_challenge_timeout: float
    tick_watch_min_interval: float
    on_event: Callable[[Event], object] | None
    on_hello_ok: Callable[[HelloOk], object] | None
    on_connect_error: Callable[[GatewayError], object] | None
    on_close: Callable[[int, str], object] | None
    on_gap: Callable[[int, int], object] | None
    on_reconnect_paused: Callable[[GatewayError], object] | None
    on_state: Callable[[Status], object] | None


CALLBACKS = tuple(name for name in ConnectOptions.__annotations__ if name.startswith("on_"))
_SAME_NAMES = [part.name for part in dataclasses.fields(ClientInfo) if part.name in ConnectOptions.__annotations__]
"""Options that are called the same in `ClientInfo`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, checked and complete."""

    endpoint: Endpoint
    credentials: Credentials
    client: ClientInfo
    scopes: tuple[str, ...] | None
    device_identity: DeviceIdentity | Path | Literal["auto"] | None
    ssl_context: ssl.SSLContext | None
    request_timeout: float
    connect_challenge_timeout: float
    tick_watch_min_interval: float
    callbacks: dict[str, Callable[..., object]] = field(repr=False)
    of_environment: str | None = None
    """What a refusal says of the environment's credentials: that they were sent, or why not, with what to do."""


def resolve(
    url: str | None,
    *,
    token: str | None = None,
    password: str | None = None,
    device_token: str | None = None,
    bootstrap_token: str | None = None,
    options: Mapping[str, Any],
) -> Settings:
    """Return the settings for what a user passed; the environment fills in what was left out.

    Args:
        url: as for `gateway_nb.connect`, like the credentials.
        token: an empty string is none, and keeps the environment's credentials out.
        password: shared gateway password.
        device_token: a device token to use instead of the stored one.
        bootstrap_token: a token for a device's first connection.
        options: the keys of `ConnectOptions`.

    Raises:
        TypeError: an option that does not exist, or of the wrong type.
        ValueError: an option out of its range.
        InsecureUrlError: the URL is refused by policy.
    """
    for name in sorted(set(options) - set(ConnectOptions.__annotations__)):
        near = closest(name, [*ConnectOptions.__annotations__, *_PARAMETERS])
        advice = f"did you mean {' or '.join(near)}? " if near else ""
        raise BadArgumentError(f"unknown option {name!r}; {advice}help(gateway_nb.connect) lists the options")
    given = Credentials(
        token=secret(token, "token"),
        bootstrap_token=secret(bootstrap_token, "bootstrap_token"),
        device_token=secret(device_token, "device_token"),
        password=secret(password, "password"),
    )
    take = _Taker(options)
    endpoint = environment.endpoint_for(url, take.text("tls_fingerprint"))
    of_environment = None
    if token is password is device_token is bootstrap_token is None:
        given, of_environment = environment.credentials_for(endpoint)
    client = _client(take)
    return Settings(
        endpoint=endpoint,
        credentials=given,
        client=client,
        scopes=_scopes(take, client.role),
        device_identity=_identity(options.get("device_identity", "auto"), client.role),
        ssl_context=_ssl_context(take, endpoint),
        request_timeout=take.seconds("request_timeout", 30.0, 0.001, LONGEST_TIMER),
        connect_challenge_timeout=take.seconds(
            "connect_challenge_timeout", CHALLENGE_TIMEOUT, 0.25, CHALLENGE_TIMEOUT, clamp=True
        ),
        tick_watch_min_interval=take.seconds("tick_watch_min_interval", 1.0, 0.001, 30.0, clamp=True),
        callbacks=take.callbacks(),
        of_environment=of_environment,
    )


def portable(settings: Settings) -> dict[str, Any]:
    """Return what another process needs to connect likewise, as arguments of `gateway_nb.connect`; it holds secrets.

    Raises:
        ValueError: they hold an object that can't be handed over.
    """
    given: dict[str, Any] = {
        field.name: getattr(settings.credentials, field.name) for field in dataclasses.fields(Credentials)
    }
    secrets = {name: value.reveal() for name, value in given.items() if value is not None}
    return {
        "url": settings.endpoint.url,
        "tls_fingerprint": settings.endpoint.pin,
        **(secrets or {"token": ""}),  # none is none there, too, whatever its environment has
        **without_secrets(settings),
    }


def without_secrets(settings: Settings) -> dict[str, Any]:
    """Return the options that another process needs to connect likewise: what `portable` does beside the endpoint.

    Raises:
        ValueError: they hold an object that can't be handed over.
    """
    identity = settings.device_identity
    if settings.ssl_context is not None or not (identity is None or isinstance(identity, (str, Path))):
        raise BadArgumentError("ca_file=, ssl_context= and an identity object can't be handed to another process")
    client = settings.client
    return {
        "device_identity": None if identity is None else str(identity),
        "scopes": settings.scopes,
        "client_name": client.id,
        "client_version": client.version,
        "client_display_name": client.display_name,
        **{name: getattr(client, name) for name in _SAME_NAMES},
        "request_timeout": settings.request_timeout,
        "connect_challenge_timeout": settings.connect_challenge_timeout,
        "tick_watch_min_interval": settings.tick_watch_min_interval,
    }


def timeout(value: float | None, name: str = "timeout") -> float | None:
    """Return a timeout in seconds, clamped to what a timer can hold; ``None`` is none.

    Raises:
        TypeError: not a number.
        ValueError: negative, or not finite.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadArgumentError(f"{name} must be a number of seconds or None, not {value!r}")
    if not 0 <= value < float("inf"):
        raise BadArgumentError(f"{name} must be 0 or more seconds, or None for no limit, not {value!r}")
    return min(float(value), LONGEST_TIMER)


class _Taker:
    """Reads options of one type each; an error names the option and what is allowed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def text(self, name: str, longest: int = _LONGEST_TEXT) -> str | None:
        value = self._options.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise BadArgumentError(f"{name} must be a string, not {value!r}")
        _check_text(name, value, longest)
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._options.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise BadArgumentError(f"{name} must be a string, not {value!r}")
        if value not in allowed:
            near = closest(value, allowed)
            asked = f"did you mean {near[0]!r}? " if near else ""
            raise BadArgumentError(
                f"{name} must be one of {', '.join(allowed)}, not {value[:_LONGEST_TEXT]!r}: {asked}"
                "The gateway's list is closed"
            )
        return value

    def strings(self, name: str) -> tuple[str, ...] | None:
        value = self._options.get(name)
        if value is None:
            return None
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise BadArgumentError(f"{name} must be a list of strings, not {value!r}")
        items = tuple(value)
        if not all(isinstance(item, str) and item.strip() for item in items):
            raise BadArgumentError(f"{name} must be a list of non-empty strings, not {value!r}")
        for item in items:
            _check_text(name, item, _LONGEST_TEXT)
        return items

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self._options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadArgumentError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        if not low <= value <= high:
            raise BadArgumentError(f"{name} must be from {low:g} to {high:g}, not {value!r}")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, low, high)
        if not isinstance(value, int):
            raise BadArgumentError(f"{name} must be a whole number, not {value!r}")
        return value

    def seconds(self, name: str, default: float, low: float, high: float, *, clamp: bool = False) -> float:
        value = self._options.get(name, default)
        if clamp and isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return min(max(float(value), low), high)
        return float(self.number(name, default, low, high))

    def instance(self, name: str, kind: type | tuple[type, ...]) -> Any:
        value = self._options.get(name)
        if value is not None and not isinstance(value, kind):
            kinds = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
            raise BadArgumentError(f"{name} must be a {kinds} or None, not {value!r}")
        return value

    def callbacks(self) -> dict[str, Callable[..., object]]:
        chosen = {name: self._options[name] for name in CALLBACKS if self._options.get(name) is not None}
        for name, value in chosen.items():
            if not callable(value):
                raise BadArgumentError(f"{name} must be callable, not {value!r}")
        return chosen


def _check_text(name: str, value: str, longest: int) -> None:
    if not value or not value.isprintable():
        raise BadArgumentError(f"{name} must not be empty, and must be printable, not {value[:_LONGEST_TEXT]!r}")
    if len(value) > longest:
        raise BadArgumentError(f"{name} must be at most {longest:,} characters long, not {len(value):,}")


def _client(take: _Taker) -> ClientInfo:
    low = take.integer("min_protocol", PROTOCOL_RANGE[0], 1, 1000)
    high = take.integer("max_protocol", PROTOCOL_RANGE[1], 1, 1000)
    if low > high:
        raise BadArgumentError(f"min_protocol must not be above max_protocol ({low} > {high})")
    role, caps = take.choice("role", DEFAULT_ROLE, ROLES), take.strings("caps")
    name, mode = ("node-host", "node") if role == "node" else ("gateway-client", "backend")
    client = ClientInfo(
        id=take.choice("client_name", name, CLIENT_IDS),
        mode=take.choice("mode", mode, CLIENT_MODES),
        version=take.text("client_version") or version("gateway-nb"),
        platform=take.text("platform") or platform_name(sys.platform),
        display_name=take.text("client_display_name") or "gateway_nb",
        device_family=take.text("device_family"),
        instance_id=take.text("instance_id"),
        role=role,
        caps=_OPERATOR_CAPS if caps is None and role == DEFAULT_ROLE else caps or (),
        commands=take.strings("commands"),
        permissions=_permissions(take),
        path_env=take.text("path_env", _LONGEST_PATH_ENV),
        min_protocol=low,
        max_protocol=high,
    )
    for option in ("commands", "permissions", "path_env"):
        if role != "node" and getattr(client, option) is not None:
            raise BadArgumentError(f"{option} is only for nodes, and the role is {role!r}; pass role='node'?")
    return client


def _permissions(take: _Taker) -> Mapping[str, bool] | None:
    permissions: Mapping[str, bool] | None = take.instance("permissions", Mapping)
    for name, value in (permissions or {}).items():
        if not isinstance(name, str) or not isinstance(value, bool):
            raise BadArgumentError(f"permissions must map names to True or False, not {name!r} to {value!r}")
        _check_text("permissions", name, _LONGEST_TEXT)
    return permissions


def _scopes(take: _Taker, role: str) -> tuple[str, ...] | None:
    """Return the scopes to ask for, ``None`` for the default: an operator's; a node has none."""
    scopes = take.strings("scopes")
    if role == "node":
        if scopes:
            raise BadArgumentError(f"scopes must be left out: a node has none, not {', '.join(scopes)}")
        return ()
    for scope in scopes or ():
        if scope not in SCOPES:
            near = closest(scope, SCOPES)
            advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SCOPES)}"
            raise BadArgumentError(f"scopes must be scopes that a gateway knows, not {scope!r}; {advice}")
    return scopes


def _ssl_context(take: _Taker, endpoint: Endpoint) -> ssl.SSLContext | None:
    context: ssl.SSLContext | None = take.instance("ssl_context", ssl.SSLContext)
    path = take.instance("ca_file", (str, os.PathLike))
    for name, value in (("ssl_context", context), ("ca_file", path)):
        if value is not None and not endpoint.secure:
            raise BadArgumentError(f"{name} must be left out: ws:// has no TLS; use wss://")
        if value is not None and endpoint.pin is not None:
            raise BadArgumentError(f"{name} must be left out: with tls_fingerprint only the pinned certificate counts")
    if path is None:
        return context
    if context is not None:
        raise BadArgumentError("ca_file and ssl_context exclude each other; load the file into the context")
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise BadArgumentError(f"ca_file {os.fspath(path)!r} must be a PEM file of certificates: {error}") from None


def _identity(value: Any, role: str) -> Any:
    if value is None and role == "node":
        raise BadArgumentError("device_identity must not be None: a node is known by its device key")
    if value is None or value == "auto":
        return value
    if isinstance(value, (str, os.PathLike)):
        if not os.fspath(value) or "\0" in os.fsdecode(value):
            raise BadArgumentError(f"device_identity must be the path of a key file, not {value!r}")
        return Path(os.fsdecode(value)).expanduser()
    if not all(hasattr(value, name) for name in ("device_id", "public_key", "sign")):
        raise BadArgumentError(f"device_identity must be a DeviceIdentity, its path, None or 'auto', not {value!r}")
    return value
