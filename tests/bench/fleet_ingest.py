"""From many gateways into a lake, up to the commit: ``--seconds N`` (20), ``--rate N`` events a second (20,000),
``--gateways N`` embedded ones (200), ``--real N`` real ones (0).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as compute
from deltalake import DeltaTable, QueryBuilder

import gateway_nb as gnb
from gateway_nb.capture.journal import Capture
from gateway_nb.capture.lake.columns import table_of
from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.upkeep import compact
from gateway_nb.capture.lake.writing import LakeCapture
from gateway_nb.client.event import Event
from gateway_nb.protocol.lines import read_line
from tests.bench.capture import FRAME_BYTES, SERVER, Until
from tests.helpers.real import RealGateway, installed

TOKEN = "bench"
EVENTS = 600_000
PAYLOAD_BYTES = 400
ROUNDS = 3
_SERVERS = """
import contextlib, json, sys, time
from gateway_nb.server.local_gateway import LocalGateway
count, rate, size, token = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with contextlib.ExitStack() as stack:
    gateways = [stack.enter_context(LocalGateway(token=token)) for _ in range(count)]
    print(json.dumps([gateway.url for gateway in gateways]), flush=True)
    seconds = float(sys.stdin.readline())
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate / count)
        for gateway in gateways:
            for number in range(sent, due):
                gateway.emit("agent", {"runId": "r", "n": number, "data": {"delta": "x" * size}})
        sent = max(sent, due)
        time.sleep(0.1)
    print(sent, flush=True)
    sys.stdin.read()
"""


def _argument(name: str, default: float) -> float:
    return float(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


class Book:
    """What one connection's feed brought of events with numbers: from where to where, how many, and a checksum."""

    def __init__(self) -> None:
        self.count = self.sum = 0
        self.first: tuple[int, int] | None = None
        self.last = (0, 0)

    def extend(self, events: list[Event]) -> None:
        for event in events:
            if event.seq is not None:
                self.last = (event.epoch, event.seq)
                self.first = self.first or self.last
                self.count += 1
                self.sum += zlib.crc32(event.raw, event.seq)

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Marks are no events."""


def _agreeing(place: str, books: dict[str, Book]) -> int:
    """Return of how many gateways the lake has just what the book has, from its first to its last."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    query = "select gateway, epoch, seq, payload from lake where seq is not null"
    rows = QueryBuilder().register("lake", DeltaTable(place)).execute(query)
    for batch in pa.RecordBatchReader.from_stream(rows):
        for name, epoch, seq, payload in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            book = books[name]
            if book.first is not None and book.first <= (epoch, seq) <= book.last:
                counts[name] += 1
                sums[name] += zlib.crc32(payload.encode(), seq)
    return sum((counts[name], sums[name]) == (book.count, book.sum) for name, book in books.items())


def _doubled(place: str) -> int:
    """Return how many rows have the number of another one."""
    rows = QueryBuilder().register("lake", DeltaTable(place)).execute("select capture, line from lake")
    keys = pa.RecordBatchReader.from_stream(rows).read_all()
    return int(keys.num_rows - keys.group_by(["capture", "line"]).aggregate([]).num_rows)


async def _through(url: str, start: Callable[[gnb.AsyncGateway], Any]) -> tuple[float, float]:
    """Return events per second from a socket through to the end of a capture, and processor seconds per million."""
    until = Until(EVENTS)
    async with gnb.AsyncGateway(url, device_identity=None) as agw:
        capture = start(agw)
        agw.core.feed.keep(until)
        asking = agw.submit("go", timeout=None)
        await asyncio.sleep(0)
        before = time.process_time()
        await until.done.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.to_thread(capture.stop)
    assert (capture.stats.events, capture.stats.dropped) == (EVENTS, 0)
    return EVENTS / (time.perf_counter() - until.began), (time.process_time() - before) * 1e6 / EVENTS


