"""The process's connections by name: connecting, and connecting again."""

from __future__ import annotations

import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Unpack

from ..client.options import ConnectOptions
from ..errors import BadArgumentError, GatewayError, PairingRequiredError
from ..sync.loop_thread import loop_thread
from .gateway import Gateway


@dataclass
class Names:
    """The connections of one user, by name.

    Attributes:
        gateways: the one that connected last under each name.
    """

    gateways: dict[str, Gateway] = field(default_factory=dict)
    _locks: dict[str, AbstractContextManager[bool]] = field(default_factory=dict)

    def replace(self, gateway: Gateway, connect: Callable[[], object]) -> None:
        """Connect a gateway, then close the connection that has its name, whose event log it continues.

        Where connecting fails, the former connection stays as it was. Under one name there is one connection: another
        thread that connects under it waits, and then replaces this one.
        """
        name = gateway.name
        with self._locks.setdefault(name, threading.RLock()):
            connect()
            former = self.gateways.get(name)
            self.gateways[name] = gateway
            _registered[gateway] = weakref.ref(self)
            if former is None or former.closed or former is gateway:
                return
            try:
                former.close()
            except GatewayError as error:  # its line is cut all the same
                gateway.core.log.problem(error)
            finally:
                gateway._continue(former.events)

    def forget_locks(self) -> None:
        """After a fork: a thread that held one does not exist in the child."""
        self._locks.clear()


_of_process = Names()
_of_sessions: weakref.WeakKeyDictionary[object, Names] = weakref.WeakKeyDictionary()
_registered: weakref.WeakKeyDictionary[Gateway, weakref.ref[Names]] = weakref.WeakKeyDictionary()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_of_process.forget_locks)


def names() -> Names:
    """Return the names of the user whose code calls this.

    A kernel has one user. A marimo server runs the sessions of its users in one process; each has names of its own.
    """
    marimo = sys.modules.get("marimo")
    if marimo is None or not marimo.running_in_notebook():
        return _of_process
    return _of_sessions.setdefault(marimo.query_params(), Names())  # an object that each session has for itself


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

    Running the cell again connects anew, then closes the former connection of that name and continues its event log; if
    connecting fails, the former connection stays open. Several threads that connect under one name do so one after the
    other.

    Args:
        url: ``ws://`` to this machine, or ``wss://``; default: the environment variable
            `OPENCLAW_GATEWAY_URL`, else ``ws://127.0.0.1:18789``.
        token: shared gateway token. Where no credential is passed, `OPENCLAW_GATEWAY_TOKEN` and
            `OPENCLAW_GATEWAY_PASSWORD` are used if the URL is the environment's (same scheme, host and port), else the
            device token that this gateway gave earlier; an empty string is none, and keeps these two out. Do not type a
            secret into a cell: notebooks and IPython's history keep it.
        password: shared gateway password.
        device_token: a device token to use instead of the stored one.
        bootstrap_token: a token for a device's first connection.
        timeout: seconds until connected.
        name: of this connection, for the magics and for running the cell again.
        pairing_timeout: seconds to wait for the gateway's owner where this device has to be approved first;
            0: raise `PairingRequiredError` at once.
        on_pairing: called once with that error when the waiting begins, on the loop's thread; what it raises is
            logged, and in `Gateway.status`.
        **options: times in seconds:

            - ``role`` ("operator"), ``scopes`` (["operator.admin"]; of a stored device token, its own), ``caps``
              (["tool-events"]: sends the arguments and results of agents' tool calls): what to ask for
            - ``commands`` (what can be invoked on it), ``permissions`` (what its computer allows it), ``path_env`` (its
              search path): of a node, which has no scopes and wants a device key of its own
            - ``client_name`` ("gateway-client", of a node "node-host"), ``mode`` ("backend", of a node "node"): from
              the gateway's closed lists
            - ``client_display_name``, ``client_version``, ``instance_id`` (tells clients of one device apart)
            - ``platform`` (as Node names it), ``device_family``: signed, and ``platform`` pinned at pairing
            - ``device_identity`` ("auto": in the user data folder): the device key; a path, an object, or None for none
            - ``min_protocol`` (3), ``max_protocol`` (4): protocol versions to accept
            - ``tls_fingerprint``: SHA-256 of the server's certificate; then no other is accepted; else ``ca_file``
              (PEM) or ``ssl_context``
            - ``request_timeout`` (30), ``connect_challenge_timeout`` (15; 0.25 to 15), ``tick_watch_min_interval`` (1;
              least time between two checks that the connection is alive)
            - ``on_event(event)``, ``on_hello_ok(hello)`` (after every handshake), ``on_connect_error(error)`` (of each
              attempt), ``on_close(code, reason)``, ``on_gap(expected, received)``, ``on_reconnect_paused(error)``
              (until the user acts), ``on_state(status)``: called in order on a thread of their own

    Returns:
        The connected `Gateway`.

    Raises:
        BadArgumentError: an argument is wrong; nothing was sent.
        InsecureUrlError: plain ``ws://`` to another machine; nothing was sent.
        IdentityError: the device key's file can't be used; nothing was sent.
        AuthenticationError, PairingRequiredError, ProtocolMismatchError: the gateway refused the connection.
        TlsPinError: the certificate is not the pinned one; nothing was sent.
        HandshakeTimeoutError: no hello-ok within `timeout`.
        GatewayConnectError: nothing listens there, or it is not a gateway.

    Example:
        >>> gw = gnb.connect()
        >>> sessions = gw.request("sessions.list", {"limit": 5})["sessions"]
    """
    if not isinstance(name, str) or not name:
        raise BadArgumentError(f"name must be a non-empty string, not {name!r}")
    loop_thread().check_may_wait("connect")  # another thread that has the name may itself wait for the loop
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
    try:
        names().replace(
            gateway,
            lambda: gateway.wait_until_paired(pairing_timeout, on_pairing) if pairing_timeout else gateway.connect(),
        )
    except BaseException:
        if names().gateways.get(name) is not gateway:  # else Ctrl-C came while the former one was closed
            gateway.close()
        raise
    for problem in gateway.status.problems:
        warnings.warn(problem, stacklevel=2)
    return gateway


def connections() -> dict[str, Gateway]:
    """Return the named connections that were not closed: this process's, in marimo this session's."""
    return {name: gateway for name, gateway in names().gateways.copy().items() if not gateway.closed}


def names_of(gateway: Gateway) -> Names:
    """Return the names among which a gateway is registered, whoever asks; those of the caller if it is not yet."""
    registered = _registered.get(gateway)
    return (registered and registered()) or names()
