"""A lake is read as any other recording, and answers as the journals of its gateways do."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deltalake import DeltaTable

from gateway_nb.capture.lake.recording import LakeRecording
from gateway_nb.capture.loading import load
from gateway_nb.errors import BadArgumentError, CaptureError
from tests.helpers.lakes_to_read import append, journal, lake
from tests.helpers.runs import BEGIN, agent, spawning, tool, whole_run

pytestmark = pytest.mark.long

DAY = 86_400.0
PARENT = [
    agent("p", 0, "lifecycle", phase="start", startedAt=BEGIN),
    *tool("p", 10, 20, "call_s", "sessions_spawn", **spawning("child")),
    *whole_run("child"),
    agent("p", 5000, "lifecycle", phase="end", endedAt=BEGIN + 5000),
]
NORTH = [*whole_run("one"), "gap", *whole_run("two", calls=3), *PARENT]
SOUTH = [*whole_run("three"), *whole_run("one", calls=2), "dropped"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two gateways over two days, and the journals of the same lines."""
    made = tmp_path_factory.mktemp("lakes")
    north = [*journal(NORTH), *journal(whole_run("late"), at=DAY)]
    south = journal(SOUTH, "south")
    lake(made / "lake", {"c1": north[:40], "c2": [*south, *journal(["stop"], None, at=9.0)], "c3": north[40:]})
    (made / "north.jsonl").write_bytes(b"".join(north))
    (made / "south.jsonl").write_bytes(b"".join(south))
    return made


@pytest.fixture
def recorded(folder: Path) -> LakeRecording:
    """The lake."""
    found = load(folder / "lake")
    assert isinstance(found, LakeRecording)
    return found


def of_gateway(frame: pd.DataFrame, gateway: str) -> pd.DataFrame:
    return frame[frame["gateway"] == gateway].drop(columns="gateway").reset_index(drop=True)


@pytest.mark.parametrize("gateway", ["north", "south"])
@pytest.mark.parametrize(
    "answer", [lambda recording: recording.runs(), lambda recording: recording.tool_calls()], ids=["runs", "tool_calls"]
)
def test_runs_are_those_of_the_journals(
    folder: Path, recorded: LakeRecording, gateway: str, answer: Callable[[Any], pd.DataFrame]
) -> None:
    """Runs and tool calls of each gateway are what its own journal gives, also where two have a run of one id."""
    alone = answer(load(folder / f"{gateway}.jsonl")).sort_values(["start", "run"], ignore_index=True)
    pd.testing.assert_frame_equal(of_gateway(answer(recorded), gateway), alone)


def test_traces_are_those_of_the_journals(folder: Path, recorded: LakeRecording) -> None:
    """Traces of each gateway are what its own journal gives: spans, places and what was missed."""
    for gateway in ("north", "south"):
        alone = {trace.run: trace for trace in load(folder / f"{gateway}.jsonl").traces()}
        found = {trace.run: trace for trace in recorded.traces() if trace.tree[0].attributes["gateway"] == gateway}
        assert found.keys() == alone.keys()
        for run, trace in found.items():
            frames = trace.spans.drop(columns="attributes"), alone[run].spans.drop(columns="attributes")
            pd.testing.assert_frame_equal(*frames)
            assert trace.problems == alone[run].problems


@pytest.mark.parametrize(("run", "gateway"), [("child", None), ("three", None), ("one", "north"), ("one", "south")])
def test_one_trace_is_that_of_all_traces(recorded: LakeRecording, run: str, gateway: str | None) -> None:
    """A run's trace is the same, whether it is asked for alone or is one of all."""
    trace = recorded.trace(run, gateway=gateway)
    (same,) = [
        other
        for other in recorded.traces()
        if other.tree[0].span == trace.tree[0].span and gateway in (None, other.tree[0].attributes["gateway"])
    ]
    pd.testing.assert_frame_equal(trace.spans, same.spans)


@pytest.mark.parametrize(
    ("ends", "begins", "problem"),
    [
        (["stop"], ["start"], "the capture or the connection ended"),
        ([], ["start"], "the connection was lost"),
        ([], [], None),
    ],
    ids=["drained", "killed", "none"],
)
def test_a_run_that_changed_hands(tmp_path: Path, ends: list[str], begins: list[str], problem: str | None) -> None:
    """A run during which another process took over its gateway says so, and one during which none did does not."""
    steps = list(whole_run("one", calls=2))
    first = journal(["start", *steps[:8], *ends])
    rotated = [b'{"t":%.3f,"epoch":0,"kind":"stop","payload":{"next":true}}\n' % (BEGIN / 1000 + 0.05)]
    second = journal([*begins, *steps[8:], "stop"], at=0.1)
    lake(tmp_path / "lake", {"c1": first + rotated, "c2": second})
    recorded = load(tmp_path / "lake")
    found = recorded.trace("one").problems
    assert found == recorded.traces()[0].problems
    assert (problem in found) if problem else not found


