"""The command line, in processes of its own."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.command import COMMAND, run
from tests.helpers.support import until


def test_demo() -> None:
    """The demo prints figures for machines: a thousand events and more, no gaps; and saves them."""
    done = run("demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert figures["events"] >= 1000
    assert (figures["gaps"], figures["missed"], figures["run"]) == (0, 0, "1 2 3 4 5")
    assert gnb.load(figures["saved"]).stats.events["talk.mode"] == 1000


def test_what_to_type_next() -> None:
    """The demo ends with three lines that connect and show something, and they are code."""
    *_, heading, first, second, third = run("demo").stdout.splitlines()
    assert heading == "next, in a notebook (gateway-nb lab opens some):"
    lines = [line.strip() for line in (first, second, third)]
    assert lines == ["import gateway_nb as gnb", "gw = gnb.playground()", "gw.table()"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["demo", "--url", "ws://127.0.0.1:1"], 1, "gateway-nb: nothing listens on ws://127.0.0.1:1"),
        (["demo", "--url", "ws://10.0.0.1"], 1, "gateway-nb: refused plain ws://"),
        (["demo", "--agent"], 2, "--agent goes with --url"),
        (["demo", "--token-env", "NO_SUCH", "--url", "ws://127.0.0.1:1"], 2, "no such variable"),
        (["call", "bad!name"], 1, "is not the name of a method"),
        (["capture", "ws://127.0.0.1:1", "-o", "x.jsonl", "--duration", "soon"], 2, "like 90s, 30m or 1h"),
        (["replay", "no-such-file"], 1, "there is no capture"),
        (["tools", "math:sqrt"], 2, "Missing option '--sessions'"),
        (["tools", "math:sqrt", "--sessions", "own"], 2, "this command starts no runs, so nobody could call"),
        (["tools", "no_such_module", "--sessions", "*"], 2, "'no_such_module' can't be imported from here"),
        (["tools", "", "--sessions", "*"], 2, "'' can't be imported from here: Empty module name"),
        (["tools", "textwrap:dedend", "--sessions", "*"], 2, "textwrap has no function 'dedend'; did you mean dedent?"),
        (["tools", "textwrap:dedent", "--sessions", "*"], 2, "tool 'dedent': parameter 'text' has no type hint"),
        (["tools", "gateway_nb.errors:printable", "--sessions", ""], 2, "must be a list of patterns such as"),
        (["tools", "tests", "--sessions", "*"], 2, "tests has no public function of its own"),
        (["frobnicate"], 2, "No such command"),
        (["schema", "show", "sesions.list"], 1, "the table of methods has no sesions.list; did you mean sessions.list"),
    ],
)
def test_errors(arguments: list[str], code: int, text: str) -> None:
    """Mistakes are one line on stderr with an exit code, never a traceback."""
    done = run(*arguments)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_call(local: gnb.LocalGateway) -> None:
    """A method is called with params, and its answer printed as JSON."""
    done = run("call", "sessions.list", '{"limit": 2}', "--url", local.url, "--token-env", "T", T=local.token)
    assert json.loads(done.stdout)["limitApplied"] == 2


def test_call_for_a_table(local: gnb.LocalGateway) -> None:
    """A part of an answer is printed, as JSON or as a table; what is no table is one line."""
    at = ("--url", local.url, "--token-env", "T")
    assert json.loads(run("call", "health", "--path", "/ok", *at, T=local.token).stdout) is True
    run("call", "sessions.create", '{"label": "one"}', *at, T=local.token)
    table = run("call", "sessions.list", "--path", "/sessions", "-f", "df", *at, T=local.token).stdout
    assert "key" in table.splitlines()[0]
    assert "one" in table.splitlines()[1]
    refused = run("call", "health", "-f", "df", "--path", "/ok", *at, T=local.token)
    assert (refused.returncode, "is not one list of objects; --path /NAME" in refused.stderr) == (2, True)
    missing = run("call", "health", "--path", "/okk", *at, T=local.token)
    assert (missing.returncode, "did you mean /ok?" in missing.stderr) == (1, True)


def test_call_without_secrets(local: gnb.LocalGateway) -> None:
    """An answer that repeats the connection's token is printed without it."""
    params = json.dumps({"enabled": True, "phase": f"is {local.token} it"})
    done = run("call", "talk.mode", params, "--url", local.url, "--token-env", "T", T=local.token)
    assert json.loads(done.stdout)["phase"] == "is [secret] it"


@pytest.mark.parametrize("text", ["costs $HOME", "${1 + 1}", "$$"])
def test_call_sends_what_stands_there(local: gnb.LocalGateway, text: str) -> None:
    """What looks like a reference is only text in a shell: nothing is evaluated, nothing is replaced."""
    params = json.dumps({"enabled": True, "phase": text})
    done = run("call", "talk.mode", params, "--url", local.url, "--token-env", "T", T=local.token)
    assert json.loads(done.stdout)["phase"] == text


def test_version() -> None:
    """The version is the package's."""
    assert run("--version").stdout.strip().endswith(gnb.__version__)


