"""The magics in a real kernel: what cells show, keep, stream, leave running and complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import gateway_nb as gnb
from tests.helpers.kernel import FOLDERS, Kernel, Outcome
from tests.helpers.support import until


@pytest.fixture(scope="module")
def shared_local() -> Iterator[gnb.LocalGateway]:
    """The gateway of `shared`."""
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def shared(shared_local: gnb.LocalGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel like `connected`, for tests that leave nothing behind that another one sees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENCLAW_GATEWAY_URL", shared_local.url)
        patch.setenv("OPENCLAW_GATEWAY_TOKEN", shared_local.token)
        for name in FOLDERS:
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        kernel = Kernel(KernelManager(kernel_name="python3"))
    connect(kernel)
    yield kernel
    kernel.stop()


@pytest.fixture
def connected(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Kernel:
    """A kernel with the magics loaded, connected to the embedded gateway, with two sessions in it."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    kernel: Kernel = request.getfixturevalue("kernel")
    connect(kernel)
    return kernel


def connect(kernel: Kernel) -> None:
    assert kernel.run("%load_ext gateway_nb\n%gateway connect").status == "ok"
    for label in ("one", "two"):
        assert kernel.run(f"%%gateway sessions.create\nlabel: {label}").status == "ok"


def shown(kernel: Kernel, code: str) -> dict[str, Any]:
    """What the last display of a cell shows."""
    outcome = kernel.run(code)
    assert outcome.status == "ok", outcome.error
    return outcome.displays[-1]


def test_results(connected: Kernel) -> None:
    """A list of objects is a table with times in UTC; other answers are a tree; -o keeps the whole."""
    table = shown(connected, "%%gateway sessions.list -o answer")
    assert "<table" in table["text/html"]
    caption = r"sessions\.list · 2 rows of /sessions · default at ws://127\.0\.0\.1:\d+ · \d+ ms\n"
    assert re.match(caption, table["text/plain"])
    health = shown(connected, "%%gateway health")
    assert re.search(r"health · (\d rows? of /\w+ · )?default at ws://", health["text/html"])
    assert "<details" in health["text/html"]
    assert connected.run("print(type(answer).__name__, len(answer['sessions']))").text == "dict 2\n"
    connected.run("%%gateway sessions.list -o frame -f df --path /sessions\nlimit: 1")
    said = connected.run("print(type(frame).__name__, len(frame), frame['updatedAt'].dtype, frame['key'].dtype)").text
    assert said == "DataFrame 1 datetime64[ms, UTC] string\n"


def test_formats(connected: Kernel) -> None:
    """-f json lets the front end show JSON, -f raw gives the plain value, a ; or --quiet shows nothing."""
    assert shown(connected, "%%gateway sessions.list -f json")["application/json"]["count"] == 2
    raw = shown(connected, "%%gateway sessions.list -f raw --path /count")
    assert raw["text/plain"] == "2"
    assert connected.run("%%gateway health;").displays == []
    assert connected.run("%%gateway health --quiet").displays == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("%%gateway sesions.list\n", ["did you mean sessions.list"]),
        ("%%gateway sessions.list\nlimit: $lmit", ["not defined: lmit", "    limit: $lmit", "           ^"]),
        ("%%gateway sessions.list\nlimit: 'five'", ["at /limit: must be integer", "    limit: 'five'", "           ^"]),
        ("%%gateway sessions.list\na: b: c", ["the body is not valid YAML", "    a: b: c", "        ^"]),
        ("%%gateway sessions.list --path /nothing", ["the answer has no /nothing; at its top there is "]),
        ("%%gateway sessions.list -f df --path /count", ["the answer is not one list of objects"]),
        ("%gateway result", ["there is no such call in the background"]),
        ("%gateway describe sesions.list", ["the table of methods has no sesions.list; did you mean sessions.list"]),
        ("%gateway disconnect other", ["takes no words; a connection is named with -c other"]),
        ("%gateway conect", ["did you mean connect?"]),
        (
            "%%gateway sessions.list\nlimit: [1, 2",
            ["CommandError: the body is not valid YAML: [ is not closed", "", ""],
        ),
        ("%%gateway sessions.list\nlimit: $nope", ["CommandError: not defined: nope; write $$ for", "", ""]),
        ("%gateway capture start", ["needs a file"]),
        ("%gateway capture start agent chat", ["before the events: %gateway capture start run.jsonl agent chat"]),
        ("%gateway capture start talk.*", ["start run.jsonl talk.*"]),
        ("%%gateway health -c other", ["there is no connection 'other'; run: %gateway connect -c other"]),
    ],
)
def test_errors(shared: Kernel, code: str, lines: list[str]) -> None:
    """An error is one line that says what to do, and shows the place in the cell if there is one."""
    shared.run("limit = 5")
    outcome = shared.run(code)
    assert outcome.status == "error"
    assert len(outcome.error) == len(lines)
    assert all(line in said for line, said in zip(lines, outcome.error, strict=True))


