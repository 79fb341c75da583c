"""The words of errors."""

from __future__ import annotations

import pydoc
from typing import Any

import pytest

from gateway_nb import errors
from gateway_nb.errors import (
    AuthenticationError,
    GatewayConnectError,
    GatewayRequestError,
    MissingScopeError,
    PairingRequiredError,
    ProtocolMismatchError,
    RateLimitedError,
    closed_early,
    connect_error,
    request_error,
    with_options,
)


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("it exists; choose another name, or pass append=True", "it exists; choose another name, or pass --append"),
        ("pass token= or password=, or set X", "pass --token-env or --password-env, or set X"),
        ("a pin needs tls_fingerprint=", "a pin needs --tls-fingerprint"),
        ("mytoken=5 and append_to=x stay", "mytoken=5 and append_to=x stay"),
    ],
)  # fmt: skip
def test_options_instead_of_arguments(message: str, typed: str) -> None:
    """Who types a line is told options, not arguments of Python."""
    assert with_options(message) == typed


def test_what_a_gateways_owner_needs_to_know() -> None:
    """A refused device names the command for the owner, with the request if the gateway named one."""
    error = PairingRequiredError("refused")
    assert error.rows == {"why": "this device is not approved", "on the gateway's host run": "openclaw devices list"}
    error.request_id, error.approve_command = "r-1", "openclaw devices approve r-1"
    assert list(error.rows.items())[1:] == [
        ("request", "r-1"),
        ("on the gateway's host run", "openclaw devices approve r-1"),
    ]


def test_help() -> None:
    """The first screen of help(gnb.errors) has every error with what it says and what to do."""
    screen = pydoc.render_doc(errors, renderer=pydoc.plaintext).partition("CLASSES")[0]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GatewayError)]
    assert len(kinds) > 15
    for kind in kinds:
        assert f"    {kind.__name__:22} {str(kind.__doc__).splitlines()[0]}\n" in screen
    assert len(screen.splitlines()) < 40


def refused(details: object, message: str = "no", code: str = "INVALID_REQUEST") -> GatewayConnectError:
    error = request_error("connect", "1", code=code, message=message, details=details)
    return connect_error(error, (3, 4))


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("PAIRING_REQUIRED", PairingRequiredError, "; on the gateway's host run: openclaw devices list"),
        ("PROTOCOL_MISMATCH", ProtocolMismatchError, " (this client speaks 3 to 4); update gateway-nb or the gateway"),
        ("CLIENT_VERSION_MISMATCH", ProtocolMismatchError, " (this client speaks 3 to 4); update gateway-nb or the"),
        ("DEVICE_AUTH_SIGNATURE_EXPIRED", AuthenticationError, "; set this computer's clock"),
        ("AUTH_TOKEN_MISMATCH", AuthenticationError, "; pass token= or password=, or set OPENCLAW_GATEWAY_URL"),
        ("AUTH_PASSWORD_MISSING", AuthenticationError, "; pass token= or password=, or set OPENCLAW_GATEWAY_URL"),
        ("CONTROL_UI_DEVICE_IDENTITY_REQUIRED", AuthenticationError, "or leave device_identity on"),
        ("AUTH_RATE_LIMITED", AuthenticationError, "no [INVALID_REQUEST]"),
        ("DEVICE_AUTH_INVALID", AuthenticationError, "no [INVALID_REQUEST]"),
        ("SOMETHING_ELSE", GatewayConnectError, "no [INVALID_REQUEST]"),
        (None, GatewayConnectError, "no [INVALID_REQUEST]"),
        (7, GatewayConnectError, "no [INVALID_REQUEST]"),
    ],
)
def test_refusals(code: object, kind: type[GatewayConnectError], advice: str) -> None:
    """A refusal has the kind of its detail code, which is its code, and says what to do."""
    error = refused({"code": code})
    assert type(error) is kind
    assert error.code == (code if isinstance(code, str) else "INVALID_REQUEST")
    assert str(error).startswith("the gateway refused the connection: no [INVALID_REQUEST]")
    assert advice in str(error)
    assert str(error).endswith(advice) or not advice.startswith("no")


