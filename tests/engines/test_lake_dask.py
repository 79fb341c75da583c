"""What a cluster computes of a lake is what one machine does, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import psutil
import pytest
from distributed import Client, LocalCluster

from gateway_nb.capture.lake.recording import LakeRecording
from gateway_nb.capture.loading import load
from tests.bench.lakes import make_lake

EVENTS = 400_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of 20,000 runs on 50 gateways."""
    made = tmp_path_factory.mktemp("lake") / "lake"
    make_lake(made, days=2, events=EVENTS // 2, gateways=50)
    return made


def test_it_is_what_one_machine_does(folder: Path, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, tool calls, usage and traces of a cluster are those of this process, row for row."""
    here, there = load(folder), load(folder, client=client)
    assert isinstance(here, LakeRecording)
    assert isinstance(there, LakeRecording)
    pd.testing.assert_frame_equal(there.runs(), here.runs())
    pd.testing.assert_frame_equal(there.tool_calls(), here.tool_calls())
    pd.testing.assert_frame_equal(there.usage("gateway"), here.usage("gateway"))
    pd.testing.assert_frame_equal(there.traces().spans, here.traces().spans)
    assert len(here.runs()) == EVENTS // 20


def test_dasks_own_rows(folder: Path, client: Client) -> None:
    """A Dask DataFrame has every row, and its filters, groups and columns are those of a query."""
    recording = load(folder)
    assert isinstance(recording, LakeRecording)
    rows = recording.dask()
    counts = rows[rows["event"] == "chat"].groupby("gateway").size().compute().sort_index()
    same = recording.query("select gateway, count(*) n from events where event = 'chat' group by all order by all")
    assert counts.tolist() == same["n"].tolist()
    assert rows.columns.tolist() == recording.query("select * from events limit 0").columns.tolist()


def test_a_worker_needs_little_memory(folder: Path, cluster: LocalCluster, client: Client) -> None:
    """A worker's memory for the runs of a lake stays far below what its events are in memory."""
    load(folder, client=client).runs()
    spent = client.run(lambda: psutil.Process().memory_info().rss)
    assert max(spent.values()) < 700e6
