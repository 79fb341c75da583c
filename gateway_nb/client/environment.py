"""What the environment says of a gateway: its URL, and a token and a password that are for that URL alone."""

from __future__ import annotations

import os

from ..errors import InsecureUrlError
from ..protocol import endpoint as endpoints
from ..protocol.auth import Credentials, secret
from ..protocol.endpoint import Endpoint

URL_VARIABLE = "OPENCLAW_GATEWAY_URL"
TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"
PASSWORD_VARIABLE = "OPENCLAW_GATEWAY_PASSWORD"


def endpoint_for(url: str | None, tls_fingerprint: str | None = None) -> Endpoint:
    """Return the endpoint for a URL that a user passed, or for the environment's.

    Args:
        url: else `OPENCLAW_GATEWAY_URL`, else ``ws://127.0.0.1:18789``.
        tls_fingerprint: SHA-256 of the certificate to expect.

    Raises:
        InsecureUrlError: the URL is refused by policy.
        ValueError: the fingerprint is not a SHA-256.
    """
    return endpoints.parse(
        url or os.environ.get(URL_VARIABLE, "").strip() or endpoints.DEFAULT_URL,
        tls_fingerprint=tls_fingerprint,
        allow_private=os.environ.get(endpoints.ALLOW_PRIVATE_VARIABLE) == "1",
    )


def is_for(endpoint: Endpoint) -> bool:
    """Return whether the environment's token and password are for an endpoint: same scheme, host and port."""
    return _owner() == endpoint.origin


def credentials_for(endpoint: Endpoint) -> tuple[Credentials, str | None]:
    """Return the environment's credentials to send to an endpoint.

    Returns:
        The credentials, none where they are for another endpoint; and why they are withheld then, with what to do.
    """
    if is_for(endpoint):
        token, password = (os.environ.get(name) for name in (TOKEN_VARIABLE, PASSWORD_VARIABLE))
        return Credentials(token=secret(token, TOKEN_VARIABLE), password=secret(password, PASSWORD_VARIABLE)), None
    names = [name for name in (TOKEN_VARIABLE, PASSWORD_VARIABLE) if os.environ.get(name, "").strip()]
    if not names:
        return Credentials(), None
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
