"""Challenge, ``connect`` and ``hello-ok`` (protocol.md, 2; seed: sendConnect, buildDeviceAuthPayloadV3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UNREDACTED, one_line
from .auth import DEFAULT_ROLE, Secret
from .frames import mapping, seconds

PROTOCOL_RANGE = (3, 4)
CLIENT_IDS = (
    "gateway-client",
    "cli",
    "webchat",
    "webchat-ui",
    "node-host",
    "test",
    "fingerprint",
    "openclaw-probe",
    "openclaw-control-ui",
    "openclaw-tui",
    "openclaw-macos",
    "openclaw-ios",
    "openclaw-android",
)
CLIENT_MODES = ("backend", "cli", "ui", "webchat", "node", "probe", "test")
DEFAULT_TICK_INTERVAL = 30.0
LONGEST_TICK_INTERVAL = 600.0  # a gateway that promises to be silent for longer would never be missed
_PLATFORMS = ("aix", "android", "cygwin", "darwin", "freebsd", "linux", "netbsd", "openbsd", "sunos", "win32")
"""As Node names them."""


def device_payload(version: str, params: Mapping[str, Any], token: str) -> str:
    """Return the text that the device signs.

    Args:
        version: ``v3``, or ``v2`` (older gateways; without platform and family).
        params: of the ``connect`` request; of its ``device`` the signature is not read.
        token: the token in ``auth``, or ``""``.
    """
    client, device = params["client"], params["device"]
    fields = [
        version,
        device["id"],
        client["id"],
        client["mode"],
        params.get("role", DEFAULT_ROLE),
        ",".join(params.get("scopes", ())),
        str(device["signedAt"]),
        token,
        device["nonce"],
    ]
    if version == "v3":
        fields += [_lower_ascii(client["platform"]), _lower_ascii(client.get("deviceFamily", ""))]
    return "|".join(fields)


def platform_name(python_name: str) -> str:
    """Return Node's name of a platform: Python's (`sys.platform`) without a release number.

    Example:
        >>> platform_name("freebsd14")
        'freebsd'
    """
    return next((name for name in _PLATFORMS if python_name.startswith(name)), python_name)


def _lower_ascii(text: str) -> str:
    """The gateway trims and lower-cases A-Z only; `str.lower` would change more."""
    return re.sub(r"[A-Z]+", lambda letters: letters.group().lower(), text.strip())


@dataclass(frozen=True, slots=True)
class Challenge:
    """The gateway's first event: a nonce to sign, and its clock (milliseconds) if it told it."""

    nonce: str = field(repr=False)
    ts_ms: int | None = None


