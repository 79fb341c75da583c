"""Every option is checked before any I/O, and its error names it."""

from __future__ import annotations

import json
import ssl
from dataclasses import replace
from typing import Any

import pytest

from gateway_nb.client.options import portable, resolve, timeout
from gateway_nb.identity.device import DeviceIdentity

WRONG_TYPES: list[tuple[str, Any]] = [
    ("role", 5),
    ("scopes", "operator.read"),
    ("scopes", [5]),
    ("scopes", [""]),
    ("scopes", 5),
    ("caps", b"x"),
    ("commands", "x"),
    ("permissions", ["x"]),
    ("path_env", 5),
    ("client_name", 5),
    ("client_display_name", 5),
    ("client_version", 5),
    ("mode", 5),
    ("platform", 5),
    ("device_family", 5),
    ("instance_id", 5),
    ("device_identity", 5),
    ("min_protocol", "3"),
    ("max_protocol", None),
    ("tls_fingerprint", 5),
    ("ssl_context", "x"),
    ("ca_file", 5),
    ("request_timeout", "30"),
    ("request_timeout", True),
    ("connect_challenge_timeout", "x"),
    ("tick_watch_min_interval", None),
    ("on_event", 5),
    ("on_state", "x"),
    ("no_such_option", 1),
]
WRONG_VALUES: list[tuple[str, Any]] = [
    ("client_name", "my-notebook"),
    ("mode", "notebook"),
    ("min_protocol", 0),
    ("min_protocol", 5),
    ("max_protocol", 2),
    ("request_timeout", 0),
    ("request_timeout", float("nan")),
    ("request_timeout", float("inf")),
    ("connect_challenge_timeout", -1),
    ("connect_challenge_timeout", float("nan")),
    ("tick_watch_min_interval", -0.1),
    ("tls_fingerprint", "abc"),
    ("ca_file", "/no/such/file.pem"),
    ("ca_file", __file__),
]


@pytest.mark.parametrize(("name", "value"), WRONG_TYPES)
def test_wrong_types(name: str, value: Any) -> None:
    """An option of the wrong type is a TypeError that names it."""
    with pytest.raises(TypeError, match=name):
        resolve("wss://127.0.0.1", options={name: value})


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_wrong_values(name: str, value: Any) -> None:
    """An option out of its range is a ValueError that names it."""
    with pytest.raises(ValueError, match=name):
        resolve("wss://127.0.0.1", options={name: value})


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("connect_challenge_timeout", 0, 0.25),
        ("connect_challenge_timeout", 99, 15.0),
        ("connect_challenge_timeout", 2, 2.0),
        ("tick_watch_min_interval", 0, 0.001),
        ("tick_watch_min_interval", 99.0, 30.0),
    ],
)
def test_clamps(name: str, given: float, kept: float) -> None:
    """Intervals are clamped as the seed clamps them."""
    assert getattr(resolve(None, options={name: given}), name) == kept


def test_defaults() -> None:
    """Without options the seed's defaults hold."""
    settings = resolve(None, options={})
    assert settings.endpoint.url == "ws://127.0.0.1:18789"
    assert (settings.client.id, settings.client.mode, settings.client.role) == ("gateway-client", "backend", "operator")
    assert (settings.client.min_protocol, settings.client.max_protocol) == (3, 4)
    assert (settings.request_timeout, settings.connect_challenge_timeout) == (30.0, 15.0)
    assert settings.scopes is None
    assert settings.device_identity == "auto"


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment fills in what was left out; any explicit credential keeps its credentials out."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", "ws://localhost:7")
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "env-token")
    monkeypatch.setenv("OPENCLAW_GATEWAY_PASSWORD", "env-password")
    settings = resolve(None, options={})
    assert settings.endpoint.port == 7
    assert settings.credentials.token is not None
    assert settings.credentials.token.reveal() == "env-token"
    assert settings.credentials.password is not None
    explicit = resolve("ws://localhost:8", password="mine", options={})
    assert (explicit.endpoint.port, explicit.credentials.token) == (8, None)
    none = resolve(None, token="", options={})
    assert (none.credentials.token, none.credentials.password) == (None, None)
    assert "env-token" not in repr(settings)
    assert "mine" not in repr(explicit)


def test_portable() -> None:
    """Another process connects as the same client: every option that can be written down goes along."""
    options = {
        "client_name": "cli", "mode": "cli", "platform": "win32", "device_family": "x", "scopes": ["operator.read"],
        "request_timeout": 7.0, "tls_fingerprint": "ab" * 32, "device_identity": None, "caps": ["tool-events"],
    }  # fmt: skip
    settings = resolve("wss://h:1", token="secret-token", options=options)
    handed = json.loads(json.dumps(portable(settings)))
    again = resolve(handed.pop("url"), token=handed.pop("token"), options=handed)
    assert replace(again, callbacks={}) == replace(settings, callbacks={})
    nothing = portable(resolve("ws://127.0.0.1:1", token="", options={"device_identity": None}))
    assert nothing["token"] == ""  # and so what the other process's environment has does not count
    with pytest.raises(ValueError, match="can't be handed to another process"):
        portable(resolve(None, options={"ssl_context": ssl.create_default_context()}))


def test_device_identities() -> None:
    """A device is none, the default one, a path, or an object."""
    identity = DeviceIdentity.generate()
    assert resolve(None, options={"device_identity": identity}).device_identity is identity
    assert resolve(None, options={"device_identity": None}).device_identity is None
    path = resolve(None, options={"device_identity": "~/key.json"}).device_identity
    assert str(path).endswith("key.json")
    assert "~" not in str(path)


@pytest.mark.parametrize(("value", "kept"), [(None, None), (5, 5.0), (0, 0.0), (1e12, 2_147_483.647)])
def test_timeouts(value: float | None, kept: float | None) -> None:
    """Timeouts are seconds, clamped to what a timer can hold; None is none."""
    assert timeout(value) == kept


@pytest.mark.parametrize(
    ("value", "kind"), [("5", TypeError), (True, TypeError), (-1, ValueError), (float("inf"), ValueError)]
)
def test_bad_timeouts(value: Any, kind: type[Exception]) -> None:
    """A timeout that is none is refused by name."""
    with pytest.raises(kind, match="timeout"):
        timeout(value)
