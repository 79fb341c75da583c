"""The events of an experiment's runs, among all that a client hears: for its capture, and for traces."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

from ..capture.recording import Recording
from ..client.event import Event
from ..client.feed import Keeper
from ..errors import BadArgumentError, CaptureError
from ..events.log import EventLog
from ..events.traces.trace import Trace
from .store import Record


class RunEvents:
    """Passes on the events that name a session of the experiment, and keeps those of the runs in flight.

    The events of a sub-agent name the session that started it.

    Args:
        prefix: with which the sessions' names begin, a number after it.
        capture: has the events of runs that were asked for earlier.
    """

    def __init__(self, prefix: str, capture: Path) -> None:
        self.prefix = prefix
        self._name = re.compile(re.escape(prefix).encode() + rb"\d+(?:-\d+)?")
        self._keepers: list[Keeper] = []
        self._logs: dict[bytes, EventLog] = {}
        self._capture = capture
        self._earlier: dict[str, Trace] | None = None
        self._reading = threading.Lock()

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

    def trace(self, log: EventLog, record: Record) -> Trace | None:
        """Return what a cell's run did, with its tokens and cost; ``None`` where its events were not seen. Blocks.

        Args:
            log: of its session; where that has none of the run, it ended earlier, and the capture may have it.
            record: of the cell.
        """
        try:
            return with_usage(log.trace(str(record.run)), record)
        except BadArgumentError:
            with self._reading:
                if self._earlier is None:
                    self._earlier = recorded_traces(self._capture)
            found = self._earlier.get(str(record.run))
            return found and with_usage(found, record)


def recorded_traces(events: Path) -> dict[str, Trace]:
    """Return what runs did, by their ids, as far as an experiment's capture has it."""
    try:
        return {trace.run: trace for trace in Recording([events]).traces()}
    except CaptureError:  # there is none yet
        return {}


def with_usage(trace: Trace, record: Record) -> Trace:
    """Return a trace whose first span has what the run used: events do not tell all of that."""
    run = trace.tree[0]
    run.input_tokens, run.output_tokens, run.cost = record.input_tokens, record.output_tokens, record.cost
    return trace
