"""A lake is an ordinary Delta table: the commands of the notebook read it with DuckDB, polars, Dask and Spark alone."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.lakes_to_read import journal, lake
from tests.helpers.runs import whole_run
from tests.helpers.support import missing

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "12-lake.ipynb"
EVENTS = 3 * len(list(whole_run("x")))


def command(reader: str) -> str:
    """Return the notebook's lines under a reader's heading."""
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        text = "".join(cell["source"])
        if f"# {reader} alone\n" in text:
            found = text.split(f"# {reader} alone\n", 1)[1]
            return found.split("```", 1)[0]
    raise AssertionError(f"the notebook does not say how {reader} reads a lake")


@pytest.mark.parametrize("reader", ["DuckDB", "polars", "Dask", "Spark"])
def test_others_read_it(reader: str, tmp_path: Path) -> None:
    """The documented command counts every event, without this package."""
    if reader == "Spark" and not (shutil.which("java") and importlib.util.find_spec("delta")):
        missing("spark", "there is no JVM with pyspark and delta-spark here: not run")
    lake(tmp_path / "lake", {"c1": journal(step for run in ("x", "y", "z") for step in whole_run(run))})
    code = f"{command(reader)}\nprint(int(counts.sum()) if hasattr(counts, 'sum') else counts)"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == str(EVENTS)
