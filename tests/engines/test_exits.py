"""A process that has read a lake ends by itself, with the right code: below Arrow's threads delta-rs may not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.lakes_to_read import journal, lake
from tests.helpers.runs import whole_run

EXITS = int(os.environ.get("GATEWAY_NB_EXITS", "50"))
AT_ONCE = 2
READS = """
import sys
import gateway_nb as gnb

lake = gnb.load(sys.argv[1], storage_options=dict(pair.split("=", 1) for pair in sys.argv[2:]))
assert lake.query("select count(*) n from events where event is not null")["n"][0] > 0
assert len(lake.runs()) == 40
assert len(lake.df) > 0
"""


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("place", ["folder", "s3"])
def test_fifty_exits(place: str, tmp_path: Path, store: dict[str, str]) -> None:
    """Fifty of fifty processes that queried a lake of several files, in a folder and in S3, end with code 0."""
    lines = journal(step for number in range(40) for step in whole_run(f"r{number}"))
    options = store if place == "s3" else {}
    address = f"s3://lakes/{tmp_path.name}" if place == "s3" else str(tmp_path / "lake")
    lake(address, {"c1": lines}, 100, **({"storage_options": options} if options else {}))
    command = [sys.executable, "-c", READS, address, *(f"{name}={value}" for name, value in options.items())]
    codes: list[int] = []
    while len(codes) < EXITS:
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(min(AT_ONCE, EXITS - len(codes)))]
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, f"after {len(codes)}: {errors.decode()}"
            codes.append(process.returncode)
    assert codes == [0] * EXITS
