"""The device tokens that gateways gave, by gateway and role, in a private file (protocol.md, 2 and 5)."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import IdentityError
from . import device, files

FILE_NAME = "device-auth.json"
LONGEST_TOKEN = 4096
MOST_SCOPES = 64
LONGEST_SCOPE = 128


def path_for(device_id: str) -> Path:
    """Return the file for a device's tokens: that of the default key has `FILE_NAME`, every other has its own.

    Args:
        device_id: hexadecimal; its first 16 digits are in the name.
    """
    try:
        is_default = device.DeviceIdentity.peek(device.default_path()).device_id == device_id
    except (IdentityError, FileNotFoundError):
        is_default = False
    return files.identity_folder() / (FILE_NAME if is_default else f"device-auth-{device_id[:16]}.json")


@dataclass(frozen=True, slots=True)
class DeviceToken:
    """A token for one role, with the scopes it was granted."""

    token: str = field(repr=False)
    scopes: tuple[str, ...]


class DeviceTokens:
    """The tokens that one device has of one gateway. A file that is broken or another device's counts as empty.

    The file's ``gateways`` holds ``{gateway: {role: token}}``. Its ``tokens``, by role alone, are of an earlier
    version: which gateway gave them is not known, so they are kept and sent nowhere.

    Args:
        device_id: whose tokens.
        gateway: whose they are good for, see `Endpoint.gateway`.
        path: default: `path_for` the device.

    Attributes:
        path: the file.
        problem: why the file counted as empty when it was last read, or ``None``.
    """

    def __init__(self, device_id: str, gateway: str, path: str | Path | None = None) -> None:
        self.problem: str | None = None
        self.path = path_for(device_id) if path is None else Path(path)
        self._device_id = device_id
        self._gateway = gateway

    def load(self, role: str) -> DeviceToken | None:
        """Return the token for a role such as ``operator``, or ``None``.

        Raises:
            OSError: the file is there and can't be read, or is larger than `files.MAX_BYTES`.
        """
        return _token(self._tokens(self._read()).get(role.strip()))

    def of_unknown_gateway(self, role: str) -> bool:
        """Return whether an earlier version kept a token for a role without its gateway. Arguments as for `load`."""
        return _token(self._read()["tokens"].get(role.strip())) is not None

    def protect(self, change: bool) -> list[str]:
        """Close the file to other users; arguments, errors and result as for `files.protect`."""
        return files.protect(self.path, change) if self.path.is_file() else []

    def store(self, role: str, token: str, scopes: Iterable[str]) -> int:
        """Keep a token for a role, with its scopes; other roles' and gateways' stay, while the file has room for them.

        Returns:
            How many other tokens, the oldest, had to make room.

        Raises:
            ValueError: the token or its scopes are too long to be kept.
            OSError: the file can't be written.
        """
        role = role.strip()
        entry = {"token": token, "role": role, "scopes": list(_clean(scopes)), "updatedAtMs": int(time.time() * 1000)}
        if _token(entry) is None:
            raise ValueError(
                f"it is not 1 to {LONGEST_TOKEN:,} printable characters, or has more than {MOST_SCOPES} scopes, or one "
                f"of more than {LONGEST_SCOPE} characters"
            )
        with files.locked(self.path):
            document = self._read()
            document["gateways"][self._gateway] = {**self._tokens(document), role: entry}
            dropped = 0
            while len(_encoded(document)) > files.MAX_BYTES:
                _drop_oldest(document["gateways"], entry)
                dropped += 1
            files.write_private(self.path, _encoded(document))
        return dropped

    def clear(self, role: str, token: str) -> None:
        """Delete a role's token, which is of no use; another that was stored meanwhile stays.

        Raises:
            OSError: the file can't be written.
        """
        with files.locked(self.path):
            document = self._read()
            kept = _token(self._tokens(document).get(role.strip()))
            if kept is not None and kept.token == token:
                del self._tokens(document)[role.strip()]
                files.write_private(self.path, _encoded(document))

    def _tokens(self, document: dict[str, Any]) -> dict[str, Any]:
        return _mapping(document["gateways"], self._gateway)

    def _read(self) -> dict[str, Any]:
        """Return the file's document, whole, or an empty one."""
        self.problem = None
        empty = {"version": 1, "deviceId": self._device_id, "tokens": {}, "gateways": {}}
        try:
            document: Any = json.loads(files.read_bounded(self.path))
        except FileNotFoundError:
            return empty
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("tokens"), dict):
            self.problem = f"{self.path} is not a device-token file; it counts as empty"
        elif document.get("deviceId") != self._device_id:
            self.problem = f"{self.path} is another device's; it counts as empty"
        else:
            return {**empty, **document, "gateways": _mapping(document, "gateways")}
        return empty


def _token(entry: Any) -> DeviceToken | None:
    """Return the token in an entry of the file, if it is one that `DeviceTokens.store` would keep."""
    token = entry.get("token") if isinstance(entry, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN or not token.isprintable():
        return None
    scopes = _clean(entry["scopes"] if isinstance(entry.get("scopes"), list) else ())
    if len(scopes) > MOST_SCOPES or any(len(scope) > LONGEST_SCOPE for scope in scopes):
        return None
    return DeviceToken(token, scopes)


def _drop_oldest(gateways: dict[str, Any], kept: dict[str, Any]) -> None:
    """Take the oldest token out, but not the one that is to be kept."""

    def age(place: tuple[str, str]) -> int:
        entry = gateways[place[0]][place[1]]
        when = entry.get("updatedAtMs") if isinstance(entry, dict) else None
        return when if isinstance(when, int) else 0

    places = ((gateway, role) for gateway in gateways for role in _mapping(gateways, gateway))
    others = [(gateway, role) for gateway, role in places if gateways[gateway][role] is not kept]
    if not others:
        raise OSError(errno.EFBIG, "the file has no room for it; move the file away")
    gateway, role = min(others, key=age)
    del gateways[gateway][role]
    if not gateways[gateway]:
        del gateways[gateway]


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _mapping(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _clean(scopes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({scope.strip() for scope in scopes if isinstance(scope, str) and scope.strip()}))
