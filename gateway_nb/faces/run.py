"""`Run`: one turn of an agent, for code without ``await``."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..client.event import Event
from ..client.options import timeout as seconds
from ..client.run import ABORT_SECONDS, AsyncRun, RunResult
from ..errors import GatewayError
from ..sync.handle import RequestHandle
from ..sync.loop_thread import LoopThread

if TYPE_CHECKING:
    from ..events.log import EventLog
    from ..events.traces.trace import Trace


class Run:
    """One turn of an agent, for code without ``await``. Ctrl-C asks the gateway to abort it, then raises.

    Args:
        thread: of the loop that it lives on.
        run: the run.
        at_end: called on the loop's thread when it has ended.

    Example:
        >>> for piece in gw.run("hello"):
        ...     print(piece, end="")
        hello
    """

    def __init__(
        self, thread: LoopThread, run: AsyncRun, log: EventLog, at_end: Callable[[], object] | None = None
    ) -> None:
        self._thread = thread
        self._log = log
        self._run = run
        self._handle: RequestHandle[RunResult] = thread.submit(run.result(), f"run {run.run_id}")
        if at_end is not None:
            self._handle.add_done_callback(lambda _: at_end())

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run.run_id

    @property
    def session(self) -> str:
        """The session's key."""
        return self._run.session

    @property
    def text(self) -> str:
        """The answer so far; ``result().text`` waits for all of it."""
        if not self._run.text and not self.done():
            warnings.warn("the run has no text yet; .result().text waits for its answer", stacklevel=2)
        return self._run.text

    @property
    def events(self) -> list[Event]:
        """Every event of this run so far."""
        return list(self._run.events)

    def trace(self, *, complete: bool = False) -> Trace:
        """Return what it did so far, with the runs it started: see `EventLog.trace`.

        Example:
            >>> run = gw.run("hello")
            >>> text = run.result().text
            >>> frame = run.trace(complete=True).spans
        """
        return self._log.trace(self.run_id, complete=complete)

    def result(self, timeout: float | None = None) -> RunResult:
        """Return the run's result.

        Args:
            timeout: seconds to wait; the run continues after it.

        Raises:
            GatewayRequestError: the gateway did not accept it.
            RunFailedError, RunAbortedError: how it ended.
            GatewayTimeoutError: it has not ended yet, or took longer than its own limit.
        """
        limit = seconds(timeout)
        try:
            return self._handle.result(limit)
        except KeyboardInterrupt:
            raise self._interrupted() from None

    def __iter__(self) -> Iterator[str]:
        pieces = self._run.__aiter__()

        async def next_piece() -> str | None:
            return await anext(pieces, None)

        try:
            while (piece := self._thread.run(next_piece, f"run {self.run_id}")) is not None:
                yield piece
        except KeyboardInterrupt:
            raise self._interrupted() from None

    def _interrupted(self) -> KeyboardInterrupt:
        """Stopping the cell stops the run: nobody reads its answer any more, and it costs."""
        try:
            abort = f"abort run {self.run_id}"
            aborted = self._thread.run(lambda: asyncio.wait_for(self._run.abort(), ABORT_SECONDS), abort)
            done = "the gateway was asked to abort it" if aborted else "it had ended already"
        except TimeoutError:
            done = "the gateway does not answer, and may continue it"
        except GatewayError as error:
            done = f"it could not be aborted: {error}"
        return KeyboardInterrupt(f"run {self.run_id}: {done}")

    def abort(self) -> bool:
        """Ask the gateway to abort the run; return whether there was something to abort."""
        return self._thread.run(self._run.abort, f"abort run {self.run_id}")

    def done(self) -> bool:
        """Return whether it has ended."""
        return self._handle.done()

    def __repr__(self) -> str:
        return (
            f"<Run {self.run_id}: {'ended' if self.done() else 'running'}, {len(self._run.text):,} characters so far>"
        )
