"""`doctor`: everything that is looked at, in one report."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Unpack

from ..errors import InsecureUrlError
from . import computer
from .report import Finding, Report, failed

if TYPE_CHECKING:
    from ..client.options import ConnectOptions


def doctor(
    url: str | None = None,
    *,
    token: str | None = None,
    password: str | None = None,
    device_token: str | None = None,
    bootstrap_token: str | None = None,
    timeout: float = 15.0,
    **options: Unpack[ConnectOptions],
) -> Report:
    """Find out what prevents a connection, and what to do about it.

    It checks whether the port accepts connections, connects as `connect` with the same arguments would, with as many
    attempts, and closes the connection. It creates no file, and shows no secret; where there is no device key yet it
    uses a temporary one. A stored device token is replaced where the gateway replaces it. Like any attempt to connect,
    it leaves a request to pair at the gateway where pairing is needed.

    Args:
        url: as for `connect`, like the credentials and the other options.
        timeout: seconds for each of resolving the name, TCP, and connecting.

    Returns:
        A `Report`, which shows itself as a table; ``.ok``, ``.failures`` and ``.as_dict()`` are for programs.

    Raises:
        BadArgumentError: an argument is wrong; nothing was checked.

    Example:
        >>> gnb.doctor().ok
        True
    """
    found = list(computer.check())
    if any(finding.check == "packages" and "is missing" in finding.detail for finding in found):
        return Report((*found, Finding("gateway", "skip", "not tried: packages are missing")))
    from ..client import options as options_
    from ..client.transport.opening import library
    from ..sync.loop_thread import loop_thread
    from . import files, reach

    limit = options_.timeout(timeout) or 0.0
    try:
        settings = options_.resolve(
            url,
            token=token,
            password=password,
            device_token=device_token,
            bootstrap_token=bootstrap_token,
            options=options,
        )
    except InsecureUrlError as error:
        return Report((*found, failed("url", error, "use wss://")))
    kept, identity, temporary_key = files.check(settings)
    found += [*kept, *_connections(), Finding("url", "ok", settings.endpoint.display)]
    try:
        found.insert(-1, Finding("websocket", "ok", f"{library()} is used"))
    except ValueError as error:
        advice = "unset it, or set it to one of those"
        return Report((*found, Finding("websocket", "fail", str(error), advice)))
    settings = dataclasses.replace(settings, device_identity=identity)
    found += loop_thread().run(lambda: reach.check(settings, limit, temporary_key), "doctor")
    return Report(tuple(found))


def _connections() -> list[Finding]:
    """Return how this process's own connections are."""
    from ..faces.connections import connections

    found = []
    for name, gateway in connections().items():
        status = gateway.status
        detail = f"{status.state}, {status.url}" + (f": {status.reason}" if status.reason else "")
        if status.state == "paused":
            found.append(Finding(f"connection {name}", "fail", detail, "fix that, then connect again"))
        else:
            found.append(Finding(f"connection {name}", "ok" if status.state == "connected" else "warn", detail))
    return found
