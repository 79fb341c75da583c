"""The connection to try things on, without IPython."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import gateway_nb as gnb
from gateway_nb.notebook import current


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(current, "name", "default")
    yield
    current.close_all()


def test_an_embedded_gateway() -> None:
    """Where the environment names no gateway there is an embedded one, the same at each call, whose agent answers."""
    first = gnb.playground()
    assert first.run("count:3").result().text == "1 2 3"
    again = gnb.playground()
    assert again.status.url == first.status.url
    assert first.closed
    assert len(again.events) >= len(first.events) > 0


def test_a_gateway_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway that the environment names is used, and one that is not there is an error, not another gateway."""
    with gnb.LocalGateway() as local:
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
        monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
        assert gnb.playground().status.url == local.url
        current.close_all()
    with pytest.raises(gnb.GatewayConnectError, match="nothing listens on"):
        gnb.playground()
