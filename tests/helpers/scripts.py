"""Scripts in processes of their own: what they print, and that they print nothing to stderr."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import gateway_nb as gnb

# Whoever is started in the background by a shell without job control ignores Ctrl-C, and so do its children.
_LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
CONNECT = """
import os, threading, time
import gateway_nb as gnb
gw = gnb.connect(os.environ["URL"], token=os.environ["TOKEN"])
"""


class Script:
    """A running Python script."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait_for(self, line: str) -> None:
        """Read on until the script has printed this line."""
        assert self._process.stdout is not None
        for said in self._process.stdout:
            if said.rstrip("\n") == line:
                return
        raise AssertionError(f"the script ended without saying {line!r}: {self._process.communicate()[1]}")

    def interrupt(self) -> None:
        """Send a true SIGINT."""
        self._process.send_signal(signal.SIGINT)

    def rest(self, timeout: float = 30) -> list[str]:
        """Return the lines that are left; the script must end well and leave stderr empty."""
        out, err = self._process.communicate(timeout=timeout)
        assert err == "", err
        assert self._process.returncode == 0
        return out.splitlines()


@contextmanager
def running(code: str, **environment: str) -> Iterator[Script]:
    """Run a script."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-c", _LISTENING + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield Script(process)
    finally:
        process.kill()
        process.communicate()


def script(local: gnb.LocalGateway, code: str) -> AbstractContextManager[Script]:
    return running(CONNECT + code, URL=local.url, TOKEN=local.token)