def read_challenge(payload: Any) -> Challenge | None:
    """Return the challenge, or ``None`` if its nonce is missing or blank."""
    nonce = payload.get("nonce") if isinstance(payload, Mapping) else None
    if not isinstance(nonce, str) or not nonce.strip():
        return None
    ts = payload.get("ts")
    usable = isinstance(ts, int) and not isinstance(ts, bool) and 0 <= ts < 2**53
    return Challenge(nonce.strip(), ts if usable else None)


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Who connects: the parts of a ``connect`` request that do not change from attempt to attempt."""

    id: str = "gateway-client"
    mode: str = "backend"
    version: str = "0"
    platform: str = "linux"
    display_name: str | None = None
    device_family: str | None = None
    instance_id: str | None = None
    role: str = "operator"
    caps: tuple[str, ...] = ()
    commands: tuple[str, ...] | None = None
    permissions: Mapping[str, bool] | None = None
    path_env: str | None = None
    min_protocol: int = PROTOCOL_RANGE[0]
    max_protocol: int = PROTOCOL_RANGE[1]


@dataclass(frozen=True, slots=True)
class Signer:
    """A device that can sign: its id, its raw public key as base64url, and the signing itself."""

    device_id: str
    public_key: str
    sign: Callable[[str], str]


def connect_params(
    client: ClientInfo,
    *,
    scopes: Sequence[str],
    auth: Mapping[str, Secret],
    signed_token: Secret | None,
    challenge: Challenge,
    now_ms: int,
    signer: Signer | None,
) -> dict[str, Any]:
    """Return the params of a ``connect`` request; absent fields are left out, never null.

    Args:
        client: who connects.
        scopes: what to ask for.
        auth: the credentials to send; empty for none.
        signed_token: the token that is signed along.
        challenge: the gateway's; its clock is used for ``signedAt``, since a skewed local one fails.
        now_ms: the local clock, for gateways that tell none.
        signer: the device, or ``None`` for no device identity.
    """
    params: dict[str, Any] = {
        "minProtocol": client.min_protocol,
        "maxProtocol": client.max_protocol,
        "client": _present(
            id=client.id,
            displayName=client.display_name,
            version=client.version,
            platform=client.platform,
            deviceFamily=client.device_family,
            mode=client.mode,
            instanceId=client.instance_id,
        ),
        "role": client.role,
        "scopes": list(scopes),
        "caps": list(client.caps),
    }
    params |= _present(
        commands=None if client.commands is None else list(client.commands),
        permissions=None if client.permissions is None else dict(client.permissions),
        pathEnv=client.path_env,
        auth={name: value.reveal() for name, value in auth.items()} or None,
    )
    if signer is not None:
        params["device"] = {
            "id": signer.device_id,
            "publicKey": signer.public_key,
            "signedAt": now_ms if challenge.ts_ms is None else challenge.ts_ms,
            "nonce": challenge.nonce,
        }
        token = signed_token.reveal() if signed_token else ""
        params["device"]["signature"] = signer.sign(device_payload("v3", params, token))
    return params


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class HelloOk:
    """What the gateway said at the end of the handshake; fields of an unexpected type become their default.

    Attributes:
        protocol: the negotiated version.
        server_version: e.g. ``"2026.9.6"``.
        conn_id: the gateway's name for this connection.
        boot_id: changes when the gateway restarts.
        methods: advertised methods (discovery: some callable ones are not in it).
        events: advertised event names.
        role: granted role.
        scopes: granted scopes.
        tick_interval: seconds between ticks.
        max_payload: largest frame the gateway takes, bytes.
        device_token: a device token to keep, or ``None``.
        raw: the whole payload, with its secrets until the client has taken them out.
    """

    protocol: int
    server_version: str
    conn_id: str
    boot_id: str | None
    methods: tuple[str, ...]
    events: tuple[str, ...]
    role: str | None
    scopes: tuple[str, ...]
    tick_interval: float
    max_payload: int
    device_token: Secret | None
    raw: dict[str, Any] = field(repr=False)


def read_hello(payload: Any, *, max_payload: int) -> HelloOk | None:
    """Return the hello-ok, or ``None`` if the payload is none.

    Args:
        payload: decoded payload of the response to ``connect``.
        max_payload: bytes, if the policy does not say.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("protocol"), int):
        return None
    server, features = mapping(payload.get("server")), mapping(payload.get("features"))
    auth, policy = mapping(payload.get("auth")), mapping(payload.get("policy"))
    tick, largest = seconds(policy.get("tickIntervalMs")), policy.get("maxPayload")
    token = auth.get("deviceToken")
    return HelloOk(
        protocol=payload["protocol"],
        server_version=_string(server.get("version")) or "?",
        conn_id=_string(server.get("connId")) or "?",
        boot_id=_string(server.get("bootId")),
        methods=_strings(features.get("methods")),
        events=_strings(features.get("events")),
        role=_string(auth.get("role")),
        scopes=_strings(auth.get("scopes")),
        tick_interval=min(tick or DEFAULT_TICK_INTERVAL, LONGEST_TICK_INTERVAL),
        max_payload=largest if isinstance(largest, int) and largest > 0 else max_payload,
        device_token=Secret(token) if isinstance(token, str) and token else None,
        raw=payload,
    )


def hello_secrets(payload: Any) -> list[str]:
    """Return the secrets in a hello-ok: device tokens, recovery scope, capability URLs."""
    if not isinstance(payload, dict):
        return []
    auth, urls = mapping(payload.get("auth")), mapping(payload.get("pluginSurfaceUrls"))
    found = [auth.get("deviceToken"), auth.get("recoveryScope"), *urls.values()]
    tokens = auth.get("deviceTokens")
    for entry in tokens if isinstance(tokens, list) else ():
        found += [entry.get("deviceToken"), entry.get("token")] if isinstance(entry, dict) else [entry]
    return [value for value in found if isinstance(value, str) and value]


def _string(value: Any) -> str | None:
    return one_line(value, UNREDACTED) if isinstance(value, str) else None


def _strings(value: Any) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else ()
    return tuple(one_line(text, UNREDACTED) for text in texts if isinstance(text, str))
