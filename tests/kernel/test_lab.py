"""``gateway-nb lab``: JupyterLab, its kernels and a gateway come together, and go together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

import gateway_nb as gnb
from gateway_nb.cli import lab
from gateway_nb.cli.main import main
from tests.helpers.command import COMMAND, run
from tests.helpers.kernel import Kernel
from tests.helpers.support import SESSION_PROCESSES, until

JUPYTER_TOKEN = "token-of-this-test"
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")


class Lab:
    """A running ``gateway-nb lab``."""

    def __init__(self, process: subprocess.Popen[str], port: int, runtime: Path) -> None:
        self.process = process
        self._port = port
        self._runtime = runtime

    def ask(self, path: str, **body: Any) -> Any:
        """Call JupyterLab's own interface."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/api/{path}",
            headers={"Authorization": f"token {JUPYTER_TOKEN}"},
            data=json.dumps(body).encode() if body else None,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1]
        try:
            return "version" in self.ask("")
        except OSError:
            return False

    def run_cell(self, code: str) -> Any:
        """Run a cell in a new kernel of this JupyterLab."""
        from jupyter_client.blocking import BlockingKernelClient

        kernel_id = self.ask("kernels", name="python3")["id"]
        client = BlockingKernelClient(connection_file=str(self._runtime / f"kernel-{kernel_id}.json"))
        client.load_connection_file()
        client.start_channels()
        try:
            until(lambda: _is_ready(client), 60)
            kernel = Kernel.__new__(Kernel)  # one that another process has started
            kernel.client = client
            return kernel.run(code)
        finally:
            client.stop_channels()
            client.context.destroy(linger=0)


def _is_ready(client: Any) -> bool:
    """A client without a manager takes a kernel that still starts for a dead one."""
    try:
        client.wait_for_ready(timeout=60)
    except RuntimeError:
        return False
    return True


@contextmanager
def lab_in(folder: Path, *arguments: str, **environment: str) -> Iterator[Lab]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: str(folder / name.lower()) for name in FOLDERS}
    own |= {"JUPYTER_PORT": str(port), "JUPYTER_TOKEN": JUPYTER_TOKEN, **environment}
    process = subprocess.Popen(
        [*COMMAND, "lab", str(folder / "mine"), "--no-browser", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **own},
    )
    SESSION_PROCESSES.add(process.pid)
    try:
        running = Lab(process, port, folder / "jupyter_runtime_dir")
        until(running.is_up, 60)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.mark.slow
def test_all_of_it(tmp_path: Path) -> None:
    """A kernel has the magics and connects to the embedded gateway without arguments; Ctrl-C ends all of it."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / lab.FIRST).write_text("my own work")
    with lab_in(
        tmp_path, OPENCLAW_GATEWAY_URL="ws://127.0.0.1:1", OPENCLAW_GATEWAY_PASSWORD="of another one"
    ) as running:
        assert (mine / lab.FIRST).read_text() == "my own work"
        cell = "%load_ext gateway_nb\n%gateway connect\nprint(gw.request('health')['ok'], gw.status.server_version)"
        done = running.run_cell(cell)
        assert done.text == "True local\n", done
        cell = "import gateway_nb as gnb; gw = gnb.playground()\n%gateway call health -f raw --path /ok"
        bare = running.run_cell(cell)
        assert (bare.text, bare.displays[-1]["text/plain"]) == ("", "True"), bare
        everything = psutil.Process(running.process.pid).children(recursive=True)
        assert len(everything) >= 2  # JupyterLab and a kernel
        gateway = next(c.laddr for c in psutil.Process(running.process.pid).net_connections() if c.status == "LISTEN")
        running.process.send_signal(signal.SIGINT)
        _, said = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert said.rstrip().endswith("ended")
    assert "DeprecationWarning" not in said
    assert "a built-in one, since nothing listens on ws://127.0.0.1:1" in said
    until(lambda: not any(process.is_running() for process in everything))
    with socket.socket() as probe:
        assert probe.connect_ex(tuple(gateway)) != 0


@pytest.mark.slow
def test_a_gateway_that_is_there(tmp_path: Path) -> None:
    """A gateway that lets us in is used, not replaced, and its token stands in nothing that is printed."""
    with (
        gnb.LocalGateway() as local,
        lab_in(tmp_path, "--url", local.url, "--token-env", "T", T=local.token) as running,
    ):
        done = running.run_cell("%gateway connect\nprint(gw.status.url)")
        assert done.text == f"{local.url}\n", done
        running.process.send_signal(signal.SIGTERM)
        _, said = running.process.communicate(timeout=60)
        assert "embedded" not in said
        assert local.token not in said


def test_the_notebooks_hear_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable by which the notebooks know that there is a gateway is set, however it was found."""
    assert lab.environment(None, None)["OPENCLAW_GATEWAY_URL"] == "ws://127.0.0.1:18789"
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", "wss://mine")
    assert lab.environment(None, None)["OPENCLAW_GATEWAY_URL"] == "wss://mine"
    assert lab.environment("wss://named", None)["OPENCLAW_GATEWAY_URL"] == "wss://named"