def test_a_run_on_two_gateways_asks_which(recorded: LakeRecording) -> None:
    """A run's id that two gateways have is an error that names both."""
    with pytest.raises(BadArgumentError, match=r"several gateways .*north, south.*gateway="):
        recorded.trace("one")


def test_no_such_run(recorded: LakeRecording) -> None:
    """A run that is not in the lake is an error."""
    with pytest.raises(BadArgumentError, match="no event of a run 'nobody'"):
        recorded.trace("nobody")


def test_rows_are_those_of_the_journals(folder: Path, recorded: LakeRecording) -> None:
    """The DataFrame has every row of the journals, in the order in which they were received, with the gateway first."""
    for gateway in ("north", "south"):
        alone = load(folder / f"{gateway}.jsonl").df
        found = of_gateway(recorded.df, gateway)
        for name in ("event", "kind"):
            alone[name], found[name] = alone[name].astype("string"), found[name].astype("string")
        pd.testing.assert_frame_equal(found, alone)
    assert recorded.df.columns[0] == "gateway"
    assert recorded.df["time"].is_monotonic_increasing


def test_a_query_reads_the_day_it_names(recorded: LakeRecording) -> None:
    """A query sees the lake's columns, each row once."""
    sql = "select date, gateway, count(*) n from events where event is not null group by all order by all"
    frame = recorded.query(sql)
    first = dt.datetime.fromtimestamp(BEGIN / 1000, dt.UTC).date()
    assert [(str(row.date)[:10], row.gateway) for row in frame.itertuples()] == [
        (str(first), "north"), (str(first), "south"), (str(first + dt.timedelta(1)), "north")
    ]  # fmt: skip
    assert frame["n"].tolist()[1] == len(SOUTH) - 1


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_parquet('{lake}/*/*.parquet')",
        "copy (select 1) to '{lake}/x.csv'",
        "select * from '{lake}/../north.jsonl'",
        "attach '{lake}/x.db'",
        "set enable_external_access = true",
        "install httpfs",
    ],
)
def test_a_query_reaches_nothing_else(folder: Path, recorded: LakeRecording, sql: str) -> None:
    """A query reads and writes no file, not even the lake's own."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(CaptureError, match="query:"):
        recorded.query(sql.format(lake=folder / "lake"))
    assert sorted(folder.rglob("*")) == before


def test_stats(folder: Path, recorded: LakeRecording) -> None:
    """The figures are those of the journals together, with each capture's connection for itself."""
    stats, north, south = recorded.stats, load(folder / "north.jsonl").stats, load(folder / "south.jsonl").stats
    assert stats.rows == north.rows + south.rows + 1
    assert stats.events == {name: north.events[name] + south.events[name] for name in ("agent", "chat")}
    assert (stats.gaps, stats.missed, stats.dropped) == (1, 3, 4)
    assert (stats.start, stats.end) == (min(north.start, south.start), north.end.round("us"))
    assert stats.connections == 3


