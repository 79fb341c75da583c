"""Gateways that count, a cluster whose workers die, and what came of that: ``python -m tests.helpers.clusters``."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from deltalake import DeltaTable
from distributed import Client, LocalCluster

import gateway_nb as gnb
from gateway_nb.fleets.cluster import ClusterCapture
from gateway_nb.fleets.leases import BEAT

TOKEN = "a-token-that-no-scheduler-sees"
VARIABLE = "COLLECTED_TOKEN"
PATIENCE = 60.0


class Counting:
    """Embedded gateways, each of which sends ``counted`` with the next number, again and again.

    Args:
        count: how many gateways.
        seconds: between two numbers.

    Attributes:
        sent: the last number of each gateway.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self.gateways = {f"g{number:02}": gnb.LocalGateway(token=TOKEN) for number in range(count)}
        self.sent = dict.fromkeys(self.gateways, 0)
        self._seconds = seconds
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._count, name="counting")

    def __enter__(self) -> Counting:
        for gateway in self.gateways.values():
            gateway.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        for gateway in self.gateways.values():
            gateway.stop()

    def pause(self) -> None:
        """Send no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def restart(self, name: str) -> None:
        """Stop a gateway, and start it again at the same address."""
        with self._lock:
            old = self.gateways[name]
            port = int(old.url.rpartition(":")[2].strip("/"))
            old.stop()
            self.gateways[name] = gnb.LocalGateway(token=TOKEN, port=port).start()

    def _count(self) -> None:
        for number in itertools.count(1):
            if self._over.wait(self._seconds):
                return
            with self._lock:
                for name, gateway in self.gateways.items():
                    gateway.emit("counted", {"n": number})
                    self.sent[name] = number

    def members(self) -> list[dict[str, str]]:
        """Return the fleet's configuration."""
        return [{"name": name, "url": gateway.url, "token_env": VARIABLE} for name, gateway in self.gateways.items()]


@dataclass
class Outcome:
    """What a lake holds of what was sent.

    Attributes:
        events: that were sent.
        in_lake: numbers in the lake, each once.
        twice: numbers that are there more than once.
        missing: numbers that are not, in holes at a mark.
        unmarked: numbers that are not, and no mark says so.
        holes: how many there are at marks.
    """

    events: int = 0
    in_lake: int = 0
    twice: int = 0
    missing: int = 0
    unmarked: int = 0
    holes: int = 0
    takeovers: list[float] = field(default_factory=list)


def outcome(lake: str | Path, sent: dict[str, int]) -> Outcome:
    """Compare a lake with the numbers that were sent, with DuckDB on its files alone."""
    found = Outcome(events=sum(sent.values()))
    duckdb.read_parquet(DeltaTable(str(lake)).file_uris()).create_view("collected", replace=True)
    for name, last in sent.items():
        own = duckdb.sql(
            f"select kind, try_cast(payload->>'$.n' as bigint) n from collected where gateway = '{name}' "
            "order by time, capture, line"
        ).fetchall()
        numbers = [n for kind, n in own if kind == "event" and n is not None]
        found.in_lake += len(set(numbers))
        found.twice += len(numbers) - len(set(numbers))
        before, marked = 0, False
        for kind, number in [*own, ("stop", None), ("event", last + 1)]:
            if kind != "event":
                marked = True
            elif number is not None:
                hole = max(number - before - 1, 0)
                if hole and marked:
                    found.missing, found.holes = found.missing + hole, found.holes + 1
                else:
                    found.unmarked += hole
                before, marked = max(before, number), False
    return found


def connected(capture: Any, without: str = "") -> bool:
    """Return whether every gateway is captured, by another worker than one."""
    frame = capture.collectors
    return bool(((frame["state"] == "connected") & (frame["worker"] != without)).all())


def until(condition: Any, seconds: float = PATIENCE) -> float:
    """Wait until something is so; return how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"it did not happen within {seconds:g} s"
        time.sleep(0.2)  # to look is work, too, in the process in which the cluster's scheduler runs
    return time.monotonic() - began


@contextlib.contextmanager
def cluster_of(workers: int) -> Iterator[tuple[LocalCluster, Client]]:
    """Run a cluster of processes with one thread each."""
    os.environ[VARIABLE] = TOKEN
    settings = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    with LocalCluster(n_workers=workers, **settings) as cluster, Client(cluster) as client:
        yield cluster, client


class Scene(NamedTuple):
    """What takes part: gateways, a cluster, and a capture that runs on it."""

    counting: Counting
    cluster: LocalCluster
    client: Client
    capture: ClusterCapture


@contextlib.contextmanager
def captured(lake: Path, gateways: int, workers: int, seconds: float = 0.02) -> Iterator[Scene]:
    """Capture gateways on a cluster, and wait until each is connected."""
    with (
        Counting(gateways, seconds) as counting,
        cluster_of(workers) as (cluster, client),
        gnb.fleet(counting.members(), device_identity=None) as fleet,
        fleet.capture(lake, client=client) as capture,
    ):
        until(lambda: connected(capture))
        yield Scene(counting, cluster, client, capture)


def storm(gateways: int, workers: int, seconds: float, every: float, lake: Path) -> Outcome:
    """Kill a worker again and again, add one, restart a gateway; return what came of it.

    Args:
        gateways: how many.
        workers: at the beginning; each that is killed is started again by its nanny.
        seconds: how long.
        every: seconds between two kills.
        lake: where to.
    """
    takeovers: list[float] = []
    with captured(lake, gateways, workers, 0.05) as (counting, cluster, client, capture):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            takeovers.append(_killed(client, capture))
            cluster.scale(workers + 1)  # one more than before; later those in whose place their nannies made none
            if len(takeovers) == 1:
                until(lambda: capture.collectors["worker"].nunique() == workers + 1)
            if len(takeovers) == 2:
                counting.restart("g00")
            until(lambda began=began: time.monotonic() - began >= every)  # type: ignore[misc]
        until(lambda: connected(capture))
        counting.pause()
        until(lambda: _arrived(capture))
        capture.stop()
    found = outcome(lake, counting.sent)
    found.takeovers = takeovers
    return found


def _killed(client: Client, capture: ClusterCapture) -> float:
    """Kill the worker with most gateways; return how long it took until others captured them."""
    victim = str(capture.collectors["worker"].value_counts().index[0])
    (pid,) = client.run(os.getpid, workers=[victim]).values()
    os.kill(pid, signal.SIGKILL)
    return until(lambda: connected(capture, victim))


def _arrived(capture: ClusterCapture) -> bool:
    """Return whether nothing more comes: three beats later no collector has another number of events."""
    before = capture.collectors["events"].tolist()
    time.sleep(3 * BEAT)
    return bool(capture.collectors["events"].tolist() == before)


def main() -> None:
    """Run the whole storm: ``GATEWAYS WORKERS SECONDS EVERY``."""
    gateways, workers, seconds, every = (float(value) for value in (sys.argv[1:] or ("40", "4", "300", "20")))
    with tempfile.TemporaryDirectory() as folder:
        found = storm(round(gateways), round(workers), seconds, every, Path(folder, "lake"))
    quantiles = statistics.quantiles(found.takeovers, n=20) if len(found.takeovers) > 1 else found.takeovers
    report = {name: value for name, value in vars(found).items() if name != "takeovers"}
    report |= {"kills": len(found.takeovers), "takeover p50": statistics.median(found.takeovers)}
    print(json.dumps({**report, "takeover p95": quantiles[-1], "longest": max(found.takeovers)}, indent=2))


if __name__ == "__main__":
    main()
