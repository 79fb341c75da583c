"""Many gateways as one object."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.support import until

pytestmark = pytest.mark.filterwarnings("ignore:.* of .* gateways")


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
    with pytest.warns(UserWarning, match=r"2 of 4 gateways: refused: paused · .*; fleet\.status shows all") as caught:
        fleet = gnb.fleet(members)
    assert caught[0].filename == __file__
    with fleet:
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
        assert repr(fleet) == "<Fleet of 4 gateways: 2 connected, 1 paused, 1 reconnecting>"
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


def test_requests(members: list[dict[str, Any]]) -> None:
    """A request is one row per gateway: an answer, or why there is none, without the connection's secrets."""
    with gnb.fleet(members) as fleet:
        frame = fleet.request("health")
        assert list(frame.columns) == ["gateway", "ok", "error", "payload"]
        assert frame["gateway"].tolist() == ["north", "south", "refused", "gone"]
        assert frame["ok"].tolist() == [True, True, False, False]
        assert frame["error"].isna().tolist() == [True, True, False, False]
        assert frame["payload"][0]["ok"]
        assert frame["payload"][2] is None
        assert "nothing listens" in frame["error"][3]
        unknown = fleet.select("north", "south").request("no.such.method")
        assert not unknown["ok"].any()
        assert unknown["error"].str.contains("unknown method").all()
        token = os.environ["NORTH_TOKEN"]
        created = fleet.select("north").request("sessions.create", {"label": token})
        assert token not in str(created["payload"][0])


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("", None, gnb.BadParamsError),
        ("health", {"a": object()}, gnb.BadParamsError),
        ("health", 7, gnb.BadParamsError),
    ],
)
def test_requests_that_are_wrong(method: str, params: Any, error: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong for every gateway is one error, and nothing is sent."""
    with gnb.LocalGateway() as local:
        monkeypatch.setenv("NORTH_TOKEN", local.token)
        with gnb.fleet([{"name": "north", "url": local.url, "token_env": "NORTH_TOKEN"}]) as fleet:
            before = fleet["north"].status.counters.frames
            with pytest.raises(error):
                fleet.request(method, params)
            assert fleet["north"].status.counters.frames == before


def test_runs(members: list[dict[str, Any]]) -> None:
    """An agent of every gateway is asked the same; each answer has its run, and those that fail say why."""
    with gnb.fleet(members) as fleet:
        frame = fleet.run("hello", timeout=60)
        assert list(frame.columns) == ["gateway", "ok", "error", "answer", "run", "session"]
        assert frame["ok"].tolist() == [True, True, False, False]
        assert frame["answer"][1] == "hello"
        assert frame["answer"][:2].str.len().gt(0).all()
        assert frame["run"][1] in fleet["south"].events.runs()["run"].tolist()
        assert frame["session"].eq("agent:main:main").all()


def test_records(members: list[dict[str, Any]]) -> None:
    """Records are one DataFrame with the gateway first; gateways that fail are told, not lost."""
    with gnb.fleet(members) as fleet:
        both = fleet.select("north", "south")
        both.run("hello", timeout=60)
        sessions = both.data.sessions()
        assert list(sessions.columns) == ["gateway", *fleet["north"].data.sessions().columns]
        assert set(sessions["gateway"]) == {"north", "south"}
        assert sessions.attrs["errors"] == {}
        assert sessions["session"].dtype == fleet["north"].data.sessions()["session"].dtype
        with pytest.warns(
            UserWarning, match=r"2 of 4 gateways are not in this DataFrame: refused: .* gone: "
        ) as caught:
            models = fleet.data.models()
        assert caught[0].filename == __file__
        assert set(models.attrs["errors"]) == {"refused", "gone"}
        assert models.attrs["currency"] == "USD"
        with pytest.raises(gnb.GatewayError, match="no gateway of the fleet answered; refused: "):
            fleet.select("refused", "gone").data.sessions()
        with pytest.raises(gnb.BadArgumentError, match="by must be one of"):
            fleet.data.usage(by="week")  # type: ignore[arg-type]


def test_events(members: list[dict[str, Any]]) -> None:
    """Events of all gateways are one view in the order of their times, each row with its gateway's name."""
    with gnb.fleet(members[:2]) as fleet:
        fleet.run("hello", timeout=60)
        events = fleet.events
        frame = events.df
        assert list(frame.columns) == ["gateway", *fleet["north"].events.df.columns]
        assert frame["gateway"].dtype == "category"
        assert set(frame["gateway"].cat.categories) == {"north", "south"}
        assert frame["time"].is_monotonic_increasing
        for name in ("north", "south"):
            own = frame[frame["gateway"] == name].drop(columns="gateway")
            assert own["payload"].tolist() == fleet[name].events.df["payload"].tolist()[: len(own)]
        counts = events.query("select gateway, count(*) as rows from events where event = 'chat' group by gateway")
        assert set(counts["gateway"]) == {"north", "south"}
        runs = events.runs()
        assert runs["gateway"].tolist() == ["north", "south"]
        assert runs["status"].tolist() == ["ok", "ok"]
        assert list(events.tool_calls().columns[:2]) == ["gateway", "run"]
        assert len(events.trace(runs["run"][1]).spans) >= 1
        assert set(events.expand("runId", event="agent")["runId"].dropna()) == set(runs["run"])
        assert len(events.tail(3)) == 3
        assert events.stats.events["chat"] == sum(gateway.events.stats.events["chat"] for gateway in fleet)
        assert repr(events).startswith(f"<FleetEvents {len(events):,} rows of 2 gateways")
        assert set(fleet.select("south").events.df["gateway"]) == {"south"}


def test_what_a_fleet_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many gateways there are, their logs together keep no more than one connection's does."""
    monkeypatch.setattr("gateway_nb.fleets.fleet.MAX_ROWS", 64)
    with gnb.LocalGateway() as local:
        monkeypatch.setenv("LOCAL_TOKEN", local.token)
        two = {name: {"url": local.url, "token_env": "LOCAL_TOKEN"} for name in ("a", "b")}
        with gnb.fleet(two) as fleet:
            for number in range(1, 101):
                local.emit("chat", {"number": number})
                until(lambda number=number: all(gateway.status.counters.events >= number for gateway in fleet))
            assert all(len(gateway.events) <= 34 for gateway in fleet)
            assert fleet.events.stats.dropped >= 2 * 60
            assert "dropped" in repr(fleet.events)