def test_lines_are_the_journals_own(folder: Path, recorded: LakeRecording, tmp_path: Path) -> None:
    """Written as one journal, the lake has each line of its gateways' journals, as it was."""
    recorded.to_jsonl(tmp_path / "all.jsonl")
    written = [json.loads(line) for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert [line for line in written if "gateway" not in line] == [json.loads(journal(["stop"], None, at=9.0)[0])]
    for gateway in ("north", "south"):
        lines = (folder / f"{gateway}.jsonl").read_bytes().splitlines()
        assert [line for line in written if line.get("gateway") == gateway] == [json.loads(line) for line in lines]


def test_usage_adds_up(recorded: LakeRecording) -> None:
    """Output tokens by model, day and gateway are those of the runs."""
    tokens = recorded.runs()["tokens"].sum()
    for by in ("model", "day", "gateway", "session", "agent"):
        assert recorded.usage(by)["output_tokens"].sum() == tokens
    assert recorded.usage("gateway")["gateway"].tolist() == ["north", "south"]
    with pytest.raises(BadArgumentError, match="by must be one of model, day, session, agent, gateway"):
        recorded.usage("month")


def test_it_is_replayed(recorded: LakeRecording) -> None:
    """A lake can be replayed: its events' names are those of the gateway that does it."""
    assert recorded.replay(speed=None).event_names == ["agent", "chat"]


def test_it_is_exported_and_drawn(recorded: LakeRecording, tmp_path: Path) -> None:
    """Parquet has a row for each, with the gateway; pictures are drawn of it."""
    recorded.to_parquet(tmp_path / "parquet")
    frame = pd.read_parquet(tmp_path / "parquet")
    assert sorted(frame["gateway"].dropna().unique()) == ["north", "south"]
    assert len(frame) == recorded.stats.rows
    assert "<svg" in recorded.plot.rate().svg
    assert "<svg" in recorded.plot.timeline().svg


def test_the_table_has_the_newest_rows(recorded: LakeRecording, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table shows the newest rows, and says how many older ones it leaves out."""
    monkeypatch.setattr("gateway_nb.capture.lake.recording.MAX_ROWS", 10)
    monkeypatch.setattr("gateway_nb.capture.lake.recording.BATCH_ROWS", 4)
    shown: list[Any] = []
    monkeypatch.setattr("gateway_nb.notebook.widgets.backend.event_table", lambda source, title: shown.append(source))
    recorded.table()
    rows = sum(chunk.num_rows for chunk in shown[0].pieces()[0])
    assert 10 <= rows < 14
    assert rows + shown[0].dropped == recorded.stats.rows


def test_its_own_line(recorded: LakeRecording) -> None:
    """It says where it is, its version, files and rows, without reading them."""
    assert repr(recorded).startswith("<Recording ")
    assert f"/lake version {recorded.version}: " in repr(recorded)
    assert f" files, {recorded.stats.rows:,} rows>" in repr(recorded)


def test_a_segment_that_came_twice_is_read_once(folder: Path, tmp_path: Path) -> None:
    """Rows that were committed again are read once, by queries, runs, traces and Dask, and counted once."""
    shutil.copytree(folder / "lake", tmp_path / "lake")
    once = load(tmp_path / "lake")
    append(tmp_path / "lake", journal(SOUTH, "south")[:25], "c2")
    twice = load(tmp_path / "lake")
    assert twice.query("select count(*) n from events")["n"].tolist() == [once.stats.rows]
    assert twice.stats == once.stats
    pd.testing.assert_frame_equal(twice.runs(), once.runs())
    pd.testing.assert_frame_equal(twice.traces().spans, once.traces().spans)
    pd.testing.assert_frame_equal(twice.df, once.df)


def test_an_older_version(folder: Path, tmp_path: Path) -> None:
    """An older version is read as it was, until vacuum removed its files: then the error says so."""
    shutil.copytree(folder / "lake", tmp_path / "lake")
    before = load(tmp_path / "lake")
    assert isinstance(before, LakeRecording)
    stats, table = before.stats, DeltaTable(str(tmp_path / "lake"))
    table.optimize.compact()
    older = load(tmp_path / "lake", version=before.version)
    assert isinstance(older, LakeRecording)
    assert (older.version, older.stats) == (before.version, stats)
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert load(tmp_path / "lake").stats == stats
    with pytest.raises(CaptureError, match=r"of its \d+ files were removed by vacuum, which keeps seven days"):
        load(tmp_path / "lake", version=before.version)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"version": 99}, CaptureError, "the lake .* has no version 99 that can be read: "),
        ({"version": -1}, BadArgumentError, "version must be the number of a version, from 0, not -1"),
        ({"version": "yesterday"}, BadArgumentError, "version must be the number"),
        ({"client": "tcp://127.0.0.1:8786"}, BadArgumentError, "client must be a distributed.Client, not str"),
    ],
)
def test_bad_options(folder: Path, options: dict[str, Any], error: type[Exception], message: str) -> None:
    """What can't be is refused in one line."""
    with pytest.raises(error, match=message) as caught:
        load(folder / "lake", **options)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_options_of_a_lake_are_for_lakes(folder: Path) -> None:
    """A version of a journal is an error, not passed over."""
    with pytest.raises(BadArgumentError, match=r"version, .* and client are of a lake, which .*jsonl is not"):
        load(folder / "north.jsonl", version=1)


def test_another_table_is_no_lake(tmp_path: Path) -> None:
    """A Delta table with other columns is refused by the first that is missing."""
    from deltalake import write_deltalake

    write_deltalake(str(tmp_path / "other"), pd.DataFrame({"date": ["x"], "a": [1]}))
    with pytest.raises(CaptureError, match="a Delta table of another schema: date is"):
        load(tmp_path / "other")


def test_a_lake_below_the_home(folder: Path, recorded: LakeRecording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is the same one for reading as for capturing: ``~`` is the user's home."""
    monkeypatch.setenv("HOME", str(folder))
    assert load("~/lake").stats == recorded.stats


def test_there_is_no_lake(tmp_path: Path) -> None:
    """An address without a lake is an error that says how one is made."""
    with pytest.raises(CaptureError, match=r"there is no lake .*nothing; a capture of a fleet makes one"):
        load(f"file://{tmp_path}/nothing")


def test_columns_may_be_added(folder: Path, tmp_path: Path) -> None:
    """A lake with a further column is read, and a query sees it."""
    from deltalake import write_deltalake

    shutil.copytree(folder / "lake", tmp_path / "lake")
    rows = DeltaTable(str(tmp_path / "lake")).to_pyarrow_table().slice(0, 3)
    rows = rows.set_column(rows.schema.names.index("capture"), "capture", [["c9"] * 3])
    rows = rows.append_column("host", [["h"] * 3])
    write_deltalake(str(tmp_path / "lake"), rows, mode="append", schema_mode="merge")
    wider = load(tmp_path / "lake")
    assert wider.query("select count(host) n from events")["n"].tolist() == [3]
    assert len(wider.df) == load(folder / "lake").stats.rows + 3
