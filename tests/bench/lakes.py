"""A lake of many events, and what reading it costs: ``python -m tests.bench fleet lake [--events N]``.

A day's counts stand beside DuckDB on plain Parquet of the same rows; the runs on a cluster of two workers beside this
program's own on one core.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet

from gateway_nb.capture.lake.columns import PARTITION, SCHEMA
from gateway_nb.capture.lake.delta import Lake, writer_properties

EVENTS, DAYS, GATEWAYS = 10_000_000, 10, 200
ROUNDS = 15
OF_A_RUN = 20
_FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_ENDS = (
    ',"stream":"lifecycle","data":{"phase":"start"}}',
    ',"stream":"lifecycle","data":{"phase":"model","provider":"p","model":"m"}}',
    ',"stream":"tool","data":{"phase":"start","toolCallId":"c","name":"exec","args":{"command":"ls"}}}',
    ',"stream":"tool","data":{"phase":"result","toolCallId":"c","name":"exec","result":"ok"}}',
    *(',"stream":"assistant","data":{"text":"' + "word " * 30 + '","delta":"word "}}',) * (OF_A_RUN - 7),
    ',"stream":"usage","data":{"outputTokens":42}}',
    ',"stream":"lifecycle","data":{"phase":"end"}}',
    ',"state":"final"}',
)
_DAY = "select event, count(*) n from events where date = '2026-01-05' group by event"
_ON_ONE_CORE = """
import os, sys, time
os.sched_setaffinity(0, {0})
import gateway_nb as gnb
lake = gnb.load(sys.argv[1])
began = time.perf_counter()
lake.runs()
print(time.perf_counter() - began)
"""


def rows_of(day: int, events: int, gateways: int) -> pa.Table:
    """Return a day's rows: runs of 20 events, most of them pieces of answers, sorted as a lake's are."""
    count = events - events % OF_A_RUN
    run, step = np.divmod(np.arange(count), OF_A_RUN)
    order = np.lexsort((np.arange(count), run % gateways))
    run, step = run[order], step[order]
    begin = _FIRST + dt.timedelta(days=day)
    time = int(begin.timestamp() * 1e6) + run * (80_000_000_000 * OF_A_RUN // count) + step * 1000
    numbers = compute.cast(pa.array(run), pa.string())
    ids = compute.binary_join_element_wise(f"run-{day}", numbers, "-")
    places = compute.cast(pa.array(step), pa.string())
    head = compute.binary_join_element_wise('{"runId":"', ids, '","seq":', places, "")
    ends = pa.array(_ENDS).take(pa.array(step))
    same = pa.array(np.zeros(count, "int8"))
    columns = {
        "date": pa.array([begin.date()]).take(same),
        "gateway": pa.array([f"gw-{number:03}" for number in range(gateways)]).take(pa.array(run % gateways)),
        "time": pa.array(time).cast(SCHEMA.field("time").type),
        "epoch": pa.array(np.ones(count, "int64")),
        "seq": pa.array(np.arange(count)),
        "event": pa.array(["agent", "chat"]).take(pa.array((step == OF_A_RUN - 1).astype("int8"))),
        "kind": pa.array(["event"]).take(same),
        "payload": compute.binary_join_element_wise(head, ',"sessionKey":"agent:main:main"', ends, ""),
        "capture": pa.array([f"c{day:04}"]).take(same),
        "line": pa.array(np.arange(1, count + 1)),
    }
    return pa.table(columns, schema=SCHEMA)


def make_lake(folder: Path, days: int, events: int, gateways: int, plain: Path | None = None) -> None:
    """Make a lake as compaction leaves it, a file a day; with `plain` also Parquet files of the same rows.

    Args:
        folder: of the lake.
        days: how many.
        events: of each day.
        gateways: whose they are.
        plain: a folder for these files.
    """
    from deltalake import write_deltalake

    table = Lake(folder).open_or_make()
    for day in range(days):
        rows = rows_of(day, events, gateways)
        write_deltalake(table, rows, mode="append", writer_properties=writer_properties(), partition_by=[PARTITION])
        if plain is not None:
            plain.mkdir(exist_ok=True)
            pyarrow.parquet.write_table(rows, plain / f"{day}.parquet")


def measure() -> dict[str, Any]:
    """Return the figures of a lake."""
    import duckdb
    from distributed import Client, LocalCluster

    import gateway_nb as gnb

    events = int(sys.argv[sys.argv.index("--events") + 1]) if "--events" in sys.argv else EVENTS
    with tempfile.TemporaryDirectory() as name:
        lake, plain = Path(name, "lake"), Path(name, "plain")
        make_lake(lake, DAYS, events // DAYS, GATEWAYS, plain)
        recording = gnb.load(lake)
        with duckdb.connect() as floor:
            floor.execute(f"create view events as select * from read_parquet('{plain}/*.parquet')")
            spent: dict[str, list[float]] = {"floor": [], "lake": []}
            for _ in range(ROUNDS):  # by turns: whatever else this computer does meets them alike
                spent["floor"].append(_seconds(lambda: floor.execute(_DAY).df()))
                spent["lake"].append(_seconds(lambda: recording.query(_DAY)))
        alone = float(subprocess.check_output([sys.executable, "-c", _ON_ONE_CORE, str(lake)]).split()[-1])
        settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with LocalCluster(**settings) as cluster, Client(cluster) as client:
            client.run(lambda: __import__("gateway_nb.capture.lake.recording"))
            both = _seconds(gnb.load(lake, client=client).runs)
        day, bare = (statistics.median(spent[which]) * 1000 for which in ("lake", "floor"))
        return {
            "events in the lake": f"{events:,}",
            "a day's counts, ms": round(day, 1),
            "floor: DuckDB on plain Parquet, ms": round(bare, 1),
            "more than the floor, ms": round(day - bare, 1),
            "runs() on one core, s": round(alone, 1),
            "runs() on Dask with 2 workers, s": round(both, 1),
            "cores": os.cpu_count(),
        }


def _seconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began