def test_a_missing_scope(connected: Kernel) -> None:
    """A call that the connection may not make names the scope, and how to ask for it."""
    connected.run("%gateway connect -c reader --scopes operator.read")
    outcome = connected.run("%%gateway agent -c reader\nmessage: hello")
    assert outcome.error[0].startswith("MissingScopeError: agent: missing scope: operator.write")
    assert "connect with scopes=[..., 'operator.write']" in outcome.error[0]


def test_binding(connected: Kernel) -> None:
    """Python values go into the body with their types; IPython's own $-expansion keeps out."""
    connected.run("n = 1\nlabel = 'the \"third\", {x}'")
    connected.run('%%gateway sessions.create\n{"label": "$label"}')
    assert connected.run('%%gateway sessions.list -o found\nlimit: ${n + 9}\nsearch: "third"').status == "ok"
    assert connected.run("print(found['sessions'][0]['label'], found['limitApplied'])").text == 'the "third", {x} 10\n'


def test_a_dry_run(shared: Kernel, shared_local: gnb.LocalGateway) -> None:
    """--dry-run shows the frame without secrets, the scope, and what looks wrong, and sends nothing."""
    shared.run(f"secret = {shared_local.token!r}")
    before = shared.run("print(gw.status.counters.frames)").text
    said = shared.run("%%gateway sessions.list --dry-run\nlimti: 5\nsearch: $secret\npassword: hunter2").text
    assert shared.run("print(gw.status.counters.frames)").text == before
    assert '"method":"sessions.list","params":{"limti":5,"search":"[secret]","password":"[secret]"}' in said
    assert "scope: needs operator.read, granted" in said
    assert "looks wrong: /limti is not a param of sessions.list; did you mean limit?" in said
    assert said.count("/limti") == 1


@pytest.mark.parametrize(
    "cell",
    [
        "%%gateway sessions.list -o found",
        "%%gateway sessions.list -o found -f json",
        "%%gateway sessions.list -o found -f raw",
        "%%gateway sessions.list -o found --path /sessions",
        "%%gateway agent --final -o found\nmessage: echo:$secret\nsessionKey: agent:main:main",
        "%gateway call sessions.list -o found",
    ],
)
def test_secrets_in_answers(shared: Kernel, shared_local: gnb.LocalGateway, cell: str) -> None:
    """What a cell shows of an answer or a run holds no secret; what -o keeps is the gateway's word."""
    shared.run(f"secret = {shared_local.token!r}")
    shared.run('%%gateway sessions.create --quiet\n{"label": "is $secret it"}')
    outcome = shared.run(cell)
    assert outcome.status == "ok"
    assert shared_local.token not in outcome.everything
    assert "[secret]" in outcome.everything
    assert shared.run("import json; print(secret in json.dumps(found)); del found").text == "True\n"


def test_secrets_in_errors(shared: Kernel, shared_local: gnb.LocalGateway) -> None:
    """What a cell shows of an error holds no secret, though the gateway or the place in the body repeats it."""
    shared.run(f"secret = {shared_local.token!r}")
    outcome = shared.run("%%gateway sessions.create\nagentId: $secret")
    assert outcome.status == "error"
    assert shared_local.token not in outcome.everything
    assert "[secret]" in outcome.everything


