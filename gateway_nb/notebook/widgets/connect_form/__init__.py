"""A form to connect with. The secret is typed into the page, sent once, and held by the client alone."""

from __future__ import annotations

import html
import json
import os
import threading
from collections.abc import Mapping
from typing import Any

from ....client.environment import endpoint_for
from ....errors import GatewayClosedError, GatewayConnectError, GatewayError, PairingRequiredError
from ....faces import connections as connecting
from ....faces.gateway import Gateway
from ....identity import files
from ....protocol import endpoint
from ....protocol.auth import DEFAULT_ROLE, DEFAULT_SCOPES, missing_scopes
from ... import current
from ..live import LiveWidget, bundle, ticker

FILE_NAME = "connect-form.json"
AUTH_KINDS = ("token", "password", "stored", "none")
_REMEMBERED = ("url", "auth", "role", "scopes", "pin", "name")
_PAIRING_PAUSE = 1.0
_WAITING = "waiting for the gateway's owner to approve this device"
_WAY_OUT = {
    "reconnecting": "it tries again by itself; Disconnect ends that",
    "restarting": "it comes back by itself; Disconnect ends that",
    "paused": "trying again would not help: mend that, then Connect",
}


def connect_form() -> ConnectForm:
    """Return a form to connect with, a widget: URL, secret, scopes, and what to do where it fails.

    Returns:
        A `ConnectForm`; its ``.gateway`` is the connection, once there is one, and the magics use it, too.

    Example:
        >>> form = gnb.connect_form(); form                  # doctest: +SKIP
        >>> form.gateway.request("health")                   # doctest: +SKIP
    """
    return ConnectForm()


class ConnectForm(LiveWidget):
    """A form to connect with. Made by `gateway_nb.connect_form`.

    It remembers everything but the secret and the URL's path and query, which may hold one.
    """

    _esm = bundle("connect_form", "js")
    _css = bundle("connect_form", "css")
    HEARS = ("check", "connect", "disconnect")

    def __init__(self) -> None:
        self._options = _remembered()
        self._gateway: Gateway | None = None
        self._connecting: threading.Thread | None = None
        self._stop = threading.Event()
        self._pairing: PairingRequiredError | None = None
        self._failure: str | None = None
        self._names = connecting.names()  # of whoever made the form: it connects on a thread of its own
        self._said: Any = None
        super().__init__()

    @property
    def gateway(self) -> Gateway:
        """The connected `Gateway`.

        Raises:
            GatewayClosedError: it was not connected yet, or disconnected.
        """
        gateway = self._gateway
        if gateway is None or self._connecting is not None or gateway.status.state == "closed":
            raise GatewayClosedError("the form is not connected yet: fill it in and press Connect")
        return gateway

    def html(self) -> str:
        """Return where the form leads, as text."""
        return f"<div>Connection form: {html.escape(self._describe()['text'])}</div>"

    def __repr__(self) -> str:
        return "<ConnectForm>"

    # To the browser

    def opened(self, view: str) -> None:
        """Tell a new view the options and the state."""
        self.tell("form", self._options, to=view)
        self.tell("state", self._describe(), to=view)

    def look(self, slow: bool) -> None:
        """Tell the views the state where it is another."""
        state = self._describe()
        if state != self._said:
            self._said = state
            self.tell("state", state)

    def _describe(self) -> dict[str, Any]:
        """Return the state in words, with the way out."""
        said = {"state": "closed", "text": "not connected", "advice": "", "warning": "", "pairing": None, "busy": False}
        gateway, pairing = self._gateway, self._pairing
        said["busy"] = self._connecting is not None
        if self._failure is not None:
            return {**said, "state": "failed", "text": self._failure}
        if gateway is None:
            return said
        if pairing is not None:
            return {**said, "state": "pairing", "text": _WAITING, "pairing": _card(pairing)}
        status = gateway.status
        said |= {"state": status.state, "text": str(status), "advice": _WAY_OUT.get(status.state, "")}
        if status.state == "connected":
            default = DEFAULT_SCOPES if status.role == DEFAULT_ROLE else ()
            missing = missing_scopes(_scopes(self._options["scopes"]) or default, status.scopes)
            if missing:
                said["warning"] = (
                    f"asked for, and not granted: {', '.join(missing)}. Methods that need it will fail; "
                    "the gateway's owner can grant it"
                )
        return said

    # From the browser

    def _on_check(self, view: str, content: Mapping[str, Any]) -> None:
        """Say what policy thinks of a URL, before any socket opens."""
        try:
            _endpoint(str(content.get("url") or ""), str(content.get("pin") or ""))
        except (GatewayError, ValueError) as error:
            self.tell("refused", str(error), to=view)
        else:
            self.tell("refused", "", to=view)

    def _on_connect(self, view: str, content: Mapping[str, Any]) -> None:
        options = _cleaned(content)
        secret = content.get("secret")
        self._on_disconnect(view, content)
        self._failure = None
        try:
            where = _endpoint(options["url"], options["pin"])
            # The client alone keeps the secret: nothing here refers to it when this returns.
            gateway = _gateway(options, secret if isinstance(secret, str) else None)
        except (GatewayError, TypeError, ValueError) as error:
            self._failure = str(error)
            self.look(False)
            return
        self._options = {**options, "url": where.origin}
        _remember(self._options)
        self._gateway, self._stop = gateway, threading.Event()
        self._connecting = threading.Thread(
            target=self._connect, args=(gateway, self._stop), name="gateway_nb-connecting", daemon=True
        )
        self._connecting.start()
        self.look(False)

    def _on_disconnect(self, view: str, content: Mapping[str, Any]) -> None:
        self._stop.set()
        if self._gateway is not None:
            self._gateway.close()
        self._pairing = None
        self.look(False)

    def _connect(self, gateway: Gateway, stop: threading.Event) -> None:
        """Connect on a thread of its own: the kernel goes on meanwhile. Ask again where the owner has to approve."""
        failure: str | None = None
        try:
            while not stop.is_set():
                try:
                    self._names.replace(gateway, gateway.connect)
                    current.made(gateway)
                    break
                except PairingRequiredError as error:
                    if not stop.is_set():
                        self._pairing = error
                    stop.wait(_PAIRING_PAUSE)
        except (GatewayConnectError, GatewayClosedError) as error:
            failure = None if stop.is_set() else str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the form must not say "connecting" for ever
            failure = f"{type(error).__name__}: {error}"
        finally:
            if self._gateway is gateway:
                self._connecting, self._pairing, self._failure = None, None, failure
            if stop.is_set():
                gateway.close()
            if self._views:
                ticker.add(self)

    def close(self) -> None:
        """Take the form away. A connection that was made stays; one that is being made is given up."""
        if self._connecting is not None:
            self._on_disconnect("", {})
        super().close()


