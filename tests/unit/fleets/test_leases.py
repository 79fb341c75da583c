"""Each gateway is captured by one worker at a time, and by another soon after that is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.fleets.leases import BEAT, LEASE, OVER, Leases, Report

NAMES = tuple(f"g{number}" for number in range(12))


class Cluster:
    """Workers that do what they hear at once, and let go of all when they are cut off for too long."""

    def __init__(self, workers: Collection[str]) -> None:
        self.leases = Leases(NAMES)
        self.now = 0.0
        self.held: dict[str, set[str]] = {worker: set() for worker in workers}
        self.heard: dict[str, tuple[int, float]] = dict.fromkeys(workers, (0, 0.0))
        self.deaf: set[str] = set()
        self.draining: set[str] = set()

    def beat(self) -> None:
        reports = {
            worker: Report(self.heard[worker][0], frozenset(held))
            for worker, held in self.held.items()
            if worker not in self.deaf
        }
        assigned = self.leases.assign(self.now, reports, self.draining)
        for worker in self.held:
            if worker not in self.deaf:
                self.held[worker] = set(assigned[worker])
                self.heard[worker] = (self.leases.beat, self.now)
        self.now += BEAT
        for worker, (_, at) in self.heard.items():
            if self.now - at >= LEASE:
                self.held[worker] = set()
        doubled = [name for name, count in Counter(g for held in self.held.values() for g in held).items() if count > 1]
        assert not doubled

    def beats(self, count: int) -> None:
        for _ in range(count):
            self.beat()

    @property
    def loads(self) -> list[int]:
        return sorted(len(held) for held in self.held.values())


def test_they_are_spread_evenly() -> None:
    """Each worker has its share from the first beat on."""
    cluster = Cluster("abcd")
    cluster.beat()
    assert cluster.loads == [3, 3, 3, 3]


def test_a_dead_workers_gateways_go_to_others() -> None:
    """When a worker is not heard of, the others have its gateways within 6 s and two beats."""
    cluster = Cluster("abcd")
    cluster.beats(2)
    cluster.deaf.add("a")
    cluster.beats(round(OVER / BEAT) + 2)
    assert cluster.loads == [0, 4, 4, 4]
    assert not cluster.held["a"]


def test_a_new_worker_takes_its_share() -> None:
    """A worker that is added has as many as the others two beats later, and no gateway moves that need not."""
    cluster = Cluster("abc")
    cluster.beats(2)
    before = dict(cluster.leases.owners)
    cluster.held["d"], cluster.heard["d"] = set(), (0, cluster.now)
    cluster.beats(3)
    assert cluster.loads == [3, 3, 3, 3]
    assert sum(before[name] != owner for name, owner in cluster.leases.owners.items()) == 3


def test_a_draining_worker_is_emptied() -> None:
    """A worker that is to go has none two beats later."""
    cluster = Cluster("abc")
    cluster.beats(2)
    cluster.draining.add("a")
    cluster.beats(3)
    assert cluster.loads == [0, 6, 6]


def test_without_workers_they_wait() -> None:
    """Without any worker all wait, and the first one that comes has all of them."""
    cluster = Cluster("")
    cluster.beats(3)
    assert not cluster.leases.owners
    cluster.held["a"], cluster.heard["a"] = set(), (0, cluster.now)
    cluster.beats(2)
    assert cluster.loads == [12]


def test_what_a_worker_has_not_heard_is_not_free() -> None:
    """A gateway that is taken from a worker is nobody else's before the worker says, knowing of it, that it let go."""
    leases = Leases(("g",))
    workers = {"a": Report(0, ())}
    assert leases.assign(0.0, workers) == {"a": ["g"]}
    workers["b"] = Report(0, ())
    assert leases.assign(1.0, workers, ["a"]) == {"a": [], "b": []}
    assert leases.assign(2.0, {**workers, "a": Report(1, ())}, ["a"]) == {"a": [], "b": []}
    assert leases.assign(3.0, {**workers, "a": Report(2, ("g",))}, ["a"]) == {"a": [], "b": []}
    assert leases.assign(4.0, {**workers, "a": Report(2, ())}, ["a"]) == {"a": [], "b": ["g"]}


def test_a_process_in_the_place_of_another() -> None:
    """What a worker had is assigned again when its process is another one, and not before the lease is over."""
    leases = Leases(("g",))
    workers = {"a": Report(0, ())}
    leases.assign(0.0, workers)
    leases.lose("a", 1.0)
    assert leases.assign(1.0, workers) == {"a": []}
    assert leases.assign(1.0 + OVER, workers) == {"a": ["g"]}


@pytest.mark.long
@given(st.lists(st.tuples(st.sampled_from(["deaf", "hears", "drains", "stays", "comes"]), st.sampled_from("abcdef"))))
def test_never_two_at_a_time(happenings: list[tuple[str, str]]) -> None:
    """Whatever workers do, no gateway has two; and when all is quiet, each has one."""
    cluster = Cluster("abc")
    for what, worker in happenings:
        cluster.beat()
        if what == "comes" and worker not in cluster.held:
            cluster.held[worker], cluster.heard[worker] = set(), (0, cluster.now)
        elif what in ("deaf", "hears"):
            (cluster.deaf.add if what == "deaf" else cluster.deaf.discard)(worker)
        elif what in ("drains", "stays"):
            (cluster.draining.add if what == "drains" else cluster.draining.discard)(worker)
    cluster.deaf.clear()
    cluster.draining.clear()
    cluster.beats(2 * round(OVER / BEAT) + 4)
    assert sum(cluster.loads) == len(NAMES)
    assert cluster.loads[-1] - cluster.loads[0] < 2
