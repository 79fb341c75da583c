"""Which credential is sent, and what follows a refusal: the seed's selectConnectAuth, as tables."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from gateway_nb.errors import GatewayConnectError, connect_error, request_error
from gateway_nb.protocol.auth import (
    Credentials,
    Recovery,
    Secret,
    StoredToken,
    forgets_stored_token,
    missing_scopes,
    recover,
    secret,
    select,
)

STORED = StoredToken(Secret("stored"), ("operator.read", "operator.write"))
READ_WRITE = ("operator.read", "operator.write")
ADMIN = ("operator.admin",)


def given(**values: str) -> Credentials:
    return Credentials(**{name: Secret(value) for name, value in values.items()})


SELECT: list[
    tuple[str, Credentials, StoredToken | None, dict[str, Any], dict[str, str], tuple[str, ...], str | None]
] = [
    ("nothing at all", given(), None, {}, {}, ADMIN, None),
    ("token", given(token="t"), None, {}, {"token": "t"}, ADMIN, "t"),
    ("token beats stored", given(token="t"), STORED, {}, {"token": "t"}, ADMIN, "t"),
    ("password alone", given(password="p"), STORED, {}, {"password": "p"}, ADMIN, None),
    ("token and password", given(token="t", password="p"), None, {}, {"token": "t", "password": "p"}, ADMIN, "t"),
    ("stored", given(), STORED, {}, {"token": "stored", "deviceToken": "stored"}, READ_WRITE, "stored"),
    (
        "stored, explicit scopes win",
        given(),
        STORED,
        {"scopes": ["operator.read"]},
        {"token": "stored", "deviceToken": "stored"},
        ("operator.read",),
        "stored",
    ),
    (
        "stored without scopes",
        given(),
        StoredToken(Secret("stored")),
        {},
        {"token": "stored", "deviceToken": "stored"},
        ADMIN,
        "stored",
    ),
    ("bootstrap", given(bootstrap_token="b"), None, {}, {"bootstrapToken": "b"}, ADMIN, "b"),
    (
        "stored beats bootstrap",
        given(bootstrap_token="b"),
        STORED,
        {},
        {"token": "stored", "deviceToken": "stored"},
        READ_WRITE,
        "stored",
    ),
    ("token beats bootstrap", given(token="t", bootstrap_token="b"), None, {}, {"token": "t"}, ADMIN, "t"),
    (
        "bootstrap and password",
        given(bootstrap_token="b", password="p"),
        STORED,
        {},
        {"bootstrapToken": "b", "password": "p"},
        ADMIN,
        "b",
    ),
    ("explicit device token", given(device_token="d"), STORED, {}, {"token": "d", "deviceToken": "d"}, ADMIN, "d"),
    (
        "explicit device token that is the stored one asks for what the user asks for",
        given(device_token="stored"),
        STORED,
        {},
        {"token": "stored", "deviceToken": "stored"},
        ADMIN,
        "stored",
    ),
    (
        "token and explicit device token",
        given(token="t", device_token="d"),
        None,
        {},
        {"token": "t", "deviceToken": "d"},
        ADMIN,
        "t",
    ),
    (
        "second try with the stored token",
        given(token="t"),
        STORED,
        {"retry_with_stored": True},
        {"token": "t", "deviceToken": "stored"},
        READ_WRITE,
        "t",
    ),
    (
        "second try without a stored token",
        given(token="t"),
        None,
        {"retry_with_stored": True},
        {"token": "t"},
        ADMIN,
        "t",
    ),
    (
        "second try keeps an explicit device token",
        given(token="t", device_token="d"),
        STORED,
        {"retry_with_stored": True},
        {"token": "t", "deviceToken": "d"},
        ADMIN,
        "t",
    ),
]


@pytest.mark.parametrize(
    ("credentials", "stored", "options", "auth", "scopes", "signed"),
    [case[1:] for case in SELECT],
    ids=[case[0] for case in SELECT],
)
def test_select(
    credentials: Credentials,
    stored: StoredToken | None,
    options: dict[str, Any],
    auth: dict[str, str],
    scopes: tuple[str, ...],
    signed: str | None,
) -> None:
    """The credentials sent, the scopes asked for and the token signed are the seed's."""
    selected = select(credentials, stored, **options)
    assert {name: value.reveal() for name, value in selected.auth.items()} == auth
    assert selected.scopes == scopes
    assert (selected.signed_token.reveal() if selected.signed_token else None) == signed


