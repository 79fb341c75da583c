"""The magics where notebooks are run by other things than JupyterLab: a terminal, nbclient, nbval, papermill, an older
kernel.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import platformdirs
import pytest
from filelock import FileLock

import gateway_nb as gnb
from tests.helpers.kernel import FOLDERS, Kernel
from tests.helpers.support import missing, until

_GOOD = "%%gateway sessions.list -o rows\nlimit: 5"
_BAD = "%%gateway sessions.list\nlimit: five"


@pytest.fixture(autouse=True)
def _environment(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    for name in FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def notebook(folder: Path, cell: str) -> Path:
    """A notebook that connects and runs a cell."""
    sources = ["%load_ext gateway_nb\n%gateway connect", cell, "%gateway disconnect"]
    cells = [
        {
            "cell_type": "code",
            "id": f"c{index}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for index, source in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / "notebook.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


RUNNERS: dict[str, list[str]] = {
    "nbclient": ["jupyter", "execute", "notebook.ipynb"],
    "nbval": ["pytest", "-q", "--nbval-lax", "-p", "no:cacheprovider", "-c", os.devnull, "notebook.ipynb"],
    "papermill": ["papermill", "--no-progress-bar", "notebook.ipynb", "out.ipynb"],
}


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "passes"), [(_GOOD, True), (_BAD, False)], ids=["good", "failing"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_runners(runner: str, cell: str, passes: bool, tmp_path: Path, local: gnb.LocalGateway) -> None:
    """nbclient, nbval and papermill pass on a good magic, and fail on a failing one with its line."""
    notebook(tmp_path, cell)
    program, *arguments = RUNNERS[runner]
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is passes, said
    assert passes or "must be integer" in re.sub(r"\s+", " ", said)
    assert local.token not in said + "".join(file.read_text() for file in tmp_path.glob("*.ipynb"))


def test_a_terminal(local: gnb.LocalGateway) -> None:
    """In IPython in a terminal results, tables, runs, errors and Ctrl-C look right, and nothing is drawn over."""
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "--no-confirm-exit"],
        encoding="utf8",
        timeout=30,
        dimensions=(50, 200),
        echo=False,
        # Whoever is started in the background by a shell without job control ignores Ctrl-C, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def say(line: str) -> None:
        terminal.expect(r"In \[\d+\]: ")
        terminal.sendline(line)

    say("%load_ext gateway_nb")
    say("%gateway connect")
    terminal.expect("<Gateway 'default' connected")
    say('%gateway call sessions.create {"label": "from a terminal"}')
    say("%gateway call sessions.list")
    terminal.expect(r"sessions\.list · 1 row of /sessions · default at ws://127\.0\.0\.1:\d+ · \d+ ms")
    terminal.expect("label: from a terminal")
    say('%gateway call agent --final {"message": "count:3:20", "sessionKey": "agent:main:main"}')
    terminal.expect("1 2 3\r\nagent · ok · ")
    say('%gateway call sessions.list {"limit": "five"}')
    terminal.expect("GatewayRequestError: sessions.list: .*must be integer")
    say('%gateway call agent --final {"message": "count:1000:50", "sessionKey": "agent:main:main"}')
    until(lambda: local.methods.agents.active("agent:main:main"))
    terminal.sendintr()
    terminal.expect("KeyboardInterrupt")
    say("%gateway disconnect")
    say("exit")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


@pytest.fixture
def older(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel of ipykernel 7.3, installed beside the one that is there."""
    folder = Path(platformdirs.user_cache_dir("gateway-nb", False)) / "ipykernel-7.3.0"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "-q",
                "--no-deps",
                f"--target={folder}",
                "ipykernel==7.3.0",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                missing("ipykernel", done.stderr.strip().splitlines()[-1])
    monkeypatch.setenv("PYTHONPATH", str(folder))
    kernel: Kernel = request.getfixturevalue("kernel")
    return kernel


def test_an_older_kernel(older: Kernel, local: gnb.LocalGateway) -> None:
    """On ipykernel 7.3 calls, errors, streaming, Stop, background calls and completion work as on the newest."""
    assert older.run("import ipykernel; print(ipykernel.__version__)").text == "7.3.0\n"
    assert older.run("%load_ext gateway_nb\n%gateway connect").status == "ok"
    assert older.run(_GOOD).status == "ok"
    assert "must be integer" in older.run(_BAD).error[0]
    run = older.run("%%gateway agent --final\nmessage: count:10:50\nsessionKey: agent:main:main")
    assert run.displays[-1]["text/plain"].startswith("1 2 3 4 5 6 7 8 9 10\nagent · ok")
    cell = older.start("%%gateway agent --final\nmessage: count:1000:50\nsessionKey: agent:main:main")
    until(lambda: local.methods.agents.active("agent:main:main"))
    older.manager.interrupt_kernel()
    assert "the gateway aborted the run" in older.outcome(cell).error[-1]
    older.run("%%gateway agent.wait --bg -o work\nrunId: nobody\ntimeoutMs: 10")
    assert older.run("print((await work)['status'])").text == "timeout\n"
    reply = older.client.complete("%%gateway sessions.li", 21, reply=True, timeout=30)
    assert "sessions.list" in reply["content"]["matches"]
