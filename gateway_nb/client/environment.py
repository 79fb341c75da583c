"""What the environment says of a gateway: its URL, and a token and a password that are for that URL alone."""

from __future__ import annotations

import os
import re

from ..errors import BadArgumentError, GatewayError, InsecureUrlError
from ..protocol import endpoint as endpoints
from ..protocol.auth import Credentials, secret
from ..protocol.endpoint import Endpoint

URL_VARIABLE = "OPENCLAW_GATEWAY_URL"
TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"
PASSWORD_VARIABLE = "OPENCLAW_GATEWAY_PASSWORD"
_SCHEMES = {"http": ("ws", "wss"), "ws": ("ws", "wss"), None: ("ws", "wss"), "https": ("wss",), "wss": ("wss",)}
_ADDRESS = re.compile(r"(?:(https?|wss?)://)?([^/\s:]+|\[[^\]]*\])(:\d+)?(/\S*)?", re.IGNORECASE)
_NO_SECRET = re.compile(r"^(\w+://|(localhost|[^/]*[.\]][^/]*):\d+(/|$))")  # anything else may be one
_EXAMPLE = f"; example: {endpoints.DEFAULT_URL}"


def parse(url: str, tls_fingerprint: str | None = None) -> Endpoint:
    """Return the endpoint for a URL, by this environment's policy; see `gateway_nb.protocol.endpoint.parse`."""
    allowed = os.environ.get(endpoints.ALLOW_PRIVATE_VARIABLE) == "1"
    return endpoints.parse(url, tls_fingerprint=tls_fingerprint, allow_private=allowed)


def suggested_url(url: str, tls_fingerprint: str | None = None) -> str | None:
    """Return the URL that was meant by one that is refused, or ``None``: of a page, or an address alone.

    Example:
        >>> suggested_url("http://127.0.0.1:18789"), suggested_url("gateway.example.com")
        ('ws://127.0.0.1:18789', 'wss://gateway.example.com')
    """
    found = _ADDRESS.fullmatch(url.strip())
    if found is None:
        return None
    scheme, host, port, path = found.groups()
    if scheme is None and port is None and endpoints.is_loopback(host.strip("[]")):
        port = f":{endpoints.parse(endpoints.DEFAULT_URL).port}"
    for other in _SCHEMES[scheme and scheme.lower()]:
        candidate = f"{other}://{host}{port or ''}{path or ''}"
        try:
            parse(candidate, tls_fingerprint)
        except (GatewayError, ValueError):
            continue
        return candidate
    return None


def endpoint_for(url: str | None, tls_fingerprint: str | None = None) -> Endpoint:
    """Return the endpoint for a URL that a user passed, or for the environment's.

    Args:
        url: else `OPENCLAW_GATEWAY_URL`, else ``ws://127.0.0.1:18789``.
        tls_fingerprint: SHA-256 of the certificate to expect.

    Raises:
        InsecureUrlError: the URL is refused by policy; names the one that may have been meant.
        BadArgumentError: the URL is not a string, or the fingerprint is not a SHA-256.
    """
    if url is not None and not isinstance(url, str):
        raise BadArgumentError(f"url must be a string like {endpoints.DEFAULT_URL!r}, {_mistaken(url)}")
    chosen = url or os.environ.get(URL_VARIABLE, "").strip() or endpoints.DEFAULT_URL
    try:
        return parse(chosen, tls_fingerprint)
    except InsecureUrlError as error:
        meant = suggested_url(chosen, tls_fingerprint)
        if meant is not None and _NO_SECRET.search(chosen) and str(error).endswith(_EXAMPLE):
            shown = parse(meant, tls_fingerprint).display
            error.args = (f"{str(error).removesuffix(_EXAMPLE)}; did you mean {shown}?",)
        raise


def _mistaken(url: object) -> str:
    """Return what a value is instead of a URL, and what was meant; its text may hold a secret."""
    if isinstance(url, int):
        return f"not {url}; did you mean ws://127.0.0.1:{url}?"
    if hasattr(url, "token"):
        return f"not a {type(url).__name__}; pass its url and its token: connect(local.url, token=local.token)"
    return f"not {type(url).__name__}"


def is_for(endpoint: Endpoint) -> bool:
    """Return whether the environment's token and password are for an endpoint: same scheme, host and port."""
    return _owner() == endpoint.origin


def credentials_for(endpoint: Endpoint) -> tuple[Credentials, str | None]:
    """Return the environment's credentials to send to an endpoint.

    Returns:
        The credentials, none where they are for another endpoint; and what a refusal should say of them: which
        variables they are from, or why they were withheld, with what to do; ``None`` where there are none.
    """
    names = [name for name in (TOKEN_VARIABLE, PASSWORD_VARIABLE) if os.environ.get(name, "").strip()]
    if not names:
        return Credentials(), None
    if is_for(endpoint):
        token, password = (os.environ.get(name) for name in (TOKEN_VARIABLE, PASSWORD_VARIABLE))
        given = Credentials(token=secret(token, TOKEN_VARIABLE), password=secret(password, PASSWORD_VARIABLE))
        return given, f"what was sent is from the environment: {' and '.join(names)}"
    option = "token" if names[0] == TOKEN_VARIABLE else "password"
    return Credentials(), (
        f"{' and '.join(names)} was withheld: it is for {_owner() or 'the URL in ' + URL_VARIABLE} alone. To send it "
        f'here, pass {option}=os.environ["{names[0]}"] (or --{option}-env {names[0]}), or set {URL_VARIABLE}'
    )


def _owner() -> str | None:
    """Return scheme, host and port of the environment's URL, ``None`` if policy refuses it."""
    try:
        return endpoint_for(None).origin
    except InsecureUrlError:
        return None
