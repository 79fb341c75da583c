"""A recording of 5 GB: what opening, querying and exporting it needs, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GIGABYTES = 5
_LINE = b'{"t":%d.5,"epoch":1,"event":"e%d","seq":%d,"payload":{"x":"' + b"x" * 420 + b'"}}\n'
_TASKS = {
    "nothing": "",
    "first_batch": "next(recording.batches())",
    "stats": "recording.stats",
    "query": "recording.query('select event, count(*) from events group by event')",
    "parquet": "recording.to_parquet(sys.argv[2])",
}


def measure() -> dict[str, Any]:
    """Return seconds and the largest resident memory for each task; "nothing" is an interpreter with the imports."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "large.jsonl"
        figures["lines"] = _write(path)
        figures["gigabytes"] = round(path.stat().st_size / 1e9, 2)
        for task, code in _TASKS.items():
            imports = "import sys, pandas, duckdb, pyarrow.dataset\nimport gateway_nb as gnb\n"
            whole = f"{imports}recording = gnb.load(sys.argv[1])\n{code}\n{_PEAK}"
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", whole, str(path), f"{name}/parquet"], check=True, capture_output=True, text=True
            )
            figures[f"{task}_s"] = round(time.perf_counter() - began, 1)
            figures[f"{task}_peak_mb"] = round(int(done.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6)
    return figures


_PEAK = "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def _write(path: Path) -> int:
    lines = 0
    with open(path, "wb") as file:
        while file.tell() < GIGABYTES * 1e9:
            file.write(b"".join(_LINE % (lines + more, (lines + more) % 7, lines + more) for more in range(10_000)))
            lines += 10_000
    return lines
