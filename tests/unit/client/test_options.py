"""Every option is checked before any I/O, and its error names it."""

from __future__ import annotations

import json
import ssl
from dataclasses import replace
from typing import Any

import pytest

from gateway_nb.client.options import portable, resolve, timeout
from gateway_nb.errors import InsecureUrlError
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.protocol.scopes import SCOPES
from gateway_nb.schema.facts import method_facts

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
    ("min_protocol", 3.5),
    ("permissions", {"x": 1}),
    ("permissions", {1: True}),
]
WRONG_VALUES: list[tuple[str, Any]] = [
    ("client_name", "my-notebook"),
    ("mode", "notebook"),
    ("min_protocol", 0),
    ("min_protocol", 5),
    ("max_protocol", 2),
    ("max_protocol", 1001),
    ("request_timeout", 0),
    ("request_timeout", float("nan")),
    ("request_timeout", float("inf")),
    ("connect_challenge_timeout", -1),
    ("connect_challenge_timeout", float("nan")),
    ("tick_watch_min_interval", -0.1),
    ("tls_fingerprint", "abc"),
    ("ca_file", "/no/such/file.pem"),
    ("ca_file", __file__),
    ("role", ""),
    ("role", "admin"),
    ("role", " operator"),
    ("scopes", ["operator.reed"]),
    ("scopes", ["operator.read "]),
    ("scopes", ["x" * 100_000]),
    ("min_protocol", -1),
    ("max_protocol", 0),
    ("commands", []),
    ("commands", ["x"]),
    ("permissions", {}),
    ("path_env", "/bin"),
    ("caps", ["a\nb"]),
    ("client_name", ""),
    ("client_display_name", ""),
    ("client_display_name", "a\nb"),
    ("client_display_name", "\u202etxt"),
    ("client_display_name", "\ud800"),
    ("client_display_name", "x" * 201),
    ("client_version", ""),
    ("platform", "\x1b[2J"),
    ("device_family", ""),
    ("instance_id", ""),
    ("device_identity", ""),
    ("device_identity", "a\0b"),
]
OF_A_NODE: list[tuple[str, Any]] = [
    ("scopes", ["operator.admin"]),
    ("device_identity", None),
    ("permissions", {"": True}),
    ("permissions", {"a\nb": True}),
    ("permissions", {"x" * 201: True}),
    ("commands", [""]),
    ("commands", ["x" * 201]),
    ("path_env", "x" * 100_001),
]
LONGEST: list[tuple[str, Any]] = [
    ("client_display_name", "x" * 200),
    ("permissions", {"x" * 200: True}),
    ("commands", ["x" * 200]),
    ("caps", ["x" * 200]),
    ("path_env", "x" * 100_000),
    ("min_protocol", 4),
    ("max_protocol", 1000),
]
OF_TLS: list[tuple[str, Any]] = [
    ("ssl_context", ssl.create_default_context()),
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


@pytest.mark.parametrize(("name", "value"), OF_A_NODE)
def test_what_a_node_has_not(name: str, value: Any) -> None:
    """An option that a node can't have is a ValueError that names it."""
    with pytest.raises((TypeError, ValueError), match=f"{name} must"):
        resolve(None, options={"role": "node", name: value})


@pytest.mark.parametrize(("name", "value"), LONGEST)
def test_as_long_as_may_be(name: str, value: Any) -> None:
    """Texts of up to 200 characters, a search path of up to 100,000 and the ends of the other ranges are accepted."""
    resolve(None, options={"role": "node", name: value})


@pytest.mark.parametrize(("name", "value"), OF_TLS)
@pytest.mark.parametrize(("url", "pin"), [("ws://127.0.0.1", None), ("wss://127.0.0.1", "ab" * 32)])
def test_what_has_no_effect(name: str, value: Any, url: str, pin: str | None) -> None:
    """Certificate authorities are refused where they would decide nothing: without TLS, and with a pin."""
    with pytest.raises(ValueError, match=f"{name} must be left out"):
        resolve(url, options={name: value, "tls_fingerprint": pin})


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("scopes", ["operator.reed"], r"'operator\.reed'; did you mean 'operator\.read'\?"),
        ("scopes", ["x"], r"there are operator\.admin, operator\.approvals"),
        ("role", "nod", r"did you mean 'node'\?"),
        ("client_name", "cly", r"did you mean 'cli'\?"),
    ],
)
def test_did_you_mean(name: str, value: Any, advice: str) -> None:
    """A name that is nearly one of the gateway's is answered with that one."""
    with pytest.raises(ValueError, match=advice):
        resolve(None, options={name: value})


