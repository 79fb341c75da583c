"""Which URLs may be talked to at all, decided before any socket opens (protocol.md, 4)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import BadArgumentError, InsecureUrlError, one_line

DEFAULT_URL = "ws://127.0.0.1:18789"
ALLOW_PRIVATE_VARIABLE = "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS"

_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/10",
    )
)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
_URL = re.compile(r"(?P<scheme>[a-z]{1,8}://)(?P<user>.*@)?(?P<host>[^/?#\\]{0,260})(?P<rest>.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL that policy allows.

    Attributes:
        url: as given, to connect to. Its path and query may hold a secret, so it is not shown.
        host: host name or address, without brackets.
        port: 1..65535.
        secure: ``wss``.
        loopback: the host is this machine.
        pin: SHA-256 of the certificate to expect, 64 hex digits, or ``None``.
    """

    url: str = field(repr=False)
    host: str
    port: int
    secure: bool
    loopback: bool
    pin: str | None

    @property
    def trusted(self) -> bool:
        """Whether a stored device token may be offered as a second try (seed: isTrustedDeviceRetryEndpoint)."""
        return self.loopback or (self.secure and self.pin is not None)

    @property
    def origin(self) -> str:
        """Scheme, host in lower case, and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.secure else 'ws'}://{host}:{self.port}"

    @property
    def gateway(self) -> str:
        """Which gateway this is, as far as can be known before it is talked to: its pinned certificate, else `origin`.

        A credential that was obtained from, or is meant for, one gateway is sent to no other.
        """
        return f"sha256:{self.pin}" if self.pin is not None else self.origin

    @property
    def display(self) -> str:
        """The URL without its path and query, which may hold a secret; ``/…`` stands for them."""
        parts = urlsplit(self.url)
        return self.origin + ("/…" if parts.path.strip("/") or parts.query else "")


def parse(url: str, *, tls_fingerprint: str | None = None, allow_private: bool = False) -> Endpoint:
    """Return the endpoint for a URL, or refuse it.

    Args:
        url: ``ws://`` to this machine, or ``wss://`` to anywhere.
        tls_fingerprint: SHA-256 of the server's DER certificate; needs ``wss://``.
        allow_private: plain ``ws://`` to private addresses too (`OPENCLAW_ALLOW_INSECURE_PRIVATE_WS`).

    Raises:
        InsecureUrlError: the URL is malformed, or plain text would leave this machine.
        ValueError: the fingerprint is not a SHA-256.

    Example:
        >>> parse("ws://127.0.0.1:18789").loopback
        True
    """
    if not isinstance(url, str) or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise _refused(url, "it is malformed")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port
    except ValueError:
        raise _refused(url, "it is malformed") from None
    if parts.scheme not in ("ws", "wss"):
        raise _refused(url, "it must begin with ws:// (this machine) or wss://")
    if "@" in parts.netloc:
        raise _refused(url, "it holds a user name; pass the secret as token= or password=")
    if "#" in url:
        raise _refused(url, "a WebSocket URL has no fragment")
    if not host or port == 0:
        raise _refused(url, "it names no host")
    secure = parts.scheme == "wss"
    pin = normalize_fingerprint(tls_fingerprint) if tls_fingerprint is not None else None
    if pin is not None and not secure:
        raise _refused(url, "a TLS fingerprint needs a wss:// URL")
    loopback = is_loopback(host)
    if not (secure or loopback or (allow_private and _is_private(host))):
        raise InsecureUrlError(_plain_text_advice(host, allow_private), code="INSECURE_URL")
    return Endpoint(url, host, port or (443 if secure else 80), secure, loopback, pin)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: ``localhost``, 127/8, ::1, IPv4-mapped forms. No look-up is made."""
    if host.lower() == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def normalize_fingerprint(fingerprint: str) -> str:
    """Return a SHA-256 fingerprint as 64 lower-case hex digits.

    Args:
        fingerprint: hex digits; colons, blanks, case and a ``sha256:`` or ``SHA256 Fingerprint=`` in front
            are ignored.

    Raises:
        ValueError: it is not a SHA-256.
    """
    if not isinstance(fingerprint, str):
        raise BadArgumentError(f"tls_fingerprint must be a string, not {type(fingerprint).__name__}")
    text = re.sub(r"^\s*sha-?256(\s+fingerprint)?\s*[:=]?", "", fingerprint.strip().lower())
    digits = re.sub(r"[\s:]", "", text)
    if not _FINGERPRINT.match(digits):
        raise BadArgumentError(
            "tls_fingerprint must be a SHA-256: 64 hex digits, colons allowed "
            "(openssl x509 -noout -fingerprint -sha256 prints it)"
        )
    return digits


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Strict parsing: odd spellings such as 127.1 or 0x7f.1 are names, and names are not allowed."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_private(host: str) -> bool:
    address = _address(host)
    return address is not None and any(address in network for network in _PRIVATE if network.version == address.version)


def _refused(url: object, why: str) -> InsecureUrlError:
    # Everything but scheme, host and port may be a secret, even the whole where there is no scheme.
    parts = _URL.match(one_line(url))
    shown = ""
    if parts is not None:
        user, rest = "…@" if parts["user"] else "", "/…" if parts["rest"] else ""
        shown = f" {parts['scheme'] + user + parts['host'] + rest!r}"
    return InsecureUrlError(f"refused URL{shown}: {why}; example: {DEFAULT_URL}", code="INSECURE_URL")


def _plain_text_advice(host: str, allow_private: bool) -> str:
    way_out = "" if allow_private else f"; for a trusted private network set {ALLOW_PRIVATE_VARIABLE}=1"
    return (
        f"refused plain ws:// to {host!r}: token and conversation would be readable on the network; use wss://, "
        "or a tunnel (ssh -N -L 18789:127.0.0.1:18789 user@host) and ws://127.0.0.1:18789, or Tailscale Serve" + way_out
    )
