"""What benchmarks share: a gateway in a process of its own, and the median of the best round."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

_SERVER = """
import sys
from gateway_nb.server.local_gateway import LocalGateway
with LocalGateway(token="bench") as gateway:
    print(gateway.url, flush=True)
    sys.stdin.read()
"""
TOKEN = "bench"


@contextlib.contextmanager
def gateway_process() -> Iterator[str]:
    """Run the embedded gateway in another process; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def p50(times: list[float]) -> float:
    """Return the median of a round, in microseconds."""
    return statistics.median(times) * 1e6
