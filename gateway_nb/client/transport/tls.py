"""TLS: who is trusted, and a pin that is checked by the handshake itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable, Iterator

from ...protocol.endpoint import Endpoint


class WrongPin(ssl.SSLError):
    """The server's certificate is not the pinned one.

    Args:
        found: SHA-256 of its certificate, 64 hex digits.
    """

    @property
    def found(self) -> str:
        """SHA-256 of the server's certificate."""
        return str(self.args[0])


class _Pinned(ssl.SSLObject):
    """A TLS connection whose handshake fails on a wrong certificate: a wrong server is never sent a byte over it."""

    def do_handshake(self) -> None:
        super().do_handshake()
        found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
        assert isinstance(self.context, _PinnedContext)
        if found != self.context.pin:
            raise WrongPin(found)


class _PinnedContext(ssl.SSLContext):
    """Trusts one certificate, whoever signed it."""

    sslobject_class = _Pinned
    pin: str


def context_for(endpoint: Endpoint, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return how to talk TLS to an endpoint, or ``None`` for plain text.

    Args:
        endpoint: where to; where it has a pin, that alone decides.
        given: the user's own context; default: the system's certificate authorities.
    """
    if not endpoint.secure:
        return None
    if endpoint.pin is None:
        return given or ssl.create_default_context()
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.pin = endpoint.pin
    return _unverified(context)


@contextlib.contextmanager
def observed(context: ssl.SSLContext, observer: Callable[[ssl.SSLObject], object]) -> Iterator[None]:
    """Tell when a handshake over this context has succeeded, while nothing else has been sent.

    Args:
        context: how to talk TLS.
        observer: called with the state of the connection.
    """
    plain = context.sslobject_class
    assert plain is not None

    class Telling(plain):  # type: ignore[misc, valid-type]
        def do_handshake(self) -> None:
            super().do_handshake()
            observer(self)

    context.sslobject_class = Telling
    try:
        yield
    finally:
        context.sslobject_class = plain  # it may be the user's


async def read_certificate(endpoint: Endpoint) -> str:
    """Return the SHA-256 of a ``wss`` server's certificate, 64 hex digits; TLS is all that is spoken.

    Raises:
        OSError: it can't be reached, or does not speak TLS.
    """
    context = _unverified(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    _, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return hashlib.sha256(certificate).hexdigest()


def _unverified(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
