"""The events of an experiment's runs, among all that a client hears: for its capture, and for traces."""

from __future__ import annotations

import re
from typing import Any

from ..client.event import Event
from ..client.feed import Keeper
from ..errors import BadArgumentError
from ..events.log import EventLog
from ..events.traces.trace import Trace
from .store import Record


class RunEvents:
    """Passes on the events that name a session of the experiment, and keeps those of the runs in flight.

    The events of a sub-agent name the session that started it.

    Args:
        prefix: with which the sessions' names begin, a number after it.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._name = re.compile(re.escape(prefix).encode() + rb"\d+(?:-\d+)?")
        self._keepers: list[Keeper] = []
        self._logs: dict[bytes, EventLog] = {}

    def into(self, keeper: Keeper) -> RunEvents:
        """Pass them on to a keeper, too; return itself."""
        self._keepers.append(keeper)
        return self

    def extend(self, events: list[Event]) -> None:
        """Take the events that came together."""
        own = []
        for event in events:
            names = set(self._name.findall(bytes(event.raw)))
            if names:
                own.append(event)
            for name in names & self._logs.keys():
                self._logs[name].extend([event])
        if own:
            for keeper in self._keepers:
                keeper.extend(own)

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Take a note: what came before and after it may lack something."""
        for keeper in [*self._keepers, *self._logs.values()]:
            keeper.mark(kind, epoch, detail)

    def begin(self, name: str) -> None:
        """Keep the events of a session."""
        self._logs[name.encode()] = EventLog()

    def end(self, name: str) -> EventLog:
        """Return the events of a session, and keep no more."""
        return self._logs.pop(name.encode(), EventLog())


def trace_of(log: EventLog, record: Record) -> Trace | None:
    """Return what a cell's run did, with its tokens and cost; ``None`` where its events were not seen."""
    try:
        return with_usage(log.trace(str(record.run)), record)
    except BadArgumentError:
        return None


def with_usage(trace: Trace, record: Record) -> Trace:
    """Return a trace whose first span has what the run used: events do not tell all of that."""
    run = trace.tree[0]
    run.input_tokens, run.output_tokens, run.cost = record.input_tokens, record.output_tokens, record.cost
    return trace
