"""Logs of experiments, as Inspect's own reader and its analysis see them."""

from __future__ import annotations

from pathlib import Path

import pytest

import gateway_nb as gnb
from gateway_nb.experiments.scorers import contains, run_tokens
from tests.helpers.support import missing


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> tuple[gnb.Experiment, Path]:
    """An experiment with a failure, a mark, and scores of each kind; and its log."""
    folder = tmp_path_factory.mktemp("inspect")
    scorers = {"loud": contains("!"), "tokens": run_tokens, "label": lambda row, answer, trace: {"kind": answer[:3]}}
    templates = {"say / it": "echo:{text}", "shout": "echo:{text}!", "fail": "fail:400"}
    data = [{"text": f"row {number} ä <b>", "n": number} for number in range(3)]
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        exp = gnb.experiment(gw, templates, data=data, repeats=2, scorers=scorers, path=folder / "exp").run()
        view = exp.annotate()
        view._receive(view, {"type": "mark", "view": "v", "cell": 0, "mark": 4}, [])
        view.close()
        return exp, exp.to_inspect(folder / "log.eval")


def test_its_own_reader(experiment: tuple[gnb.Experiment, Path]) -> None:
    """Inspect reads the log: each run that ended with prompt, answer, scores, error, usage; and the means."""
    try:
        from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries
    except ImportError as error:
        missing("inspect", str(error))
    exp, path = experiment
    log = read_eval_log(str(path))
    frame = exp.df
    assert (log.status, log.eval.task, log.eval.config.epochs) == ("success", "exp", 2)
    assert log.samples is not None
    samples = {sample.uuid: sample for sample in log.samples}
    assert sorted(samples) == sorted(frame["run"])
    first = samples[frame["run"][0]]
    assert (first.input, first.output.completion) == ("echo:row 0 ä <b>", "row 0 ä <b>")
    assert {name: score.value for name, score in (first.scores or {}).items()} == {
        "loud": False,
        "tokens": frame["tokens"][0],
        "label.kind": "row",
        "mark": 4,
    }
    assert (first.metadata["template"], first.metadata["n"], first.metadata["session"]) == (
        "say / it",
        0,
        frame["session"][0],
    )
    failed = [sample.error.message for sample in log.samples if sample.error]
    assert sorted(failed) == sorted(frame["error"].dropna())
    assert log.results is not None
    means = {score.name: score.metrics["mean"].value for score in log.results.scores}
    assert means["loud (shout · local/local-1 · main)"] == 1
    assert len(read_eval_log_sample_summaries(str(path))) == 18
    assert read_eval_log_sample(str(path), id=first.id, epoch=2).input == first.input
    assert [Path(info.name).name for info in list_eval_logs(str(path.parent))] == ["log.eval"]


@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame:DeprecationWarning")  # Inspect's own
def test_its_analysis(experiment: tuple[gnb.Experiment, Path]) -> None:
    """Inspect's DataFrames have a row for each run, with its scores and metadata; they join `Experiment.df` by run."""
    try:
        from inspect_ai.analysis import evals_df, samples_df
    except ImportError as error:
        missing("inspect", str(error))
    exp, path = experiment
    samples = samples_df(str(path), quiet=True)
    joined = samples.merge(exp.df, left_on="metadata_run", right_on="run")
    assert len(joined) == 18
    assert (joined["metadata_template"] == joined["template"]).all()
    scored = joined[joined["status"] == "ok"]
    assert (scored["score_tokens"].astype(int) == scored["tokens"]).all()
    assert (scored["total_tokens"] == scored["input_tokens"] + scored["output_tokens"]).all()
    evals = evals_df(str(path), quiet=True)
    assert (evals["task_name"].item(), evals["total_samples"].item(), evals["completed_samples"].item()) == (
        "exp",
        18,
        12,
    )
