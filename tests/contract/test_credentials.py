"""Two gateways, one home: each gets its own credentials, and neither locks the other out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.openclaw.process import VERSION
from tests.helpers.real import AnyGateway, RealGateway
from tests.helpers.support import async_test

CLI: dict[str, Any] = {"client_name": "cli", "mode": "cli"}
"""What gateways give device tokens to."""


@pytest.fixture(scope="module")
def second_real(real: RealGateway) -> Iterator[RealGateway]:
    """Another real gateway, with a state of its own."""
    gateway = RealGateway(VERSION)
    yield gateway
    gateway.stop()


@pytest.fixture
def second(gateway: AnyGateway, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A second gateway of the same kind."""
    if isinstance(gateway, RealGateway):
        yield request.getfixturevalue("second_real")
    else:
        with gnb.LocalGateway() as local:
            yield local


async def method(gateway: AnyGateway, **options: Any) -> str:
    """How a gateway let this device in."""
    async with gnb.AsyncGateway(gateway.url, **CLI, **options) as agw:
        assert agw.hello is not None
        return str(agw.hello["auth"]["method"])


@async_test
async def test_two_gateways_on_one_home(gateway: AnyGateway, second: AnyGateway) -> None:
    """A device that is paired with two gateways comes back to both, however often it goes from one to the other."""
    assert await method(gateway, token=gateway.token) == "token"
    assert await method(gateway) == "device-token"
    with pytest.raises(gnb.AuthenticationError) as caught:
        await method(second)
    assert caught.value.code != "AUTH_DEVICE_TOKEN_MISMATCH"  # the first one's token was not sent
    assert await method(second, token=second.token) == "token"
    assert [await method(one) for one in (gateway, second, gateway, second)] == ["device-token"] * 4


@async_test
async def test_a_node(gateway: AnyGateway) -> None:
    """The role of a node needs no more than its name: the gateway lets it in, and grants no scope."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, role="node", commands=["x"]) as node:
        assert (node.status.role, node.status.scopes) == ("node", ())
        assert node.status.problems == ()


@async_test
async def test_a_wrong_token_of_the_environment(gateway: AnyGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment's token is refused, the error names its variable; for one that was passed it does not."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", gateway.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "not-the-token")
    with pytest.raises(gnb.AuthenticationError, match=r"from the environment: OPENCLAW_GATEWAY_TOKEN$") as caught:
        await gnb.AsyncGateway(device_identity=None).connect()
    assert "not-the-token" not in str(caught.value)
    with pytest.raises(gnb.AuthenticationError) as caught:
        await gnb.AsyncGateway(token="mine", device_identity=None).connect()
    assert "from the environment" not in str(caught.value)
