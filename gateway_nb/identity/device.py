"""The device key: an Ed25519 key pair in a private file, and signing with it (protocol.md, 2 "Device identity")."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import IdentityError
from . import files

FILE_NAME = "device.json"


class DeviceIdentity:
    """A device's key. Its repr shows the id alone.

    Attributes:
        device_id: lower-case hex SHA-256 of the raw public key.
        public_key: the raw public key, base64url without padding.
    """

    __slots__ = ("_key", "device_id", "public_key")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self._key = key
        self.device_id = hashlib.sha256(raw).hexdigest()
        self.public_key = _base64url(raw)

    def sign(self, payload: str) -> str:
        """Return the signature of a text, base64url without padding."""
        return _base64url(self._key.sign(payload.encode()))

    def __repr__(self) -> str:
        return f"DeviceIdentity({self.device_id[:12]}…)"

    @classmethod
    def generate(cls) -> DeviceIdentity:
        """Return a new identity, in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: str | Path) -> DeviceIdentity:
        """Return the identity in a file; a device id in it that does not match the key is corrected in place.

        Args:
            path: ``{"version":1,"deviceId","publicKeyPem","privateKeyPem","createdAtMs"}``, as the OpenClaw
                CLI wrote it.

        Raises:
            FileNotFoundError: there is no such file.
            IdentityError: it can't be read.
        """
        path = Path(path)
        identity, stored = cls._peek(path)
        if stored.get("deviceId") != identity.device_id:
            identity._write(path, stored.get("createdAtMs"))
        return identity

    @classmethod
    def peek(cls, path: str | Path) -> DeviceIdentity:
        """Return the identity in a file, and change nothing. Arguments and errors as for `load`."""
        return cls._peek(Path(path))[0]

    @classmethod
    def _peek(cls, path: Path) -> tuple[DeviceIdentity, dict[str, Any]]:
        stored = _read(path)
        try:
            key = serialization.load_pem_private_key(stored["privateKeyPem"].encode(), password=None)
        except (KeyError, AttributeError, ValueError, TypeError, UnsupportedAlgorithm):
            raise _unreadable(path, "it holds no private key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise _unreadable(path, "its key is not Ed25519")
        return cls(key), stored

    @classmethod
    def load_or_create(cls, path: str | Path | None = None) -> DeviceIdentity:
        """Return the identity in a file, made first if there is none. Two processes get the same one.

        Args:
            path: default: ``device.json`` in the identity folder.

        Raises:
            IdentityError: the file is there and can't be read.
            OSError: it can't be written.
        """
        path = default_path() if path is None else Path(path)
        try:
            return cls.load(path)
        except FileNotFoundError:
            pass
        with files.locked(path):
            if path.exists():
                return cls.load(path)
            identity = cls.generate()
            identity._write(path, None)
            return identity

    def _write(self, path: Path, created_at_ms: Any) -> None:
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        document = {
            "version": 1,
            "deviceId": self.device_id,
            "publicKeyPem": public.decode(),
            "privateKeyPem": private.decode(),
            "createdAtMs": created_at_ms if isinstance(created_at_ms, int) else int(time.time() * 1000),
        }
        files.write_private(path, json.dumps(document).encode() + b"\n")


def default_path() -> Path:
    """Return where the device key lives unless another file is named."""
    return files.identity_folder() / FILE_NAME


def protect(path: Path, change: bool) -> list[str]:
    """Close a key file to other users of this computer; return a line for each change, to be logged.

    Args:
        path: the file, from which a key was loaded.
        change: else only see whether it could be done.

    Raises:
        IdentityError: that is not possible.
    """
    try:
        return files.protect(path, change)
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(files.read_bounded(path))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or "it can't be opened") from None
    except (ValueError, RecursionError):
        raise _unreadable(path, "it is not JSON") from None
    if not isinstance(stored, dict):
        raise _unreadable(path, "it is not a JSON object")
    return stored


def _unreadable(path: Path, why: str) -> IdentityError:
    return IdentityError(
        f"device identity file {path} can't be used: {why}; restore it, or move it away to become a new device "
        "(gateways will ask to pair it again)",
        code="DEVICE_IDENTITY_UNREADABLE",
    )


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
