"""A capture into a lake: a journal at once, and its segments as commits soon after."""

from __future__ import annotations

import atexit
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...client.event import Event
from ...client.feed import Feed, patterns_of
from ...client.log import LOGGER
from ...client.redaction.redactor import Redactor
from ...errors import CaptureError, one_line, printable
from ...protocol.units import size
from ..files import Rotation
from ..journal import Capture, Source
from .delta import Lake
from .spool import Spool, left_over, new_spool, spools
from .uploading import upload

SEGMENT = Rotation(bytes=32 * 1024 * 1024, seconds=10.0)
"""When a file of the journal is sealed. A lake has a file per commit, until its days are compacted."""
COMMIT_SECONDS = 1.0
OPENED_FOR = 100
"""Commits after which the table is opened anew: each update of its state makes the next one, and a commit, slower."""
_LONGEST_PAUSE = 30.0
_FULL_SECONDS = 1.0
_STOP_PATIENCE = 30.0
_LAST_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class LakeStats:
    """What a capture into a lake has done.

    Attributes:
        lake: the folder or URL.
        capture: its id, the column ``capture``.
        events: events in its journal, whether committed or not.
        bytes: bytes written to its journal.
        dropped: events and marks that the disk was too slow for, or had no room for; a mark says where.
        rows: lines in the lake: events and marks.
        commits: commits made.
        waiting: bytes of journals on this computer that are not in the lake yet.
        damaged: lines of journals that could not be read.
        problem: why uploads or the journal pause, or why the journal ended; or ``None``.
    """

    lake: str
    capture: str
    events: int
    bytes: int
    dropped: int
    rows: int
    commits: int
    waiting: int
    damaged: int
    problem: str | None


class _Taking(Source):
    """A gateway whose events are this capture's for a time; its marks always are."""

    def __init__(self, capture: Capture, gateway: str, redactor: Redactor, takes: Callable[[], bool]) -> None:
        super().__init__(capture, gateway, redactor)
        self._takes = takes

    def extend(self, events: list[Event]) -> None:
        """Take events, if they are to be taken."""
        if self._takes():
            super().extend(events)


