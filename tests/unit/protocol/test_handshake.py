"""The connect request, the signed payload, and what is kept of a hello-ok."""

from __future__ import annotations

import pytest

from gateway_nb.client.log import Log
from gateway_nb.protocol.auth import Secret
from gateway_nb.protocol.handshake import (
    Challenge,
    ClientInfo,
    Signer,
    connect_params,
    device_payload,
    hello_secrets,
    read_hello,
)


def payload(version: str) -> str:
    client = {"id": "cli", "mode": "cli", "platform": " LinuX\u0130 ", "deviceFamily": "\u00c4B"}
    device = {"id": "d1", "signedAt": 7, "nonce": "n"}
    params = {"client": client, "role": "operator", "scopes": ["a", "b"], "device": device}
    return device_payload(version, params, "t")


def test_the_signed_payload() -> None:
    """Version 3 adds platform and family, trimmed, with A-Z alone lower-cased; version 2 has neither."""
    assert payload("v3") == "v3|d1|cli|cli|operator|a,b|7|t|n|linux\u0130|\u00c4b"
    assert payload("v2") == "v2|d1|cli|cli|operator|a,b|7|t|n"


def test_absent_fields_are_left_out() -> None:
    """A request without credentials, device or extras holds no null."""
    client = ClientInfo()
    params = connect_params(
        client, scopes=(), auth={}, signed_token=None, challenge=Challenge("n"), now_ms=1, signer=None
    )
    assert params == {
        "minProtocol": 3,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "mode": "backend", "version": "0", "platform": "linux"},
        "role": "operator",
        "scopes": [],
        "caps": [],
    }


def test_every_field() -> None:
    """Everything that was asked for is sent, and the gateway's clock is signed."""
    signed: list[str] = []

    def sign(text: str) -> str:
        signed.append(text)
        return "signature"

    client = ClientInfo(
        display_name="me",
        device_family="pc",
        instance_id="i",
        caps=("c",),
        commands=("x",),
        permissions={"p": True},
        path_env="/bin",
    )
    params = connect_params(
        client,
        scopes=["s"],
        auth={"token": Secret("t")},
        signed_token=Secret("t"),
        challenge=Challenge("n", 55),
        now_ms=99,
        signer=Signer("d1", "key", sign),
    )
    assert params["auth"] == {"token": "t"}
    assert params["device"] == {"id": "d1", "publicKey": "key", "signature": "signature", "signedAt": 55, "nonce": "n"}
    assert (params["commands"], params["permissions"], params["pathEnv"]) == (["x"], {"p": True}, "/bin")
    assert params["client"]["displayName"] == "me"
    assert signed == ["v3|d1|gateway-client|backend|operator|s|55|t|n|linux|pc"]
    device = Signer("d", "k", sign)
    local_clock = connect_params(
        client, scopes=[], auth={}, signed_token=None, challenge=Challenge("n"), now_ms=99, signer=device
    )
    assert local_clock["device"]["signedAt"] == 99


def test_a_hello_without_its_secrets() -> None:
    """What a user sees of a hello-ok holds no device token, recovery scope or capability URL, wherever they stand."""
    hello = {
        "protocol": 4,
        "auth": {
            "deviceToken": "token-of-1",
            "recoveryScope": "recovery-1",
            "deviceTokens": [{"role": "node", "deviceToken": "token-of-2"}, {"token": "token-of-3"}, "token-of-4", {}],
            "password": "short",
        },
        "features": {"methods": ["health", "is token-of-1 there"], "events": ["tick", "token-of-2"]},
        "server": {"version": "token-of-3 and more", "connId": "c"},
        "pluginSurfaceUrls": {"canvas": "http://127.0.0.1/cap/abc"},
        "snapshot": {"nested": ["the token-of-1", {"recovery-1": "recovery-1"}], "fine": "text"},
    }
    secrets = hello_secrets(hello)
    found = ["token-of-1", "recovery-1", "http://127.0.0.1/cap/abc", "token-of-2", "token-of-3", "token-of-4"]
    assert secrets == found
    read = read_hello(hello, max_payload=5)
    assert read is not None
    log = Log()
    log.redactor.hide(secrets)
    shown = log.clean_hello(read)
    assert not [secret for secret in (*secrets, "short") if secret in repr(shown) + repr(shown.raw)]
    assert shown.raw["snapshot"]["fine"] == "text"
    assert (shown.methods, shown.events) == (("health", "is [secret] there"), ("tick", "[secret]"))
    assert (shown.server_version, shown.max_payload) == ("[secret] and more", 5)
    assert shown.device_token == Secret("token-of-1")
    assert hello_secrets("no object") == []


@pytest.mark.parametrize(("largest", "kept"), [(1, 1), (5000, 5000), (0, 25), (-1, 25), ("1", 25), (None, 25)])
def test_the_largest_frame(largest: object, kept: int) -> None:
    """The gateway says how large a frame it takes; what is no such number leaves it as it was."""
    hello = read_hello({"protocol": 4, "policy": {"maxPayload": largest}}, max_payload=25)
    assert hello is not None
    assert hello.max_payload == kept
