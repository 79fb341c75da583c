"""The same tests on the embedded gateway and on the real one; where they differ, the embedded one is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway_nb.server.local_gateway import LocalGateway


@pytest.fixture(params=["local", "openclaw"])
def gateway(request: pytest.FixtureRequest, each_transport: str) -> Iterator[Any]:
    """Each gateway in turn."""
    if request.param == "openclaw":
        yield request.getfixturevalue("real")
    else:
        with LocalGateway() as local:
            yield local
