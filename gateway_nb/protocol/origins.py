"""What keeps web pages out of a server on this machine: its address is no secret, and every page can send to it."""

from __future__ import annotations

from collections.abc import Sequence

from .endpoint import is_loopback


def refusal(hosts: Sequence[str], origins: Sequence[str]) -> str | None:
    """Return why a request must not be answered, or ``None``.

    A page of another origin tells its own in ``Origin``. One whose name was made to resolve to this machine (DNS
    rebinding) tells that name in ``Host``. The port is not compared: a tunnel's differs. Programs send no ``Origin``.

    Args:
        hosts: the values of the request's ``Host`` headers.
        origins: the values of its ``Origin`` headers.
    """
    host = hosts[0] if len(hosts) == 1 else ""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    name = name if colon else host
    if (colon and not port.isdecimal()) or not is_loopback(name.removeprefix("[").removesuffix("]")):
        return f"this server answers to names of this machine only, and the request's Host is {host!r}"
    if any(origin != f"http://{host}" for origin in origins):
        return f"this server does not answer web pages, and the request comes from {origins[0]!r}"
    return None