def test_secrets_in_answers_in_the_background(connected: Kernel, local: gnb.LocalGateway) -> None:
    """What is shown of a call in the background holds no secret, neither while it runs nor at its end."""
    connected.run(f"secret = {local.token!r}")
    connected.run('%%gateway sessions.create --quiet\n{"label": "is $secret it"}')
    assert local.token not in connected.run("%%gateway sessions.list -o found --bg").everything
    outcome = connected.run("%gateway result")
    assert local.token not in outcome.everything
    assert "[secret]" in outcome.everything


def test_a_run(shared: Kernel) -> None:
    """--final shows one display that grows with the answer, at ten steps a second at most, and keeps the end."""
    outcome = shared.run("%%gateway agent --final -o answer\nmessage: count:20:100\nsessionKey: agent:main:main")
    assert outcome.status == "ok"
    texts = [display["text/plain"] for display in outcome.displays]
    assert len(set(texts)) > 3
    assert len(texts) <= 10 * 2.0 * 1.5 + 2
    assert texts[-1].startswith(" ".join(map(str, range(1, 21))) + "\nagent · ok · ")
    assert shared.run("print(answer['status'])").text == "ok\n"


def test_a_run_behind_a_slow_handler(connected: Kernel) -> None:
    """What a run has said and used is shown whole, though its last events are heard after its answer."""
    connected.run("import time\nslow = gw.on('chat', lambda event: time.sleep(0.01))")
    outcome = connected.run("%%gateway agent --final\nmessage: count:20\nsessionKey: agent:main:main")
    text = outcome.displays[-1]["text/plain"]
    assert text.startswith(" ".join(map(str, range(1, 21))) + "\n")
    assert text.endswith(" · 20 output tokens")


def test_stopping_a_run(shared: Kernel, shared_local: gnb.LocalGateway) -> None:
    """Stop aborts the run in the gateway, says so, and leaves what came so far."""
    cell = shared.start("%%gateway agent --final\nmessage: count:1000:50\nsessionKey: agent:main:main")
    until(lambda: shared_local.methods.agents.active("agent:main:main"))
    shared.manager.interrupt_kernel()
    outcome = shared.outcome(cell)
    assert "KeyboardInterrupt" in outcome.error[-1]
    assert "agent: the gateway aborted the run" in outcome.error[-1]
    assert not shared_local.methods.agents.active("agent:main:main")


def test_slow_work_shows_the_time(shared: Kernel) -> None:
    """After a second the cell says how long it takes; nothing of that stays."""
    outcome = shared.run('%%gateway agent.wait\n{"runId": "nobody", "timeoutMs": 2500}')
    assert any(re.match(r"agent\.wait … [12] s", display["text/plain"]) for display in outcome.displays[:-1])
    assert "…" not in outcome.displays[-1]["text/plain"].splitlines()[0]


def told_of(number: int, outcome: Outcome) -> list[str]:
    """What a cell showed of one call; the end of an earlier one may be told while it runs."""
    texts = [display["text/plain"] for display in outcome.displays]
    return [text for text in texts if f"%gateway result {number} shows" in text]


def test_in_the_background(connected: Kernel) -> None:
    """--bg returns at once with a display that follows the call; %gateway result shows the answer, await gives it."""
    outcome = connected.run("%%gateway agent --final --bg -o work\nmessage: count:3:50\nsessionKey: agent:main:main")
    assert outcome.status == "ok"
    assert "agent · running" in outcome.displays[0]["text/plain"]
    answer = connected.run("%gateway result")
    assert answer.displays[-1]["text/plain"].startswith("1 2 3\nagent · ok")
    assert connected.run("print(work.state, (await work)['status'], work.done())").text == "ok ok True\n"
    connected.run("%%gateway agent.wait --bg -o waiting\nrunId: nobody\ntimeoutMs: 60000")
    assert connected.run("print(waiting.cancel(), waiting.state)").text == (
        "its answer is no longer waited for cancelled\n"
    )
    shown = connected.run("%%gateway agent.wait --bg\nrunId: nobody\ntimeoutMs: 10")
    assert len(told_of(3, shown)) in (1, 2)  # shown once, and told of its end if that came before the cell's
    quiet = connected.run('silent = %gateway call agent.wait --bg {"runId": "nobody", "timeoutMs": 10}\nprint(1)')
    assert len(told_of(4, quiet)) in (1, 2)
    assert connected.run("print((await _)['status'])").text == "timeout\n"
    assert "kept are: 1, 2, 3, 4" in connected.run("%gateway result 5").error[0]
    connected.run("%%gateway agent --final --bg -o aborted\nmessage: count:1000:50\nsessionKey: agent:main:main")
    connected.run("gw.call.chat.abort(sessionKey='agent:main:main')")
    assert "was aborted" in connected.run("%gateway result").error[0]
    assert connected.run("print(aborted.state)").text == "aborted\n"


