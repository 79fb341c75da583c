"""What a fleet may be made of, and what is refused before anything is sent."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.fleets.config import Member, read_members

URL = "ws://127.0.0.1:9"
PIN = "ab" * 32
NORTH = {"name": "north", "url": URL, "token_env": "NORTH_TOKEN", "labels": {"region": "eu", "zone": 1}}
SOUTH = {"name": "south", "url": "wss://gateway.example", "password_env": "SOUTH_PASSWORD", "tls_fingerprint": PIN}
MEMBERS = (
    Member("north", URL, "NORTH_TOKEN", labels={"region": "eu", "zone": "1"}),
    Member("south", "wss://gateway.example", password_env="SOUTH_PASSWORD", tls_fingerprint=PIN),
)

YAML = f"""
gateways:
  - {{name: north, url: "{URL}", token_env: NORTH_TOKEN, labels: {{region: eu, zone: 1}}}}
  - name: south
    url: wss://gateway.example
    password_env: SOUTH_PASSWORD
    tls_fingerprint: {PIN}
"""
BY_NAME = f"""
gateways:
  north: {{url: "{URL}", token_env: NORTH_TOKEN, labels: {{region: eu, zone: 1}}}}
  south: {{url: "wss://gateway.example", password_env: SOUTH_PASSWORD, tls_fingerprint: {PIN}}}
"""
TOML = f"""
[[gateways]]
name = "north"
url = "{URL}"
token_env = "NORTH_TOKEN"
labels = {{ region = "eu", zone = 1 }}
[[gateways]]
name = "south"
url = "wss://gateway.example"
password_env = "SOUTH_PASSWORD"
tls_fingerprint = "{PIN}"
"""


def nameless(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "name"}


@pytest.mark.parametrize(
    "config",
    [
        [NORTH, SOUTH],
        {"north": nameless(NORTH), "south": nameless(SOUTH)},
        {"gateways": [NORTH, SOUTH]},
        pd.DataFrame([NORTH, SOUTH]),
        pd.json_normalize([NORTH, SOUTH]),
        MEMBERS,
        iter(MEMBERS),
    ],
)
def test_what_a_fleet_is_made_of(config: Any) -> None:
    """A list, a dict, a DataFrame and members themselves mean the same."""
    assert read_members(config) == MEMBERS


@pytest.mark.parametrize(("name", "text"), [("a.yaml", YAML), ("a.yml", YAML), ("b.yaml", BY_NAME), ("a.toml", TOML)])
def test_files(name: str, text: str, tmp_path: Path) -> None:
    """A YAML and a TOML file mean the same, by a path or its text."""
    path = tmp_path / name
    path.write_text(text)
    assert read_members(path) == read_members(str(path)) == MEMBERS


def test_labels_of_a_frame_that_lacks_some() -> None:
    """A column of integers with holes has floats; their digits are the labels' text all the same."""
    frame = pd.DataFrame({"name": ["a", "b"], "url": [URL, URL], "labels.tenant": [12_345_678, None]})
    assert [member.labels for member in read_members(frame)] == [{"tenant": "12345678"}, {}]


