"""``gateway-nb experiment run``: an experiment of a file, and what its exit code says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.command import run

PLAN: dict[str, Any] = {
    "templates": {"say": "echo:{text}", "shout": "echo:{text}!"},
    "data": [{"text": "one", "expected": "one"}, {"text": "two", "expected": "two"}],
    "scorers": [{"exact": {"column": "expected"}}, {"contains": "o"}],
}


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway() as gateway:
        yield gateway


def experiment(local: gnb.LocalGateway, folder: Path, plan: dict[str, Any]) -> tuple[int, str]:
    """Run a plan; JSON is YAML. Return the exit code and all that was printed."""
    file = folder / "plan.yaml"
    file.write_text(json.dumps(plan))
    environment = {"OPENCLAW_GATEWAY_URL": local.url, "OPENCLAW_GATEWAY_TOKEN": local.token}
    done = run("experiment", "run", str(file), **environment)
    return done.returncode, done.stdout + done.stderr


def test_thresholds(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """The exit code says whether every condition met its thresholds; what is done is not run again."""
    code, text = experiment(local, tmp_path, PLAN | {"thresholds": {"contains": 1}})
    assert code == 0, text
    assert "4 to run" in text
    code, text = experiment(local, tmp_path, PLAN | {"thresholds": {"exact": 0.5, "contains": {"most": 0.5}}})
    assert code == 3
    assert "0 to run" in text
    assert "exact of shout, local/local-1, main: 0, should be 0.5 at least" in text
    assert "exact of say" not in text
    assert "contains of say, local/local-1, main: 1, should be 0.5 at most" in text


def test_failures(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A run that failed meets no threshold, unless the file allows it."""
    plan = PLAN | {"templates": {"t": "{text}"}, "data": [{"text": "fail:400"}, {"text": "o"}], "scorers": []}
    code, text = experiment(local, tmp_path, plan)
    assert (code, "failures of t, local/local-1, main: 1, should be 0 at most" in text) == (3, True), text
    code, text = experiment(local, tmp_path, plan | {"thresholds": {"failures": {"most": 1}}})
    assert code == 0, text


def test_files(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """Rows come from a file beside the plan, and scorers from a module; the folder is where the plan says."""
    (tmp_path / "rows.csv").write_text("text,count\none,3\n")
    plan = PLAN | {"data": "rows.csv", "scorers": ["run_tokens"], "path": "out/echo", "thresholds": {"run_tokens": 1}}
    code, text = experiment(local, tmp_path, plan)
    assert code == 0, text
    assert (tmp_path / "out" / "echo" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"template": {}}, "there is no setting 'template'; did you mean templates?"),
        ({"data": "rows.txt"}, "data: rows.txt must end in .csv, .parquet, .json, .jsonl"),
        ({"data": "none.csv"}, "none.csv can't be read"),
        ({"scorers": ["contain"]}, "scorers: there is no 'contain'; did you mean contains"),
        ({"scorers": ["nowhere:f"]}, "scorers: nowhere:f can't be imported from here"),
        ({"scorers": [{"contains": {"colum": "x"}}]}, "scorers: contains: "),
        ({"scorers": [3]}, "scorers: 3 is no name"),
        ({"scorers": [":f"]}, "scorers: :f can't be imported from here"),
        ({"scorers": {"contains": "o"}}, "scorers: must be a list of names, and of {NAME: ARGUMENT}"),
        ({"thresholds": {"exat": 1}}, "thresholds: there is no score 'exat'; did you mean exact?"),
        ({"thresholds": {"exact": "high"}}, "thresholds: must be {SCORE: LEAST}"),
        ({"thresholds": [1]}, "thresholds: must be {SCORE: LEAST}"),
    ],
)
def test_wrong_files(local: gnb.LocalGateway, tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    """What a file says wrongly is named, with what it may say, before anything runs."""
    code, output = experiment(local, tmp_path, PLAN | changes)
    assert (code, text in output) == (2, True), output
    with gnb.connect(local.url, token=local.token) as gw:
        assert not len(gw.data.sessions())


def test_wrong_plans(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """What can't be run is one line, and exit code 1."""
    for changes, text in (
        ({"models": ["none"]}, "gateway-nb: the gateway has no model 'none'"),
        ({"scorers": ["contains"]}, "gateway-nb: scorer 'contains' is called with (row, answer, trace), but its"),
    ):
        code, output = experiment(local, tmp_path, PLAN | changes)
        assert (code, text in output) == (1, True), output
