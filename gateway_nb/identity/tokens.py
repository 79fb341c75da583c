"""The device tokens a gateway gave, by role, in a private file (protocol.md, 2; seed: device-auth-store)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import files

FILE_NAME = "device-auth.json"


@dataclass(frozen=True, slots=True)
class DeviceToken:
    """A token for one role, with the scopes it was granted."""

    token: str = field(repr=False)
    scopes: tuple[str, ...]


class DeviceTokens:
    """The device-token file of one device. A file that is broken or another device's counts as empty.

    Args:
        device_id: whose tokens.
        path: default: ``device-auth.json`` in the identity folder.

    Attributes:
        problem: why the file counted as empty when it was last read, or ``None``.
    """

    def __init__(self, device_id: str, path: str | Path | None = None) -> None:
        self.problem: str | None = None
        self._device_id = device_id
        self._path = files.identity_folder() / FILE_NAME if path is None else Path(path)

    def load(self, role: str) -> DeviceToken | None:
        """Return the token for a role, or ``None``.

        Args:
            role: e.g. ``operator``.

        Raises:
            OSError: the file is there and can't be opened.
        """
        entry = self._read().get(role.strip())
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str) or not entry["token"]:
            return None
        scopes = entry.get("scopes")
        return DeviceToken(entry["token"], _clean(scopes if isinstance(scopes, list) else ()))

    def store(self, role: str, token: str, scopes: Iterable[str]) -> None:
        """Keep a token for a role; other roles' stay.

        Args:
            role: e.g. ``operator``.
            token: the gateway's.
            scopes: what it was granted.

        Raises:
            OSError: the file can't be written.
        """
        with files.locked(self._path):
            tokens = self._read()
            tokens[role.strip()] = {
                "token": token,
                "role": role.strip(),
                "scopes": list(_clean(scopes)),
                "updatedAtMs": int(time.time() * 1000),
            }
            self._write(tokens)

    def clear(self, role: str) -> None:
        """Delete the token for a role.

        Args:
            role: e.g. ``operator``.

        Raises:
            OSError: the file can't be written.
        """
        with files.locked(self._path):
            tokens = self._read()
            if tokens.pop(role.strip(), None) is not None:
                self._write(tokens)

    def _read(self) -> dict[str, Any]:
        self.problem = None
        try:
            document: Any = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            document = None
        tokens = document.get("tokens") if isinstance(document, dict) else None
        if not isinstance(tokens, dict):
            self.problem = f"{self._path} is no device-token file; it counts as empty"
        elif document.get("deviceId") != self._device_id:
            self.problem = f"{self._path} is another device's; it counts as empty"
        else:
            return tokens
        return {}

    def _write(self, tokens: dict[str, Any]) -> None:
        document = {"version": 1, "deviceId": self._device_id, "tokens": tokens}
        files.write_private(self._path, json.dumps(document, indent=2).encode() + b"\n")


def _clean(scopes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({scope.strip() for scope in scopes if isinstance(scope, str) and scope.strip()}))
