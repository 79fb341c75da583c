"""The process's connections by name: connecting, and connecting again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Unpack

from .capture.log import EventLog
from .client.options import ConnectOptions
from .facade import Gateway
from .protocol.errors import PairingRequiredError

_connections: dict[str, Gateway] = {}
_kept_events: dict[str, EventLog] = {}
"""Events of closed connections whose name could not be connected again yet."""
_lock = threading.Lock()


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    password: str | None = None,
    device_token: str | None = None,
    bootstrap_token: str | None = None,
    timeout: float = 15.0,
    name: str = "default",
    pairing_timeout: float = 0.0,
    on_pairing: Callable[[PairingRequiredError], object] | None = None,
    **options: Unpack[ConnectOptions],
) -> Gateway:
    """Connect to a gateway, and stay connected until `close`, across restarts and lost networks.

    Running the cell again closes the former connection of that name and keeps its events.

    Args:
        url: ``ws://`` to this machine, or ``wss://``; default: the environment variable
            `OPENCLAW_GATEWAY_URL`, else ``ws://127.0.0.1:18789``.
        token: shared gateway token. Where no credential is passed, `OPENCLAW_GATEWAY_TOKEN` and
            `OPENCLAW_GATEWAY_PASSWORD` are used, else the device token of an earlier connection; an empty string is
            none, and keeps these two out. Do not type a secret into a cell: notebooks and IPython's history keep it.
        password: shared gateway password.
        device_token: a device token to use instead of the stored one.
        bootstrap_token: a token for a device's first connection.
        timeout: seconds until connected.
        name: of this connection, for the magics and for running the cell again.
        pairing_timeout: seconds to wait for the gateway's owner where this device has to be approved first;
            0: raise `PairingRequiredError` at once.
        on_pairing: called once with that error when the waiting begins, on the loop's thread.
        **options: times in seconds:

            - ``role`` ("operator"), ``scopes`` (["operator.admin"]), ``caps`` ([]): what to ask for;
              "tool-events" in caps for tool streams
            - ``commands``, ``permissions``, ``path_env``: for the node role
            - ``client_name`` ("gateway-client"), ``mode`` ("backend"): from the gateway's closed lists
            - ``client_display_name``, ``client_version``, ``platform``, ``device_family``, ``instance_id``
            - ``device_identity`` ("auto"): the device key; a path, an object, or None for none
            - ``min_protocol`` (3), ``max_protocol`` (4)
            - ``tls_fingerprint``: SHA-256 of the server's certificate; then it alone decides; else ``ca_file`` (PEM) or
              ``ssl_context``
            - ``request_timeout`` (30), ``connect_challenge_timeout`` (15), ``tick_watch_min_interval`` (1)
            - ``on_event(event)``, ``on_hello_ok(hello)``, ``on_connect_error(error)``, ``on_close(code, reason)``,
              ``on_gap(expected, received)``, ``on_reconnect_paused(error)``, ``on_state(status)``: called in order
              on a thread of their own

    Returns:
        The connected `Gateway`.

    Raises:
        TypeError, ValueError: an option is wrong; nothing was sent.
        InsecureUrlError: plain ``ws://`` to another machine; nothing was sent.
        AuthenticationError, PairingRequiredError, ProtocolMismatchError: the gateway said no.
        TlsPinError: the certificate is not the pinned one; nothing was sent.
        HandshakeTimeoutError: no hello-ok within `timeout`.
        GatewayConnectError: nothing listens there, or it is no gateway.

    Example:
        >>> gw = gnb.connect()                               # doctest: +SKIP
        >>> gw.request("sessions.list", {"limit": 5})        # doctest: +SKIP
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be a non-empty string, not {name!r}")
    gateway = Gateway(
        url,
        token=token,
        password=password,
        device_token=device_token,
        bootstrap_token=bootstrap_token,
        timeout=timeout,
        name=name,
        **options,
    )
    enter(
        gateway,
        lambda: gateway.wait_until_paired(pairing_timeout, on_pairing) if pairing_timeout else gateway.connect(),
    )
    return gateway


def enter(gateway: Gateway, connect: Callable[[], object]) -> None:
    """Connect a gateway, and put it in the place of the one that has its name, whose events it goes on with."""
    name = gateway.name
    with _lock:
        former = _connections.get(name)
    if former is not None and not former.closed:
        _kept_events[name] = former.events
        former.close()
    if name in _kept_events:
        gateway.adopt_events(_kept_events[name])
    try:
        connect()
        with _lock:
            _connections[name] = gateway
            _kept_events.pop(name, None)
    except KeyboardInterrupt:  # it may have been connected by then
        gateway.close()
        raise


def connections() -> dict[str, Gateway]:
    """Return the named connections of this process that were not closed."""
    with _lock:
        return {name: gateway for name, gateway in _connections.items() if not gateway.closed}
