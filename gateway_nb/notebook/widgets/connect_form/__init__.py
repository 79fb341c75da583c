"""A form to connect with. The secret is typed into the page, sent once, and held by the client alone."""

from __future__ import annotations

import html
import json
import os
import re
import threading
from collections.abc import Mapping
from typing import Any

from ....client.environment import URL_VARIABLE, endpoint_for, parse, suggested_url
from ....client.pairing import PAUSE
from ....errors import BadArgumentError, GatewayClosedError, GatewayConnectError, GatewayError, PairingRequiredError
from ....faces import connections as connecting
from ....faces.gateway import Gateway
from ....identity import files
from ....protocol import endpoint
from ....protocol.auth import DEFAULT_ROLE, DEFAULT_SCOPES, missing_scopes
from ... import current
from ...display.pairing import TITLE
from ..live import LiveWidget, bundle, ticker

FILE_NAME = "connect-form.json"
AUTH_KINDS = ("token", "password", "stored", "none")
_REMEMBERED = ("url", "auth", "role", "scopes", "pin", "name")
_WAITING = "waiting for the gateway's owner to approve this device"
_ADVICE = {
    "reconnecting": "it tries again by itself; Disconnect ends that",
    "restarting": "it comes back by itself; Disconnect ends that",
    "paused": "trying again would not help: correct that, then Connect",
}
_SIGN_IN = {
    "token": "type the token again, or choose another way to sign in",
    "password": "type the password again, or choose another way to sign in",
    "stored": "choose token or password under “Sign in with”",
    "none": "choose token or password under “Sign in with”",
}
_ARGUMENTS = re.compile("; pass token= or password=, or [^·]*")


def connect_form() -> ConnectForm:
    """Return a form to connect with, a widget: URL, secret, scopes, and advice where connecting fails.

    Returns:
        A `ConnectForm`; its ``.gateway`` is the connection, once there is one, and the magics use it, too.

    Example::

        form = gnb.connect_form()  # shows itself, as the last line of a cell
        form.gateway.request("health")  # once Connect was pressed
    """
    return ConnectForm()


