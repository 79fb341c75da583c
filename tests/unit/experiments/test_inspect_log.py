"""Logs for Inspect: what is in them; that Inspect reads them is tested in `tests/engines`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments.inspect_log import log_of, write
from tests.helpers.experiments import frame


def log(scores: pd.DataFrame, names: list[str], clean: Any = lambda value: value) -> Any:
    return log_of("an experiment", "key", scores, names, [f"prompt {n}" for n in range(len(scores))], clean)


def test_samples() -> None:
    """A sample for each run that ended: prompt, answer, scores, metadata, usage; a failure has its error, no answer."""
    scores = frame(lambda cell: 0.5, repeats=2, status=lambda cell: {0: "ok", 1: "timeout"}.get(cell["row"], "waiting"))
    scores["label"] = pd.array(["good", None] * 20, dtype="string")
    scores.loc[scores["status"] == "timeout", "error"] = "too slow"
    header, samples = log(scores, ["score", "label"])
    assert [sample["id"] for sample in samples] == [
        f"{number}-{name}-row-{row}" for number, name in ((1, "short"), (2, "long")) for row in (0, 0, 1, 1)
    ]
    assert [sample["epoch"] for sample in samples] == [1, 2] * 4
    first, second, third = samples[:3]
    assert (first["uuid"], first["input"], first["output"]["completion"]) == ("run-0", "prompt 0", "answer 0")
    assert first["scores"] == {
        name: {"value": v, "answer": "answer 0"} for name, v in (("score", 0.5), ("label", "good"))
    }
    assert list(second["scores"]) == ["score"]
    assert first["metadata"] == {
        "text": "text 0",
        "template": "short",
        "row": 0,
        "model": None,
        "agent": "main",
        "run": "run-0",
        "session": "agent:main:0",
        "status": "ok",
        "cost": 0.5,
        "error": None,
    }
    assert first["model_usage"] == {"default": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}
    assert (first["error"], third["error"]["message"], third["output"]["choices"]) == (None, "too slow", [])
    assert (header["status"], header["results"]["total_samples"], header["results"]["completed_samples"]) == (
        "cancelled",
        40,
        4,
    )
    assert [(each["name"], each["metrics"]["mean"]["value"]) for each in header["results"]["scores"]] == [
        ("score (short · main)", 0.5),
        ("score (long · main)", 0.5),
    ]


def test_names_that_are_no_file_names(tmp_path: Path) -> None:
    """Each sample is a file of its own, whatever templates are called."""
    scores = frame(lambda cell: True, templates=["a/../b", "a\\..\\b", "ä" * 300], rows=2)
    write(tmp_path / "x.eval", *log(scores, ["score"]))
    with zipfile.ZipFile(tmp_path / "x.eval") as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names) == 6 + 2
        assert not any("a/" in name or len(name) > 100 for name in names)
        assert len(json.loads(archive.read("summaries.json"))) == 6
        assert json.loads(archive.read("header.json"))["eval"]["task"] == "an experiment"


def test_values_that_json_has_not() -> None:
    """Times, missing values and lists of the data become text or null."""
    scores = frame(lambda cell: 1, rows=1)
    scores["when"] = pd.Timestamp("2026-01-01", tz="UTC")
    scores["list"] = [[1, 2]] * 2
    scores["nan"] = float("nan")
    _, samples = log(scores, ["score"])
    metadata = samples[0]["metadata"]
    assert (metadata["when"], metadata["list"], metadata["nan"]) == ("2026-01-01 00:00:00+00:00", "[1, 2]", None)


def test_secrets() -> None:
    """A secret in a prompt, an answer or the data is not in the log."""
    scores = frame(lambda cell: 1, rows=1).assign(text="horse battery staple", answer="it is horse battery staple")
    assert "battery" not in json.dumps(log(scores, ["score"], Redactor(["horse battery staple"]).value))


def test_files(tmp_path: Path) -> None:
    """Another suffix, and a file that is there, are refused; where writing fails, nothing is left."""
    found = log(frame(lambda cell: 1), ["score"])
    with pytest.raises(BadArgumentError, match=r"x.json must end in .eval"):
        write(tmp_path / "x.json", *found)
    (tmp_path / "x.eval").write_text("mine")
    with pytest.raises(FileExistsError):
        write(tmp_path / "x.eval", *found)
    assert (tmp_path / "x.eval").read_text() == "mine"
    with pytest.raises(KeyError):
        write(tmp_path / "y.eval", found[0], [{"id": "x"}])
    assert not (tmp_path / "y.eval").exists()