@pytest.mark.parametrize(
    ("expected", "shown"), [(0, None), (1, 1), (999, 999), (1000, None), (True, None), ("4", None), (-1, None)]
)
def test_versions(expected: object, shown: int | None) -> None:
    """A gateway that speaks another version says which, if it is one; older ones say so in the message alone."""
    text = str(refused({"expectedProtocol": expected}, "Protocol mismatch"))
    assert ("(the gateway expects version" in text) is (shown is not None)
    assert f"version {shown}, this client speaks 3 to 4)" in text or shown is None
    one = connect_error(request_error("connect", "1", code=None, message="protocol mismatch"), (4, 4))
    assert "(this client speaks 4)" in str(one)


@pytest.mark.parametrize(
    ("request_id", "valid"),
    [("r-1", True), ("a" * 128, True), ("a" * 129, False), ("-r", False), (7, False), (None, False)],
)
def test_what_is_to_be_approved(request_id: object, valid: bool) -> None:
    """A request is named where its id is one that can be typed; scopes and the reason are told as text."""
    details = {"requestId": request_id, "reason": "scope-upgrade", "requestedScopes": ["a"], "approvedScopes": "b"}
    error = refused(details | {"code": "PAIRING_REQUIRED"})
    assert isinstance(error, PairingRequiredError)
    assert (error.request_id, error.reason) == (request_id if valid else None, "scope-upgrade")
    assert (error.requested_scopes, error.approved_scopes) == (("a",), ())
    assert error.approve_command == (f"openclaw devices approve {request_id}" if valid else None)
    assert str(error).endswith(f"run: {error.approve_command or 'openclaw devices list'}")


@pytest.mark.parametrize(
    ("shape", "kind", "text"),
    [
        ({"code": None, "message": None}, GatewayRequestError, "m: unknown error [UNAVAILABLE]"),
        (
            {"message": "missing scope: a.b"},
            MissingScopeError,
            "m: missing scope: a.b [X]; connect with scopes=[..., 'a.b']",
        ),
        (
            {"details": {"code": "MISSING_SCOPE", "missingScope": "c"}},
            MissingScopeError,
            "scopes=[..., 'c'] (or operator.admin)",
        ),
        ({"details": {"code": "MISSING_SCOPE"}}, MissingScopeError, "scopes=[..., '?']"),
        ({"details": {"limit": 5}, "retryable": True, "retry_after": 2.5}, RateLimitedError, "; call again in 2.5 s"),
        ({"details": {"limit": 5}, "retryable": True}, GatewayRequestError, "m: no [X]"),
        ({"details": {"limit": 5}, "retry_after": 2.5}, GatewayRequestError, "m: no [X]"),
        ({"details": {}, "retryable": True, "retry_after": 2.5}, GatewayRequestError, "m: no [X]"),
        ({"details": ["limit"], "retryable": True, "retry_after": 2.5}, GatewayRequestError, "m: no [X]"),
        ({"message": "unknown method: m"}, GatewayRequestError, "[X]; gw.methods lists what this gateway advertises"),
    ],
)
def test_answers(shape: dict[str, Any], kind: type[GatewayRequestError], text: str) -> None:
    """An error that a gateway answers has its kind, its code and its words, and advice where there is some."""
    error = request_error("m", "1", **{"code": "X", "message": "no"} | shape)
    assert type(error) is kind
    assert text in str(error)
    assert len(str(error)) == len(text) or text != "m: no [X]"
    assert (error.code, error.method, error.request_id) == (shape.get("code", "X") or "UNAVAILABLE", "m", "1")
    if isinstance(error, MissingScopeError):
        assert repr(error.missing_scope) in str(error)


@pytest.mark.parametrize(("role", "advised"), [("node", True), ("operator", False)])
def test_closed_before_hello(role: str, advised: bool) -> None:
    """A gateway that closes without an answer is told of with its log, a node with what it needs."""
    text = str(closed_early("closed (1008)", role))
    assert text.startswith("no connection before hello-ok: closed (1008); ")
    assert text.endswith("the gateway's log says why")
    assert ("a node needs client_name='node-host'" in text) is advised