class ConnectForm(LiveWidget):
    """A form to connect with. Made by `gateway_nb.connect_form`.

    It remembers everything but the secret and the URL's path and query, which may hold one.
    """

    _esm = bundle("connect_form", "js")
    _css = bundle("connect_form", "css")
    MESSAGES = ("check", "connect", "disconnect")

    def __init__(self) -> None:
        self._names = connecting.names()  # of whoever shows the form: it connects on a thread of its own
        self._options, self._gateway = _as_left(self._names)
        self._connecting: threading.Thread | None = None
        self._stop = threading.Event()
        self._pairing: PairingRequiredError | None = None
        self._failure: str | None = None
        self._posted: Any = None
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
        """Return the state in words."""
        return f"<div>Connection form: {html.escape(self._describe()['text'])}</div>"

    def __repr__(self) -> str:
        return "<ConnectForm>"

    # To the browser

    def opened(self, view: str) -> None:
        """Send a new view the options and the state."""
        self.post("form", self._options, to=view)
        self.post("state", self._describe(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views the state where it changed."""
        state = self._describe()
        if state != self._posted:
            self._posted = state
            self.post("state", state)

    def _describe(self) -> dict[str, Any]:
        """Return the state in words, with what to do about it."""
        state: dict[str, Any] = {
            "state": "closed",
            "text": "not connected",
            "advice": "",
            "code": "",
            "warning": "",
            "pairing": None,
        }
        state["busy"] = self._connecting is not None
        gateway, pairing = self._gateway, self._pairing
        if self._failure is not None:
            return {**state, "state": "failed", "text": self._failure}
        if gateway is None:
            return state
        if pairing is not None:
            return {
                **state,
                "state": "pairing",
                "text": _WAITING,
                "pairing": {"title": TITLE, "rows": list(map(list, pairing.rows.items()))},
            }
        status = gateway.status
        state |= {
            "state": status.state,
            "text": _in_a_form(status, self._options["auth"]),
            "advice": _ADVICE.get(status.state, ""),
        }
        if status.state == "connected":
            state["code"] = f"gw = gnb.connections()[{json.dumps(gateway.name)}]"
            default = DEFAULT_SCOPES if status.role == DEFAULT_ROLE else ()
            missing = missing_scopes(_scopes(self._options["scopes"]) or default, status.scopes)
            if missing:
                state["warning"] = (
                    f"asked for, and not granted: {', '.join(missing)}. Methods that need it will fail; "
                    "the gateway's owner can grant it"
                )
        return state

    # From the browser

    def _on_check(self, view: str, content: Mapping[str, Any]) -> None:
        """Answer what policy says of a URL, before any socket opens, and what may have been meant."""
        url, pin = str(content.get("url") or ""), str(content.get("pin") or "")
        answer = {"problem": "", "mended": ""}
        try:
            parse(url, pin or None)
        except (GatewayError, ValueError) as error:
            answer = {"problem": _in_a_form(error), "mended": suggested_url(url, pin or None) or ""}
        self.post("checked", answer, to=view)

    def _on_connect(self, view: str, content: Mapping[str, Any]) -> None:
        options = _cleaned(content)
        secret = content.get("secret")
        self._on_disconnect(view, content)
        self._failure = None
        try:
            where = parse(options["url"], options["pin"] or None)
            # The client alone keeps the secret: nothing here refers to it when this returns.
            gateway = _gateway(options, secret if isinstance(secret, str) else None)
        except (GatewayError, TypeError, ValueError) as error:
            self._failure = _in_a_form(error)
            self.refresh(False)
            return
        self._options = {**options, "url": where.origin}
        _remember(self._options)
        self._gateway, self._stop = gateway, threading.Event()
        self._connecting = threading.Thread(
            target=self._connect, args=(gateway, self._stop), name="gateway_nb-connecting", daemon=True
        )
        self._connecting.start()
        self.refresh(False)

    def _on_disconnect(self, view: str, content: Mapping[str, Any]) -> None:
        self._stop.set()
        if self._gateway is not None:
            self._gateway.close()
        self._pairing = None
        self.refresh(False)

    def _connect(self, gateway: Gateway, stop: threading.Event) -> None:
        """Connect on a thread of its own: the kernel goes on meanwhile. Ask again where the owner has to approve."""
        failure: str | None = None
        try:
            while not stop.is_set():
                try:
                    self._names.replace(gateway, gateway.connect)
                    current.adopt(gateway)
                    break
                except PairingRequiredError as error:
                    if not stop.is_set():
                        self._pairing = error
                    stop.wait(PAUSE)
        except (GatewayConnectError, GatewayClosedError) as error:
            failure = None if stop.is_set() else _in_a_form(error, self._options["auth"])
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


def _in_a_form(text: object, auth: str = "token") -> str:
    """Return what went wrong, with what to do here: a form has fields, not arguments."""
    return _ARGUMENTS.sub(f"; {_SIGN_IN[auth]}", str(text)).replace(
        "pass the secret as token= or password=", "leave it out, and type the secret below"
    )


def _gateway(options: Mapping[str, str], secret: str | None) -> Gateway:
    kind = options["auth"]
    # What was chosen counts, not what the environment has.
    more: dict[str, Any] = {"token": "", "device_identity": None} if kind == "none" else {"token": ""}
    if kind in ("token", "password"):
        if not secret:
            raise BadArgumentError(f"type the {kind}, or choose another way to sign in")
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


def _scopes(text: str) -> tuple[str, ...]:
    return tuple(scope.strip() for scope in text.split(",") if scope.strip())


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


def _as_left(names: connecting.Names) -> tuple[dict[str, str], Gateway | None]:
    """Return the options to begin with, and the connection that a form has made with them where it still stands.

    Where there is none, the environment's URL comes before a remembered one.
    """
    try:
        content = json.loads((files.home() / FILE_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        content = {}
    options = _cleaned(content if isinstance(content, dict) else {})
    gateway = names.gateways.get(options["name"])
    if gateway is not None and not gateway.closed and gateway.status.url.removesuffix("/…") == options["url"]:
        return options, gateway
    own = _environments().origin
    if os.environ.get(URL_VARIABLE, "").strip() and options["url"] != own:
        options |= {"url": own, "pin": ""}
    return options, None


def _remember(options: Mapping[str, str]) -> None:
    try:
        files.write_private(files.home() / FILE_NAME, json.dumps(dict(options), indent=2).encode() + b"\n")
    except OSError:
        pass  # a form that remembers nothing still connects
