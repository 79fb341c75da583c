"""An experiment's folder: what is written is there, whole, and once."""

from __future__ import annotations

import datetime as dt
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.experiments.plan import Plan
from gateway_nb.experiments.store import VERSION, Limits, Manifest, Record, Store, restored, storable

DATA = pd.DataFrame({"text": ["one", "two"]})


def manifest(**changes: Any) -> Manifest:
    about: dict[str, Any] = {"version": VERSION, "id": "1a2b3c4d", "name": "echo", "templates": {"t": "{text}"}}
    about |= {"agents": ("main",), "models": (None, "p/m"), "repeats": 2, "thinking": None, "seed": 7}
    return Manifest(**about | {"limits": Limits(max_cost=1.5)} | changes)


def test_what_is_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The plan is the same after a restart: templates, data, agents, models, repeats, seed and limits."""
    store = Store(tmp_path / "new" / "echo")
    assert store.read_manifest() is None
    with store.locked():
        store.write(manifest(), storable(DATA)[0])
    there = store.read_manifest()
    assert there == manifest()
    plan = store.read_plan(manifest())
    assert plan.cells == Plan({"t": "{text}"}, DATA, models=(None, "p/m"), repeats=2).cells
    assert plan.seed == 7
    pd.testing.assert_frame_equal(plan.data, DATA)


@pytest.mark.parametrize(
    "values",
    [
        ["a", None],
        [1, 2],
        [1.5, float("nan")],
        [True, False],
        pd.array([1, None], dtype="Int64"),
        pd.Categorical(["x", "y"]),
        [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), None],
        [{"a": 1}, {"b": [1, 2]}],
        [[1, 2], []],
        [[1, 2], None],
    ],
    ids=str,
)
def test_data_is_the_same_afterwards(values: Any) -> None:
    """A column comes back with its values and its dtype; lists and dicts as lists and dicts."""
    data = pd.DataFrame({"column": values})
    pd.testing.assert_frame_equal(restored(*storable(data)), data)


@pytest.mark.parametrize("values", [[{1}, {2}], [1, "a"], [{"x": float("nan")}], [object(), None]])
def test_data_that_can_not_be_kept_is_refused(values: list[Any]) -> None:
    """A value that would not come back is refused before anything runs."""
    with pytest.raises(gnb.BadArgumentError, match="values that can't be kept"):
        storable(pd.DataFrame({"column": pd.Series(values, dtype=object)}))


def test_the_last_line_of_a_cell_counts(tmp_path: Path) -> None:
    """A cell is what was written of it last, with all that is known of it."""
    store = Store(tmp_path)
    first = Record(3, "running", run="r", session="s", started=1.5)
    last = Record(3, "ok", run="r", session="s", answer="é\n\x00", cost=0.1, scores={"a": None, "b": True, "c": "x"})
    with store.locked():
        store.put(first)
        store.put(Record(4, "running"))
        store.put(last)
    with store.locked():
        store.put(Record(5, "ok"))
    assert store.read_records() == {3: last, 4: Record(4, "running"), 5: Record(5, "ok")}


def test_a_torn_last_line_is_none(tmp_path: Path) -> None:
    """A writer that was killed within a line costs that line alone, and the next is not glued to it."""
    store = Store(tmp_path)
    with store.locked():
        store.put(Record(1, "ok"))
    journal = tmp_path / "cells.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"cell":2,"sta')
    assert store.read_records() == {1: Record(1, "ok")}
    with store.locked():
        store.put(Record(3, "ok"))
    assert store.read_records() == {1: Record(1, "ok"), 3: Record(3, "ok")}


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    """Another damaged line is no reason to run its cell again without a word."""
    (tmp_path / "cells.jsonl").write_bytes(b'{"cell":1,"status":"ok"}\nnonsense\n{"cell":3,"status":"ok"}\n')
    with pytest.raises(gnb.ExperimentError, match=r"cells.jsonl, line 2 is damaged"):
        Store(tmp_path).read_records()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{}", "is not an experiment's, or damaged"),
        (b"\xff", "is not an experiment's, or damaged"),
        (b'{"version":99}', "is not an experiment's, or damaged"),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """A manifest that is none is refused, not overwritten."""
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(gnb.ExperimentError, match=why):
        Store(tmp_path).read_manifest()


def test_another_version_is_refused(tmp_path: Path) -> None:
    """A folder of a newer gateway_nb is not read as if it were one of this."""
    store = Store(tmp_path)
    with store.locked():
        store.write(manifest(version=VERSION + 1), storable(DATA)[0])
    with pytest.raises(gnb.ExperimentError, match="another version of gateway_nb"):
        store.read_manifest()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """A folder that is written to is refused to the second, until the first is done."""
    with Store(tmp_path).locked(), pytest.raises(gnb.ExperimentError, match="another process runs the experiment"):
        Store(tmp_path).locked().__enter__()
    with Store(tmp_path).locked():
        pass


def test_a_full_disk_costs_one_line(tmp_path: Path) -> None:
    """Where a line does not fit any more, the error says so, and all lines before and after it are whole."""
    store = Store(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with store.locked():
        store.put(Record(1, "ok"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # a part of the next line fits
        try:
            with pytest.raises(gnb.ExperimentError, match=r"can't be written: File too large; what was written before"):
                store.put(Record(2, "ok", answer="x" * 200))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        store.put(Record(3, "ok"))
    assert store.read_records() == {1: Record(1, "ok"), 3: Record(3, "ok")}


def test_the_files_are_private(tmp_path: Path) -> None:
    """What agents answered is for the user's eyes alone."""
    store = Store(tmp_path / "folder")
    with store.locked():
        store.write(manifest(), storable(DATA)[0])
        store.put(Record(1, "ok"))
    files = [path for path in store.folder.iterdir() if path.name != ".lock"]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o077 for path in [store.folder, *files]} == {0}


def test_numpy_values_in_rows_are_kept() -> None:
    """A row for a scorer has plain values and lists, the first time and after a restart."""
    data = restored(*storable(pd.DataFrame({"count": np.array([1, 2]), "names": [["a"], ["b"]]})))
    assert Plan({"t": "{count}"}, data).rows == [{"count": 1, "names": ["a"]}, {"count": 2, "names": ["b"]}]