@pytest.mark.parametrize(
    ("url", "token", "handed"),
    [
        (None, None, ("own token", "own password")),
        ("wss://MINE:443/path", None, ("own token", "own password")),
        ("wss://other", None, (None, None)),
        ("wss://other", "its token", ("its token", None)),
    ],
)
def test_the_kernels_get_the_gateways_own_token(
    url: str | None, token: str | None, handed: tuple[str | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's token and password are handed on with the environment's URL alone."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", "wss://mine")
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "own token")
    monkeypatch.setenv("OPENCLAW_GATEWAY_PASSWORD", "own password")
    found = lab.environment(url, token)
    assert (found.get("OPENCLAW_GATEWAY_TOKEN"), found.get("OPENCLAW_GATEWAY_PASSWORD")) == handed


def test_a_named_gateway_that_is_not_there(tmp_path: Path) -> None:
    """A gateway that was named is not silently replaced by another."""
    done = run("lab", str(tmp_path / "mine"), "--url", "ws://127.0.0.1:1", "--no-browser")
    assert done.returncode == 1
    assert "nothing listens on ws://127.0.0.1:1; gateway-nb doctor ws://127.0.0.1:1 says more" in done.stderr


def test_copying(tmp_path: Path) -> None:
    """All notebooks are copied once; what is there is left as it is."""
    folder = tmp_path / "a" / "b"
    copied, kept = lab.copy(folder)
    assert lab.FIRST in copied
    assert kept == []
    (folder / lab.FIRST).write_text("mine")
    assert lab.copy(folder) == ([], copied)
    assert (folder / lab.FIRST).read_text() == "mine"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A folder that can't be made is one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(lab.LabError, match="name another folder"):
        lab.copy(tmp_path / "file" / "folder")


def test_without_jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where JupyterLab is missing the extra is named, and nothing is copied."""
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    done = CliRunner().invoke(main, ["lab", str(tmp_path / "mine")])
    assert done.exit_code == 1
    assert "run: pip install 'gateway-nb[lab]'" in done.output
    assert not (tmp_path / "mine").exists()


def test_jupyterlab_that_fails(tmp_path: Path) -> None:
    """JupyterLab that ends by itself ends the command, with its words and an exit code."""
    done = run("lab", str(tmp_path / "mine"), "--no-browser", JUPYTER_PORT="not-a-number")
    assert done.returncode == 1
    assert "JupyterLab ended with exit code" in done.stderr


def test_the_first_notebook_exists() -> None:
    """The notebook that JupyterLab opens first is among those that come with the package."""
    assert lab.FIRST in [path.name for path in lab.notebooks()]


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """Where JupyterLab can't write its own files, one line says so, and nothing is copied."""
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "home")
    done = run("lab", str(tmp_path / "notebooks"), HOME=nowhere, JUPYTER_DATA_DIR="", JUPYTER_RUNTIME_DIR="")
    assert done.returncode == 1
    assert done.stderr.startswith(f"gateway-nb: JupyterLab can't write its files to {nowhere}")
    assert "set HOME or JUPYTER_DATA_DIR to a folder that can be written" in done.stderr
    assert not (tmp_path / "notebooks").exists()