@pytest.mark.parametrize("arguments", [(), ("--port", "PORT")])
def test_serve(arguments: tuple[str, ...]) -> None:
    """A served gateway says where it is and how to get the token, in lines for a shell, too, and ends on SIGTERM."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    chosen = [argument.replace("PORT", str(port)) for argument in arguments]
    command = [*COMMAND, "serve", "--show-token", *chosen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        url, token = lines[0].split()[1], lines[1].split()[1]
        assert lines[4:] == [f"export OPENCLAW_GATEWAY_URL={url}\n", f"export OPENCLAW_GATEWAY_TOKEN={token}\n"]
        assert not arguments or url == f"ws://127.0.0.1:{port}"
        with gnb.connect(url, token=token) as gw:
            assert gw.request("health")["ok"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_port_that_is_taken(local: gnb.LocalGateway) -> None:
    """A port that another program uses is refused in one line, with what to do."""
    done = run("serve", "--port", local.url.rpartition(":")[2])
    assert done.returncode == 1
    assert "can't be used: Address already in use; choose another, or leave --port out" in done.stderr


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_capture(local: gnb.LocalGateway, tmp_path: Path, end: signal.Signals) -> None:
    """A capture of its own process survives a restart of the gateway, and ends cleanly on a signal."""
    path = tmp_path / "run.jsonl"
    command = [*COMMAND, "capture", local.url, "-o", str(path), "--events", "x*", "--token-env", "T"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "T": local.token}) as process:
        assert process.stderr is not None
        assert "capturing" in process.stderr.readline()
        local.emit("x1", 1)
        local.emit("y", 1)
        local.restart()
        until(lambda: local.peers)
        local.emit("x2", 2)
        until(lambda: path.exists() and b'"x2"' in path.read_bytes())
        process.send_signal(end)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0
    assert "2 events" in said
    frame = gnb.load(path).df
    assert list(frame["event"].dropna()) == ["x1", "x2"]
    kinds = [kind for kind, _ in itertools.groupby(frame["kind"])]  # it may reconnect twice
    assert kinds == ["start", "event", "reconnect", "event", "stop"]


def test_capture_for_a_while(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A capture ends by itself after its duration."""
    path = str(tmp_path / "run.jsonl")
    done = run("capture", local.url, "-o", path, "--duration", "0.5s", "--token-env", "T", T=local.token)
    assert done.returncode == 0
    again = run("capture", local.url, "-o", path, "--token-env", "T", T=local.token)
    assert again.returncode == 1
    assert "exists; choose another name, or pass --append" in again.stderr


def test_replay(tmp_path: Path) -> None:
    """A recording is served as a gateway."""
    path = tmp_path / "run.jsonl"
    path.write_text('{"t":1.0,"epoch":1,"event":"x","seq":1,"payload":{"n":1}}\n')
    with subprocess.Popen(
        [*COMMAND, "replay", str(path), "--speed", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url, token = (process.stdout.readline().split()[1] for _ in range(2))
        with gnb.connect(url, token=token) as gw:
            until(lambda: gw.events.stats.events)
            assert list(gw.events.payloads()) == [{"n": 1}]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_replay_backwards(tmp_path: Path) -> None:
    """A speed that is none is wrong usage, and said in a line."""
    path = tmp_path / "run.jsonl"
    path.write_text('{"t":1.0,"epoch":1,"event":"x","payload":1}\n')
    ended = subprocess.run([*COMMAND, "replay", str(path), "--speed", "-1"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


MODULE = '''
import gateway_nb as gnb
from textwrap import dedent

def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b

def where() -> str:
    """Say in which folder this runs."""
    gnb.tools.progress("looking")
    return __file__

def _private() -> None: ...
'''


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_tools(local: gnb.LocalGateway, tmp_path: Path, end: signal.Signals) -> None:
    """The public functions of a module are offered to the sessions that are named, until a signal."""
    (tmp_path / "sums.py").write_text(MODULE)
    command = [*COMMAND, "tools", "sums", "--sessions", "agent:main:sums*", "--approve", "--url", local.url]
    surroundings = {**os.environ, "MY_TOKEN": local.token}
    with (
        subprocess.Popen(
            [*command, "--token-env", "MY_TOKEN"], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=surroundings
        ) as process,
        gnb.connect(local.url, token=local.token) as gw,
    ):
        assert process.stderr is not None
        assert process.stderr.readline() == f"offering add, where at {local.url}; Ctrl-C ends it\n"
        assert process.stderr.readline() == "agents can call them\n"
        call = 'tool:add:{"a": 41}'
        assert gw.run(call, session="agent:main:sums-1").result().text == "42"
        assert gw.run("tool:where:{}", session="agent:main:sums-2").result().text == str(tmp_path / "sums.py")
        assert gw.run(call, session="agent:main:other").result().text == "add is not offered to this session"
        process.send_signal(end)
        assert process.stderr.read() == "3 calls\n"
        assert process.wait(20) == 0
        until(lambda: "not found" in gw.run(call, session="agent:main:sums-1").result().text)


def test_tools_that_wait_for_the_owner(local: gnb.LocalGateway) -> None:
    """Until the gateway's owner allows it the command says what to do, and then that it is done."""
    command = [*COMMAND, "tools", "gateway_nb.errors:printable", "--sessions", "*", "--url", local.url]
    with (
        subprocess.Popen(
            [*command, "--token-env", "MY_TOKEN"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MY_TOKEN": local.token},
        ) as process,
        gnb.connect(local.url, token=local.token) as gw,
    ):
        assert process.stderr is not None
        process.stderr.readline()
        advice = process.stderr.readline()
        assert "run this with --approve, or on the gateway's host: openclaw nodes approve" in advice
        (pending,) = gw.request("node.pair.list")["pending"]
        gw.request("node.pair.approve", {"requestId": pending["requestId"]})
        assert process.stderr.readline() == "agents can call them\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "0 calls\n"
