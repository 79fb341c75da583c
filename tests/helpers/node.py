"""Node for the tests of what runs in a browser: that of the extra ``openclaw``, else the machine's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from gateway_nb.errors import OpenClawUnavailable
from gateway_nb.openclaw.npm import node
from tests.helpers.support import missing


def run_node_tests(file: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests in a file under Node's own test runner."""
    try:
        program: str | None = node()[0]
    except OpenClawUnavailable:
        program = shutil.which("node")
    if program is None:
        missing("node", "pip install -e '.[openclaw]'")
    command = [program, "--test", "--test-reporter=spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