def test_a_run_in_the_background(connected: Kernel) -> None:
    """--bg without --final tells of a run that it began and goes on, and cancelling it aborts it."""
    connected.run("%%gateway agent --bg -o begun\nmessage: count:1000:50\nsessionKey: agent:main:main")
    shown = connected.run("answer = await begun; print(begun, answer['runId'])").text
    assert re.match(r"agent · accepted · .* · run (\S+) continues; --final --bg follows it to its end .* \1\n", shown)
    assert connected.run("print(begun.cancel())").text == "the gateway aborted the run\n"


def test_a_run_that_fails(shared: Kernel) -> None:
    """A failed run is the same error in a cell as in Python, one line, and %tb shows the whole traceback."""
    cell = shared.run("%%gateway agent --final\nmessage: fail:400\nsessionKey: agent:main:main")
    python = shared.run("gw.run('fail:400').result()")
    for outcome in (cell, python):
        assert len(outcome.error) == 1
        assert re.match(r"RunFailedError: run \S+ failed: LLM request failed", outcome.error[0])
    whole = shared.run("%tb")
    assert "Traceback (most recent call last)" in whole.everything
    assert "/gateway_nb/" in whole.everything


def test_captures_of_others(connected: Kernel, local: gnb.LocalGateway, tmp_path: Path) -> None:
    """Stop ends what was started here, never what another kernel captures, unless that is named."""
    theirs = tmp_path / "theirs.jsonl"
    connected.run(f"%gateway capture start {tmp_path / 'mine.jsonl'} --detached")
    with gnb.connect(local.url, token=local.token, name="another") as gw:
        other = gw.capture(theirs, detached=True)
    assert str(theirs) in repr(connected.run("%gateway capture").displays)
    assert "mine.jsonl" in repr(connected.run("%gateway capture stop").displays)
    assert f"nothing was started here; %gateway capture stop PATH ends {theirs}" in (
        connected.run("%gateway capture stop").text
    )
    assert other.alive
    connected.run(f"%gateway capture stop {theirs}")
    assert not other.alive


def test_stopping_several_captures(connected: Kernel, tmp_path: Path) -> None:
    """One capture that fails does not leave the others running, neither at stop nor when unloading."""
    for name in ("one", "two"):
        connected.run(f"%gateway capture start {tmp_path / name}.jsonl")
    (tmp_path / "one.jsonl").unlink()
    until(lambda: connected.run("print(len(gw.status.problems))").text == "1\n")
    stopped = connected.run("%gateway capture stop")
    assert "was removed while it was written" in stopped.error[0]
    assert gnb.load(tmp_path / "two.jsonl").df["kind"].iloc[-1] == "stop"
    assert "no captures" in connected.run("%gateway capture").text


def test_the_last_connection_is_meant(connected: Kernel, local: gnb.LocalGateway) -> None:
    """The connection that was made last is the one that magics mean, and when it is closed the default is."""
    connected.run("%gateway connect -c second")
    assert "· second at" not in shown(connected, "%%gateway health -c default")["text/plain"]
    connected.run("%gateway disconnect")
    names = connected.run("import gateway_nb as gnb; print(list(gnb.connections()))").text
    assert names == "['default']\n"
    assert connected.run("%%gateway health").status == "ok"


