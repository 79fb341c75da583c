"""The same tests on the embedded gateway and on the real one; where they differ, the embedded one is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from gateway_nb.local.gateway import LocalGateway
from gateway_nb.local.npm import OpenClawUnavailable
from gateway_nb.local.openclaw import VERSION, install
from tests.contract.real import RealGateway
from tests.support import missing


class AnyGateway(Protocol):
    """What a contract test needs of a gateway."""

    url: str
    token: str

    def restart(self) -> None:
        """Stop it and start it again on the same port."""


def installed(version: str) -> None:
    """Install a real gateway, or say what is missing."""
    try:
        install(version)
    except OpenClawUnavailable as error:
        missing("openclaw", str(error))


@pytest.fixture(scope="session")
def real() -> Iterator[RealGateway]:
    """The real gateway of this session."""
    installed(VERSION)
    gateway = RealGateway(VERSION)
    yield gateway
    gateway.stop()


@pytest.fixture(params=["local", "openclaw"])
def gateway(request: pytest.FixtureRequest, each_transport: str) -> Iterator[Any]:
    """Each gateway in turn, through each WebSocket library."""
    if request.param == "openclaw":
        yield request.getfixturevalue("real")
    else:
        with LocalGateway() as local:
            yield local
