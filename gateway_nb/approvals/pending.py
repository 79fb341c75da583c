"""The book of what waits for a person: each comes once, ends once, and never waits again after that. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

from .items import DENY, GONE, PENDING, Item

MOST = 10_000
KEPT = 1000
"""Items that have ended."""
Key = tuple[str, str]
"""An item's kind and id."""
_numbers = itertools.count(1)
"""No two items of a process have the same: a click on one can't be taken for a click on another connection's."""


class Ending(NamedTuple):
    """How something that waited has ended; see `Item`."""

    status: str
    decision: str | None = None
    by: str | None = None
    reason: str | None = None


class Pending:
    """What waits, and how what waited has ended.

    Attributes:
        changes: how often anything changed.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._items: dict[Key, Item] = {}

    @property
    def items(self) -> tuple[Item, ...]:
        """All of them, those that have ended, too, in the order in which they came. From any thread."""
        return tuple(self._items.values())

    @property
    def waiting(self) -> tuple[Item, ...]:
        """Those that wait."""
        return tuple(item for item in self.items if item.status == PENDING)

    def add(self, item: Item) -> bool:
        """Add what waits; return whether it is new.

        What has ended does not wait again: a list that was under way may still have it. Another one under the id of
        one that waits takes its place.

        Raises:
            OverflowError: ten thousand wait.
        """
        key = (item.kind, item.id)
        former = self._items.get(key)
        if former is not None and former.version == item.version:
            return False
        if former is not None:
            self._finish(former, Ending(GONE, reason="the gateway sent something else under its id"))
            del self._items[key]
        elif len(self._items) >= MOST:
            raise OverflowError(f"{MOST:,} approvals and questions wait or are kept: more are left out")
        item.number = next(_numbers)
        self._items[key] = item
        self.changes += 1
        return True

    def find(self, kind: str, id: str) -> Item | None:
        """Return the one of an id."""
        return self._items.get((kind, id))

    def missing(self, before: Iterable[Item], listed: Iterable[Item]) -> list[Item]:
        """Return what waited when a list was asked for, and is not in it: something became of it unheard."""
        there = {(item.kind, item.id) for item in listed}
        return [item for item in before if item.status == PENDING and (item.kind, item.id) not in there]

    def end(self, item: Item, ending: Ending) -> None:
        """Note how an item has ended; who did that and why may become known later, how it ended can't change."""
        if item.status == PENDING:
            self._finish(item, ending)
        elif ending.status == item.status:
            item.by, item.reason = item.by or ending.by, item.reason or ending.reason
            self.changes += 1

    def _finish(self, item: Item, ending: Ending) -> None:
        item.decision, item.by, item.reason = ending.decision, ending.by, ending.reason
        item.status = ending.status  # last: who reads it on another thread finds the rest
        if len(self._items) > KEPT:
            ended = [key for key, each in self._items.items() if each.status != PENDING]
            for key in ended[:-KEPT]:
                del self._items[key]
        self.changes += 1


def ending_of_event(item: Item, payload: dict[str, Any]) -> Ending:
    """Return how an item has ended, from an event ``*.resolved``.

    Args:
        item: the one.
        payload: of the event.
    """
    by = _text(payload.get("resolvedBy"))
    if (status := _text(payload.get("status"))) is not None:  # a question's
        return Ending(status, by=by)
    decision = _text(payload.get("decision"))
    if decision != DENY:
        return Ending("allowed", decision, by)
    if by is not None:
        return Ending("denied", decision, by)
    at = payload.get("ts")  # nobody decided: its time was over, or who asked has left
    over = isinstance(at, int | float) and at / 1000 >= item.expires
    return Ending("expired" if over else "cancelled")


def ending_of_record(record: dict[str, Any]) -> Ending | None:
    """Return the same from what ``approval.get`` or ``question.get`` knows of it; ``None`` if it waits."""
    status = _text(record.get("status"))
    if status is None or status == PENDING:
        return None
    by, resolver = _text(record.get("resolvedBy")), record.get("resolver")
    if isinstance(resolver, dict) and resolver.get("kind") != "system":
        kind, own_id = _text(resolver.get("kind")), _text(resolver.get("id"))
        by = own_id if kind == "runtime" else " ".join(each for each in (kind, own_id) if each)
    reason = _text(record.get("reason"))
    return Ending(status, _text(record.get("decision")), by, None if reason == "user" else reason)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
