"""A lake in S3 is read as one in a folder, here and on Dask, with keys that are in the environment alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable
from distributed import Client

from gateway_nb.capture.lake.recording import LakeRecording
from gateway_nb.capture.loading import load
from gateway_nb.errors import BadArgumentError, CaptureError
from tests.helpers.lakes_to_read import KEYS, append, journal, lake
from tests.helpers.runs import whole_run

pytestmark = pytest.mark.usefixtures("keys")

NORTH = journal([*(step for number in range(8) for step in whole_run(f"n{number}", calls=3)), "gap"])
SOUTH = journal([*(step for number in range(5) for step in whole_run(f"s{number}", calls=2)), "dropped"], "south")


@pytest.fixture
def both(store: dict[str, str], tmp_path: Path) -> tuple[LakeRecording, LakeRecording]:
    """The same lake, in a folder and in S3."""
    url = f"s3://lakes/{tmp_path.name}"
    lake(tmp_path / "lake", {"c1": NORTH, "c2": SOUTH})
    lake(url, {"c1": NORTH, "c2": SOUTH}, storage_options=store)
    here, there = load(tmp_path / "lake"), load(url, storage_options=store)
    assert isinstance(here, LakeRecording)
    assert isinstance(there, LakeRecording)
    return here, there


def test_it_answers_the_same(both: tuple[LakeRecording, LakeRecording]) -> None:
    """Rows, figures, queries, runs, usage, traces and Dask's rows are those of the lake in the folder."""
    here, there = both
    pd.testing.assert_frame_equal(there.df, here.df)
    assert there.stats == here.stats
    sql = "select gateway, event, kind, count(*) n, sum(line) lines from events group by all order by all"
    pd.testing.assert_frame_equal(there.query(sql), here.query(sql))
    pd.testing.assert_frame_equal(there.runs(), here.runs())
    pd.testing.assert_frame_equal(there.tool_calls(), here.tool_calls())
    pd.testing.assert_frame_equal(there.usage("day"), here.usage("day"))
    pd.testing.assert_frame_equal(there.traces().spans, here.traces().spans)
    pd.testing.assert_frame_equal(there.trace("s3").spans, here.trace("s3").spans)
    counts = there.dask().groupby("event").size().compute(scheduler="synchronous")
    assert counts.to_dict() == here.df["event"].value_counts().to_dict()


def test_workers_read_it_with_their_own_keys(
    both: tuple[LakeRecording, LakeRecording], store: dict[str, str], client: Client
) -> None:
    """Runs and traces on a cluster are the same; keys in the options are refused: its scheduler would see them."""
    here, there = both
    place = there._version.lake.place
    spread = load(place, storage_options=store, client=client)
    pd.testing.assert_frame_equal(spread.runs(), here.runs())
    pd.testing.assert_frame_equal(spread.traces().spans, here.traces().spans)
    with pytest.raises(BadArgumentError, match=r"AWS_SECRET_ACCESS_KEY would go to the workers .* environment"):
        load(place, storage_options={**store, **KEYS}, client=client)


def test_a_query_in_s3_reaches_nothing_else(both: tuple[LakeRecording, LakeRecording], tmp_path: Path) -> None:
    """A query of a lake in S3 reads neither files nor the store."""
    for source in (str(tmp_path / "lake" / "*" / "*.parquet"), f"s3://lakes/{tmp_path.name}/*/*.parquet"):
        with pytest.raises(CaptureError, match="query:"):
            both[1].query(f"select * from read_parquet('{source}')")


def test_older_versions_in_s3(both: tuple[LakeRecording, LakeRecording], store: dict[str, str]) -> None:
    """An older version in S3 is read as it was, and says when its files are gone."""
    _, there = both
    place, version, stats = there._version.lake.place, there.version, there.stats
    append(place, journal(whole_run("more"), at=60.0), "c3", storage_options=store)
    assert load(place, storage_options=store, version=version).stats == stats
    table = DeltaTable(place, storage_options=store)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(CaptureError, match="files were removed by vacuum"):
        load(place, storage_options=store, version=version)


def test_a_segment_twice_in_s3(
    both: tuple[LakeRecording, LakeRecording], store: dict[str, str], client: Client
) -> None:
    """Rows that were committed again are read once, here and on the workers."""
    here, there = both
    place = there._version.lake.place
    append(place, SOUTH[:25], "c2", storage_options=store)
    for twice in (load(place, storage_options=store), load(place, storage_options=store, client=client)):
        assert isinstance(twice, LakeRecording)
        pd.testing.assert_frame_equal(twice.runs(), here.runs())
        assert twice.stats == here.stats
        assert twice.dask().shape[0].compute(scheduler="synchronous") == here.stats.rows


def test_a_store_that_is_away(keys: None) -> None:
    """A store that can't be reached is one line, soon, without its keys."""
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "max_retries": "0"}
    with pytest.raises(CaptureError, match="the lake s3://lakes/away can't be read") as caught:
        load("s3://lakes/away", storage_options={**away, **KEYS})
    assert "\n" not in str(caught.value)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(caught.value)