def test_using_another_connection(connected: Kernel, local: gnb.LocalGateway) -> None:
    """A caption names the connection, %gateway use changes it, and one connected since is pointed out once."""
    connected.run("%gateway connect -c second")
    python = f"import gateway_nb as gnb, os\nthird = gnb.connect({local.url!r}, name='third')"
    assert connected.run(python).status == "ok"
    first, again = connected.run("%%gateway health"), connected.run("%%gateway health")
    assert f"sent to second at {local.url}, not to third at {local.url}, connected since" in first.text
    assert again.text == ""
    assert "· second at ws://" in again.displays[-1]["text/plain"]
    assert "→ third" in shown(connected, "%gateway use third")["text/plain"]
    assert "· third at ws://" in shown(connected, "%%gateway health")["text/plain"]
    connected.run("third.close()")
    assert "the connection third is closed; sent to default at" in connected.run("%%gateway health").text
    assert "or %gateway use NAME with one of default, second" in connected.run("%gateway use third").error[0]


def test_a_fault_is_said_once(shared: Kernel) -> None:
    """What looks wrong in params is printed where the gateway takes them, and is a hint in the error where not."""
    refused = shared.run("%%gateway sessions.list\nlimti: 5")
    assert refused.text == ""
    assert "unexpected property 'limti'" in refused.error[0]
    assert refused.error[0].count("limti") == 1
    assert refused.error[0].count("did you mean limit?") == 1
    assert refused.error[1:] == ["    limti: 5", "           ^"]


def test_what_is_kept_before_it_is_shown(shared: Kernel) -> None:
    """-o has the answer though showing it fails."""
    broken = """
from gateway_nb.notebook.display import result
whole = result.Result._repr_mimebundle_
def fail(self, **_):
    raise RuntimeError("this can't be shown")
result.Result._repr_mimebundle_ = fail
"""
    shared.run(broken)
    shared.run("%%gateway sessions.list -o found_before")
    shared.run("result.Result._repr_mimebundle_ = whole")
    assert shared.run("print('sessions' in found_before); del found_before").text == "True\n"


def test_a_handler_that_fails(shared: Kernel) -> None:
    """A handler's first exception is shown in the notebook, where the user is."""
    cell = """
import threading
came = threading.Event()
def fails(event):
    came.set()
    1 / 0
with gw.on("talk.mode", fails):
    gw.request("talk.mode", {"enabled": False})
    came.wait(10)
    gw.dispatcher.catch_up(10)
"""
    said = shared.run(cell).text
    words = "a handler of 'talk.mode' raised ZeroDivisionError: division by zero (line 5 of fails)"
    assert said == f"gateway_nb: {words}; later ones are counted in .status\n"
    assert words in shared.run("print(gw.status)").text


def test_a_connection_that_is_lost(connected: Kernel, local: gnb.LocalGateway) -> None:
    """Where connecting again fails, the cell says which connection is still there, and the next one uses it."""
    outcome = connected.run("%gateway connect ws://127.0.0.1:1")
    assert "nothing listens on ws://127.0.0.1:1" in outcome.error[0]
    assert outcome.text == f"still connected: default at {local.url}\n"
    assert f"default at {local.url}" in connected.run("%gateway call health").everything


def test_describe(shared: Kernel) -> None:
    """A question mark behind a call, or behind the method as attributes, shows scope and params; nothing is sent."""
    before = shared.run("print(gw.status.counters.frames)").text
    said = shared.run("%gateway call sessions.list?").text
    assert "needs operator.read" in said
    assert "limit: integer" in said
    reply = shared.client.inspect("gw.call.sessions.list", reply=True, timeout=30)
    assert "limit: integer" in reply["content"]["data"]["text/plain"]
    assert shared.run("print(gw.status.counters.frames)").text == before


def test_connections(connected: Kernel, local: gnb.LocalGateway) -> None:
    """Several connections live beside each other; the default is a setting, and every setting says where it is from."""
    connected.run("%gateway connect -c second")
    listed = shown(connected, "%gateway")["text/plain"].splitlines()
    assert [line.split()[:2] for line in listed] == [["default", "connected"], ["→", "second"], ["→", "is"]]
    connected.run("%config GatewayMagics.default_connection = 'second'\n%config GatewayMagics.default_timeout = 7")
    assert "· second at" not in shown(connected, "%%gateway health -c default")["text/plain"]
    connected.run("%gateway disconnect -c default")
    assert connected.run("%%gateway health").status == "ok"
    table = connected.run("%gateway config").text
    assert re.search(r"default_timeout +7\.0 +%config GatewayMagics\.default_timeout", table)
    assert re.search(r"token +set +environment OPENCLAW_GATEWAY_TOKEN", table)
    assert local.token not in table


