"""Experiments: every cell once, in a session of its own, across whatever is lost in between."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gateway_nb as gnb
from tests.helpers import experimenter
from tests.helpers.real import AnyGateway
from tests.helpers.support import until

ROWS = [{"text": f"row {number}"} for number in range(3)]
SLOWLY = pytest.mark.parametrize("gateway", ["local", pytest.param("openclaw", marks=pytest.mark.slow)], indirect=True)
QUIET = pytest.mark.filterwarnings("ignore::gateway_nb.protocol.lines.TornEndWarning")


def contains(row: dict[str, Any], answer: str, trace: Any) -> bool:
    return row["text"] in answer


@pytest.fixture(params=["local", "openclaw"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each gateway in turn; the WebSocket library makes no difference here."""
    if request.param == "openclaw":
        yield request.getfixturevalue("real")
    else:
        with gnb.LocalGateway() as local:
            yield local


def sessions_of(gw: gnb.Gateway, experiment: gnb.Experiment) -> set[str]:
    """The sessions that a gateway has of an experiment."""
    sessions = gw.data.sessions()["session"]
    return set(sessions[sessions.str.contains(f"experiment-{experiment.name}-", regex=False)])


def test_every_cell_is_run_once(gateway: AnyGateway, tmp_path: Path) -> None:
    """Each cell has its answer, its scores, what it used, and a session; run and session join the gateway's records."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        model = gw.data.models().iloc[0]
        templates = {"echo": "echo:{text}", "count": "count:3:1"}
        path = tmp_path / "once"
        experiment = gnb.experiment(
            gw, templates, data=ROWS, models=[model["model"]], repeats=2, scorers=[contains], path=path
        )
        frame = experiment.run().df
        assert set(frame["status"]) == {"ok"}
        assert frame.groupby("template")["contains"].mean().to_dict() == {"echo": 1.0, "count": 0.0}
        assert list(frame["answer"][:2]) == ["row 0", "row 0"]
        assert set(frame["model"]) == {f"{model['provider']}/{model['model']}"}
        assert set(frame["session"]) == sessions_of(gw, experiment)
        assert len(frame) == frame["run"].nunique() == frame["session"].nunique() == 12
        messages = gw.data.messages("agent:main:experiment-once-*")
        used = messages.groupby("run")[["input_tokens", "output_tokens", "cost"]].sum()
        for name in used:
            assert list(frame[name]) == pytest.approx(list(used[name].loc[list(frame["run"])]))
        assert experiment.events.trace(frame["run"][0]).status == "ok"
        again = gnb.experiment(gw, path=path)
        assert again.run().df.equals(frame)
        assert sessions_of(gw, again) == set(frame["session"])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"models": ["no-such-model"]}, "the gateway has no model 'no-such-model'"),
        ({"agents": ["mian"]}, "the gateway has no agent 'mian'; did you mean main?"),
    ],
)
def test_what_the_gateway_lacks_is_refused(
    gateway: AnyGateway, tmp_path: Path, options: dict[str, Any], error: str
) -> None:
    """An agent or model that the gateway lacks is refused before the first run."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        before = len(gw.data.sessions())
        with pytest.raises(gnb.BadArgumentError, match=error):
            gnb.experiment(gw, {"t": "{text}"}, data=ROWS, path=tmp_path / "new", **options).run()
        assert len(gw.data.sessions()) == before


def test_failures_are_rows(gateway: AnyGateway, tmp_path: Path) -> None:
    """A run that fails is a row that says so; the others go on, and none is run again."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        rows = [{"text": "fail:400"}, {"text": "well"}]
        path = tmp_path / "failures"
        frame = gnb.experiment(gw, {"t": "{text}"}, data=rows, path=path, scorers=[contains]).run().df
        assert list(frame["status"]) == ["failed", "ok"]
        assert list(frame["answer"].isna()) == list(frame["contains"].isna()) == [True, False]
        assert list(frame["error"].isna()) == [False, True]
        assert gnb.experiment(gw, path=path, scorers=[contains]).run().df.equals(frame)


def test_a_run_that_takes_too_long_is_aborted(gateway: AnyGateway, tmp_path: Path) -> None:
    """A run that takes longer than it may is a row that says so, and goes on no more."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        templates = {"t": "count:600:50"}
        frame = gnb.experiment(gw, templates, data=ROWS[:1], path=tmp_path / "long", timeout=1).run().df
        assert list(frame["status"]) == ["timeout"]
        assert "did not end within 1 s" in frame["error"][0]
        until(lambda: gw.request("sessions.describe", {"key": frame["session"][0]})["session"]["status"] != "running")


