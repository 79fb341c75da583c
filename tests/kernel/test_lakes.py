"""Captures into a lake by processes of their own: ended by signals, by their end, and by kill -9 at any moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import gateway_nb as gnb
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.spool import spools
from tests.helpers.command import COMMAND, run
from tests.helpers.lakes import journal, modes, numbers, rows
from tests.helpers.support import until

_WRITE = """
import sys, time, itertools
import msgspec
from gateway_nb.capture.files import Rotation
from gateway_nb.capture.lake import writing
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from tests.helpers.lakes import Feed
writing.SEGMENT, writing.COMMIT_SECONDS = Rotation(bytes=20_000), 0.01
first, feed = int(sys.argv[2]), Feed()
capture = writing.LakeCapture(Lake(sys.argv[1]))
capture.add("north", feed, Redactor())
for number in itertools.count(first, 10):
    feed.give([Event(time.time(), 1, "tick", number + more, msgspec.Raw(b'{"n":%d}' % number)) for more in range(10)])
    print(first + capture.stats.events, flush=True)
    time.sleep(0.001)
"""


def killed(lake: Path, first: int, moment: float) -> int:
    """Kill a process that captures, so long after it began; return up to which event it said the journal had all."""
    writer = subprocess.Popen([sys.executable, "-c", _WRITE, str(lake), str(first)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    had = first
    while had == first:
        had = int(writer.stdout.readline())
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(moment)
    writer.kill()
    whole = [line for line in writer.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    return int(whole[-1]) if whole else had


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """However often processes that capture are killed, each next one commits what they left: none lost, none twice."""
    wanted: Counter[int] = Counter()
    place, trials = tmp_path / "lake", int(os.environ.get("GATEWAY_NB_KILLS", "6"))
    for trial in range(trials):
        first = 1_000_000 * (trial + 1)
        wanted.update(range(first, killed(place, first, random.uniform(0.02, 0.5))))
    done = run("lake", "resume", str(place))
    assert (done.returncode, done.stderr) == (0, "")
    found = numbers(Lake(place))
    assert set(found.values()) == {1}
    assert not wanted - found
    assert list(spools(Lake(place)).iterdir()) == []
    lines = Counter((row["capture"], row["line"]) for row in rows(Lake(place), "capture, line"))
    assert set(lines.values()) == {1}
    assert len({capture for capture, _ in lines}) == trials


def config(tmp_path: Path, local: gnb.LocalGateway) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"gateways:\n- name: north\n  url: {local.url}\n  token_env: NORTH_TOKEN\n")
    return path


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_command(tmp_path: Path, local: gnb.LocalGateway, name: str) -> None:
    """The command captures a fleet until a signal, then commits the rest, prints what it did, and leaves no journal."""
    arguments = [*COMMAND, "capture", "--fleet", str(config(tmp_path, local)), "--to", str(tmp_path / "lake")]
    environment = os.environ | {"NORTH_TOKEN": local.token}
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == f"capturing 1 gateways into {tmp_path}/lake; Ctrl-C ends it\n"
    for number in range(5):
        local.emit("tick", {"n": number})
    journals = tmp_path / "lake" / "_captures"
    until(lambda: sum(path.read_text().count('"event":"tick"') for path in journals.rglob("*.jsonl")) == 5)
    process.send_signal(getattr(signal, name))
    text = process.stderr.read()
    assert process.wait(40) == 0
    process.stderr.close()
    ticks = [row["payload"] for row in rows(Lake(tmp_path / "lake")) if row["event"] == "tick"]
    assert [json.loads(payload)["n"] for payload in ticks] == [0, 1, 2, 3, 4]
    assert "rows in the lake, 0 missed, 0 dropped" in text
    assert list(journals.iterdir()) == []
    assert modes(tmp_path / "lake") == {(True, "0o700"), (False, "0o600")}


def test_for_a_while(tmp_path: Path, local: gnb.LocalGateway) -> None:
    """With a duration the command ends by itself."""
    fleet = str(config(tmp_path, local))
    done = run("capture", "--fleet", fleet, "--to", str(tmp_path / "lake"), "--duration", "1s", NORTH_TOKEN=local.token)
    assert done.returncode == 0
    assert "rows in the lake" in done.stderr


def test_gateways_that_are_away(tmp_path: Path, local: gnb.LocalGateway) -> None:
    """The command says which gateways it could not reach, and in the end that it never did."""
    path = config(tmp_path, local)
    path.write_text(path.read_text() + "- name: gone\n  url: ws://127.0.0.1:1\n")
    lake = str(tmp_path / "lake")
    done = run("capture", "--fleet", str(path), "--to", lake, "--duration", "1s", NORTH_TOKEN=local.token)
    assert done.returncode == 0
    assert "2 gateways: 1 connected, 1 reconnecting\n  gone: " in done.stderr
    assert "never connected: 1 of 2 gateways" in done.stderr
    assert "Warning" not in done.stderr


_END = """
import os, sys, time
import gateway_nb as gnb
fleet = gnb.fleet(sys.argv[1])
capture = fleet.capture(sys.argv[2])
print(os.getpid(), flush=True)
while capture.stats.events < 1:
    time.sleep(0.01)
