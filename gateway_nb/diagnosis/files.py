"""The device key and the device tokens, looked at without changing them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..client.options import Settings
from ..errors import IdentityError
from ..identity import device, files
from ..identity.device import DeviceIdentity
from ..identity.tokens import DeviceTokens
from .report import Finding, failed


def check(settings: Settings) -> tuple[list[Finding], DeviceIdentity | None, bool]:
    """Return what is to be said of the files, the device key to use, and whether it is one for this check alone."""
    chosen: Any = settings.device_identity
    if chosen is None:
        return [Finding("device key", "skip", "not used (device_identity=None)")], None, False
    if chosen != "auto" and not isinstance(chosen, Path):
        return [Finding("device key", "ok", f"{chosen!r}, passed as an object")], chosen, False
    path = device.default_path() if chosen == "auto" else chosen
    try:
        identity = DeviceIdentity.peek(path)
    except FileNotFoundError:
        return [_none_yet(path)], DeviceIdentity.generate(), True
    except IdentityError as error:
        return [failed("device key", str(error), "")], None, False
    found = list(_open_to_others("device key", "fail", path))
    found = found or [Finding("device key", "ok", f"{identity!r} in {path}")]
    found += _tokens(DeviceTokens(identity.device_id, settings.endpoint.gateway), settings)
    return found, identity, False


def _none_yet(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK):
        return Finding("device key", "skip", f"none yet; the first connection creates {path}")
    return Finding(
        "device key",
        "warn",
        f"{folder} can't be written: each session would be a new device",
        f"make it writable, or set {files.HOME_VARIABLE} to a folder that is",
    )


def _tokens(kept: DeviceTokens, settings: Settings) -> Iterator[Finding]:
    """Nothing here keeps a connection from being made: it goes on without a stored token."""
    role, where = settings.client.role, settings.endpoint.display
    if not kept.path.exists():
        yield Finding("device token", "skip", "none yet; gateways issue one to a paired device")
        return
    try:
        token, unknown = kept.load(role), kept.of_unknown_gateway(role)
    except OSError as error:
        yield Finding(
            "device token", "warn", f"{kept.path} can't be read: {error.strerror}", "repair it, or move it away"
        )
        return
    if kept.problem is not None:
        yield Finding("device token", "warn", kept.problem, "the next connection with a token= gets a new one")
        return
    exposed = list(_open_to_others("device token", "warn", kept.path))
    if exposed:
        yield from exposed
    elif token is not None:
        scopes = ", ".join(token.scopes) or "no scopes"
        yield Finding("device token", "ok", f"of {where} for {role} with {scopes}, in {kept.path}")
    elif unknown:
        detail = f"{kept.path} has one of an unknown gateway for the role {role}, kept by an earlier version; not sent"
        yield Finding("device token", "warn", detail, "connect once with token=, or pair this device again")
    else:
        yield Finding("device token", "skip", f"none of {where} for the role {role} in {kept.path}")


def _open_to_others(check: str, unmendable: Any, path: Path) -> Iterator[Finding]:
    """Yield a finding for a secret that others may read: connecting closes it, if that is possible.

    Args:
        check: the finding's.
        unmendable: the verdict where it is not.
        path: of the file.
    """
    for place, mode, wanted in files.exposed(path):
        detail = f"{place} is open to other users of this computer (mode {mode:o})"
        try:
            files.chmod(place, mode)  # changes nothing, and fails where connecting would fail to close it
        except OSError as error:
            yield Finding(check, unmendable, *str(error.strerror).split("; "))
        else:
            yield Finding(check, "warn", detail, f"the next connection closes it; or run: chmod {wanted:o} {place}")