def _gateway(options: Mapping[str, str], secret: str | None) -> Gateway:
    kind = options["auth"]
    # What was chosen counts, not what the environment has.
    more: dict[str, Any] = {"token": "", "device_identity": None} if kind == "none" else {"token": ""}
    if kind in ("token", "password"):
        if not secret:
            raise ValueError(f"type the {kind}, or choose another way to sign in")
        more[kind] = secret
    if scopes := _scopes(options["scopes"]):
        more["scopes"] = scopes
    if options["pin"]:
        more["tls_fingerprint"] = options["pin"]
    url = options["url"]
    own = _environments()  # the form shows no path of it, and connects to it with its path
    return Gateway(own.url if url == own.origin else url, name=options["name"], role=options["role"], **more)


def _environments() -> endpoint.Endpoint:
    try:
        return endpoint_for(None)
    except GatewayError:
        return endpoint.parse(endpoint.DEFAULT_URL)


def _endpoint(url: str, pin: str) -> endpoint.Endpoint:
    allowed = os.environ.get(endpoint.ALLOW_PRIVATE_VARIABLE) == "1"
    return endpoint.parse(url, tls_fingerprint=pin or None, allow_private=allowed)


def _scopes(text: str) -> tuple[str, ...]:
    return tuple(scope.strip() for scope in text.split(",") if scope.strip())


def _card(error: PairingRequiredError) -> dict[str, Any]:
    return {
        "request": error.request_id,
        "reason": error.reason or "this device is not approved",
        "requested": ", ".join(error.requested_scopes),
        "command": error.approve_command or "openclaw devices list",
    }


def _cleaned(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the options among what a browser or a file says, each a line of text."""
    default = {
        "url": _environments().origin,
        "auth": "token",
        "role": "operator",
        "scopes": "",
        "pin": "",
        "name": "default",
    }
    given = {name: str(content[name]).strip()[:2000] for name in _REMEMBERED if isinstance(content.get(name), str)}
    options = default | {name: text for name, text in given.items() if text}
    return options if options["auth"] in AUTH_KINDS else {**options, "auth": "token"}


def _remembered() -> dict[str, str]:
    try:
        content = json.loads((files.home() / FILE_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        content = {}
    return _cleaned(content if isinstance(content, dict) else {})


def _remember(options: Mapping[str, str]) -> None:
    try:
        files.write_private(files.home() / FILE_NAME, json.dumps(dict(options), indent=2).encode() + b"\n")
    except OSError:
        pass  # a form that remembers nothing still connects
