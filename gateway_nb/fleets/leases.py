"""Which worker captures which gateway. Pure: times and reports in, assignments out.

The assignment lies with the cluster's scheduler. A worker has a gateway for as long as it can read there that it has;
one that can't for `LEASE` seconds lets go of all. So what a worker had that is gone, or cut off, can go to another one
`OVER` seconds later. Whoever assigns may be busy for long: meanwhile everything stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

BEAT = 0.5
"""Seconds between two beats."""
LEASE = 3.5
"""Seconds without an answer of the scheduler after which a worker lets go of its gateways."""
OVER = LEASE + 2.0
"""Seconds after which it has done that: a report may be on its way before, and connections take a while to close."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says of itself.

    Attributes:
        beat: the number of the last one that it heard and did.
        held: the gateways that it captures since.
    """

    beat: int
    held: Collection[str]


@dataclass
class Leases:
    """The gateways, and who has them.

    Args:
        gateways: their names.

    Attributes:
        owners: the worker of each gateway that is assigned.
        beat: the number of the last assignment.
    """

    gateways: tuple[str, ...]
    owners: dict[str, str] = field(default_factory=dict)
    beat: int = 0
    _revoked: dict[str, int] = field(default_factory=dict)
    """By gateway, the first beat without it, which its worker may not have heard yet."""
    _free_at: dict[str, float] = field(default_factory=dict)

    def assign(self, now: float, workers: Mapping[str, Report], draining: Collection[str] = ()) -> dict[str, list[str]]:
        """Return the gateways of each worker, from the next beat on.

        Args:
            now: seconds, of a clock that never goes back.
            workers: those that are heard of, and what they said last.
            draining: those of them that are to have none.
        """
        self.beat += 1
        usable = sorted(set(workers) - set(draining))
        for gateway, owner in list(self.owners.items()):
            if owner not in workers:
                self._free(gateway, now + OVER)
            elif gateway in self._revoked:
                report = workers[owner]
                if report.beat >= self._revoked[gateway] and gateway not in report.held:
                    self._free(gateway, now)
            elif owner not in usable:
                self._revoked[gateway] = self.beat
        if usable:
            self._balance(usable, now)
        assigned: dict[str, list[str]] = {worker: [] for worker in workers}
        for gateway, owner in self.owners.items():
            if gateway not in self._revoked:
                assigned[owner].append(gateway)
        return assigned

    def lose(self, worker: str, now: float) -> None:
        """Note that a worker's process is another one than before: its gateways are to be assigned again."""
        for gateway, owner in list(self.owners.items()):
            if owner == worker:
                self._free(gateway, now + OVER)

    def _free(self, gateway: str, at: float) -> None:
        del self.owners[gateway]
        self._revoked.pop(gateway, None)
        self._free_at[gateway] = at

    def _balance(self, usable: list[str], now: float) -> None:
        """Assign what is free to those who have least; take from those who have two more than others."""
        own: dict[str, list[str]] = {worker: [] for worker in usable}
        for gateway, owner in self.owners.items():
            if owner in own and gateway not in self._revoked:
                own[owner].append(gateway)
        loads = {worker: len(gateways) for worker, gateways in own.items()}
        for gateway in self.gateways:
            if gateway in self.owners and gateway not in self._revoked:
                continue
            least = min(usable, key=loads.__getitem__)
            loads[least] += 1  # as will be, also where it is not free yet
            if gateway not in self.owners and now >= self._free_at.get(gateway, now):
                self.owners[gateway] = least
        while True:
            most, least = max(usable, key=loads.__getitem__), min(usable, key=loads.__getitem__)
            if loads[most] - loads[least] < 2 or not own[most]:
                break
            self._revoked[own[most].pop()] = self.beat
            loads[most] -= 1
            loads[least] += 1
