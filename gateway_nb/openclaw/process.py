"""The real gateway, installed into a cache and run on this machine with an offline model."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..client.redaction.redactor import Redactor
from ..errors import OpenClawUnavailable
from .model import OfflineModel
from .npm import installed, node, with_node

VERSION = "2026.9.6"
_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 10.0


def install(version: str = VERSION, *, report: Callable[[str], object] = lambda _: None) -> Path:
    """Return the installed gateway's main file, installed first if it is not in the cache (25 s, 600 MB).

    Args:
        version: of the npm package.
        report: called with a line about what takes long.

    Raises:
        OpenClawUnavailable: there is no node, or npm could not install it.
    """
    folder = installed(f"openclaw/{version}", f"openclaw@{version}", report=report)
    return folder / "node_modules" / "openclaw" / "openclaw.mjs"


class OpenClaw:
    """A real gateway on a free port of 127.0.0.1, with a state folder of its own. Use it with `with`.

    Args:
        version: of the npm package.
        token: its shared token; default: a new one.
        port: 0 picks a free one.
        config: merged over the configuration, e.g. ``{"gateway": {"tls": {...}}}``.
        report: called with a line about what takes long.

    Attributes:
        url: where it listens.
        token: its shared token.

    Raises:
        OpenClawUnavailable: it can't be installed, or does not come up.

    Example::

        with OpenClaw() as real, gnb.connect(real.url, token=real.token) as gw:
            gw.request("health")
    """

    def __init__(
        self,
        version: str = VERSION,
        *,
        token: str | None = None,
        port: int = 0,
        config: dict[str, Any] | None = None,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._main = install(version, report=report)
        self._report = report
        self._port = port or _free_port()
        self.token = token or secrets.token_urlsafe(24)
        self._secure = bool((config or {}).get("gateway", {}).get("tls", {}).get("enabled"))
        self.url = f"{'wss' if self._secure else 'ws'}://127.0.0.1:{self._port}"
        self._config = config or {}
        self._folder: Path | None = None
        self._model: OfflineModel | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def state_folder(self) -> Path:
        """Where it keeps its state, while it runs."""
        assert self._folder is not None, "start it first"
        return self._folder / "state"

    def start(self) -> OpenClaw:
        """Start it, and wait until it is ready (6 s, 20 s on a busy machine)."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="gateway-nb-openclaw-"))
            self._model = OfflineModel()
            self._write_config(self._model.base_url)
        self._report("starting the real gateway")
        program, _ = node()
        log = open(self._folder / "gateway.log", "ab")  # noqa: SIM115 - the process keeps it
        with log:
            self._process = subprocess.Popen(
                [program, str(self._main), "gateway", "run", "--port", str(self._port)],
                env=self._environment(program),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def halt(self) -> None:
        """End the process and keep its state, for a restart: SIGTERM, and after 10 s the whole group."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # its helpers too
        process.wait()

    def stop(self) -> None:
        """End the process, the model, and its state. Calling it again does nothing."""
        self.halt()
        if self._model is not None:
            self._model.stop()
            self._model = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def restart(self) -> None:
        """Stop it and start it on the same port with the same state."""
        self.halt()
        self.start()

    def __enter__(self) -> OpenClaw:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<OpenClaw {self.url} {'running' if self._process else 'stopped'}>"

    def _write_config(self, model_url: str) -> None:
        assert self._folder is not None
        cost = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
        model = {"id": "mock-1", "name": "Mock 1", "reasoning": False, "input": ["text"], "cost": cost}
        model |= {"contextWindow": 131072, "maxTokens": 8192}
        provider = {"baseUrl": model_url, "apiKey": "mock", "api": "openai-completions", "models": [model]}
        auth = {"mode": "token", "token": self.token}
        config: dict[str, Any] = {
            "gateway": {"mode": "local", "port": self._port, "bind": "loopback", "auth": auth},
            "models": {"mode": "replace", "providers": {"mock": provider}},
            "agents": {
                "defaults": {
                    "model": {"primary": "mock/mock-1"},
                    "workspace": str(self._folder / "workspace"),
                    "skipBootstrap": True,
                }
            },
        }
        path = self._folder / "openclaw.json"
        path.write_text(json.dumps(_merged(config, self._config)))
        path.chmod(0o600)

    def _environment(self, program: str) -> dict[str, str]:
        assert self._folder is not None
        # A real user's OPENCLAW_* settings must not leak into this gateway, nor its state into the user's home.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENCLAW_")}
        own = {
            "HOME": str(self._folder),
            "OPENCLAW_STATE_DIR": str(self._folder / "state"),
            "OPENCLAW_CONFIG_PATH": str(self._folder / "openclaw.json"),
            "OPENCLAW_SKIP_CHANNELS": "1",
            "OPENCLAW_DISABLE_BONJOUR": "1",
            "OPENCLAW_NO_RESPAWN": "1",
        }
        return with_node({**inherited, **own}, program)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise OpenClawUnavailable(f"the real gateway ended at its start: {self._last_words()}")
            if self._is_ready():
                return
            time.sleep(0.1)
        raise OpenClawUnavailable(f"the real gateway was not ready within {_START_TIMEOUT:g} s: {self._last_words()}")

    def _is_ready(self) -> bool:
        scheme, context = "http", None
        if self._secure:
            scheme, context = "https", ssl.create_default_context()
            context.check_hostname = False  # its certificate is its own; all this asks is whether it is up
            context.verify_mode = ssl.CERT_NONE
        try:
            url = f"{scheme}://127.0.0.1:{self._port}/readyz"
            with urllib.request.urlopen(url, timeout=2, context=context) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _last_words(self) -> str:
        assert self._folder is not None
        lines = (self._folder / "gateway.log").read_text(errors="replace").splitlines()
        return Redactor([self.token]).text(" / ".join(lines[-3:]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        present = merged.get(name)
        merged[name] = _merged(present, value) if isinstance(present, dict) and isinstance(value, dict) else value
    return merged