def _rates(folder: Path) -> dict[str, Any]:
    """Measure ready-made frames through a plain journal, and through to the commit, in turns."""
    best: dict[str, float] = {}
    spent: dict[str, float] = {}

    def plain(agw: gnb.AsyncGateway) -> Capture:
        capture = Capture(folder / f"{turn}.jsonl")
        agw.core.feed.keep(capture)
        return capture

    def lake(agw: gnb.AsyncGateway) -> LakeCapture:
        capture = LakeCapture(Lake(folder / f"lake{turn}"))
        capture.add("north", agw.core.feed, agw.redactor)
        return capture

    command = [sys.executable, "-c", SERVER, str(EVENTS), str(FRAME_BYTES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"ws://127.0.0.1:{server.stdout.readline().strip()}"
        for turn in range(ROUNDS):  # noqa: B007 - the two above use it
            for kind, start in (("journal", plain), ("lake", lake)):
                rate, cost = asyncio.run(_through(url, start))
                best[kind] = max(best.get(kind, 0), rate)
                spent[kind] = min(spent.get(kind, 1e9), cost)
        server.communicate()
    return {
        **{f"through_{kind}_per_s": round(rate) for kind, rate in best.items()},
        "through_lake_to_journal": round(best["lake"] / best["journal"], 2),
        **{f"through_{kind}_cpu_us_per_event": round(cost, 2) for kind, cost in spent.items()},
    }


def _commit_cost(folder: Path) -> dict[str, Any]:
    """Measure a commit of one row: what each costs beside its rows."""
    lake = Lake(folder / "commits")
    table = lake.open_or_make()
    row = table_of([read_line(b'{"t":1.5,"epoch":1,"event":"tick","seq":1,"payload":{}}')], "c", 1)
    times, processor = [], time.process_time()
    for number in range(100):
        began = time.perf_counter()
        lake.commit(table, row, "c", number, number + 1)
        times.append(time.perf_counter() - began)
    return {
        "commit_p50_ms": round(sorted(times)[50] * 1000, 1),
        "commit_cpu_ms": round((time.process_time() - processor) * 10, 1),
    }


def _fleet(folder: Path, seconds: float, rate: float, count: int, real: int) -> dict[str, Any]:
    """Capture a fleet for a while; compare what the connections brought with what the lake has."""
    process = psutil.Process()
    os.environ["BENCH_TOKEN"] = TOKEN
    command = [sys.executable, "-c", _SERVERS, str(count), str(rate), str(PAYLOAD_BYTES), TOKEN]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers,
        contextlib.ExitStack() as stack,
    ):
        assert servers.stdout is not None
        assert servers.stdin is not None
        members = [
            {"name": f"embedded-{number:03}", "url": url, "token_env": "BENCH_TOKEN"}
            for number, url in enumerate(json.loads(servers.stdout.readline()))
        ]
        for number in range(real):
            gateway = _real()
            stack.callback(gateway.stop)
            os.environ[f"REAL_{number}_TOKEN"] = gateway.token
            members.append({"name": f"real-{number}", "url": gateway.url, "token_env": f"REAL_{number}_TOKEN"})
        before = process.memory_info().rss
        fleet = gnb.fleet(members, timeout=60)
        bytes_each = (process.memory_info().rss - before) / len(members)
        for gateway in fleet:  # their logs fill for minutes, up to 512 MB: what is to be seen here is the capture
            gateway.events.limit(500, 1_000_000)
        books = {gateway.name: Book() for gateway in fleet}
        capture = fleet.capture(folder / "lake")
        removals = [gateway.core.feed.keep(books[gateway.name]) for gateway in fleet]
        spent, began = process.cpu_times(), time.monotonic()
        servers.stdin.write(f"{seconds}\n")
        servers.stdin.flush()
        memory, runs = _watch(process, fleet, began + seconds, real)
        sent = int(servers.stdout.readline()) * count
        _settle(books, sent)
        took, after = time.monotonic() - began, process.cpu_times()
        for remove in removals:  # what comes from now on is in the lake, and in no book
            remove()
        ending = time.monotonic()
        fleet.close()
        stopped = time.monotonic() - ending
        stats = capture.stats
        missed = sum(gateway.status.counters.missed for gateway in fleet)
    return _checked(folder / "lake", books, sent) | {
        "gateways": len(members),
        "connection_bytes": round(bytes_each),
        "events_per_s_wanted": rate,
        "events_per_s": round(sum(book.count for book in books.values()) / took),
        "runs_on_real_gateways": runs,
        "missed": missed,
        "dropped": stats.dropped,
        "rows": stats.rows,
        "commits": stats.commits,
        "commits_per_s": round(stats.commits / took, 2),
        "cpu_us_per_event": round((sum(after[:2]) - sum(spent[:2])) * 1e6 / max(stats.events, 1), 1),
        "stop_s": round(stopped, 1),
        "rss_mb_by_tenths": [memory[len(memory) * tenth // 10] // 2**20 for tenth in range(1, 10)],
        "rss_mb_most": max(memory) // 2**20,
    }


def _real() -> RealGateway:
    from gateway_nb.openclaw.process import VERSION

    installed(VERSION)
    return RealGateway(VERSION)


def _watch(process: psutil.Process, fleet: gnb.Fleet, end: float, real: int) -> tuple[list[int], int]:
    """Note the memory each second until the end; runs keep the real gateways busy."""
    memory, runs, pending = [], 0, []
    while time.monotonic() < end:
        if real and all(run.done() for run in pending):
            pending = [fleet[f"real-{number}"].run("hello") for number in range(real)]
            runs += real
        memory.append(process.memory_info().rss)
        time.sleep(1)
    for run in pending:
        run.result(60)
    return memory, runs


def _settle(books: dict[str, Book], sent: int) -> None:
    """Wait for what is on its way."""
    end = time.monotonic() + 60
    while sum(book.count for book in books.values()) < sent and time.monotonic() < end:
        time.sleep(0.1)


def _checked(place: Path, books: dict[str, Book], sent: int) -> dict[str, Any]:
    """Compare what came with what is in the lake, before and after its compaction as of tomorrow."""
    figures: dict[str, Any] = {"sent_by_embedded": sent}
    for when in ("before", "after"):
        figures |= {
            f"gateways_whose_events_agree_{when}_compaction": f"{_agreeing(str(place), books)} of {len(books)}",
            f"rows_doubled_{when}_compaction": _doubled(str(place)),
        }
        if when == "before":
            began = time.perf_counter()
            files = len(DeltaTable(place).file_uris())
            days = compact(Lake(place), dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1))
            table = DeltaTable(place)
            sizes = pa.table(table.get_add_actions(flatten=True)).column("size_bytes")
            figures |= {
                "files_before_compaction": files,
                "files_after_compaction": len(sizes),
                "days": len(days),
                "mb_after_compaction": round(compute.sum(sizes).as_py() / 2**20, 1),
                "compaction_s": round(time.perf_counter() - began, 1),
            }
    return figures


def measure() -> dict[str, Any]:
    """Return rates, costs, and whether every event is in the lake once."""
    count, real = int(_argument("--gateways", 200)), int(_argument("--real", 0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            **_rates(folder),
            **_commit_cost(folder),
            **_fleet(folder, _argument("--seconds", 20), _argument("--rate", 20_000), count, real),
        }
