"""A collector: the task on a worker that captures the gateways which are assigned to it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import math
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..capture.lake.delta import Lake
from ..capture.lake.uploading import resume
from ..capture.lake.writing import LakeCapture
from ..client.core import Core
from ..client.log import LOGGER
from ..errors import GatewayError, one_line
from ..faces.async_gateway import AsyncGateway
from ..sync.loop_thread import LoopThread, loop_thread
from .asking import ask_each
from .config import Member
from .leases import BEAT, LEASE, OVER

if TYPE_CHECKING:
    import distributed

_CONNECT_SECONDS = 15.0
_ABANDONED = 60.0
"""Seconds without a beat after which whoever assigns is gone: a collector commits the rest, and ends."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every collector of a capture needs. It holds no secret: workers find those in their own environment.

    Attributes:
        members: the gateways, of which each collector captures some.
        options: of the connection to each, by its name.
        lake: its place.
        storage_options: how to reach it.
        events: patterns of the event names to keep.
        name: of the variable and the queue through which the fleet and its collectors talk.
    """

    members: tuple[Member, ...]
    options: Mapping[str, Mapping[str, Any]]
    lake: str
    storage_options: Mapping[str, str]
    events: tuple[str, ...]
    name: str = field(default_factory=lambda: f"gateway-nb-{uuid.uuid4().hex[:12]}")


@dataclass(frozen=True, slots=True)
class GatewayState:
    """A gateway's row in a report.

    Attributes:
        state: of the connection.
        epoch: its number.
        events: that came.
        missed: events in gaps.
        reason: why it is not connected.
    """

    state: str
    epoch: int
    events: int
    missed: int
    reason: str | None


def collect(plan: Plan) -> dict[str, Any]:
    """Capture what is assigned to this worker, until the capture ends; runs as a task on a worker of Dask.

    Returns:
        What the capture's last `LakeStats` hold.

    Raises:
        CaptureError: the lake can't be reached or written, or does not take the rest.
    """
    from distributed import Queue, Variable, get_worker, secede

    secede()  # it goes on for long: the worker's thread is for other tasks
    worker = get_worker().address
    lake = Lake(plan.lake, plan.storage_options)
    with LakeCapture(lake, plan.events) as capture:
        collector = Collector(plan, capture)
        try:
            _follow(collector, worker, Variable(plan.name), Queue(plan.name))
        finally:
            collector.hold(())
    resume(lake)  # what processes that were killed here left behind
    return dataclasses.asdict(capture.stats)


def _follow(collector: Collector, worker: str, beats: distributed.Variable, reports: distributed.Queue) -> None:
    number = -1
    answered = changed = time.monotonic()
    while True:
        began = time.monotonic()
        beat = _attempt(lambda: beats.get(timeout=LEASE, callback_timeout=LEASE))
        now = time.monotonic()
        if beat is not None:
            answered, changed = now, now if beat["beat"] != number else changed
            number = beat["beat"]
            collector.renew(began)
            collector.hold(beat["assigned"].get(worker, ()))
        elif now - answered >= LEASE:
            collector.hold(())
        if (beat is not None and beat["over"]) or now - changed >= _ABANDONED:
            return
        report = {"worker": worker, "beat": number, **collector.report()}
        _attempt(lambda: reports.put(report, timeout=2 * BEAT, callback_timeout=2 * BEAT))  # noqa: B023 - called at once
        time.sleep(max(began + BEAT - time.monotonic(), 0.0))


def _attempt(ask: Callable[[], Any]) -> Any:
    """Return what the scheduler answers, ``None`` where it can't be reached: whether that lasts, the lease says."""
    try:
        return ask()
    except (OSError, RuntimeError, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
        LOGGER.debug(f"the scheduler does not answer: {one_line(error)}")
        return None


class Collector:
    """The gateways that this worker captures.

    Args:
        plan: of the capture.
        capture: takes their events.

    Attributes:
        capture: likewise.
    """

    def __init__(self, plan: Plan, capture: LakeCapture) -> None:
        self.capture = capture
        self._plan = plan
        self._members = {member.name: member for member in plan.members}
        self._thread: LoopThread = loop_thread()
        self._held: dict[str, tuple[AsyncGateway, Callable[[], object]]] = {}
        self._refused: dict[str, str] = {}
        self._lease_ends = math.inf
        self._expired = False

    def renew(self, asked: float) -> None:
        """Take the gateways' events for `OVER` seconds; where that comes too late, let go of the gateways first.

        Args:
            asked: when the assignment was asked for, on the monotonic clock; one that was stopped may read an old one.
        """
        in_time = self.has_lease()
        self._lease_ends = asked + OVER
        if not in_time:
            self.hold(())
            self._expired = False

    def has_lease(self) -> bool:
        """Return whether these gateways are this worker's, and not another's by now: once they are not, `renew` says.

        A process that was stopped wakes with events in its sockets that others have captured meanwhile.
        """
        self._expired = self._expired or time.monotonic() >= self._lease_ends
        return not self._expired

    def hold(self, names: Iterable[str]) -> None:
        """Let go of every gateway but some, and begin to capture those of them that are new."""
        wanted = set(names)
        gone = [self._held.pop(name) for name in list(self._held) if name not in wanted]
        if gone:
            self._thread.run(lambda: ask_each([gateway for gateway, _ in gone], AsyncGateway.close), "capture")
            for _, remove in gone:
                remove()
        self._refused = {name: why for name, why in self._refused.items() if name in wanted}
        new = [self._begun(name) for name in sorted(wanted - set(self._held))]
        self._thread.submit(ask_each(filter(None, new), _connect), "capture")

    def _begun(self, name: str) -> AsyncGateway | None:
        member = self._members[name]
        try:
            gateway = AsyncGateway(member.url, **{**self._plan.options[name], **member.arguments()})
        except GatewayError as error:  # this worker has not got its secret
            self._refused[name] = str(error)
            return None
        self._held[name] = (gateway, self.capture.add(name, gateway.core.feed, gateway.redactor, self.has_lease))
        return gateway

    def report(self) -> dict[str, Any]:
        """Return what it holds, and how that goes."""
        states = {name: _state_of(gateway.core) for name, (gateway, _) in self._held.items()}
        states |= {name: GatewayState("refused", 0, 0, 0, why) for name, why in self._refused.items()}
        stats = self.capture.stats
        return {
            "capture": stats.capture,
            "gateways": {name: dataclasses.astuple(row) for name, row in states.items()},
            "stats": dataclasses.asdict(stats),
        }


def _state_of(core: Core) -> GatewayState:
    status = core.status
    return GatewayState(status.state, status.epoch, core.feed.events, core.feed.missed, status.reason)


async def _connect(gateway: AsyncGateway) -> None:
    await gateway.core.start(_CONNECT_SECONDS, persists=True)
