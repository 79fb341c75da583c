"""A real JupyterLab with folders of its own, on 127.0.0.1 alone, and its pages in a browser."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from tests.helpers.support import SESSION_PROCESSES, until

_FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
)
_SETTINGS = {
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
_PATIENCE_MS = 60_000
SECRET = "typed-into-a-form-in-a-browser"


class Lab:
    """A JupyterLab server and its folder.

    Attributes:
        root: where everything of it is: settings, logs, notebooks.
        folder: where the notebooks are.
        url: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.folder = folder / "work"
        self.folder.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        own = {name: str(folder / name.lower()) for name in _FOLDERS} | {"GATEWAY_NB_HOME": str(folder / "home")}
        for name, settings in _SETTINGS.items():
            file = folder / "jupyterlab_settings_dir" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(settings))
        options = ["--no-browser", "--allow-root", "--expose-app-in-browser", f"--port={port}", "--ip=127.0.0.1"]
        options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={self.folder}"]
        self._log = open(folder / "lab.log", "wb")  # noqa: SIM115 - the process keeps it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env={**os.environ, **own},
            stdout=self._log,
            stderr=self._log,
        )
        SESSION_PROCESSES.add(self._process.pid)
        until = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/api", timeout=1):
                    return
            except OSError:
                assert time.monotonic() < until, "JupyterLab did not come up within 60 s"
                time.sleep(0.1)

    def stop(self) -> None:
        """End it and its kernels."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


class Page:
    """A notebook in the browser. Any request that leaves this machine, and any error in the console, fails the test.

    Args:
        page: playwright's page.
        lab: the server.
    """

    def __init__(self, page: Any, lab: Lab) -> None:
        self.page = page
        self._lab = lab
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self._check_url(request.url))
        page.on("pageerror", self._fail)
        page.on("console", lambda message: self._hear(message) if message.type == "error" else None)

    def _fail(self, error: Any) -> None:
        # Now and then JupyterLab takes a cell's node out twice, of one whose output changes as it is scrolled away.
        if "'removeChild' on 'Node'" in str(error) and "blob:" not in (error.stack or "blob:"):  # a widget's script
            return
        self.errors.append(str(error))

    def _hear(self, message: Any) -> None:
        self.errors.append(f"{message.text} {message.location}")

    def _check_url(self, url: str) -> None:
        if not url.startswith((self._lab.url, self._lab.url.replace("http", "ws"), "data:", "blob:", "about:")):
            self.foreign.append(url)

    def open(self, notebook: Path) -> None:
        """Open a copy of a notebook."""
        shutil.copy(notebook, self._lab.folder)
        self.go_to(notebook)

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self._lab.url

    def write_cells(self, *cells: str) -> Path:
        """Write a new notebook with these cells; return its path."""
        code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel},
            "cells": [{**code, "id": f"cell-{number}", "source": cell} for number, cell in enumerate(cells)],
        }
        path = self._lab.folder / f"{uuid.uuid4()}.ipynb"
        path.write_text(json.dumps(content))
        return path

    def open_cells(self, *cells: str) -> Path:
        """Open a new notebook with these cells; return its path."""
        path = self.write_cells(*cells)
        self.go_to(path)
        return path

    def go_to(self, notebook: Path) -> None:
        """Open a notebook that is in the server's folder, or open it again."""
        self.page.goto(f"{self._lab.url}/lab/tree/{notebook.name}?reset")
        ready = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        self.page.wait_for_function(ready, timeout=_PATIENCE_MS)

    def command(self, name: str, **arguments: Any) -> None:
        """Carry out a command of JupyterLab's, and wait for its end, which a promise alone may never come to."""
        call = """([name, args, patience]) => Promise.race([
            window.jupyterapp.commands.execute(name, args),
            new Promise((_, fail) => setTimeout(() => fail(new Error(`${name} did not end in time`)), patience)),
        ])"""
        self.page.evaluate(call, [name, arguments, _PATIENCE_MS])

    def cell(self, number: int) -> Any:
        """Return a cell, to look at."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def start(self, number: int) -> None:
        """Run one cell; do not wait for it."""
        self.page.evaluate(f"window.jupyterapp.shell.currentWidget.content.activeCellIndex = {number}")
        self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-cell')")

    def run(self, number: int) -> None:
        """Run one cell, and wait for its end."""
        self.page.evaluate(f"window.jupyterapp.shell.currentWidget.content.activeCellIndex = {number}")
        self.command("notebook:run-cell")

    def answer(self, number: int, text: str) -> None:
        """Type the line that a cell asks for; again, where the key was lost."""
        field = self.cell(number).locator("input.jp-Stdin-input")
        field.wait_for()
        for _ in range(3):
            field.fill(text)
            field.press("Enter")
            with contextlib.suppress(AssertionError):
                until(lambda: field.count() == 0, seconds=5)
                return
        raise AssertionError("the cell still asks for a line")

    def restart_kernel(self) -> None:
        """Restart the kernel, and wait until it is there again."""
        # JupyterLab complains of its own requests that a restart cuts off: the answer to this one comes after theirs.
        self.page.evaluate("""async () => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            window.restarted = false;
            if (kernel.supportsSubshells) await kernel.requestListSubshell({}).done;
            void kernel.restart().then(() => (window.restarted = true));
        }""")
        self.page.wait_for_function("window.restarted", timeout=_PATIENCE_MS)

    def run_all(self) -> None:
        """Run every cell, and wait until the last one has ended."""
        self.command("notebook:run-all-cells")
        done = (
            "Array.from(document.querySelectorAll('.jp-CodeCell .jp-InputPrompt'))"
            ".every(prompt => /\\[\\d+\\]/.test(prompt.textContent))"
        )
        self.page.wait_for_function(done, timeout=_PATIENCE_MS)

    def save(self, notebook: Path) -> dict[str, Any]:
        """Save the notebook and return it."""
        self.command("docmanager:save")
        clean = "!window.jupyterapp.shell.currentWidget.context.model.dirty"
        self.page.wait_for_function(clean, timeout=_PATIENCE_MS)
        saved: dict[str, Any] = json.loads((self._lab.folder / notebook.name).read_text())
        return saved


def fill(page: Page, cell: int, url: str, secret: str = SECRET) -> Any:
    form = page.cell(cell).locator(".gnb-form[data-state]")  # it has a state once the kernel has told it the options
    form.get_by_label("Gateway", exact=True).fill(url)
    form.get_by_label("Token", exact=True).fill(secret)
    form.get_by_role("button", name="Connect", exact=True).click()
    return form


def state(page: Page, name: str) -> None:
    page.page.locator(f".gnb-form[data-state={name}]").first.wait_for(timeout=30_000)


def output(page: Page, cell: int) -> str:
    return str(page.cell(cell).locator(".jp-OutputArea-output").first.inner_text()).strip()
