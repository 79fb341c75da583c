"""Scores of experiments on both gateways: what scorers are given, judges, other scores later, marks, exports."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.errors import BadArgumentError, ExperimentError
from gateway_nb.experiments.scorers import contains, exact, judge, run_cost, run_seconds, run_tokens
from tests.helpers.real import AnyGateway
from tests.helpers.support import until

ROWS = [{"text": f"row {number}", "expected": f"row {number}"} for number in range(4)]
TEMPLATES = {"say": "echo:{text}", "shout": "echo:{text}!"}
VERDICT = 'echo:```json\n{"score": 0.25, "reason": "only a quarter"}\n```\n'


@pytest.fixture(params=["local", "openclaw"])
def gw(request: pytest.FixtureRequest) -> Iterator[gnb.Gateway]:
    """A connection to each gateway in turn; the WebSocket library makes no difference here."""
    if request.param == "openclaw":
        real: AnyGateway = request.getfixturevalue("real")
        with gnb.connect(real.url, token=real.token) as gateway:
            yield gateway
    else:
        yield request.getfixturevalue("local")


@pytest.fixture
def local() -> Iterator[gnb.Gateway]:
    """A connection to the embedded gateway, for what needs answers alone."""
    with gnb.LocalGateway() as gateway, gnb.connect(gateway.url, token=gateway.token) as connection:
        yield connection


def broken(row: dict[str, Any], answer: str, trace: Any) -> bool:
    if row["text"] == "row 3":
        raise ValueError("not this one")
    return answer.endswith("!")


def test_scores(gw: gnb.Gateway, tmp_path: Path) -> None:
    """Each answer has its scores, of time, tokens and cost, too; a scorer that raises is told in its row alone."""
    scorers = {"same": exact(column="expected"), "tokens": run_tokens, "time": run_seconds, "usd": run_cost}
    exp = gnb.experiment(gw, TEMPLATES, data=ROWS, scorers={**scorers, "broken": broken}, path=tmp_path / "scores")
    frame = exp.run().df
    assert list(frame["same"]) == [True] * 4 + [False] * 4
    assert list(frame["tokens"]) == list(frame["input_tokens"] + frame["output_tokens"])
    assert list(frame["usd"]) == list(frame["cost"])
    assert (frame["time"] <= frame["seconds"] + 1).all()
    failed = frame[frame["row"] == 3]
    assert set(failed["error"]) == {"broken: ValueError: not this one"}
    assert failed["broken"].isna().all()
    assert frame["error"].isna().sum() == 6
    found = exp.summary()
    assert list(found["mean"]) == [1.0, 0.0]
    assert list(exp.summary("broken")["unscored"]) == [1, 1]
    assert found["cost"].sum() == pytest.approx(frame["cost"].sum())
    assert "no difference between 'say' and 'shout' could be shown with 4 pairs (p = 0.12)" in repr(
        exp.compare("say", "shout")
    )
    assert "after correction for 2 comparisons" in repr(exp.compare(by=["same", "broken"]))
    exp.rescore({"tokens again": run_tokens, "time": run_seconds})
    assert list(exp.df["tokens again"]) == list(frame["tokens"])
    assert list(exp.df["time"]) == pytest.approx(list(frame["time"]))
    assert exp.compare("say", "shout", by="output_tokens").df["pairs"].item() == 4


def test_rescore(local: gnb.Gateway, tmp_path: Path) -> None:
    """Other scorers score the same answers without a run; their columns replace those there were, for good."""
    exp = gnb.experiment(local, TEMPLATES, data=ROWS, scorers=[contains("row")], path=tmp_path / "again").run()
    before = exp.df
    exp.rescore({"loud": contains("!"), "tokens": run_tokens})
    again = gnb.experiment(local, path=tmp_path / "again").df
    assert list(again["run"]) == list(before["run"])
    assert list(again["loud"]) == [False] * 4 + [True] * 4
    assert list(again["tokens"]) == list(before["input_tokens"] + before["output_tokens"])
    assert "contains" not in again
    for scorers, message in (([], "no scorers"), ({"text": broken}, "there is a column 'text' already")):
        with pytest.raises(BadArgumentError, match=message):
            exp.rescore(scorers)
    assert list(exp.scores) == ["loud", "tokens"]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_answers_are_scored_again(local: gnb.Gateway, tmp_path: Path) -> None:
    """Ctrl-C stops scoring at once; what was scored is kept, and it can be done again."""
    exp = gnb.experiment(
        local, TEMPLATES, data=ROWS, scorers=[contains("row")], parallel=1, path=tmp_path / "stop"
    ).run()
    released, struck, main = threading.Event(), threading.Event(), threading.main_thread().ident or 0

    def slow(row: dict[str, Any], answer: str, trace: Any) -> int:
        if row["text"] == "row 2":
            until(lambda: sum("slow" in (record.scores or {}) for record in exp.records.values()) == 2)
            if not struck.is_set():
                struck.set()
                signal.pthread_kill(main, signal.SIGINT)
            released.wait(30)
        return len(answer)

    with pytest.raises(KeyboardInterrupt):
        exp.rescore([slow])
    released.set()
    kept = gnb.experiment(local, path=tmp_path / "stop").df
    assert list(kept["slow"].dropna()) == [5, 5]
    assert list(kept["contains"].isna()) == [True] * 2 + [False] * 6
    again = exp.rescore({"length": lambda row, answer, trace: len(answer)})
    assert (again.scores, again.df["length"].notna().all()) == (["length"], True)


def test_scores_of_earlier_runs(gw: gnb.Gateway, tmp_path: Path) -> None:
    """Runs that had ended before there were scorers are scored with their traces, as if these had been there."""
    path = tmp_path / "later"
    gnb.experiment(gw, {"say": "echo:{text}"}, data=ROWS[:2], path=path).run()
    frame = gnb.experiment(gw, path=path, scorers=[run_tokens, run_seconds]).run().df
    assert frame["error"].isna().all()
    assert list(frame["run_tokens"]) == list(frame["input_tokens"] + frame["output_tokens"])
    assert (frame["run_seconds"] <= frame["seconds"] + 1).all()


def test_a_scorer_that_always_fails(local: gnb.Gateway, tmp_path: Path) -> None:
    """It has a column without scores, which stays the default: no other scorer's numbers take its place."""

    def hopeless(row: dict[str, Any], answer: str, trace: Any) -> float:
        raise ValueError("never")

    exp = gnb.experiment(local, TEMPLATES, data=ROWS, scorers=[hopeless, contains("!")], path=tmp_path / "hopeless")
    frame = exp.run().df
    assert frame["hopeless"].isna().all()
    found = exp.summary()
    assert (list(found["n"]), list(found["unscored"]), list(found["mean"].isna())) == ([0, 0], [4, 4], [True, True])
    assert "'hopeless': 'say' and 'shout' can't be compared" in repr(exp.compare("say", "shout"))


