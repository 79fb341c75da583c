"""Many gateways as one object."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.support import until


@pytest.fixture
def members(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The embedded or the real gateway, another, one that refuses the token, and one that is not there."""
    with gnb.LocalGateway() as other, gnb.LocalGateway() as gone:
        gone.stop()
        for name, token in {"NORTH": gateway.token, "SOUTH": other.token, "WRONG": "wrong"}.items():
            monkeypatch.setenv(f"{name}_TOKEN", token)
        yield [
            {"name": "north", "url": gateway.url, "token_env": "NORTH_TOKEN", "labels": {"region": "eu"}},
            {"name": "south", "url": other.url, "token_env": "SOUTH_TOKEN", "labels": {"region": "us"}},
            {"name": "refused", "url": other.url, "token_env": "WRONG_TOKEN"},
            {"name": "gone", "url": gone.url, "token_env": "SOUTH_TOKEN"},
        ]


def states(fleet: gnb.Fleet) -> dict[str, str]:
    return {gateway.name: gateway.status.state for gateway in fleet}


def test_a_gateway_that_fails_is_no_end(members: list[dict[str, Any]]) -> None:
    """The others connect; each connection has a name, and says why it is not open; closing closes all."""
    with gnb.fleet(members) as fleet:
        assert states(fleet) == {
            "north": "connected",
            "south": "connected",
            "refused": "paused",
            "gone": "reconnecting",
        }
        assert "unauthorized" in str(fleet["refused"].status.reason)
        assert "nothing listens" in str(fleet["gone"].status.reason)
        assert gnb.connections() == {gateway.name: gateway for gateway in fleet}
        assert len(fleet) == 4
        assert "north" in fleet
        assert fleet["north"] in fleet
        assert fleet["north"].request("health")["ok"]
        assert repr(fleet) == "<Fleet of 4: 2 connected, 1 paused, 1 reconnecting>"
    assert set(states(fleet).values()) == {"closed"}
    assert not gnb.connections()


def test_parts(members: list[dict[str, Any]]) -> None:
    """A part of a fleet is selected by patterns of names and by labels, over the same connections."""
    with gnb.fleet(members) as fleet:
        assert [gateway.name for gateway in fleet.select("n*", "so*")] == ["north", "south"]
        assert list(fleet.select(region="e*")) == [fleet["north"]]
        assert [member.name for member in fleet.select("*th", region="us").members] == ["south"]
        for patterns, labels in ((("x*",), {}), ((), {"region": "ap"}), ((), {"zone": "*"})):
            with pytest.raises(gnb.BadArgumentError, match="no gateway of this fleet matches"):
                fleet.select(*patterns, **labels)
        with pytest.raises(gnb.BadArgumentError, match=r"no gateway 'nort' in this fleet; did you mean 'north'\?"):
            fleet["nort"]


def test_a_gateway_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that was not there at first is connected to when it is."""
    late = gnb.LocalGateway().start()
    late.stop()
    monkeypatch.setenv("LATE_TOKEN", late.token)
    with gnb.fleet({"late": {"url": late.url, "token_env": "LATE_TOKEN"}}) as fleet:
        assert states(fleet) == {"late": "reconnecting"}
        with late:
            until(lambda: states(fleet) == {"late": "connected"}, 30)
            assert fleet["late"].request("health")["ok"]


def test_running_the_cell_again(members: list[dict[str, Any]]) -> None:
    """A fleet that is made again takes the names and the events of the former one, whose connections it closes."""
    with gnb.fleet(members[:2]) as former, gnb.fleet(members[:2]) as fleet:
        assert set(states(former).values()) == {"closed"}
        assert set(states(fleet).values()) == {"connected"}
        assert gnb.connections()["north"] is fleet["north"]
        assert fleet["north"].events is former["north"].events


def test_names_that_are_taken(members: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of another open connection is not taken from it: nothing is connected, and the error says what to do."""
    north = members[0]
    with gnb.connect(north["url"], token=token_of(north), name="north") as gw:
        with pytest.raises(gnb.BadArgumentError, match=r"'north' is that of an open connection .*\.close\(\)"):
            gnb.fleet(members)
        assert gnb.connections() == {"north": gw}
    with gnb.fleet(members[:1]) as fleet:
        with pytest.raises(gnb.BadArgumentError, match="'north' is that of an open connection"):
            gnb.fleet([{**members[1], "name": "north"}])
        assert states(fleet) == {"north": "connected"}


def token_of(member: dict[str, Any]) -> str:
    return os.environ[member["token_env"]]


def test_a_variable_that_is_not_set(members: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent to any gateway where the secret of one is missing."""
    monkeypatch.delenv("SOUTH_TOKEN")
    with pytest.raises(gnb.BadArgumentError, match=r"gateway 'south': .*no variable SOUTH_TOKEN"):
        gnb.fleet(members)
    assert not gnb.connections()
