"""An experiment in a process of its own, that a test kills: ``python -m tests.helpers.experimenter URL TOKEN PATH
[PLAN]``; PLAN is JSON, and left out to go on. Prints ``done`` at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import gateway_nb as gnb
from gateway_nb.protocol.lines import TornEndWarning


def start(url: str, token: str, path: Path, plan: dict[str, Any] | None = None) -> subprocess.Popen[str]:
    """Run an experiment in another process, or go on with it."""
    more = [] if plan is None else [json.dumps(plan)]
    command = [sys.executable, "-m", "tests.helpers.experimenter", url, token, str(path), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(path: Path) -> int:
    """How many cells have ended, by the folder."""
    journal = path / "cells.jsonl"
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    last = {record["cell"]: record["status"] for record in map(json.loads, lines)}
    return Counter(last.values())["ok"]


def main(url: str, token: str, path: str, plan: str = "{}") -> None:
    # What a killed writer left of its last line is said, and is no fault here.
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", TornEndWarning)
    with gnb.connect(url, token=token) as gateway:
        gnb.experiment(gateway, path=path, **json.loads(plan)).run()
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