@SLOWLY
def test_cleanup_deletes_what_it_made(gateway: AnyGateway, tmp_path: Path) -> None:
    """With cleanup the experiment's sessions are gone at the end, and nobody else's."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        others = ["agent:main:experiment-clean", "agent:main:experiment-clean-12345678-0"]
        for key in others:
            gw.request("sessions.create", {"key": key})
        experiment = gnb.experiment(gw, {"t": "{text}"}, data=ROWS, path=tmp_path / "clean", cleanup=True)
        assert set(experiment.run().df["status"]) == {"ok"}
        assert sessions_of(gw, experiment) == {others[1]}
        assert others[0] in set(gw.data.sessions()["session"])
        for key in others:
            gw.request("sessions.delete", {"key": key})


@QUIET
@SLOWLY
def test_a_killed_process_goes_on(gateway: AnyGateway, tmp_path: Path) -> None:
    """After kill -9 the same path goes on: no cell is run twice, none is left out, and the costs are the gateway's."""
    path = tmp_path / "killed"
    plan = {"templates": {"echo": "echo:{text}", "count": "count:8:50"}, "data": ROWS, "repeats": 2}
    process = experimenter.start(gateway.url, gateway.token, path, plan)
    until(lambda: experimenter.ended(path) >= 2, 60)
    process.kill()
    process.communicate()
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        experiment = gnb.experiment(gw, path=path)
        under_way = [record for record in experiment.records.values() if record.status == "running"]
        frame = experiment.run().df
        assert set(frame["status"]) == {"ok"}
        assert under_way
        assert sessions_of(gw, experiment) == set(frame["session"])
        messages = gw.data.messages("agent:main:experiment-killed-*")
        assert set(messages["run"]) == set(frame["run"])
        assert messages.groupby("run").size().unique().tolist() == [2]
        assert frame["cost"].sum() == pytest.approx(messages["cost"].sum())