def refusal(code: str | None, **details: Any) -> GatewayConnectError:
    all_details = {**({"code": code} if code else {}), **details}
    error = request_error("connect", "1", code="INVALID_REQUEST", message="no", details=all_details)
    return connect_error(error, (3, 4))


PAUSE, BACKOFF, DEVICE, STARTING = Recovery.PAUSE, Recovery.BACKOFF, Recovery.DEVICE_TOKEN, Recovery.STARTING
PAIRING, RESTARTING = Recovery.PAIRING, Recovery.RESTARTING
RECOVER: list[tuple[GatewayConnectError | None, dict[str, Any], Recovery]] = [
    (None, {}, BACKOFF),
    (None, {"code": 1006}, BACKOFF),
    (None, {"code": 1012}, RESTARTING),
    (None, {"code": 1013}, STARTING),
    (refusal("DEVICE_IDENTITY_REQUIRED"), {"code": 1012}, PAUSE),
    *[
        (refusal(code), {}, PAUSE)
        for code in (
            "AUTH_TOKEN_MISSING",
            "AUTH_BOOTSTRAP_TOKEN_INVALID",
            "AUTH_PASSWORD_MISSING",
            "AUTH_PASSWORD_MISMATCH",
            "AUTH_RATE_LIMITED",
            "AUTH_DEVICE_TOKEN_MISMATCH",
            "AUTH_SCOPE_MISMATCH",
            "PAIRING_REQUIRED",
            "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
            "DEVICE_IDENTITY_REQUIRED",
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "DEVICE_AUTH_WHATEVER_COMES",
            "PROTOCOL_MISMATCH",
            "CLIENT_VERSION_MISMATCH",
        )
    ],
    (refusal(None), {}, BACKOFF),
    (refusal("SOMETHING_NEW"), {}, BACKOFF),
    (refusal("PAIRING_REQUIRED", pauseReconnect=False), {}, PAIRING),
    (refusal("PAIRING_REQUIRED", recommendedNextStep="wait_then_retry"), {}, PAIRING),
    (refusal(None, reason="startup-sidecars"), {}, STARTING),
    (refusal("AUTH_TOKEN_MISMATCH"), {}, DEVICE),
    (refusal("AUTH_TOKEN_MISMATCH"), {"retry_used": True}, PAUSE),
    (refusal("AUTH_TOKEN_MISMATCH"), {"trusted": False}, PAUSE),
    (refusal("AUTH_TOKEN_MISMATCH"), {"stored": None}, PAUSE),
    (refusal("AUTH_TOKEN_MISMATCH"), {"given": given(password="p")}, PAUSE),
    (refusal("AUTH_TOKEN_MISMATCH"), {"given": given(token="t", device_token="d")}, PAUSE),
    (refusal("OTHER", canRetryWithDeviceToken=True), {}, DEVICE),
    (refusal("OTHER", canRetryWithDeviceToken="yes"), {}, BACKOFF),
    (refusal("OTHER", recommendedNextStep="retry_with_device_token"), {}, DEVICE),
]


@pytest.mark.parametrize(("error", "change", "expected"), RECOVER)
def test_recover(error: GatewayConnectError | None, change: dict[str, Any], expected: Recovery) -> None:
    """Each refusal leads to the seed's next step, or to a better one from protocol.md's table."""
    case: dict[str, Any] = {
        "code": 1008,
        "given": given(token="t"),
        "stored": STORED,
        "trusted": True,
        "retry_used": False,
    } | change
    found = recover(
        error, case["code"], case["given"], case["stored"], trusted=case["trusted"], retry_used=case["retry_used"]
    )
    assert found is expected


