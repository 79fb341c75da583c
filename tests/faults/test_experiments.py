"""Experiments whose gateway, network, disk or runs misbehave: nothing is lost, and what happened is said."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.experiments.scorers import contains
from gateway_nb.protocol.frames import RequestFrame
from gateway_nb.server.answers import Refusal
from gateway_nb.server.peer import Peer
from tests.helpers.support import until

ROWS = [{"n": number} for number in range(6)]


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture
def gw(local: gnb.LocalGateway) -> Iterator[gnb.Gateway]:
    with gnb.connect(local.url, token=local.token) as gateway:
        yield gateway


def in_background(experiment: gnb.Experiment, **options: Any) -> Callable[[], None]:
    """Run an experiment on a thread; return what waits for its end, and raises what ended it."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            experiment.run(**options)
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def wait() -> None:
        thread.join()
        if errors:
            raise errors[0]

    return wait


def statuses(experiment: gnb.Experiment) -> list[str]:
    return sorted(experiment.df["status"])


def test_a_restarted_gateway_goes_on(
    local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that the gateway lost in a restart is run again in another session; its row has what both used."""
    monkeypatch.setattr("gateway_nb.client.run._WAIT_SLICE", 0.1)
    experiment = gnb.experiment(gw, {"t": "count:40:50"}, data=ROWS[:2], path=tmp_path / "restarted")
    wait = in_background(experiment)
    until(lambda: len(gw.events.where("chat", '"delta"')) >= 4)
    local.restart()
    wait()
    frame = experiment.df
    assert list(frame["status"]) == ["ok", "ok"]
    assert {record.attempt for record in experiment.records.values()} == {2}
    assert set(frame["session"].str[-4:]) == {"-0-2", "-1-2"}
    messages = gw.data.messages("agent:main:experiment-restarted-*")
    assert frame["cost"].sum() == pytest.approx(messages["cost"].sum())


def test_a_lost_network_goes_on(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """Runs that go on while the network is gone are found when it is back: none is asked for again."""
    experiment = gnb.experiment(gw, {"t": "count:20:50"}, data=ROWS[:3], path=tmp_path / "network")
    wait = in_background(experiment)
    until(lambda: len(gw.events.where("chat", '"delta"')) >= 6)
    local.drop()
    wait()
    frame = experiment.df
    assert set(frame["status"]) == {"ok"}
    assert {record.attempt for record in experiment.records.values()} == {1}
    messages = gw.data.messages("agent:main:experiment-network-*")
    assert messages.groupby("run").size().to_dict() == dict.fromkeys(frame["run"], 2)
    assert frame["cost"].sum() == pytest.approx(messages["cost"].sum())


def test_a_gateway_that_does_not_come_back(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """Where the connection is closed, the experiment ends with that; the runs under way are found by the next."""
    path = tmp_path / "closed"
    with gnb.connect(local.url, token=local.token) as gw:
        experiment = gnb.experiment(gw, {"t": "count:20:50"}, data=ROWS[:3], path=path)
        wait = in_background(experiment)
        until(lambda: len(gw.events.where("chat", '"delta"')) >= 6)
    with pytest.raises(gnb.GatewayClosedError):
        wait()
    with gnb.connect(local.url, token=local.token) as gw:
        experiment = gnb.experiment(gw, path=path)
        assert statuses(experiment) == ["running"] * 3
        assert statuses(experiment.run()) == ["ok"] * 3
        assert gw.data.messages("agent:main:experiment-closed-*").groupby("run").size().unique().tolist() == [2]


def test_waiting_at_stop(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """An experiment that is paused to wait ends its runs under way, and begins no others."""
    experiment = gnb.experiment(gw, {"t": "count:10:50"}, data=ROWS, parallel=2, path=tmp_path / "paused")
    wait = in_background(experiment)
    until(lambda: experiment.running and statuses(experiment).count("running") == 2)
    experiment.stop("wait")
    wait()
    assert statuses(experiment) == ["ok"] * 2 + ["waiting"] * 4
    assert statuses(experiment.run()) == ["ok"] * 6


def test_scorers_are_aborted_too(
    local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scorer that takes long does not hold up a stop; its answer is kept, and scored by the next run."""
    monkeypatch.setattr("gateway_nb.experiments.scoring._GRACE", 0.05)
    ends: list[str] = []

    async def slow(row: dict[str, Any], answer: str, trace: Any) -> bool:
        try:
            return await asyncio.Event().wait()
        finally:
            ends.append(answer)

    path = tmp_path / "scoring"
    experiment = gnb.experiment(gw, {"t": "echo:{n}"}, data=ROWS[:2], scorers=[slow], path=path)
    wait = in_background(experiment)
    until(lambda: statuses(experiment) == ["ok"] * 2)
    experiment.stop()
    wait()
    assert sorted(ends) == ["0", "1"]
    again = gnb.experiment(gw, path=path, scorers=[contains("1")])
    assert again.df["contains"].isna().all()
    assert list(again.run().df["contains"]) == [False, True]


def test_aborted_cells_run_again(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """What was aborted runs again in another session, and its row has what both used."""
    experiment = gnb.experiment(gw, {"t": "count:10:50"}, data=ROWS[:2], path=tmp_path / "again")
    wait = in_background(experiment)
    until(lambda: len(gw.events.where("chat", '"delta"')) >= 2)
    experiment.stop()
    wait()
    first = experiment.df
    assert list(first["status"]) == ["aborted"] * 2
    frame = experiment.run().df
    assert list(frame["status"]) == ["ok"] * 2
    assert not set(frame["session"]) & set(first["session"])
    messages = gw.data.messages("agent:main:experiment-again-*")
    assert frame["cost"].sum() == pytest.approx(messages["cost"].sum())


@pytest.mark.filterwarnings("ignore::gateway_nb.protocol.lines.TornEndWarning")
def test_a_full_disk_ends_it(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """A disk that is full ends the experiment with an error; with room again it goes on, and no cell is run twice."""
    path = tmp_path / "full"
    experiment = gnb.experiment(gw, {"t": "{n}"}, data=[{"n": n} for n in range(60)], path=path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, hard))
    try:
        with pytest.raises(gnb.GatewayError, match=r"File too large.* kept|File too large.* readable"):
            experiment.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 0 < statuses(experiment).count("ok") < 60
    assert statuses(experiment.run()) == ["ok"] * 60
    messages = gw.data.messages("agent:main:experiment-full-*")
    assert messages.groupby("run").size().to_dict() == dict.fromkeys(experiment.df["run"], 2)


def test_the_cost_of_all_runs_is_limited(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """No run begins that would cost too much in all, if it costs what the others did; a higher limit goes on."""
    path = tmp_path / "costs"
    plan: Any = {"data": [{"n": n} for n in range(40)], "path": path, "parallel": 2}
    each = gnb.experiment(gw, {"t": "echo:x {n}"}, data=ROWS[:1], path=tmp_path / "price").run().df["cost"][0]
    with pytest.warns(UserWarning, match=r"max_cost=.* is reached: \d+ of 40 cells have run"):
        frame = gnb.experiment(gw, {"t": "echo:x {n}"}, max_cost=each * 10.5, **plan).run().df
    assert 8 <= (frame["status"] == "ok").sum() <= 10
    assert frame["cost"].sum() <= each * 10.5
    assert statuses(gnb.experiment(gw, path=path, max_cost=each * 100).run()) == ["ok"] * 40


def test_answers_are_scored_at_the_limit(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """Scoring answers that are there costs nothing: no limit of the cost holds it up."""
    path = tmp_path / "limit"
    frame = gnb.experiment(gw, {"t": "echo:x {n}"}, data=ROWS, path=path).run().df
    again = gnb.experiment(gw, path=path, scorers=[contains("x")], max_cost=frame["cost"].sum()).run()
    assert again.df["contains"].all()


def test_what_somebody_else_aborted(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """A run that somebody else aborted keeps its cost and its session, until its cell has ended."""
    experiment = gnb.experiment(gw, {"t": "count:20:50"}, data=ROWS[:1], cleanup=True, path=tmp_path / "else")
    wait = in_background(experiment)
    until(lambda: len(gw.events.where("chat", '"delta"')) >= 2)
    gw.request("chat.abort", {"sessionKey": experiment.df["session"][0]})
    wait()
    aborted = experiment.df
    assert list(aborted["status"]) == ["aborted"]
    costs = gw.data.messages(aborted["session"][0])["cost"].sum()
    assert aborted["cost"][0] == pytest.approx(costs)
    wait = in_background(experiment)
    until(lambda: statuses(experiment) == ["running"])
    assert experiment.df["cost"][0] == pytest.approx(costs)
    wait()
    alone = gnb.experiment(gw, {"t": "count:20:50"}, data=ROWS[:1], path=tmp_path / "alone").run().df
    assert experiment.df["cost"][0] == pytest.approx(costs + alone["cost"][0])
    assert set(gw.data.sessions()["session"]) == set(alone["session"])


def test_the_cost_of_each_run_is_limited(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """A run whose model calls cost too much is aborted, and a row that says so; a cheap one is not."""
    calls = "\n".join(["tool:agents_list:{}"] * 30)
    rows = [{"text": calls}, {"text": "cheap"}]
    experiment = gnb.experiment(gw, {"t": "{text}"}, data=rows, max_run_cost=1e-4, path=tmp_path / "dear")
    frame = experiment.run().df
    assert list(frame["status"]) == ["failed", "ok"]
    assert "more than max_run_cost=0.0001, and was aborted" in frame["error"][0]
    assert frame["cost"][0] > 1e-4


def test_the_time_of_all_runs_is_limited(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """After the time for all runs no more begin, and those under way are aborted; the next call goes on."""
    experiment = gnb.experiment(
        gw, {"t": "count:{n}:50"}, data=[{"n": 1}, {"n": 600}], max_seconds=1.0, path=tmp_path / "time"
    )
    with pytest.warns(UserWarning, match="max_seconds=1 is reached: 1 of 2 cells have run"):
        experiment.run()
    assert list(experiment.df["status"]) == ["ok", "aborted"]


class Refusing(gnb.LocalGateway):
    """Refuses the first three runs."""

    left = 3
    retryable = True

    def call(self, peer: Peer, request: RequestFrame) -> None:
        if request.method == "agent" and self.left:
            self.left -= 1
            raise Refusal("UNAVAILABLE", "not now", retryable=self.retryable, retry_after_ms=50)
        super().call(peer, request)


@pytest.mark.parametrize("retryable", [True, False])
def test_refusals_that_pass(tmp_path: Path, retryable: bool) -> None:
    """A gateway that is busy, or about to restart, is asked again; no row fails of it."""
    with Refusing() as local, gnb.connect(local.url, token=local.token) as gw:
        local.retryable = retryable
        experiment = gnb.experiment(gw, {"t": "{n}"}, data=ROWS, path=tmp_path / "busy").run()
        assert statuses(experiment) == ["ok"] * 6
        assert gw.status.counters.retries == (3 if retryable else 0)


def test_stopping_while_the_gateway_takes_no_runs(tmp_path: Path) -> None:
    """An experiment that waits for its gateway is paused at once, and nothing of it counts as failed."""
    with Refusing() as local, gnb.connect(local.url, token=local.token) as gw:
        local.retryable, local.left = False, 1_000
        experiment = gnb.experiment(gw, {"t": "{n}"}, data=ROWS, path=tmp_path / "draining")
        wait = in_background(experiment)
        until(lambda: any(record.attempt == 2 and record.status == "lost" for record in experiment.records.values()))
        experiment.stop()
        wait()
        assert set(statuses(experiment)) == {"lost", "waiting"}
        local.left = 0
        assert statuses(experiment.run()) == ["ok"] * 6


def test_no_scope_ends_it_at_once(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A connection that may not start runs says so once, not in every row."""
    with gnb.connect(local.url, token=local.token, scopes=["operator.read"]) as gw:
        experiment = gnb.experiment(gw, {"t": "{n}"}, data=ROWS, path=tmp_path / "scope")
        with pytest.raises(gnb.errors.MissingScopeError):
            experiment.run()
        assert "failed" not in statuses(experiment)
        clean = gnb.experiment(gw, {"t": "{n}"}, data=ROWS, path=tmp_path / "clean", cleanup=True)
        with pytest.raises(gnb.BadArgumentError, match=r"cleanup=True deletes sessions, which needs scopes="):
            clean.run()


def test_no_secret_is_written(local: gnb.LocalGateway, gw: gnb.Gateway, tmp_path: Path) -> None:
    """What an agent says of the connection's token is in no file of the experiment."""
    path = tmp_path / "secret"
    frame = gnb.experiment(gw, {"t": "{text}"}, data=[{"text": "hello"}], path=path).run().df
    assert frame["answer"][0] == "hello"
    local.emit("agent", {"runId": frame["run"][0], "sessionKey": frame["session"][0], "data": {"text": local.token}})
    answer = gnb.experiment(gw, {"t": "echo:the token is {text}"}, data=[{"text": "a"}], path=tmp_path / "more")
    answer.plan.rows[0]["text"] = local.token  # as if a tool had told it to the agent
    assert local.token not in answer.run().df["answer"][0]
    for file in [*path.iterdir(), *(tmp_path / "more").iterdir()]:
        assert local.token.encode() not in file.read_bytes()