@SLOWLY
def test_ctrl_c_pauses(gateway: AnyGateway, tmp_path: Path) -> None:
    """Ctrl-C aborts what is under way and keeps what is done; the next run goes on with the rest."""
    path = tmp_path / "paused"
    plan = {"templates": {"echo": "echo:{text}", "count": "count:600:50"}, "data": ROWS, "parallel": 6}
    process = experimenter.start(gateway.url, gateway.token, path, plan)
    until(lambda: experimenter.ended(path) >= 3, 60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt: 3 of 6 cells have run; run() goes on with the others")
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        frame = gnb.experiment(gw, path=path).df
        assert frame.groupby("template")["status"].unique().map(list).to_dict() == {
            "count": ["aborted"],
            "echo": ["ok"],
        }
        tasks = gw.data.tasks()
        assert "running" not in set(tasks[tasks["session"].isin(frame["session"])]["status"])


@SLOWLY
def test_two_processes_on_one_path(gateway: AnyGateway, tmp_path: Path) -> None:
    """The second process on a path is refused, and the first is not disturbed."""
    path = tmp_path / "shared"
    first = experimenter.start(gateway.url, gateway.token, path, {"templates": {"t": "count:600:50"}, "data": ROWS})
    until(lambda: (path / "cells.jsonl").exists(), 60)
    second = experimenter.start(gateway.url, gateway.token, path)
    _, errors = second.communicate(timeout=60)
    assert f"another process runs the experiment in {path}" in errors
    first.send_signal(signal.SIGINT)
    _, errors = first.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt: 0 of 3 cells have run; run() goes on with the others")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[gnb.Gateway, Path]]:
    """An experiment of two rows that has run, and its connection."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        data = [{"text": "one", "n": 1.5}, {"text": "two", "n": None}]
        gnb.experiment(gw, {"say": "echo:{text}"}, data=data, path=tmp_path / "there").run()
        yield gw, tmp_path / "there"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"templates": {"say": "echo:{n}"}}, "other templates: 'say' was 'echo:{text}', is 'echo:{n}'"),
        ({"templates": {"say": "echo:{text}", "b": "x"}}, "other templates: 'b' was None, is 'x'"),
        ({"models": ["local-1"]}, "other models: (None,), not ('local/local-1',)"),
        ({"agents": ["other"]}, "other agents: ('main',), not ('other',)"),
        ({"repeats": 2}, "other repeats: 1, not 2"),
        ({"seed": 5}, "other seed: 0, not 5"),
        ({"data": [{"text": "one", "n": 1.5}]}, "other data: it has 2 rows, not 1"),
        ({"data": [{"text": "one"}, {"text": "two"}]}, "other data: its columns are text, n, not text"),
        ({"data": [{"text": "one", "n": 1.5}, {"text": "2", "n": None}]}, "column 'text', row 1 was 'two', is '2'"),
        ({"data": [{"text": "one", "n": 1.5}, {"text": "two", "n": 2}]}, "column 'n', row 1 was nan, is 2.0"),
    ],
)
def test_other_plans_under_the_same_path_are_refused(
    folder: tuple[gnb.Gateway, Path], changes: dict[str, Any], error: str
) -> None:
    """What differs from the experiment that a folder has is named, and nothing in it changes."""
    gw, path = folder
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    with pytest.raises(gnb.ExperimentError) as caught:
        gnb.experiment(gw, path=path, **changes)
    assert error in str(caught.value)
    assert "choose another path" in str(caught.value)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def test_the_same_plan_goes_on(folder: tuple[gnb.Gateway, Path]) -> None:
    """A cell that is run again, with all its arguments, goes on with the experiment; limits may be others."""
    gw, path = folder
    data = [{"text": "one", "n": 1.5}, {"text": "two", "n": None}]
    again = gnb.experiment(gw, {"say": "echo:{text}"}, data=data, path=path, parallel=2, max_cost=3)
    assert list(again.run().df["status"]) == ["ok", "ok"]
    limits = gnb.experiment(gw, path=path).limits
    assert (limits.parallel, limits.max_cost, limits.timeout) == (2, 3.0, None)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"templates": {"t": "x"}}, "there is no experiment in new yet: templates and data say what to run"),
        ({"data": ROWS}, "there is no experiment in new yet"),
        ({"templates": {"t": "{txt}"}, "data": ROWS}, "the data has no column 'txt'; did you mean text?"),
        ({"templates": {"t": "x"}, "data": []}, "the data is empty"),
        ({"templates": {"t": "x"}, "data": 5}, "data must be a DataFrame, or a list of dicts"),
        ({"templates": {"t": "x"}, "data": [{"answer": 1}]}, "columns answer have the names of results"),
        ({"templates": "Sum up: {text}", "data": ROWS}, "templates must be a dict of prompts by name: {'a': 'Sum up"),
        ({"templates": {"t": "\ud800"}, "data": ROWS}, "template 't' can't be filled in with row 0: 'utf-8' codec"),
        ({"templates": {"t": "x"}, "data": [{"n": 2**70}]}, "the data has values that can't be kept"),
        ({"agents": "main"}, "agents must be a list of names: ['main']"),
        ({"models": 5}, "models must be a list of names, not 5"),
        ({"models": [5]}, "models must be a list of names, not [5]"),
        ({"models": []}, "models must be one name or more, not []"),
        ({"models": [None, None]}, "models must be different, not the agent's own, the agent's own"),
        ({"thinking": 5}, "thinking must be the name of a level, such as 'low', not 5"),
        ({"parallel": 0}, "parallel must be a whole number from 1 to 128, not 0"),
        ({"timeout": 0}, "timeout must be a number of seconds, more than 0, not 0"),
        ({"max_seconds": "1h"}, "max_seconds must be a number of seconds, more than 0, not '1h'"),
        ({"max_cost": -1}, "max_cost must be an amount in USD, more than 0, not -1"),
        ({"max_run_cost": True}, "max_run_cost must be an amount in USD, more than 0, not True"),
        ({"cleanup": "yes"}, "cleanup must be True or False, not 'yes'"),
        ({"scorers": {"text": len}}, "scorer 'text': there is a column 'text' already"),
    ],
)
def test_bad_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], error: str) -> None:
    """What can't be used is refused with what it should be; nothing is asked or written."""
    monkeypatch.chdir(tmp_path)
    plan = {} if {"templates", "data"} & options.keys() else {"templates": {"t": "{text}"}, "data": ROWS}
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        with pytest.raises(gnb.BadArgumentError) as caught:
            gnb.experiment(gw, path="new", **plan, **options)
        assert error in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("values", "other", "error"),
    [
        (pd.array([1, None], "Int64"), pd.array([1, 2], "Int64"), "row 1 was <NA>, is 2"),
        ([np.array([1, 2]), np.array([3])], [np.array([1, 2]), np.array([4])], "row 1 was array([3]), is array([4])"),
        (
            np.array(["2026-01-01", "NaT"], "M8[s]"),
            np.array(["2026-01-01"] * 2, "M8[s]"),
            "row 1 was NaT, is Timestamp",
        ),
        (["a", None], ["a", "b"], "row 1 was"),
    ],
)
def test_data_of_any_type_is_the_same_again(tmp_path: Path, values: Any, other: Any, error: str) -> None:
    """The same data goes on, whatever its types become on disk; other data is refused with where it differs."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        plan: Any = {"templates": {"t": "x"}, "path": tmp_path / "types"}
        frame = gnb.experiment(gw, data=pd.DataFrame({"a": values}), **plan).run().df
        assert gnb.experiment(gw, data=pd.DataFrame({"a": values}), **plan).df.equals(frame)
        with pytest.raises(gnb.ExperimentError) as caught:
            gnb.experiment(gw, data=pd.DataFrame({"a": other}), **plan)
        assert f"column 'a', {error}" in str(caught.value)


def test_the_folder_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment of a relative path stays in its folder when the notebook changes to another one."""
    monkeypatch.chdir(tmp_path)
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        experiment = gnb.experiment(gw, {"t": "{text}"}, data=ROWS, path="here")
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        experiment.run()
    assert (tmp_path / "here" / "manifest.json").exists()
    assert not list((tmp_path / "other").iterdir())


def test_no_connection() -> None:
    """An experiment needs a connection, not just its address."""
    with pytest.raises(gnb.BadArgumentError, match=r"needs a connection of gateway_nb.connect\(\), not 'ws://x'"):
        gnb.experiment("ws://x", {"t": "x"}, data=ROWS)  # type: ignore[arg-type]