def test_every_scope_is_allowed() -> None:
    """The scopes of all methods that this package knows may be asked for."""
    of_methods = {method.scope for method in method_facts().methods.values()} - {None, "dynamic", "node"}
    assert of_methods <= set(SCOPES)
    assert resolve(None, options={"scopes": SCOPES}).scopes == SCOPES


def test_a_node() -> None:
    """The role of a node comes with the client, the mode and the scopes that gateways take from nodes."""
    settings = resolve(None, options={"role": "node", "commands": ["x"], "permissions": {"p": True}, "path_env": "/b"})
    assert (settings.client.id, settings.client.mode, settings.scopes) == ("node-host", "node", ())
    assert resolve(None, options={"role": "node", "mode": "test"}).client.mode == "test"


@pytest.mark.parametrize(
    ("python", "node"),
    [
        ("linux", "linux"),
        ("darwin", "darwin"),
        ("win32", "win32"),
        ("cygwin", "cygwin"),
        ("android", "android"),
        ("aix", "aix"),
        ("aix7", "aix"),
        ("freebsd14", "freebsd"),
        ("openbsd7", "openbsd"),
        ("netbsd10", "netbsd"),
        ("sunos5", "sunos"),
        ("haiku1", "haiku1"),
    ],
)
def test_platforms(python: str, node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform is called as Node calls it, since that is what gateways know and pin."""
    monkeypatch.setattr("sys.platform", python)
    assert resolve(None, options={"device_identity": None}).client.platform == node


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
    assert settings.client.display_name == "gateway_nb"
    assert resolve(None, options={"client_display_name": "mine"}).client.display_name == "mine"


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


DEFAULT = "ws://127.0.0.1:18789"


@pytest.mark.parametrize(
    ("own", "url", "sent"),
    [
        (None, None, True),
        (None, DEFAULT, True),
        (None, DEFAULT + "/path?query", True),
        (None, "ws://localhost:18789", False),
        (None, "ws://127.0.0.1:18790", False),
        ("wss://a.example", None, True),
        ("wss://a.example", "wss://A.example:443/x", True),
        ("wss://a.example", "wss://a.example:444", False),
        ("wss://a.example", "wss://b.example", False),
        ("wss://a.example", "wss://a.example.evil", False),
        ("ws://127.0.0.1:443", "wss://127.0.0.1:443", False),
        ("wss://a.example", DEFAULT, False),
        ("malformed", "wss://b.example", False),
        ("ws://10.0.0.1", "wss://10.0.0.1:80", False),
        (" ", DEFAULT, True),
    ],
)
def test_where_the_environments_credentials_go(
    own: str | None, url: str | None, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's token and password go to the environment's URL, or the default one, and nowhere else."""
    if own is not None:
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", own)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "env-token")
    monkeypatch.setenv("OPENCLAW_GATEWAY_PASSWORD", "env-password")
    settings = resolve(url, options={})
    assert (settings.credentials.token is not None) is sent
    assert (settings.credentials.password is not None) is sent
    about = str(settings.of_environment)
    if sent:
        assert about.endswith("from the environment: OPENCLAW_GATEWAY_TOKEN and OPENCLAW_GATEWAY_PASSWORD")
    else:
        assert 'token=os.environ["OPENCLAW_GATEWAY_TOKEN"]' in about
        assert "--token-env OPENCLAW_GATEWAY_TOKEN" in about
    assert "env-token" not in about
    assert resolve(url, password="mine", options={}).of_environment is None


def test_a_url_of_the_environment_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed URL in the environment is refused where it is used, and is in nobody's way elsewhere."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", "nonsense")
    with pytest.raises(InsecureUrlError):
        resolve(None, options={})
    assert resolve(DEFAULT, token="t", options={}).endpoint.port == 18789


@pytest.mark.parametrize("name", ["token", "password", "device_token", "bootstrap_token"])
def test_credentials_that_are_no_text(name: str) -> None:
    """A credential that can't be written in UTF-8 is named, and not shown."""
    with pytest.raises(ValueError, match=f"^{name} must be Unicode text") as caught:
        resolve(None, options={}, **{name: "hush\ud800"})  # type: ignore[arg-type]
    assert "hush" not in str(caught.value)


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
        portable(resolve("wss://h", options={"ssl_context": ssl.create_default_context()}))


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


@pytest.mark.parametrize(
    ("options", "caps"),
    [({}, ("tool-events",)), ({"caps": []}, ()), ({"caps": ["x"]}, ("x",)), ({"role": "node"}, ())],
)
def test_the_default_caps(options: dict[str, Any], caps: tuple[str, ...]) -> None:
    """An operator hears arguments and results of tool calls, unless it says what it can hear; a node does not."""
    assert resolve(None, options=options).client.caps == caps
