"""A fleet's events in a lake, each once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.capture.lake.delta import Lake
from tests.helpers.lakes import rows
from tests.helpers.support import until

pytestmark = pytest.mark.filterwarnings("ignore:1 of . gateways")  # one is not there


@pytest.fixture
def fleet(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[gnb.Fleet]:
    """The embedded or the real gateway, another, and one that is not there."""
    with gnb.LocalGateway() as other, gnb.LocalGateway() as gone:
        gone.stop()
        for name, token in {"NORTH": gateway.token, "SOUTH": other.token}.items():
            monkeypatch.setenv(f"{name}_TOKEN", token)
        members = [
            {"name": "north", "url": gateway.url, "token_env": "NORTH_TOKEN"},
            {"name": "south", "url": other.url, "token_env": "SOUTH_TOKEN"},
            {"name": "gone", "url": gone.url, "token_env": "SOUTH_TOKEN"},
        ]
        with gnb.fleet(members) as fleet:
            yield fleet


def test_a_run_is_in_the_lake(fleet: gnb.Fleet, tmp_path: Path) -> None:
    """The events of runs on several gateways are in the lake, as in each connection's log; no secret is."""
    with fleet.capture(tmp_path / "lake") as capture:
        for name in ("north", "south"):
            fleet[name].events.clear()
            fleet[name].run("hello").result(60)
        logs = {name: fleet[name].events.df for name in ("north", "south")}
        fleet.close()
    found = rows(Lake(tmp_path / "lake"))
    for name, log in logs.items():
        kept = [row for row in found if row["gateway"] == name and row["event"]]
        last = max(row["seq"] for row in log.to_dict("records") if row["seq"] == row["seq"])
        seen = Counter((row["seq"], row["event"], row["payload"]) for row in kept if row["seq"] <= last)
        assert seen == Counter(
            log[log["event"].notna()][["seq", "event", "payload"]].itertuples(index=False, name=None)
        )
    assert {row["gateway"] for row in found} == {"north", "south", None}
    assert Counter((row["capture"], row["line"]) for row in found).most_common(1)[0][1] == 1
    assert capture.stats.problem is None
    text = str(found)
    assert not [name for name in ("NORTH_TOKEN", "SOUTH_TOKEN") if os.environ[name] in text]


def test_a_lake_answers_as_the_logs_do(fleet: gnb.Fleet, tmp_path: Path) -> None:
    """Runs, tool calls and a trace of a lake are those of the connection's own log."""
    with fleet.capture(tmp_path / "lake", ("agent", "chat")):
        gateway = fleet["north"]
        run = gateway.run("hello")
        run.result(60)
        log = gateway.events
        until(lambda: log.runs().set_index("run")["status"].get(run.run_id) == "ok")
        fleet.close()
    recorded = gnb.load(tmp_path / "lake")
    columns = ["session", "status", "deltas", "tool_calls", "tokens"]
    here, there = (frame.set_index("run").loc[run.run_id, columns] for frame in (log.runs(), recorded.runs()))
    assert there.to_dict() == here.to_dict()
    told = ["span", "parent", "kind", "name", "status", "start", "end"]
    assert recorded.trace(run.run_id).spans[told].equals(log.trace(run.run_id).spans[told])
    assert recorded.query("select distinct gateway from events where event = 'agent'")["gateway"].tolist() == ["north"]


def test_closing_the_fleet_commits_the_rest(fleet: gnb.Fleet, tmp_path: Path) -> None:
    """A fleet that is closed ends its captures, those of its parts, too: all that came is in the lake."""
    capture = fleet.capture(tmp_path / "lake", ["health", "presence"])
    part = fleet.select("n*").select("*").capture(tmp_path / "part")
    assert capture.alive
    assert part.alive
    fleet.close()
    assert not capture.alive
    assert not part.alive
    assert {row["kind"] for row in rows(Lake(tmp_path / "lake"))} <= {"start", "stop", "event"}


def test_a_gateway_that_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that can't be reached when the capture begins is in the lake once it can, and its restart is a mark."""
    with gnb.LocalGateway() as late:
        monkeypatch.setenv("LATE_TOKEN", late.token)
        late.stop()
        with gnb.fleet([{"name": "late", "url": late.url, "token_env": "LATE_TOKEN"}]) as fleet:
            capture = fleet.capture(tmp_path / "lake")
            late.start()
            until(lambda: fleet["late"].status.state == "connected", 30)
            late.emit("tick", {"n": 1})
            until(lambda: capture.stats.events >= 1)
            late.stop()
            late.start()
            until(lambda: fleet["late"].status.epoch == 2, 30)
            capture.stop()
    kinds = [row["kind"] for row in rows(Lake(tmp_path / "lake")) if row["gateway"] == "late"]
    assert kinds[0] == "start"
    assert {"event", "reconnect"} <= set(kinds)


def test_a_lake_that_is_refused(fleet: gnb.Fleet, tmp_path: Path) -> None:
    """What is no lake is refused before anything is captured; the fleet goes on."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(gnb.CaptureError, match="is not empty, and no lake"):
        fleet.capture(tmp_path)
    assert fleet["south"].status.state == "connected"
