"""A real kernel, driven over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import FOLDERS, Kernel


@pytest.fixture(scope="module")
def shared_kernel() -> Iterator[Kernel]:
    """A kernel for tests that leave nothing in it, with the magics loaded."""
    from jupyter_client.manager import KernelManager

    running = Kernel(KernelManager(kernel_name="python3"))
    running.run("%load_ext gateway_nb")
    yield running
    running.stop()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel with a home of its own."""
    from jupyter_client.manager import KernelManager

    for name in FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    running = Kernel(KernelManager(kernel_name="python3"))
    yield running
    running.stop()


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    """An embedded gateway."""
    with gnb.LocalGateway() as gateway:
        yield gateway
