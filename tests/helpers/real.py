"""A real gateway in a process of its own, obeying lines: ``restart`` and the end of the input.

Run as ``python -m tests.helpers.real VERSION [CONFIG]``; prints one JSON line when it is up, ``ok`` after each order.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Protocol

from gateway_nb.errors import OpenClawUnavailable
from gateway_nb.openclaw.process import OpenClaw, install
from tests.helpers.support import SESSION_PROCESSES, missing


def installed(version: str) -> None:
    """Install a real gateway, or say what is missing."""
    try:
        install(version)
    except OpenClawUnavailable as error:
        missing("openclaw", str(error))


class AnyGateway(Protocol):
    """What a contract test needs of a gateway."""

    url: str
    token: str

    def restart(self) -> None:
        """Stop it and start it again on the same port."""


class RealGateway:
    """The parent's side: starts the process, and gives it orders.

    Attributes:
        url: where it listens.
        token: its shared token.
        state_folder: where it keeps its state.
    """

    def __init__(self, version: str, config: dict[str, Any] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.real", version, json.dumps(config or {})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        SESSION_PROCESSES.add(self._process.pid)
        about = json.loads(self._answer())
        self.url: str = about["url"]
        self.token: str = about["token"]
        self.state_folder: str = about["state"]

    def restart(self) -> None:
        """Stop it and start it again on the same port with the same state."""
        assert self._process.stdin is not None
        self._process.stdin.write("restart\n")
        self._process.stdin.flush()
        assert self._answer() == "ok\n"

    def stop(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the real gateway's process ended with {self._process.wait()}"
        return line


def main(version: str, config: str) -> None:
    with OpenClaw(version, config=json.loads(config)) as gateway:
        print(json.dumps({"url": gateway.url, "token": gateway.token, "state": str(gateway.state_folder)}), flush=True)
        for _ in sys.stdin:
            gateway.restart()
            print("ok", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