def test_a_judge(gw: gnb.Gateway, tmp_path: Path) -> None:
    """Another agent's verdict is a score and a reason, in a session of its own; no verdict is an error of the row."""
    exp = gnb.experiment(
        gw, {"say": "echo:{text}"}, data=ROWS[:1], scorers=[judge(gw, VERDICT)], path=tmp_path / "judged"
    )
    frame = exp.run().df
    assert list(frame["judge.score"]) == [0.25]
    assert list(frame["judge.reason"]) == ["only a quarter"]
    assert list(exp.summary()["mean"]) == [0.25]
    sessions = gw.data.sessions()["session"]
    assert sessions.str.startswith("agent:main:judge-").sum() == 1
    exp.rescore([judge(gw, "echo:No idea.")])
    assert exp.df["error"].str.startswith("judge: ValueError: its reply is not JSON").all()
    exp.rescore([judge(gw, "fail:400")])
    assert exp.df["error"].str.startswith("judge: RunFailedError").all()


def test_marks(local: gnb.Gateway, tmp_path: Path) -> None:
    """What somebody marks by hand is a column, is kept when answers are scored again, and is compared."""
    exp = gnb.experiment(local, TEMPLATES, data=ROWS, path=tmp_path / "marked")
    with pytest.raises(BadArgumentError, match="no answers yet"):
        exp.annotate()
    with pytest.raises(BadArgumentError, match="there are no scores"):
        exp.compare()
    view = exp.run().annotate()
    for cell in exp.plan.cells:
        content = {"type": "mark", "view": "v", "cell": cell.number, "mark": 2 + 3 * (cell.template == "shout")}
        view._receive(view, content, [])
    view.close()
    exp.rescore([contains("!")])
    assert exp.compare("say", "shout", by="mark").df["difference"].item() == -3
    again = gnb.experiment(local, path=tmp_path / "marked")
    assert list(again.df["mark"]) == [2] * 4 + [5] * 4
    assert again.scores == ["contains"]


def test_exports(local: gnb.Gateway, tmp_path: Path) -> None:
    """The frame goes to Parquet and comes back the same; an Inspect log is written once."""
    exp = gnb.experiment(local, TEMPLATES, data=ROWS, scorers=[contains("!"), broken], path=tmp_path / "out").run()
    exp.df.to_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), exp.df, check_dtype=False)
    path = exp.to_inspect(tmp_path / "out.eval")
    with pytest.raises(FileExistsError):
        exp.to_inspect(path)


def test_while_it_runs(local: gnb.Gateway, tmp_path: Path) -> None:
    """While another process runs it, it is not scored again."""
    exp = gnb.experiment(local, TEMPLATES, data=ROWS, path=tmp_path / "locked").run()
    with exp._store.locked(), pytest.raises(ExperimentError, match="another process runs the experiment"):
        exp.rescore([contains("!")])
