"""A fleet's events, captured by the workers of a Dask cluster: who assigns the gateways, and hears how that goes."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..capture.lake.writing import LakeStats
from ..client.log import LOGGER
from ..errors import BadArgumentError, CaptureError, one_line, printable
from .collecting import GatewayState, Plan, collect
from .leases import BEAT, Leases, Report

if TYPE_CHECKING:
    import distributed
    import pandas as pd

_STOP_PATIENCE = 35.0
_AGAIN_SECONDS = 5.0
_SILENT = 15.0
"""Seconds without a report after which a worker counts as gone that the scheduler still knows."""
_DRAINING = ("closing_gracefully", "closing", "paused")


@dataclass
class _Worker:
    """A worker of the cluster, and the task on it.

    Attributes:
        task: the collector's.
        begun: when it was sent there.
        heard: when its last report came, in seconds that this process was awake; ``None`` before the first.
        report: the last one.
    """

    task: distributed.Future[Any]
    begun: float
    heard: float | None = None
    report: Mapping[str, Any] | None = None


class ClusterCapture:
    """Captures a fleet into a lake with the workers of a Dask cluster, until `stop`. A context manager.

    Each worker runs one long task, a collector, which captures its share of the gateways as a `LakeCapture` of its own.
    What a worker had that is gone, others have 6 s later: until then it may be alive, and capture. One that is not
    heard of is gone after 15 s; one that is drained gives its gateways away at once, and a new one takes its share.
    Where a connection takes the place of another there is a mark, and events between the two are nowhere.

    Args:
        plan: what the collectors are to do.
        client: of the cluster.
        ends: closed at its end: a cluster that was made for it.
    """

    def __init__(self, plan: Plan, client: distributed.Client, ends: contextlib.ExitStack | None = None) -> None:
        from distributed import Queue, Variable

        self._plan, self._client, self._ends = plan, client, ends or contextlib.ExitStack()
        self._beats, self._reports = Variable(plan.name, client), Queue(plan.name, client)
        self._leases = Leases(tuple(member.name for member in plan.members))
        self._workers: dict[str, _Worker] = {}
        self._stats: dict[str, LakeStats] = {}
        self._problem: str | None = None
        self._warned: str | None = None
        self._number = 0
        self._beaten = time.monotonic()
        # In these seconds silence is measured: where this process, or the scheduler, stands still, no worker is silent.
        self._awake = 0.0
        self._stopping = threading.Event()
        self._ending = threading.Lock()
        self._done = False
        self._stopped: CaptureError | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="gateway_nb-collectors", daemon=True)
        self._thread.start()
        atexit.register(self._stop_at_exit)

    # What the user asks

    @property
    def collectors(self) -> pd.DataFrame:
        """Who captures what, one row per gateway, as last heard.

        Columns: `gateway`, `worker` (its address; missing where it waits for one), `state` (of the connection:
        connecting, connected, ...; waiting: no worker has it; refused: its secret is not in the worker's environment),
        `epoch`, `events`, `missed` (Int64; of this worker's connection), `reason` (why it is not connected).
        """
        import pandas as pd

        with self._lock:
            owners = dict(self._leases.owners)
            reports = {address: worker.report for address, worker in self._workers.items()}
        rows = []
        for member in self._plan.members:
            owner = owners.get(member.name)
            report = reports.get(owner or "") or {"gateways": {}}
            found = report["gateways"].get(member.name)
            row = GatewayState(*found) if found else GatewayState("connecting" if owner else "waiting", 0, 0, 0, None)
            rows.append((member.name, owner, *dataclasses.astuple(row)))
        text = pd.StringDtype("pyarrow")
        frame = pd.DataFrame(rows, columns=["gateway", "worker", "state", "epoch", "events", "missed", "reason"])
        kinds = {**dict.fromkeys(("gateway", "worker", "state", "reason"), text)}
        return frame.astype({**kinds, **dict.fromkeys(("epoch", "events", "missed"), "Int64")})

    @property
    def shares(self) -> dict[str, str]:
        """For each gateway how its capture goes, and where: what the fleet's grid shows."""
        rows = self.collectors[["gateway", "state", "worker"]].itertuples(index=False)
        return {name: state if state == "waiting" else f"{state} on {worker}" for name, state, worker in rows}

    @property
    def alive(self) -> bool:
        """Whether it captures: until `stop`."""
        return not self._stopping.is_set()

    @property
    def stats(self) -> LakeStats:
        """What all collectors have done, as each last reported; `waiting` is of those that are there.

        `capture` is none of theirs: each has an id of its own.
        """
        with self._lock:
            each = list(self._stats.values())
            live = [self._stats[worker.report["capture"]] for worker in self._workers.values() if worker.report]
        problems = [self._problem, *(stats.problem for stats in live)]
        sums = {
            name: sum(getattr(stats, name) for stats in each)
            for name in ("events", "bytes", "dropped", "rows", "commits", "damaged")
        }
        sums["waiting"] = sum(stats.waiting for stats in live)
        return LakeStats(
            lake=self._plan.lake,
            capture=self._plan.name,
            problem=next((problem for problem in problems if problem is not None), None),
            **sums,
        )

    def stop(self) -> LakeStats:
        """Commit the rest, within 35 s. Calling it again does nothing.

        Raises:
            CaptureError: a collector could not commit the rest, or was not heard of; its journal stays where it ran,
                and the next capture into that lake from there commits it.
        """
        with self._ending:
            if not self._done:  # one that Ctrl-C interrupted goes on here, or at the end of the process
                self._stopping.set()
                self._thread.join()
                self._stopped = self._end()
                self._done = True
                atexit.unregister(self._stop_at_exit)
        if self._stopped is not None:
            raise self._stopped
        return self.stats

    def _end(self) -> CaptureError | None:
        """Wait for the collectors; return what went wrong."""
        try:
            problems = self._outcomes()
            self._beats.delete()
            self._reports.close()
        except (OSError, RuntimeError, concurrent.futures.CancelledError) as error:
            problems = [f"the cluster can't be reached: {one_line(error)}"]
        self._ends.close()
        if not problems:
            return None
        return CaptureError(
            f"some events may not be in the lake {self._plan.lake} yet: {'; '.join(problems)}; their journals stay "
            "where these ran, and the next capture into this lake from there commits them"
        )

    def _outcomes(self) -> list[str]:
        """Take what each collector has done; return what went wrong with some."""
        from distributed import wait

        tasks = {address: worker.task for address, worker in self._workers.items()}
        problems = []
        with contextlib.suppress(TimeoutError):
            wait(list(tasks.values()), timeout=_STOP_PATIENCE)
        for address, task in tasks.items():
            if task.status == "finished":
                stats = LakeStats(**task.result())
                self._stats[stats.capture] = stats
            elif task.status == "error":
                problems.append(f"{address}: {one_line(task.exception())}")
            else:
                problems.append(f"{address} was not heard of")
                task.cancel(force=True)
        return problems

    def _stop_at_exit(self) -> None:
        try:
            self.stop()
        except CaptureError as error:
            LOGGER.error(str(error))

    def __enter__(self) -> ClusterCapture:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        stats, states = self.stats, self.collectors["state"].value_counts()
        counts = ", ".join(f"{count:,} {state}" for state, count in states.items())
        state = "stopped" if self._stopping.is_set() else f"{len(self._workers):,} collectors, {counts}"
        problem = "" if stats.problem is None else f", {one_line(stats.problem, 200)}"
        return printable(f"<ClusterCapture {stats.lake}: {state}, {stats.rows:,} rows{problem}>")

    # The thread that assigns

    def _run(self) -> None:
        while True:
            over = self._stopping.is_set()
            try:
                self._problem = self._beat(over)
            except Exception as error:  # noqa: BLE001 - a scheduler that is away may come back; `stats` says so meanwhile
                self._problem = f"the cluster can't be reached, its workers let go of their gateways: {one_line(error)}"
            if self._problem not in (None, self._warned):
                self._warned = self._problem
                LOGGER.warning(self._problem)
            if over:
                return
            self._stopping.wait(BEAT)

    def _beat(self, over: bool) -> str | None:
        """Hear of the workers, and assign anew; return what is wrong with one."""
        info = self._client.scheduler_info()["workers"]
        now = time.monotonic()
        self._awake += min(now - self._beaten, 2 * BEAT)
        self._beaten = now
        with self._lock:
            problem = self._note_workers(info, now)
            self._note_reports(now)
            heard = {
                address: Report(worker.report["beat"], worker.report["gateways"])
                for address, worker in self._workers.items()
                if worker.report is not None and worker.heard is not None and self._awake - worker.heard < _SILENT
            }
            draining = [address for address in heard if info[address].get("status") in _DRAINING]
            assigned = self._leases.assign(now, heard, draining)
        self._beats.set({"beat": self._leases.beat, "assigned": assigned, "over": over})
        return problem

    def _note_workers(self, info: Mapping[str, Mapping[str, Any]], now: float) -> str | None:
        """Begin a collector on each new worker, forget those that are gone; return why one failed."""
        problem = None
        for address in set(self._workers) - set(info):
            self._workers.pop(address).task.cancel(force=True)
        for address in set(info) - set(self._workers):
            if info[address].get("status") not in _DRAINING:
                self._workers[address] = _Worker(self._collector(address), now)
        for address, worker in list(self._workers.items()):
            if worker.task.status == "error":
                problem = f"{address}: {one_line(worker.task.exception())}"
                if now - worker.begun > _AGAIN_SECONDS:
                    self._workers[address] = _Worker(self._collector(address), now)
        return problem

    def _collector(self, address: str) -> distributed.Future[Any]:
        self._number += 1
        return self._client.submit(
            collect,
            self._plan,
            workers=[address],
            allow_other_workers=False,  # one per worker: a dead one's is no use elsewhere
            pure=False,
            key=f"{self._plan.name}-{self._number}",
        )

    def _note_reports(self, now: float) -> None:
        for report in self._reports.get(timeout=0, batch=True):
            stats = LakeStats(**report["stats"])
            self._stats[stats.capture] = stats
            worker = self._workers.get(report["worker"])
            if worker is None:
                continue
            if worker.report is not None and worker.report["capture"] != report["capture"]:
                self._leases.lose(report["worker"], now)
            worker.report, worker.heard = report, self._awake


def capture_on(client: distributed.Client | bool, plan: Plan) -> ClusterCapture:
    """Return a capture by the workers of a cluster.

    Args:
        client: of the cluster; ``True`` makes one of processes on this computer.
        plan: what to capture.

    Raises:
        BadArgumentError: `client` is neither, or is asynchronous.
        ImportError: Dask is not installed.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ImportError("a cluster needs Dask; run: pip install 'gateway-nb[fleet]'") from None
    if client is True:
        with contextlib.ExitStack() as ends:
            cluster = ends.enter_context(LocalCluster(threads_per_worker=1, dashboard_address="127.0.0.1:0"))
            return ClusterCapture(plan, ends.enter_context(Client(cluster)), ends.pop_all())
    if not isinstance(client, Client) or client.asynchronous:
        raise BadArgumentError(f"client must be a distributed.Client that is not asynchronous, or True, not {client!r}")
    return ClusterCapture(plan, client)