def test_capture(connected: Kernel, tmp_path: Path) -> None:
    """Captures are started, listed and stopped by magic."""
    path = tmp_path / "run.jsonl"
    connected.run(f"%gateway capture start {path} talk.* --requests")
    connected.run("%%gateway talk.mode\nenabled: true\nphase: kept")
    assert "Capture" in shown(connected, "%gateway capture status")["text/plain"]
    connected.run("%gateway capture stop")
    assert "no captures" in connected.run("%gateway capture").text
    rotating = tmp_path / "rotating.jsonl"
    connected.run(f"%gateway capture start {rotating} --rotate 100MB")
    assert "stopped" in repr(connected.run(f"%gateway capture stop {rotating}").displays)
    assert [payload["phase"] for payload in gnb.load(path).payloads("talk.mode")] == ["kept"]


COMPLETIONS: list[tuple[str, str | None, str]] = [
    ("%gateway con", None, "connect"),
    ("%gateway call sessions.li", None, "sessions.list"),
    ("%gateway call health --fi", None, "--final"),
    ("%gateway call health -c ", None, "default"),
    ("%gateway events tal", None, "talk.mode"),
    ("%gateway capture start x.jsonl ag", None, "agent"),
    ("%%gateway sessions.li", None, "sessions.list"),
    ("%%gateway sessions.list -f ", None, "json"),
    ("%%gateway sessions.list --pa", None, "--path"),
    ("%%gateway sessions.list\nli", None, "limit: "),
    ("%%gateway sessions.list\nlimit: 5\nsort", None, "sortBy: "),
    ("%%gateway sessions.list\nsortBy: up", None, "updatedAt"),
    ("%%gateway sessions.list\nincludeGlobal: t", None, "true"),
    ('%%gateway sessions.list\n{"li', None, '"limit": '),
    ('%%gateway sessions.list\n{"limit": 5, "sortBy": "la', None, '"lastInteractionAt"'),
    ("%%gateway chat.send\nsessionKey: agent:", None, "agent:main:"),
    ("x = 1\n%gateway call hea", None, "health"),
]


@pytest.mark.parametrize(("code", "after", "choice"), COMPLETIONS)
def test_completion_over_the_wire(shared: Kernel, code: str, after: str | None, choice: str) -> None:
    """What JupyterLab and VS Code ask for is completed: methods, options, params, values, from what is known."""
    shared.run("%%gateway sessions.list")
    content = shared.client.complete(code, len(code), reply=True, timeout=30)["content"]
    assert any(match.startswith(choice) for match in content["matches"]), content
    assert code[content["cursor_start"] : content["cursor_end"]] == re.split(r"[\s,{]", code)[-1]


@pytest.mark.parametrize(
    ("code", "fragment", "choice"),
    [
        ("gw.call.sessions.list(", "", "limit="),
        ("gw.call.sessions.list(limit=5, includeG", "includeG", "includeGlobal="),
        ('answer = gw.request("sess', "sess", "sessions.list"),
        ('gw.request("sessions.list", {"li', "li", "limit"),
        ('gw.on("talk', "talk", "talk.mode"),
        ('table.filter(events=["', "", "chat"),
        ('gw.capture("run.jsonl", events=("ag', "ag", "agent"),
        ("%gateway use def", "def", "default"),
    ],
)
def test_completion_of_python(shared: Kernel, code: str, fragment: str, choice: str) -> None:
    """Calls in Python complete as cells do: methods, their params, and events, and nothing else is offered beside."""
    shared.run("table = gw.table()")
    content = shared.client.complete(code, len(code), reply=True, timeout=30)["content"]
    assert choice in content["matches"]
    assert all(fragment.lower() in match.lower() for match in content["matches"])
    assert code[content["cursor_start"] : content["cursor_end"]] == fragment


