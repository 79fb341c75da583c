"""Which parts of a lake are read at once, and which of its files may hold the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateway_nb.capture.lake.columns import SCHEMA
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.table import LakeTable, batches, may_overlap
from tests.helpers.lakes_to_read import append, journal, lake
from tests.helpers.runs import whole_run

DAY = 86_400.0


def files(*ranges: tuple[Any, ...]) -> pd.DataFrame:
    """What Delta's log says of files: the first and the last gateway, capture and line of each."""
    names = ["gateway", "capture", "line"]
    columns = [f"{end}.{name}" for name in names for end in ("min", "max")]
    return pd.DataFrame(list(ranges), columns=columns)


@pytest.mark.parametrize(
    ("ranges", "overlap"),
    [
        ([("a", "z", "c1", "c1", 1, 9)], False),
        ([("a", "z", "c1", "c1", 1, 9), ("a", "z", "c1", "c1", 10, 19)], False),
        ([("a", "z", "c1", "c1", 1, 9), ("a", "z", "c2", "c2", 1, 9)], False),
        ([("a", "z", "c1", "c1", 1, 9), ("a", "z", "c1", "c1", 9, 19)], True),
        ([("a", "z", "c1", "c1", 1, 90), ("a", "z", "c1", "c1", 100, 190), ("a", "z", "c1", "c1", 40, 50)], True),
        ([("a", "m", "c1", "c3", 1, 90), ("n", "z", "c1", "c3", 1, 90)], False),
        ([("a", "n", "c1", "c3", 1, 90), ("n", "z", "c1", "c3", 1, 90)], True),
        ([("a", "z", "c1", "c3", 1, 90), ("a", "z", "c2", "c2", 50, 60)], True),
        ([("a", "z", "c1", "c3", 1, 90), ("a", "z", "c4", "c4", 50, 60)], False),
        ([("a", "z", "c1", "c3", 1, 90), ("a", "z", "c2", "c2", 91, 92)], False),
        ([(None, None, None, None, None, None), ("a", "z", "c1", "c1", 1, 9)], True),
    ],
)
def test_files_that_may_overlap(ranges: list[tuple[Any, ...]], overlap: bool) -> None:
    """Files are looked into only where their gateways, captures and lines leave room for the same row."""
    assert may_overlap(files(*ranges)) is overlap


@pytest.mark.long
def test_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read together, large ones by their row groups, a day with doubled rows at once; all once."""
    lines = [*journal(whole_run("a", 30)), *journal(whole_run("b", 30), at=DAY)]
    lake(tmp_path / "lake", {"c1": lines}, 40)
    append(tmp_path / "lake", journal(whole_run("c"), at=2 * DAY), "c2")
    append(tmp_path / "lake", journal(whole_run("c"), at=2 * DAY), "c2")
    table = LakeTable(Lake(tmp_path / "lake"))
    assert [(len(part.files), part.doubled) for part in table.parts()] == [(len(table.files) - 2, False), (2, True)]
    monkeypatch.setattr("gateway_nb.capture.lake.table.PART_BYTES", 100)
    parts = table.parts()
    assert [len(part.files) for part in parts] == [*[1] * (len(table.files) - 2), 2]
    assert all(part.files[0].group == 0 for part in parts[:-1])
    rows = [row for part in parts for batch in batches(table.lake, part, SCHEMA.names) for row in batch.to_pylist()]
    assert sorted(row["line"] for row in rows if row["capture"] == "c1") == list(range(1, len(lines) + 1))
    assert len(rows) == len(lines) + len(list(whole_run("c")))