class LakeCapture:
    """Writes the events of many gateways into a lake, until `stop`. A context manager.

    Events go to a journal beside the lake first, as in a `Capture`; every 10 s or 32 MiB it is sealed, and what is
    sealed becomes one commit, at most one each second. What captures left behind whose process was killed is
    committed, too. While the store can't be reached, or the disk is full, uploads pause and the journals stay.

    Args:
        lake: where to.
        events: patterns of the event names to keep.

    Raises:
        CaptureError: the lake is of another schema or a newer version, or can't be reached or written.
        BadArgumentError: the patterns are not strings.
        ImportError: Delta Lake is not installed.
    """

    def __init__(self, lake: Lake, events: str | Iterable[str] = ("*",)) -> None:
        patterns = patterns_of(events)  # a wrong one makes no lake
        self._lake = lake
        self._table = lake.open_or_make()
        self._rows = self._commits = self._damaged = self._since_opened = 0
        self._upload_problem: str | None = None
        self._journal_error: str | None = None
        self._full = -math.inf
        self._removals: list[Callable[[], object]] = []
        self._ending = threading.Event()  # the journal ended: commit the rest
        self._over = threading.Event()  # no more attempts
        self._ending_journal = threading.Event()  # no more waiting for room on its disk
        self._stopping = threading.Lock()
        self._done = False
        self._spool = new_spool(spools(lake))
        try:
            self._journal = Capture(
                self._spool.journal,
                patterns,
                rotate=SEGMENT,
                waits=self._wait_for_room,
                on_error=self._note_journal,
            )
        except BaseException:
            self._spool.release()
            raise
        self._thread = threading.Thread(target=self._run, name="gateway_nb-lake", daemon=True)
        self._thread.start()
        atexit.register(self._stop_at_exit)

    @property
    def capture(self) -> str:
        """The id, the column ``capture`` of its rows."""
        return self._spool.capture

    @property
    def alive(self) -> bool:
        """Whether it still takes events: until `stop`, or until its disk fails."""
        return self._journal.alive

    def add(
        self, gateway: str, feed: Feed, redactor: Redactor, takes: Callable[[], bool] = lambda: True
    ) -> Callable[[], object]:
        """Take a gateway's events from now on; return the function that ends that.

        Args:
            gateway: the name, the column ``gateway`` of its rows.
            feed: its events.
            redactor: takes its secrets out of them.
            takes: called for some events at a time; where it returns ``False``, they are another capture's.
        """
        remove = feed.keep(_Taking(self._journal, gateway, redactor, takes))
        self._removals.append(remove)
        return remove

    def stop(self) -> LakeStats:
        """Commit the rest, within 30 s. Calling it again does nothing.

        Raises:
            CaptureError: the journal's disk failed, or the store does not take the rest; the journals stay, and the
                next capture into that lake commits them, or ``gateway-nb lake resume``.
        """
        with self._stopping:
            if not self._done:
                self._end()
                self._done = True
                atexit.unregister(self._stop_at_exit)
        stats = self.stats
        if stats.waiting:
            raise CaptureError(
                f"{size(stats.waiting)} of the capture {stats.capture} are not in the lake: "
                f"{stats.problem or 'its store is slow'}; they stay in {self._spool.folder}, and the next capture into "
                f"this lake commits them, or: gateway-nb lake resume {stats.lake}"
            )
        if stats.problem is not None:
            raise CaptureError(stats.problem)
        return stats

    def _end(self) -> None:
        end = time.monotonic() + _STOP_PATIENCE
        for remove in self._removals:
            remove()
        self._ending_journal.set()
        with contextlib.suppress(CaptureError):  # it is noted; or the disk is slow, and takes the rest meanwhile
            self._journal.stop()
        self._ending.set()
        self._thread.join(max(end - time.monotonic(), 1.0))
        self._over.set()
        self._thread.join(_LAST_PATIENCE)

    def _stop_at_exit(self) -> None:
        try:
            self.stop()
        except CaptureError as error:
            LOGGER.error(str(error))

    @property
    def stats(self) -> LakeStats:
        """What was done so far."""
        journal = self._journal.stats
        return LakeStats(
            lake=self._lake.place,
            capture=self.capture,
            events=journal.events,
            bytes=journal.bytes,
            dropped=journal.dropped,
            rows=self._rows,
            commits=self._commits,
            waiting=sum(segment.bytes for segment in self._spool.segments()),
            damaged=self._damaged,
            problem=self._problem,
        )

    def __enter__(self) -> LakeCapture:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        stats = self.stats
        state = "stopped" if self._done else "capturing"
        problem = "" if stats.problem is None else f", {one_line(stats.problem, 200)}"
        return printable(
            f"<LakeCapture {stats.lake}: {state}, {stats.events:,} events, {stats.rows:,} rows in {stats.commits:,} "
            f"commits, {size(stats.waiting)} waiting{problem}>"
        )

    # The uploading thread

    def _run(self) -> None:
        mine: list[Spool] = [self._spool]
        failures = 0
        try:
            mine += left_over(spools(self._lake))
            while not self._over.is_set():
                began, ending = time.monotonic(), self._ending.is_set()
                below = self._journal.path if self._journal.alive else None  # where it has ended, all is sealed
                pause = COMMIT_SECONDS
                try:
                    committed = self._upload_next(mine, below)
                    self._note_upload(None)
                    failures = 0
                except Exception as error:  # noqa: BLE001 - whatever it is, the journals stay, and that is told
                    if not isinstance(error, CaptureError):
                        LOGGER.exception("a bug in the writing of lakes")
                    self._note_upload(one_line(error))
                    failures, committed = failures + 1, False
                    pause = COMMIT_SECONDS if ending else min(COMMIT_SECONDS * 2**failures, _LONGEST_PAUSE)
                if ending and below is None and not any(spool.segments() for spool in mine):
                    break
                (self._over if ending or committed else self._ending).wait(max(began + pause - time.monotonic(), 0))
        finally:
            for spool in mine:
                spool.release()

    def _upload_next(self, mine: list[Spool], below: Path | None) -> bool:
        """Make one commit; return whether there was one to make. A dead owner's journal is over with its last."""
        if self._since_opened >= OPENED_FOR:
            self._table, self._since_opened = self._lake.open(), 0
        for spool in tuple(mine):
            done = upload(self._lake, self._table, spool, below if spool is self._spool else None)
            if done is not None:
                self._rows += done.rows
                self._damaged += done.damaged
                self._commits += done.rows > 0
                self._since_opened += 1
                return True
            if spool is not self._spool:
                mine.remove(spool)
                spool.release()
        return False

    def _note_upload(self, problem: str | None) -> None:
        """Keep why uploads pause, and log it once."""
        if problem is not None and self._upload_problem is None:
            LOGGER.warning(f"uploads to the lake {self._lake.place} pause, its journals stay: {problem}")
        elif problem is None and self._upload_problem is not None:
            LOGGER.warning(f"uploads to the lake {self._lake.place} continue")
        self._upload_problem = problem

    # The journal's thread

    def _wait_for_room(self, error: OSError) -> bool:
        """Wait a second for a full disk; return whether it is worth another attempt."""
        now = time.monotonic()
        if now - self._full > 10 * _FULL_SECONDS:
            LOGGER.warning(f"the journal {self._spool.folder} waits: {error.strerror}; its events wait in memory")
        self._full = now
        return not self._ending_journal.wait(_FULL_SECONDS)

    def _note_journal(self, error: CaptureError) -> None:
        self._journal_error = str(error)
        LOGGER.error(self._journal_error)

    @property
    def _problem(self) -> str | None:
        if self._journal_error is not None:
            return self._journal_error
        if time.monotonic() - self._full < 2 * _FULL_SECONDS:
            return f"the disk of the journal {self._spool.folder} is full: make room; events wait in memory, 128 MiB"
        return self._upload_problem