if len(sys.argv) > 3:
    time.sleep(60)
"""


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_end_of_a_process(tmp_path: Path, local: gnb.LocalGateway, interrupted: bool) -> None:
    """A program that ends, or is ended by Ctrl-C, without a word to its capture commits the rest."""
    arguments = [sys.executable, "-c", _END, str(config(tmp_path, local)), str(tmp_path / "lake")]
    arguments += ["wait"] if interrupted else []
    environment = os.environ | {"NORTH_TOKEN": local.token}
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    local.emit("tick", {"n": 1})
    journals = tmp_path / "lake" / "_captures"
    if interrupted:
        until(lambda: any('"event":"tick"' in path.read_text() for path in journals.rglob("*.jsonl")))
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert ("KeyboardInterrupt" in errors) == interrupted
    assert [row["event"] for row in rows(Lake(tmp_path / "lake")) if row["event"] == "tick"] == ["tick"]
    assert list(journals.iterdir()) == []


def test_upkeep(tmp_path: Path) -> None:
    """The command makes few files of the days that are over, and commits what was left; both say what they did."""
    lake = Lake(tmp_path / "lake")
    lake.open_or_make()
    spool = journal(lake, 3)
    spool._lock.release()
    assert run("lake", "resume", str(tmp_path / "lake")).stdout == f"{spool.capture}: 4 rows of 1 files\n"
    journal(lake, 2)._lock.release()
    run("lake", "resume", str(tmp_path / "lake"))
    assert run("lake", "compact", str(tmp_path / "lake")).stdout == "1970-01-01: 2 files are 1 now\n"
    assert numbers(lake) == Counter([1, 2, 3, 1, 2])


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["capture", "--fleet", "fleet.yaml"], 2, "--fleet FILE and --to LAKE go together"),
        (["capture", "--to", "lake"], 2, "--fleet FILE and --to LAKE go together"),
        (["capture", "ws://127.0.0.1:1", "--fleet", "f", "--to", "l"], 2, "with --events and --duration alone"),
        (["capture", "--fleet", "no.yaml", "--to", "lake"], 1, "gateway-nb: "),
        (["capture"], 2, "name the journal with -o, or a fleet with --fleet"),
        (["lake", "compact", "no-such-lake"], 1, "there is no lake "),
        (["lake", "resume", "no-such-lake"], 1, "there is no lake "),
        (["lake", "compact", "s3://key:hunter2hunter2@bucket/lake"], 1, "AWS_SECRET_ACCESS_KEY in the environment"),
    ],
)
def test_errors(arguments: list[str], code: int, text: str) -> None:
    """Mistakes are one line with an exit code, never a traceback."""
    done = run(*arguments)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
