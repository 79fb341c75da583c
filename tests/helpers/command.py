"""The command line, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = [sys.executable, "-m", "gateway_nb"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end; return its exit code and what it printed."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )
