"""Who may come in: protocol version, credentials, the device's signature, pairing, device tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from ..protocol.handshake import CLIENT_IDS, CLIENT_MODES, device_payload
from .answers import Refusal

SIGNATURE_LIFETIME_MS = 120_000
_ALLOWED = {"minProtocol", "maxProtocol", "client", "role", "scopes", "caps", "commands", "permissions"}
_ALLOWED |= {"pathEnv", "auth", "device", "locale", "userAgent"}


@dataclass
class Device:
    """A paired device: what it was approved with, and its token per role."""

    device_id: str
    public_key: str
    platform: str
    scopes: set[str]
    tokens: dict[str, tuple[str, tuple[str, ...], int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Admitted:
    """A client that may come in."""

    method: str
    role: str
    scopes: tuple[str, ...]
    caps: tuple[str, ...]
    device_token: tuple[str, int] | None
    client: dict[str, Any]


class Admission:
    """The gateway's door.

    Args:
        auth: ``token``, ``password`` or ``none``.
        token: the shared token.
        password: the shared password.
        protocol: the one version this gateway speaks.
    """

    def __init__(self, *, auth: str, token: str, password: str, protocol: int) -> None:
        self.auth = auth
        self.token = token
        self.password = password
        self.protocol = protocol
        self.devices: dict[str, Device] = {}
        self.pending: dict[str, dict[str, Any]] = {}

    def admit(self, params: Any, nonce: str) -> Admitted:
        """Return the admitted client.

        Args:
            params: of the ``connect`` request.
            nonce: of this connection's challenge.

        Raises:
            Refusal: with the code by which the client recovers.
        """
        params = self._shape(params)
        if not params["minProtocol"] <= self.protocol <= params["maxProtocol"]:
            raise Refusal(
                "INVALID_REQUEST",
                "protocol mismatch",
                {
                    "code": "PROTOCOL_MISMATCH",
                    "clientMinProtocol": params["minProtocol"],
                    "clientMaxProtocol": params["maxProtocol"],
                    "expectedProtocol": self.protocol,
                },
                close=1002,
            )
        role, scopes = params.get("role", "operator"), tuple(params.get("scopes", ()))
        if role not in ("operator", "node"):
            raise Refusal("INVALID_REQUEST", "invalid role", close=1008)
        auth, signed = params.get("auth") or {}, params.get("device")
        if signed is None and not any(auth.get(name) for name in ("token", "password")) and self.auth != "none":
            details = {"code": "DEVICE_IDENTITY_REQUIRED"}
            raise Refusal("NOT_PAIRED", "device identity required", details, close=1008)
        device = self._verify(params, nonce) if signed else None
        method = self._credential(auth, role, device)
        token = self._pair(params, device, role, scopes) if device else None
        return Admitted(method, role, scopes, tuple(params.get("caps", ())), token, params["client"])

    def approve(self, request_id: str) -> dict[str, Any]:
        """Let a waiting device in.

        Raises:
            Refusal: nobody waits under that id.
        """
        request = self.pending.pop(request_id, None)
        if request is None:
            raise Refusal("INVALID_REQUEST", "unknown requestId")
        device = self.devices.get(request["deviceId"])
        if device is None:
            device = Device(request["deviceId"], request["publicKey"], request["platform"], set())
            self.devices[device.device_id] = device
        device.platform = request["platform"]
        device.scopes |= set(request["scopes"])
        device.tokens.clear()
        return {"requestId": request_id, "device": {"deviceId": device.device_id, "scopes": sorted(device.scopes)}}

    def _shape(self, params: Any) -> dict[str, Any]:
        def wrong(what: str) -> Refusal:
            return Refusal("INVALID_REQUEST", f"invalid connect params: {what}", close=1008)

        if not isinstance(params, dict):
            raise wrong("must be object")
        for name in ("minProtocol", "maxProtocol"):
            if not isinstance(params.get(name), int):
                raise wrong(f"at /{name}: must be integer")
        client = params.get("client")
        if not isinstance(client, dict):
            raise wrong("must have required property 'client'")
        for name, allowed in (("id", CLIENT_IDS), ("mode", CLIENT_MODES)):
            if client.get(name) not in allowed:
                raise wrong(f"at /client/{name}: must be equal to one of the allowed values")
        for name in ("version", "platform"):
            if not isinstance(client.get(name), str) or not client[name]:
                raise wrong(f"at /client/{name}: must be string")
        for name in params:
            if name not in _ALLOWED:
                raise wrong(f"at root: unexpected property '{name}'")
        return params

    def _verify(self, params: dict[str, Any], nonce: str) -> Device:
        signed, client = params["device"], params["client"]
        try:
            raw = _unbase64url(signed["publicKey"])
            signature = _unbase64url(signed["signature"])
            signed_at = int(signed["signedAt"])
            device_id, said_nonce = str(signed["id"]), str(signed["nonce"])
        except (KeyError, TypeError, ValueError):
            raise _device("DEVICE_AUTH_INVALID", "device identity invalid", "device-invalid") from None
        if hashlib.sha256(raw).hexdigest() != device_id:
            raise _device("DEVICE_AUTH_DEVICE_ID_MISMATCH", "device identity mismatch", "device-id-mismatch")
        if abs(time.time() * 1000 - signed_at) > SIGNATURE_LIFETIME_MS:
            raise _device("DEVICE_AUTH_SIGNATURE_EXPIRED", "device signature expired", "device-signature-stale")
        if said_nonce != nonce:
            raise _device("DEVICE_AUTH_NONCE_MISMATCH", "device nonce mismatch", "device-nonce-mismatch")
        auth = params.get("auth") or {}
        fields = {
            "device_id": device_id,
            "client_id": client["id"],
            "client_mode": client["mode"],
            "role": params.get("role", "operator"),
            "scopes": params.get("scopes", ()),
            "signed_at_ms": signed_at,
            "token": auth.get("token") or auth.get("bootstrapToken") or "",
            "nonce": nonce,
            "platform": client["platform"],
            "device_family": client.get("deviceFamily", ""),
        }
        if not any(_signed_by(raw, signature, device_payload(version, **fields)) for version in ("v3", "v2")):
            raise _device("DEVICE_AUTH_SIGNATURE_INVALID", "device signature invalid", "device-signature")
        known = self.devices.get(device_id)
        return known or Device(device_id, signed["publicKey"], client["platform"], set())

    def _credential(self, auth: dict[str, Any], role: str, device: Device | None) -> str:
        """Return the method by which the client proved itself, or refuse it."""
        if self.auth == "none":
            return "none"
        if self.auth == "token" and _same(auth.get("token"), self.token):
            return "token"
        if self.auth == "password" and _same(auth.get("password"), self.password):
            return "password"
        kept = device.tokens.get(role) if device else None
        offered = auth.get("deviceToken") or auth.get("token")
        if kept and _same(offered, kept[0]):
            return "device-token"
        raise self._mismatch(auth, kept)

    def _mismatch(self, auth: dict[str, Any], kept: object) -> Refusal:
        if auth.get("deviceToken"):
            code, reason = "AUTH_DEVICE_TOKEN_MISMATCH", "device_token_mismatch"
            message = "unauthorized: device token mismatch (rotate/reissue device token)"
        elif self.auth == "password":
            given = bool(auth.get("password"))
            code = "AUTH_PASSWORD_MISMATCH" if given else "AUTH_PASSWORD_MISSING"
            reason = "password_mismatch" if given else "password_missing"
            message = f"unauthorized: gateway {reason.replace('_', ' ')} (provide gateway auth password)"
        else:
            code, reason = "AUTH_TOKEN_MISMATCH", "token_mismatch"
            message = "unauthorized: gateway token mismatch (provide gateway auth token)"
        retry = code == "AUTH_TOKEN_MISMATCH" and kept is not None
        details = {
            "code": code,
            "authReason": reason,
            "canRetryWithDeviceToken": retry,
            "recommendedNextStep": "retry_with_device_token" if retry else "update_auth_credentials",
        }
        return Refusal("INVALID_REQUEST", message, details, close=1008)

    def _pair(
        self, params: dict[str, Any], device: Device, role: str, scopes: tuple[str, ...]
    ) -> tuple[str, int] | None:
        """Pair a device that comes over loopback without asking, as the real gateway does for ``cli``."""
        client = params["client"]
        known = device.device_id in self.devices
        if known and device.platform != client["platform"]:
            raise self._pairing_required(device, client, role, scopes)
        if not known and client["id"] == "gateway-client":
            return None  # a backend with the shared credential needs no pairing, and gets no device token
        self.devices[device.device_id] = device
        device.scopes |= set(scopes)
        kept = device.tokens.get(role)
        if kept is None or not set(scopes) <= set(kept[1]):
            kept = (secrets.token_urlsafe(32), tuple(sorted(device.scopes)), int(time.time() * 1000))
            device.tokens[role] = kept
        return kept[0], kept[2]

    def _pairing_required(self, device: Device, client: dict[str, Any], role: str, scopes: tuple[str, ...]) -> Refusal:
        request_id = str(uuid.uuid4())
        self.pending[request_id] = {
            "requestId": request_id,
            "deviceId": device.device_id,
            "publicKey": device.public_key,
            "platform": client["platform"],
            "role": role,
            "scopes": list(scopes),
            "ts": int(time.time() * 1000),
        }
        details = {
            "code": "PAIRING_REQUIRED",
            "reason": "metadata-upgrade",
            "requestId": request_id,
            "remediationHint": "Review the refreshed device details, then approve the pending request.",
            "deviceId": device.device_id,
            "requestedRole": role,
            "requestedScopes": list(scopes),
            "approvedRoles": ["operator"],
            "approvedScopes": sorted(device.scopes),
        }
        message = "pairing required: device identity changed and must be re-approved"
        return Refusal("NOT_PAIRED", message, details, close=1008)


def _device(code: str, message: str, reason: str) -> Refusal:
    return Refusal("INVALID_REQUEST", message, {"code": code, "reason": reason}, close=1008)


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


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