def test_urls_alone() -> None:
    """A dict of URLs by name is enough for gateways without secrets."""
    assert read_members({"north": URL, "gateways": URL}) == (Member("north", URL), Member("gateways", URL))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "at least one gateway"),
        ({}, "at least one gateway"),
        ({"gateways": []}, "at least one gateway"),
        (7, "not a int"),
        (b"fleet.yaml", "not a bytes"),
        (URL, "gnb.connect"),
        ("fleet.json", "called *.yaml or *.toml, not 'fleet.json'"),
        ("/nowhere/fleet.yaml", "can't be read"),
        ([URL], "gateway 1 must be {'name'"),
        ([{"url": URL}], "gateway 1 has no name"),
        ([{"name": "a/b", "url": URL}], "gateway 1 can't be called 'a/b'"),
        ([{"name": "prod-*", "url": URL}], "can't be called"),
        ([{"name": "a" * 65, "url": URL}], "can't be called"),
        ([{"name": "a"}], "gateway 'a' needs a url"),
        ({"a": 7}, "gateway 'a' needs a url"),
        ({"a": {"name": "a", "url": URL}}, "leave out 'name'"),
        ([NORTH, NORTH], "two gateways are called 'north'"),
        ([{**NORTH, "lables": {}}], "unknown key 'lables'; did you mean 'labels'?"),
        ([{**NORTH, "zzz": {}}], "there are name, url"),
        ({"gateways": [NORTH], "defaults": {}}, "unknown key 'defaults' beside 'gateways'"),
        (
            [{**NORTH, "token": "s3cret"}],
            "put it into an environment variable, and the variable's name here: token_env",
        ),
        ([{**NORTH, "password": "s3cret"}], "password_env: NORTH_PASSWORD"),
        ([{**NORTH, "bootstrapToken": "s3cret"}], "'bootstrapToken' is a secret"),
        ([{**NORTH, "url": "ws://127.0.0.1:9?token=s3cret"}], "its url holds a secret"),
        ([{**NORTH, "url": "ws://me:s3cret@127.0.0.1:9"}], "it holds a user name"),
        ([{**NORTH, "labels": {"api_key": "s3cret"}}], "label 'api_key' looks like a secret"),
        ([{**NORTH, "token_env": "s3cret-s3cret"}], "must be the name of an environment variable"),
        ([{**NORTH, "token_env": "s3cret"}], "must be the name of an environment variable"),
        ([{**NORTH, "url": "ws://gateway.example"}], "gateway 'north': "),
        ([{**NORTH, "tls_fingerprint": 7}], "64 hex digits"),
        ([{**NORTH, "tls_fingerprint": PIN}], "needs a wss:// URL"),
        ([{**NORTH, "labels": ["eu"]}], "labels must be a mapping"),
        ([{**NORTH, "labels": {"live": True}}], "label 'live' must be a text"),
        (pd.DataFrame([{"name": "a", "address": URL}]), "no column 'url', but 'name', 'address'"),
        (pd.DataFrame([{"name": "a", "url": None}]), "gateway 'a' needs a url"),
        (pd.DataFrame([{"name": "a", "url": URL, "labels": "eu"}]), "gateway 'a': labels must be a mapping"),
        (pd.DataFrame([{"name": "a", "url": URL, "labels": ["eu"]}]), "gateway 'a': labels must be a mapping"),
        (pd.DataFrame([{"name": "a", "url": URL, "labels.load": 0.5}]), "gateway 'a': the label 'load' must be a text"),
    ],
)
def test_what_is_refused(config: Any, message: str) -> None:
    """A configuration that is wrong is refused in one line that says which gateway, and what to write instead."""
    with pytest.raises(gnb.GatewayError) as caught:
        read_members(config)
    assert message in str(caught.value)
    assert "s3cret" not in f"{caught.value!r}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "gateways: [", "a.yaml: not valid YAML"),
        ("a.yaml", "gateways: []\ngateways: []", "a.yaml: not valid YAML"),
        ("a.yaml", "", "a.yaml: a fleet's file has the key 'gateways'"),
        ("a.yaml", "- name: a", "a.yaml: a fleet's file has the key 'gateways'"),
        ("a.yaml", "gateways: 7", "a.yaml: 'gateways' must be a list"),
        ("a.yaml", "gateways: !!python/object:os.system []", "a.yaml: not valid YAML"),
        ("a.yaml", "gateways:\n - {name: a, token: s3cret}", "a.yaml: gateway 'a': 'token' is a secret"),
        (
            "a.yaml",
            "gateways:\n - {name: a, token: s3cret, token: s3cret2}",
            "a.yaml: not valid YAML: found duplicate key …",
        ),
        ("a.yaml", "gateways:\n - {name: a, token: *s3cret }", "a.yaml: not valid YAML: found undefined alias …"),
        ("a.yaml", "gateways:\n - {name: a, token: !!int s3cret }", "a.yaml: it can't be read: invalid literal"),
        ("a.yaml", "gateways:\n - {name: a, labels: {since: 2026-99-99}}", "a.yaml: it can't be read: month must be"),
        ("a.yaml", "gateways: " + "[" * 1000, "a.yaml: it can't be read: it is too deeply nested"),
        ("a.toml", "gateways = " + "[" * 1000, "a.toml: it can't be read: it is too deeply nested"),
        ("a.toml", "gateways = [", "a.toml: not valid TOML"),
        ("a.toml", "x = 1", "a.toml: a fleet's file has the key 'gateways'"),
    ],
)
def test_files_that_are_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    """A file that is wrong is refused in one line with its name."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(gnb.BadArgumentError) as caught:
        read_members(path)
    assert str(caught.value).startswith(message)
    assert "s3cret" not in f"{caught.value!r}"


def test_secrets_are_read_when_they_are_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A member names the variables of its secrets, or of files with them, and never holds one."""
    north, south = MEMBERS
    monkeypatch.setenv("NORTH_TOKEN", "s3cret")
    (tmp_path / "password").write_text("s3cret\n")
    monkeypatch.setenv("SOUTH_PASSWORD_FILE", str(tmp_path / "password"))
    assert north.arguments() == {"token": "s3cret"}
    assert south.arguments() == {"password": "s3cret", "tls_fingerprint": PIN}
    assert b"s3cret" not in pickle.dumps(MEMBERS)
    assert "s3cret" not in repr(MEMBERS)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "no variable NORTH_TOKEN"),
        ({"NORTH_TOKEN": " "}, "no variable NORTH_TOKEN, or it is empty"),
        ({"NORTH_TOKEN_FILE": "/nowhere"}, "the file that NORTH_TOKEN_FILE names can't be read"),
        ({"NORTH_TOKEN_FILE": "/dev/null"}, "the file that NORTH_TOKEN_FILE names is empty"),
    ],
)
def test_secrets_that_are_not_there(variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set, and a file that is not there, are named with their gateway."""
    monkeypatch.delenv("NORTH_TOKEN", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(gnb.BadArgumentError, match=f"gateway 'north': .*{message}"):
        MEMBERS[0].arguments()
