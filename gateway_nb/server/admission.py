"""Who may come in: protocol version, credentials, the device's signature, pairing, device tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..protocol import close_codes
from ..protocol.auth import DEFAULT_ROLE, ROLES
from ..protocol.handshake import CLIENT_IDS, CLIENT_MODES, device_payload
from .answers import Refusal, WrongCredential, fault
from .clock import now_ms
from .params import Params, array, boolean, choice, integer, mapping, string, text

AUTH_MODES = ("token", "password", "insecure-none")
SIGNATURE_LIFETIME_MS = 120_000
_METADATA = (
    "metadata-upgrade",
    "device identity changed and must be re-approved",
    "refreshed device details",
)
_ROLE = (
    "role-upgrade",
    "device is asking for a higher role than currently approved",
    "requested role upgrade",
)
"""Why a known device has to be approved again: the reason, in words, and what its owner has to look at."""
_CLIENT = Params(
    {
        "id": choice(*CLIENT_IDS),
        "displayName": text,
        "version": text,
        "platform": text,
        "deviceFamily": text,
        "modelIdentifier": text,
        "mode": choice(*CLIENT_MODES),
        "instanceId": text,
    },
    ("id", "version", "platform", "mode"),
)
_DEVICE = Params(
    {"id": text, "publicKey": text, "signature": text, "signedAt": integer(0), "nonce": text},
    ("id", "publicKey", "signature", "signedAt", "nonce"),
)
_CONNECT = Params(
    {
        "minProtocol": integer(1),
        "maxProtocol": integer(1),
        "client": _CLIENT,
        "caps": array(text),
        "commands": array(text),
        "permissions": mapping(boolean),
        "pathEnv": string,
        "role": text,
        "scopes": array(text),
        "device": _DEVICE,
        "auth": Params(dict.fromkeys(("token", "bootstrapToken", "deviceToken", "password"), string)),
        "locale": string,
        "userAgent": string,
    },
    ("minProtocol", "maxProtocol", "client"),
)


class FailureDelay:
    """How long a wrong credential waits for its answer; a right one never waits.

    The delay doubles from 0.25 s to 5 s with each failure within a minute, as the real gateway's does on loopback.
    """

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=6)

    def next(self, now: float) -> float:
        """Count a failure and return its delay, in seconds.

        Args:
            now: seconds, by a monotonic clock.
        """
        while self._failures and self._failures[0] <= now - 60:
            self._failures.popleft()
        self._failures.append(now)
        return min(0.25 * float(1 << (len(self._failures) - 1)), 5.0)


@dataclass
class Device:
    """A paired device: what it was approved with, and its token per role.

    Attributes:
        client: what its client says of itself.
        tokens: by role: the token, its scopes, and when it was issued.
    """

    device_id: str
    public_key: str
    platform: str
    scopes: set[str]
    roles: set[str] = field(default_factory=set)
    client: dict[str, Any] = field(default_factory=dict)
    paired_at: int = field(default_factory=now_ms)
    tokens: dict[str, tuple[str, tuple[str, ...], int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Admitted:
    """A client that may come in."""

    method: str
    role: str
    scopes: tuple[str, ...]
    caps: tuple[str, ...]
    commands: tuple[str, ...]
    device_id: str | None
    device_token: tuple[str, int] | None
    client: dict[str, Any]


@dataclass(repr=False)
class Admission:
    """The gateway's door: its credentials, one of `AUTH_MODES`, and the one protocol version that it speaks."""

    auth: str
    token: str
    password: str
    protocol: int
    devices: dict[str, Device] = field(default_factory=dict)
    pending: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure_delay: FailureDelay = field(default_factory=FailureDelay)

    def admit(self, params: Any, nonce: str) -> Admitted:
        """Return the admitted client, given the params of its ``connect`` and this connection's nonce.

        Raises:
            Refusal: with the code by which the client recovers.
        """
        params = _CONNECT.check("connect", params)
        if not params["minProtocol"] <= self.protocol <= params["maxProtocol"]:
            raise fault(
                "protocol mismatch",
                close=close_codes.PROTOCOL_ERROR,
                code="PROTOCOL_MISMATCH",
                clientMinProtocol=params["minProtocol"],
                clientMaxProtocol=params["maxProtocol"],
                expectedProtocol=self.protocol,
            )
        role, scopes = params.get("role", DEFAULT_ROLE), tuple(params.get("scopes", ()))
        if role not in ROLES:
            raise fault("invalid role", close=close_codes.POLICY)
        auth, signed = params.get("auth", {}), params.get("device")
        method = self._shared(auth)
        offered = auth.get("token") or auth.get("password")
        if signed is None and (role == "node" or method is None) and not (method is None and offered):
            details = {"code": "DEVICE_IDENTITY_REQUIRED"}
            raise Refusal("NOT_PAIRED", "device identity required", details, close=close_codes.POLICY)
        device = self._verify(params, nonce) if signed else None
        if method is None:
            self._check_device_token(params, role, device)
            method = "device-token"
        token = self._pair(params, device, role, scopes) if device else None
        return Admitted(
            method=method,
            role=role,
            scopes=scopes,
            caps=tuple(params.get("caps", ())),
            commands=tuple(params.get("commands", ())),
            device_id=device.device_id if device else None,
            device_token=token,
            client=params["client"],
        )

    def approve(self, request_id: str) -> dict[str, Any]:
        """Let a waiting device in.

        Raises:
            Refusal: nobody waits under that id.
        """
        request = self.pending.pop(request_id, None)
        if request is None:
            raise fault("unknown requestId")
        device = self.devices.get(request["deviceId"])
        if device is None:
            device = Device(request["deviceId"], request["publicKey"], request["platform"], set())
            self.devices[device.device_id] = device
        device.platform = request["platform"]
        device.scopes |= set(request["scopes"])
        device.roles.add(request["role"])
        device.tokens.clear()
        return {"requestId": request_id, "device": {"deviceId": device.device_id, "scopes": sorted(device.scopes)}}

    def _verify(self, params: dict[str, Any], nonce: str) -> Device:
        signed, client = params["device"], params["client"]
        device_id, signed_at = signed["id"], signed["signedAt"]
        raw = _unbase64url(signed["publicKey"])
        if hashlib.sha256(raw).hexdigest() != device_id:
            raise _device("DEVICE_AUTH_DEVICE_ID_MISMATCH", "device identity mismatch", "device-id-mismatch")
        if abs(now_ms() - signed_at) > SIGNATURE_LIFETIME_MS:
            raise _device("DEVICE_AUTH_SIGNATURE_EXPIRED", "device signature expired", "device-signature-stale")
        if not signed["nonce"].strip():
            raise _device("DEVICE_AUTH_NONCE_REQUIRED", "device nonce required", "device-nonce-missing")
        if signed["nonce"].strip() != nonce:
            raise _device("DEVICE_AUTH_NONCE_MISMATCH", "device nonce mismatch", "device-nonce-mismatch")
        auth = params.get("auth", {})
        token = auth.get("token") or auth.get("deviceToken") or auth.get("bootstrapToken") or ""
        meant = {**params, "device": {**signed, "nonce": nonce}}
        signature = _unbase64url(signed["signature"])
        if not any(_signed_by(raw, signature, device_payload(version, meant, token)) for version in ("v3", "v2")):
            raise _device("DEVICE_AUTH_SIGNATURE_INVALID", "device signature invalid", "device-signature")
        paired = self.devices.get(device_id)
        return paired or Device(device_id, signed["publicKey"], client["platform"], set())

    def _shared(self, auth: dict[str, Any]) -> str | None:
        """Return the method by which the client needs no device, ``None`` if it has not proved itself."""
        if self.auth == "insecure-none":
            return "none"
        expected = self.token if self.auth == "token" else self.password
        return self.auth if _same(auth.get(self.auth), expected) else None

    def _check_device_token(self, params: dict[str, Any], role: str, device: Device | None) -> None:
        auth = params.get("auth", {})
        kept = device.tokens.get(role) if device else None
        if kept is None or not _same(auth.get("deviceToken") or auth.get("token"), kept[0]):
            raise self._mismatch(auth, params["client"], device)

    def _mismatch(self, auth: dict[str, Any], client: dict[str, Any], device: Device | None) -> Refusal:
        given = any(auth.get(name) for name in ("token", "password"))
        hint = f" (provide gateway auth {self.auth})"
        if client["id"] == "cli":
            hint = f" (use this gateway's gateway.auth.{self.auth}{' or pair the device' * (self.auth == 'token')})"
        if device and auth.get("deviceToken"):
            return _unauthorized("device token mismatch", " (rotate/reissue device token)")
        if device and auth.get("bootstrapToken") and not given:
            return _unauthorized("bootstrap token invalid", "", "review_auth_configuration")
        if not given:
            return _unauthorized(f"{self.auth} missing", hint, "update_auth_configuration")
        retry = device is not None and bool(auth.get("token"))
        next_step = "retry_with_device_token" if retry else "update_auth_credentials"
        return _unauthorized(f"{self.auth} mismatch", hint, next_step)

    def _pair(
        self, params: dict[str, Any], device: Device, role: str, scopes: tuple[str, ...]
    ) -> tuple[str, int] | None:
        """Pair a device that comes over loopback without asking, as the real gateway does for ``cli``."""
        client = params["client"]
        is_paired = device.device_id in self.devices
        if is_paired and device.platform != client["platform"]:
            raise self._pairing_required(_METADATA, device, client, role, scopes)
        if is_paired and role not in device.roles:
            raise self._pairing_required(_ROLE, device, client, role, scopes)
        if not is_paired and client["id"] == "gateway-client" and role == DEFAULT_ROLE:
            return None  # a backend with the shared credential needs no pairing, and gets no device token
        self.devices[device.device_id] = device
        device.scopes |= set(scopes)
        device.roles.add(role)
        device.client = client
        kept = device.tokens.get(role)
        if kept is None or not set(scopes) <= set(kept[1]):
            kept = (secrets.token_urlsafe(32), tuple(sorted(device.scopes)), now_ms())
            device.tokens[role] = kept
        return kept[0], kept[2]

    def _pairing_required(
        self, why: tuple[str, str, str], device: Device, client: dict[str, Any], role: str, scopes: tuple[str, ...]
    ) -> Refusal:
        reason, message, remediation = why
        request_id = str(uuid.uuid4())
        self.pending[request_id] = {
            "requestId": request_id,
            "deviceId": device.device_id,
            "publicKey": device.public_key,
            "platform": client["platform"],
            "role": role,
            "scopes": list(scopes),
            "ts": now_ms(),
        }
        details = {
            "code": "PAIRING_REQUIRED",
            "reason": reason,
            "requestId": request_id,
            "remediationHint": f"Review the {remediation}, then approve the pending request.",
            "deviceId": device.device_id,
            "requestedRole": role,
            "requestedScopes": list(scopes),
            "approvedRoles": sorted(device.roles),
            "approvedScopes": sorted(device.scopes),
        }
        return Refusal("NOT_PAIRED", f"pairing required: {message}", details, close=close_codes.POLICY)


def _device(code: str, message: str, reason: str) -> Refusal:
    return fault(message, close=close_codes.POLICY, code=code, reason=reason)


def _unauthorized(what: str, hint: str, next_step: str = "update_auth_credentials") -> Refusal:
    reason = what.replace(" ", "_")
    message = f"unauthorized: {'' if what.startswith('device') else 'gateway '}{what}{hint}"
    if reason == "bootstrap_token_invalid":
        message = "unauthorized: setup code invalid, expired, revoked, or already used"
        message += " (create a new code; review `openclaw devices list`)"
    details = {
        "code": f"AUTH_{reason.upper()}",
        "authReason": reason,
        "canRetryWithDeviceToken": next_step == "retry_with_device_token",
        "recommendedNextStep": next_step,
    }
    kind = Refusal if reason.endswith("missing") else WrongCredential
    return kind("INVALID_REQUEST", message, details, close=close_codes.POLICY)


def _same(given: Any, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())


def _signed_by(public_key: bytes, signature: bytes, payload: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, payload.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _unbase64url(encoded: str) -> bytes:
    """Return the bytes, none where it can't be read: no key and no signature is empty."""
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return b""
