"""The device key and the device tokens, looked at without changing them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..client.options import Settings
from ..identity import device, files, tokens
from ..identity.device import DeviceIdentity, IdentityError
from .report import Finding, failed


def look(settings: Settings) -> tuple[list[Finding], DeviceIdentity | None]:
    """Return what is to be said of the files, and the device key if there is one to use.

    Args:
        settings: which key, and whose tokens.
    """
    chosen: Any = settings.device_identity
    if chosen is None:
        return [Finding("device key", "skip", "not used (device_identity=None)")], None
    if isinstance(chosen, DeviceIdentity):
        return [Finding("device key", "ok", f"{chosen!r}, passed as an object")], chosen
    path = files.identity_folder() / device.FILE_NAME if chosen == "auto" else Path(chosen)
    try:
        identity = DeviceIdentity.peek(path)
    except FileNotFoundError:
        return [_none_yet(path)], None
    except IdentityError as error:
        return [failed("device key", str(error), "")], None
    found = [_open_to_others("device key", path) or Finding("device key", "ok", f"{identity!r} in {path}")]
    found += _tokens(identity, settings.client.role)
    return found, identity


def _none_yet(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Finding("device key", "skip", f"none yet; the first connection makes {path}")
    return Finding(
        "device key",
        "warn",
        f"{folder} can't be written: each session would be a new device",
        f"make it writable, or set {files.HOME_VARIABLE} to a folder that is",
    )


def _tokens(identity: DeviceIdentity, role: str) -> Iterator[Finding]:
    path = files.identity_folder() / tokens.FILE_NAME
    if not path.exists():
        yield Finding("device token", "skip", "none yet; a gateway gives one to a paired device")
        return
    kept = tokens.DeviceTokens(identity.device_id)
    try:
        token = kept.load(role)
    except OSError as error:
        yield Finding("device token", "fail", f"{path} can't be read: {error.strerror}", "mend its mode or its owner")
        return
    if kept.problem is not None:
        yield Finding("device token", "warn", kept.problem, "the next connection with a token= gets a new one")
        return
    exposed = _open_to_others("device token", path)
    if exposed is not None:
        yield exposed
    elif token is None:
        yield Finding("device token", "skip", f"none for the role {role} in {path}")
    else:
        yield Finding("device token", "ok", f"for {role} with {', '.join(token.scopes) or 'no scopes'}, in {path}")


def _open_to_others(check: str, path: Path) -> Finding | None:
    """Return the finding for a secret that others may read; Windows keeps other rights, in other ways."""
    for place, mode in ((path, "600"), (path.parent, "700")):
        found = place.stat().st_mode & 0o777
        if os.name == "posix" and found & 0o077:
            return Finding(
                check,
                "fail",
                f"{place} is open to other users of this computer (mode {found:o})",
                f"run: chmod {mode} {place}",
            )
    return None
