"""Many gateways from the cells of a real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import Kernel
from tests.helpers.support import until


@pytest.fixture
def file(local: gnb.LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet's file, of one gateway under two names."""
    monkeypatch.setenv("FLEET_TOKEN", local.token)
    path = tmp_path / "fleet.yaml"
    member = f"url: '{local.url}', token_env: FLEET_TOKEN"
    path.write_text(f"gateways:\n- {{name: prod-north, {member}}}\n- {{name: prod-south, {member}}}\n")
    return path


def test_a_fleet(file: Path, request: pytest.FixtureRequest) -> None:
    """%gateway fleet connects and shows a grid; -c takes a name or a pattern; the extension's end closes all."""
    kernel: Kernel = request.getfixturevalue("kernel")
    shown = kernel.run(f"%load_ext gateway_nb\n%gateway fleet {file}").displays[0]
    assert shown["text/plain"] == "2 gateways: 2 connected"
    assert "<b>prod-north</b>" in shown["text/html"]
    assert kernel.run("import gateway_nb as gnb\nprint(len(fleet), sorted(gnb.connections()))").text == (
        "2 ['prod-north', 'prod-south']\n"
    )
    one = kernel.run("%%gateway health -c prod-north").displays[0]["text/plain"]
    assert "prod-north at ws://" in one
    both = kernel.run("%%gateway sessions.list -c 'prod-*' -o frame --timeout 20\nlimit: 1")
    assert "prod-south" in both.displays[0]["text/plain"]
    assert both.text == ""
    assert (
        kernel.run("print(frame['ok'].all(), ['sessions' in p for p in frame['payload']])").text
        == "True [True, True]\n"
    )
    dry = kernel.run("%gateway call sessions.list -c prod-* --dry-run {}")
    assert dry.text.startswith("would ask 2 connections: prod-north · prod-south\nwould send: ")
    assert kernel.run("%%gateway health -c 'prod-*';").displays == []
    assert kernel.run("%unload_ext gateway_nb\nprint(gnb.connections())").text == "{}\n"


def test_connections_since(file: Path, local: gnb.LocalGateway, request: pytest.FixtureRequest) -> None:
    """A magic that goes on using one connection names three of those that came up since, and counts the others."""
    kernel: Kernel = request.getfixturevalue("kernel")
    kernel.run(
        f"import os, gateway_nb as gnb\n%load_ext gateway_nb\n%gateway connect {local.url} --token-env FLEET_TOKEN"
    )
    kernel.run(f"many = {{f'g{{n}}': {{'url': {local.url!r}, 'token_env': 'FLEET_TOKEN'}} for n in range(5)}}")
    kernel.run("fleet = gnb.fleet(many)")
    lines = kernel.run("%%gateway health;").text.splitlines()
    assert [line.partition(", not to ")[2].split()[0] for line in lines[:3]] == ["g0", "g1", "g2"]
    assert lines[3:] == ["2 more were connected since; %gateway lists them"]
    assert kernel.run("%%gateway health;").text == ""
    assert kernel.run("fleet.close()").status == "ok"


def test_ctrl_c(file: Path, request: pytest.FixtureRequest) -> None:
    """Stopping the cell that asks the agents of a fleet aborts their runs at every gateway."""
    kernel: Kernel = request.getfixturevalue("kernel")
    kernel.run(f"import gateway_nb as gnb\nfleet = gnb.fleet({str(file)!r})")
    running = kernel.start(
        "heard = [gateway.on('chat', lambda event: print('chat')) for gateway in fleet]\nfleet.run('count:1000:20')"
    )
    kernel.wait_for_text(running, "chat")
    kernel.manager.interrupt_kernel()
    outcome = kernel.outcome(running)
    assert "KeyboardInterrupt" in "".join(outcome.error)
    ask = "for each in heard: each.cancel()\nprint(set(fleet.events.runs()['status']))"
    until(lambda: kernel.run(ask).text.endswith("{'aborted'}\n"))
    assert kernel.run("print(len(fleet.events.runs()), fleet.close())").text.endswith("4 None\n")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("%gateway fleet", "CommandError: %gateway fleet needs a file"),
        ("%gateway fleet nowhere.yaml", "BadArgumentError: nowhere.yaml: the fleet's file can't be read"),
        ("%gateway fleet fleet.json", "BadArgumentError: a fleet's file is called *.yaml or *.toml"),
        ("%%gateway health -c 'prod-*'", "GatewayClosedError: no connection's name matches 'prod-*'; there are: none"),
        ("%%gateway health -c '*' --bg", "CommandError: --bg is for one connection"),
    ],
)
def test_errors(shared_kernel: Kernel, code: str, error: str) -> None:
    """An error is one line that says what to do."""
    outcome = shared_kernel.run(code)
    assert outcome.status == "error"
    assert outcome.error[0].startswith(error)
    assert len(outcome.error) == 1
