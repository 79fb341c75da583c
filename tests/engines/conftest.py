"""An S3 on this computer, and a Dask cluster."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from distributed import Client, LocalCluster

from tests.helpers.lakes_to_read import KEYS
from tests.helpers.support import SESSION_PROCESSES, until


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def store() -> Iterator[dict[str, str]]:
    """moto's S3 on loopback with the bucket ``lakes``: the storage options that name it, without its keys."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    SESSION_PROCESSES.add(process.pid)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{url}/moto-api/"), 120)
        urllib.request.urlopen(urllib.request.Request(f"{url}/lakes", method="PUT"), timeout=30).close()
        yield {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    finally:
        process.terminate()
        process.wait(30)
        SESSION_PROCESSES.discard(process.pid)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's keys, in the environment: of this process, and of those that it starts."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """Two workers, processes of one thread each."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as made:
        yield made


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    """A client of the cluster."""
    with Client(cluster) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _for_ever() -> None:
    """What multiprocessing and Dask keep as long as the process: begun before the first test, no test leaks it."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as made,
        Client(made) as client,
    ):
        client.submit(bytes, 10_000_000).result()
    SESSION_PROCESSES.update(child.pid for child in psutil.Process().children())


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name)
