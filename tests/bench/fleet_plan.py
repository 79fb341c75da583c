"""What fleets need that are larger than this machine, from costs measured here: ``tests.bench fleet --simulate``.

Measured: what a connection costs while nothing happens, an event that comes alone, as those of a quiet gateway do, a
commit to a local disk, and a compaction. The model is linear in these, and checked at a size that it was not made from.
Not in it: the latency of an object store, and a cluster's scheduler.

``--rate R``: events a second of each gateway, default 1; ``--seconds N`` of each measurement, default 20.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as compute
from deltalake import DeltaTable

import gateway_nb as gnb
from gateway_nb.capture.lake.columns import table_of
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.upkeep import FILE_BYTES, compact
from gateway_nb.capture.lake.writing import SEGMENT
from gateway_nb.protocol.lines import read_line
from tests.bench.common import TOKEN
from tests.helpers.support import until

SIZES = (100, 10_000, 1_000_000)
CHECKS = ((100, 500), (200, 1500))
"""Gateways, and events a second of all together, at which the model is compared with a measurement."""
BUSY = 0.6
"""The part of a core that a worker is to be busy for at most: bursts need the rest."""
WORKER_BYTES = 2 * 2**30
"""What a worker's connections and their events may hold."""
_DAY = 86_400
_COMMITS, _LARGE_COMMITS, _ROWS = 60, 15, 20_000
JOURNAL_BYTES = 500
"""Of an event in a journal."""
_SERVERS = """
import contextlib, json, random, sys, time
from gateway_nb.server.local_gateway import LocalGateway
count, rate = int(sys.argv[1]), float(sys.argv[2])
with contextlib.ExitStack() as stack:
    gateways = [stack.enter_context(LocalGateway(token="bench")) for _ in range(count)]
    print(json.dumps([gateway.url for gateway in gateways]), flush=True)
    seconds = float(sys.stdin.readline())
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate)
        for number in range(sent, due):  # one gateway after the other
            gateways[number % count].emit("agent", {"runId": f"r{number}", "data": {"delta": "x" * 400}})
        sent = max(sent, due)
        time.sleep(0.02)
    print(sent, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Run:
    """What capturing some gateways for a while took.

    Attributes:
        gateways: how many.
        rate: events a second, of all together.
        cores: processor seconds per second.
        connection_bytes: memory of a connection.
        commits_per_s: commits.
    """

    gateways: int
    rate: float
    cores: float
    connection_bytes: float
    commits_per_s: float


@dataclass(frozen=True)
class Costs:
    """What the plan is made from.

    Attributes:
        base_cores: of a worker whose gateways do nothing, beside its connections.
        connection_cores: of a connection on which nothing happens.
        event_cores: of an event a second.
        connection_bytes: memory of a connection.
        event_bytes: of an event in a compacted lake.
        commit_s: how long a commit takes while nobody else commits.
        compacted_per_s: events that one process can compact.
        connections: that one process may open.
    """

    base_cores: float
    connection_cores: float
    event_cores: float
    connection_bytes: float
    event_bytes: float
    commit_s: float
    compacted_per_s: float
    connections: int

    def cores(self, gateways: int, rate: float) -> float:
        """Return the processor seconds per second of one worker with so many gateways and events a second."""
        return self.base_cores + gateways * self.connection_cores + rate * self.event_cores

    def limits(self, each: float) -> dict[str, float]:
        """Return how many gateways a worker can have by each of its limits.

        Args:
            each: events a second of a gateway.
        """
        return {
            "a worker's processor": (BUSY - self.base_cores) / (self.connection_cores + each * self.event_cores),
            "a worker's memory": WORKER_BYTES / self.connection_bytes,
            "a process's open files": float(self.connections),
        }


def commits_per_s(workers: int, rate: float) -> float:
    """Return the commits of workers: each seals its journal by time, or by size where that comes first."""
    by_size = rate / workers * JOURNAL_BYTES / (SEGMENT.bytes or math.inf)
    return workers * min(max(1 / (SEGMENT.seconds or math.inf), by_size), 1.0)


def plan(costs: Costs, gateways: int, each: float) -> dict[str, Any]:
    """Return what so many gateways need, with the limit that is reached first.

    Args:
        costs: as measured.
        gateways: how many.
        each: events a second of a gateway.
    """
    limits = costs.limits(each)
    narrowest = min(limits, key=lambda name: limits[name])
    per_worker = max(math.floor(limits[narrowest]), 1)
    workers = math.ceil(gateways / per_worker)
    rate = gateways * each
    commits = commits_per_s(workers, rate)
    bytes_per_day = rate * costs.event_bytes * _DAY
    shared = {
        "commits to one table": commits * costs.commit_s,
        "compaction by one process": rate / costs.compacted_per_s,
    }
    fullest = max(shared, key=lambda name: shared[name])
    return {
        "workers": workers,
        "gateways_per_worker": min(per_worker, gateways),
        "limit_of_a_worker": narrowest,
        "commits_per_s": round(commits, 2),
        "files_per_day": round(commits * _DAY),
        "files_per_day_compacted": math.ceil(bytes_per_day / FILE_BYTES),
        "GB_per_day": round(bytes_per_day / 1e9, 2),
        "first_bottleneck": f"{fullest}: {shared[fullest]:.1%} used; full at {gateways / shared[fullest]:,.0f}",
        "lakes_to_split_into": math.ceil(shared[fullest]),
    }


def run(folder: Path, gateways: int, rate: float, seconds: float) -> Run:
    """Capture so many embedded gateways, which are in another process, into a lake."""
    os.environ["BENCH_TOKEN"] = TOKEN
    process = psutil.Process()
    command = [sys.executable, "-c", _SERVERS, str(gateways), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdin is not None
        assert servers.stdout is not None
        urls = json.loads(servers.stdout.readline())
        before = process.memory_info().rss
        config = {f"g{number}": {"url": url, "token_env": "BENCH_TOKEN"} for number, url in enumerate(urls)}
        with gnb.fleet(config, timeout=60) as fleet:
            held = (process.memory_info().rss - before) / gateways
            capture = fleet.capture(folder / "lake")
            until(lambda: capture.stats.commits, 60)  # it makes the table, and loads what commits need
            commits, events, spent = capture.stats.commits, capture.stats.events, _processor(process)
            began = time.monotonic()
            servers.stdin.write(f"{seconds}\n")
            servers.stdin.flush()
            servers.stdout.readline()
            time.sleep(SEGMENT.seconds or 0)  # until most of it is committed
            took = time.monotonic() - began
            cores = (_processor(process) - spent) / took
            made, came = capture.stats.commits - commits, capture.stats.events - events
        servers.communicate()
    return Run(gateways, came / took, cores, held, made / took)


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure_commits(folder: Path) -> tuple[float, float, float]:
    """Return what a commit of a row takes, the events a second that a compaction reads, and the bytes of each then."""
    words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 9))) for _ in range(2000)]

    def rows(first: int, count: int) -> Any:
        lines = []
        for number in range(first, first + count):
            payload = {"runId": str(uuid.uuid4()), "data": {"delta": " ".join(random.choices(words, k=60))}}
            line = {"t": 1.5e9 + number, "gateway": f"g{number % 200}", "epoch": 1, "event": "agent", "seq": number}
            lines.append(read_line(json.dumps({**line, "payload": payload}).encode()))
        return table_of(lines, "c", first)

    lake = Lake(folder / "commits")
    table = lake.open_or_make()
    times = []
    for number in range(_COMMITS):
        began = time.perf_counter()
        lake.commit(table, rows(number, 1), "c", number, number + 1)
        times.append(time.perf_counter() - began)
    large = Lake(folder / "compaction")
    table = large.open_or_make()
    for number in range(_LARGE_COMMITS):
        large.commit(table, rows(number * _ROWS, _ROWS), "c", number, number + 1)
    began = time.perf_counter()
    assert compact(large, dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1))
    took = time.perf_counter() - began
    sizes = pa.table(DeltaTable(str(folder / "compaction")).get_add_actions(flatten=True)).column("size_bytes")
    count = _LARGE_COMMITS * _ROWS
    return sorted(times)[_COMMITS // 2], count / took, compute.sum(sizes).as_py() / count


def costs_of(few: Run, idle: Run, busy: Run, commits: tuple[float, float, float]) -> Costs:
    """Return what connections, events and commits cost, from two runs without events and one with them."""
    connection = max((idle.cores - few.cores) / (idle.gateways - few.gateways), 1e-7)
    base = max(few.cores - few.gateways * connection, 0.0)
    commit_s, compacted_per_s, event_bytes = commits
    return Costs(
        base_cores=base,
        connection_cores=connection,
        event_cores=max((busy.cores - base - busy.gateways * connection) / busy.rate, 1e-9),
        connection_bytes=idle.connection_bytes,
        event_bytes=event_bytes,
        commit_s=commit_s,
        compacted_per_s=compacted_per_s,
        connections=resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100,
    )


def simulate() -> dict[str, Any]:
    """Measure, check the model at other sizes, and return the plans."""
    seconds = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else 20.0
    each = float(sys.argv[sys.argv.index("--rate") + 1]) if "--rate" in sys.argv else 1.0
    runs = []
    with tempfile.TemporaryDirectory() as name:
        for number, (gateways, rate) in enumerate([(10, 0), (10, 0), (200, 0), (50, 1000), *CHECKS]):
            folder = Path(name, str(number))
            folder.mkdir()
            runs.append(run(folder, gateways, rate, seconds))
        commits = measure_commits(Path(name))
    _, few, idle, busy, *others = runs  # the first has loaded what is loaded once
    costs = costs_of(few, idle, busy, commits)
    figures: dict[str, Any] = {
        "worker: processor while nothing happens, ms per s": round(costs.base_cores * 1e3, 1),
        "connection: processor, us per s": round(costs.connection_cores * 1e6),
        "connection: memory, kB": round(costs.connection_bytes / 1000),
        "event: processor, us": round(costs.event_cores * 1e6, 1),
        "event: bytes in the lake": round(costs.event_bytes, 1),
        "commit: ms": round(costs.commit_s * 1000, 1),
        "compaction: events per s": round(costs.compacted_per_s),
    }
    for other in others:
        expected = costs.cores(other.gateways, other.rate), commits_per_s(1, other.rate)
        figures |= {
            f"check, {other.gateways} gateways, {other.rate:.0f} events/s: cores expected, measured": (
                f"{expected[0]:.3f}, {other.cores:.3f}"
            ),
            f"check, {other.gateways} gateways, {other.rate:.0f} events/s: commits/s expected, measured": (
                f"{expected[1]:.2f}, {other.commits_per_s:.2f}"
            ),
        }
    for gateways in SIZES:
        figures |= {f"{gateways:,} gateways: {name}": value for name, value in plan(costs, gateways, each).items()}
    return figures
