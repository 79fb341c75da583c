"""A process that captures, killed at a random moment, and what is left of its capture."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from gateway_nb.capture.loading import load
from gateway_nb.capture.recording import TornEndWarning

_WRITE = """
import sys, time
import msgspec
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
capture, written = Capture(sys.argv[1]), 0
while True:
    payload = msgspec.Raw(b'{"text":"' + b"x" * (written % 400) + b'"}')
    capture.extend([Event(time.time(), 1, "tick", written + more, payload) for more in range(50)])
    written += 50
    print(capture.stats.events, flush=True)
    time.sleep(0.0005)
"""


NAMES = ["run.jsonl"] * 16 + ["run.jsonl.zst"] * 4


@dataclass(frozen=True)
class Trial:
    """What was told to be written before a process was killed, and what was found."""

    told: int
    numbers: list[int | None]
    torn: int


def trial(path: Path) -> Trial:
    """Kill a process that captures, at a random moment."""
    writer = subprocess.Popen([sys.executable, "-c", _WRITE, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [0]
    while told[0] == 0:
        told[0] = int(writer.stdout.readline())
    time.sleep(random.uniform(0, 0.3))
    writer.kill()
    told += [int(line) for line in writer.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    with warnings.catch_warnings(record=True) as torn:
        warnings.simplefilter("always")
        numbers = [line.seq for line in load(path).lines() if line.event == "tick"]
    assert {warning.category for warning in torn} <= {TornEndWarning}
    return Trial(told[-1], numbers, len(torn))
