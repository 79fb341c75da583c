"""Parquet whose folders are named after values that come from the other side."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.protocol.frames import encode

ODD_NAMES = [
    "Agent",
    "agent",
    "a/b",
    "..",
    "a b",
    "ü",
    "\x00",
    "=",
    "%2F",
    "__HIVE_DEFAULT_PARTITION__",
    "__other__",
    "x" * 200,
    "x" * 201,
]


def recorded(path: Path, names: list[str], day: int = 0) -> gnb.Recording:
    lines = [
        encode({"t": 1_000_000_000 + day * 86_400 * n, "epoch": 1, "event": name, "seq": n, "payload": n}) + b"\n"
        for n, name in enumerate(names)
    ]
    path.write_bytes(b"".join(lines))
    return gnb.load(path)


def test_every_name_comes_back(tmp_path: Path) -> None:
    """Every row is there with its name, whatever the name is; names that differ in case only share no folder."""
    folder = recorded(tmp_path / "run.jsonl", ODD_NAMES).to_parquet(tmp_path / "out")
    frame = pd.read_parquet(folder).sort_values("seq")
    assert list(frame["event_name"]) == ODD_NAMES
    plain = frame["event"].astype(str) == frame["event_name"]
    assert list(frame["event_name"][plain]) == ["Agent", "a/b", "..", "a b", "ü", "=", "%2F", "__other__", "x" * 200]
    assert set(frame["event"][~plain]) == {"__other__"}
    sql = f"select count(*) from read_parquet('{folder}/**/*.parquet', hive_partitioning = true) where event = 'Agent'"
    assert duckdb.sql(sql).fetchall() == [(1,)]


def test_a_name_of_10_kilobytes(tmp_path: Path) -> None:
    """One long name does not end the export, nor does a kind that is long."""
    recording = recorded(tmp_path / "run.jsonl", ["x", "n" * 10_000])
    for columns in (("date", "event"), ("kind", "epoch"), ("date", "event", "kind", "epoch"), ()):
        frame = pd.read_parquet(recording.to_parquet(tmp_path / "-".join(["out", *columns]), columns))
        assert len(frame) == 2


@pytest.mark.long
def test_many_names(tmp_path: Path) -> None:
    """A name has a folder of its own in all of an export or in none of it; 66,000 names take seconds."""
    names = [f"name{n}" for n in range(66_000)]
    recording = recorded(tmp_path / "run.jsonl", names + names[250:260])
    began = time.perf_counter()
    folder = recording.to_parquet(tmp_path / "out")
    assert time.perf_counter() - began < 30
    frame = pd.read_parquet(folder, columns=["event", "event_name"])
    assert frame["event_name"].nunique() == 66_000
    own = frame[frame["event"] != "__other__"]
    assert list(own["event"].astype(str)) == list(own["event_name"])
    assert len(own) == 256 + 6


def test_too_many_folders(tmp_path: Path) -> None:
    """More folders than a file system likes are refused, and what was written is removed."""
    recording = recorded(tmp_path / "run.jsonl", ["x"] * 10_001, day=1)
    with pytest.raises(gnb.CaptureError, match="more than 10,000 folders; name fewer columns in partition_by"):
        recording.to_parquet(tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["run.jsonl"]
    assert len(pd.read_parquet(recording.to_parquet(tmp_path / "out", ["event"]))) == 10_001


def test_as_many_folders_as_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many folders as there may be are made, each with its rows."""
    monkeypatch.setattr("gateway_nb.capture.parquet._MOST_FOLDERS", 10)
    folder = recorded(tmp_path / "run.jsonl", ["x"] * 10, day=1).to_parquet(tmp_path / "out")
    assert len(list(folder.iterdir())) == 10
    assert sorted(pd.read_parquet(folder)["seq"]) == list(range(10))


@pytest.mark.parametrize("columns", ["event", ["payload"], ["nothing"], [1]])
def test_columns_that_name_no_folders(tmp_path: Path, columns: list[str]) -> None:
    """Columns that can't name folders are refused before anything is written."""
    recording = recorded(tmp_path / "run.jsonl", ["x"])
    with pytest.raises(ValueError, match="partition_by takes date, event, kind, epoch, not"):
        recording.to_parquet(tmp_path / "out", columns)
    assert not (tmp_path / "out").exists()


def test_folders_by_every_column(tmp_path: Path) -> None:
    """Every column that can name folders does so, all of them together, too."""
    folder = recorded(tmp_path / "run.jsonl", ["x", "y"]).to_parquet(
        tmp_path / "out", ["date", "event", "kind", "epoch"]
    )
    frame = pd.read_parquet(folder)
    assert sorted(frame["event"].astype(str)) == ["x", "y"]
    assert {"date", "kind", "epoch"} <= set(frame.columns)