@pytest.mark.parametrize("recovery", Recovery)
def test_what_the_first_connection_waits_for(recovery: Recovery) -> None:
    """The first connection is tried again for what will mend itself, and fails at once for anything else."""
    assert recovery.transient is (recovery in (DEVICE, STARTING, RESTARTING, PAIRING))


@pytest.mark.parametrize(
    ("wanted", "granted", "missing"),
    [
        ([], [], ()),
        (["b", "a"], [], ("a", "b")),
        (["a", "b"], ["b"], ("a",)),
        (["a", "b"], ["operator.admin"], ()),
        (["operator.admin"], ["operator.read"], ("operator.admin",)),
    ],
)
def test_missing_scopes(wanted: list[str], granted: list[str], missing: tuple[str, ...]) -> None:
    """What was asked for and not granted is named; an admin has everything."""
    assert missing_scopes(wanted, granted) == missing


def test_old_gateways_say_protocol_mismatch_in_the_message() -> None:
    """A refusal without details is understood by its message."""
    refused = request_error("connect", "1", code="INVALID_REQUEST", message="protocol mismatch")
    assert recover(connect_error(refused, (3, 4)), 1002, given(), None, trusted=True, retry_used=False) is PAUSE


@pytest.mark.parametrize(
    ("credentials", "error", "code", "reason", "forgets"),
    [
        (given(), None, 1008, "unauthorized: Device Token Mismatch (rotate)", True),
        (given(), None, 1006, "device token mismatch", False),
        (given(), None, 1008, "unauthorized", False),
        (given(), refusal("AUTH_DEVICE_TOKEN_MISMATCH"), 1006, "", True),
        (given(token="t"), refusal("AUTH_DEVICE_TOKEN_MISMATCH"), 1008, "device token mismatch", False),
        (given(password="p"), None, 1008, "device token mismatch", False),
        (given(device_token="d"), None, 1008, "device token mismatch", True),
    ],
)
def test_forgets_stored_token(
    credentials: Credentials, error: GatewayConnectError | None, code: int, reason: str, forgets: bool
) -> None:
    """A stored token is deleted only when it was what the gateway refused."""
    assert forgets_stored_token(credentials, error=error, close_code=code, close_reason=reason) is forgets


def test_a_secret_never_shows_itself() -> None:
    """No repr, format or pickle of a secret holds its value."""
    hidden = Secret("hunter2")
    assert "hunter2" not in f"{hidden} {hidden!r} {[hidden]} {Credentials(token=hidden)!r} {StoredToken(hidden)!r}"
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(hidden)
    assert hidden == Secret("hunter2") != Secret("other")
    assert len({hidden, Secret("hunter2")}) == 1


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), ("", None), ("  ", None), (" x ", Secret("x")), (Secret("y"), Secret("y"))]
)
def test_blank_credentials_are_absent(value: Any, expected: Secret | None) -> None:
    """Credentials are trimmed, and a blank one is none."""
    assert secret(value, "token") == expected


def test_a_credential_of_the_wrong_type() -> None:
    """A credential that is not a string is a TypeError that names the option, not the value."""
    with pytest.raises(TypeError, match="password must be a string or None, not int"):
        secret(1234, "password")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "is_text"), [(0xD7FF, True), (0xD800, False), (0xDC80, False), (0xDFFF, False), (0xE000, True)]
)
def test_half_characters(code: int, is_text: bool) -> None:
    """A credential with half a character in it, as a variable that is not UTF-8 has, is refused without being shown."""
    text = f"a{chr(code)}"
    if is_text:
        found = secret(text, "token")
        assert found is not None
        assert found.reveal() == text
    else:
        with pytest.raises(ValueError, match="token must be Unicode text; it holds an unpaired surrogate"):
            secret(text, "token")