def test_a_session_keeps_its_secrets(connected: Kernel, local: gnb.LocalGateway, tmp_path: Path) -> None:
    """After every command there is, the token is in no output, no history and no file."""
    connected.run(f"%gateway capture start {tmp_path / 'all.jsonl'} --requests")
    commands = [
        "%gateway", "%gateway help", "%gateway methods", "%gateway events", "%gateway config", "%gateway call health",
        "%gateway describe agent", "%%gateway sessions.list -o rows\nlimit: 5", "%%gateway sessions.list --dry-run",
        "%%gateway agent --final\nmessage: hi\nsessionKey: agent:main:main", "%%gateway health --bg", "%gateway result",
        "%%gateway nothing", "gw", "gw.status", "gw.log", "gw.hello", "%tb", "%gateway capture stop",
        "%gateway disconnect", "%history",
    ]  # fmt: skip
    outcomes = [connected.run(command) for command in commands]
    connected.client.shutdown()
    leaks = [command for command, told in zip(commands, outcomes, strict=True) if local.token in told.everything]
    assert leaks == []
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any("history.sqlite" in file.name for file in files)
    assert [file for file in files if local.token.encode() in file.read_bytes()] == []


def test_unload_leaves_nothing(connected: Kernel) -> None:
    """%unload_ext takes out magics, matchers, transformers, configurables, threads, sockets and tasks."""
    look = """
import asyncio, ipywidgets, psutil, threading
def look():
    shell = get_ipython()
    return (
        len(psutil.Process().net_connections()), len(asyncio.all_tasks(asyncio.get_event_loop())),
        sorted(shell.magics_manager.magics["line"]), sorted(shell.magics_manager.magics["cell"]),
        sorted(shell.magics_manager.registry), len(shell.configurables), len(shell.Completer.custom_matchers),
        len(shell.input_transformers_cleanup), sorted(thread.name for thread in threading.enumerate()),
        len(ipywidgets.Widget.get_manager_state()["state"]),
    )
"""
    connected.run(look)
    before = """
get_ipython().run_line_magic("unload_ext", "gateway_nb")
before = look()
get_ipython().run_line_magic("load_ext", "gateway_nb")
get_ipython().run_line_magic("gateway", "connect")
get_ipython().run_cell_magic("gateway", "agent.wait --bg", "runId: nobody\\ntimeoutMs: 60000")
for what in ("table", "panel", "form", "tools", "approvals"):
    get_ipython().run_line_magic("gateway", what)
get_ipython().run_line_magic("unload_ext", "gateway_nb")
"""
    assert connected.run(before).status == "ok"
    until(lambda: connected.run("print(look() == before)").text == "True\n")


def test_approvals(connected: Kernel) -> None:
    """%gateway approvals lets the gateway ask here, and shows what waits."""
    outcome = connected.run("%gateway approvals")
    assert outcome.displays[-1]["text/plain"] == "<approvals: 0 waiting>"
    ask = {"command": "echo hi", "sessionKey": "agent:main:x", "timeoutMs": 60_000, "twoPhase": True}
    connected.run(f"asked = gw.submit('exec.approval.request', {ask}, expect_final=True)")
    answered = connected.run("gw.approvals.wait(10).deny('no'); print(asked.result(10)['decision'])")
    assert answered.text == "deny\n"


def test_a_playground(kernel: Kernel) -> None:
    """One line loads the magics and connects, run again it does so again, and unloading leaves nothing of it."""
    cell = "import gateway_nb as gnb; gw = gnb.playground()\n%gateway call health -f raw --path /ok"
    assert [kernel.run(cell).displays[-1]["text/plain"] for _ in range(2)] == ["True", "True"]
    assert kernel.run("%load_ext gateway_nb").text == ""
    threads = "import threading; print([t.name for t in threading.enumerate() if 'gateway_nb' in t.name])"
    assert kernel.run(f"%unload_ext gateway_nb\n{threads}").text == "[]\n"


def test_loading_twice(connected: Kernel) -> None:
    """A second %load_ext changes nothing; after %reload_ext there is one magic, one matcher, and one connects again."""
    connected.run("%load_ext gateway_nb")
    assert connected.run("print(gw.request('health')['ok'])").text == "True\n"
    connected.run("%reload_ext gateway_nb\n%gateway connect")
    count = "sum(hasattr(matcher, 'gateway_nb') for matcher in get_ipython().Completer.custom_matchers)"
    assert connected.run(f"print({count})").text == "1\n"
    assert json.loads(connected.run("import json; print(json.dumps(gw.request('health')['ok']))").text) is True
