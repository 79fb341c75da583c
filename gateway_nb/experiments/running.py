"""Running the cells of an experiment: each once, in a session of its own, whatever is lost in between."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar

from msgspec.structs import replace

from ..client.core import Core
from ..client.event import Event
from ..client.run import finish_agent
from ..errors import (
    GatewayClosedError,
    GatewayError,
    GatewayTimeoutError,
    MissingScopeError,
    RunAbortedError,
    RunFailedError,
)
from ..protocol.frames import MalformedFrame, decode_answer
from ..records.frames import value_at
from ..records.reading import Reader
from ..records.steps import Steps
from .listening import RunEvents
from .outcome import Outcome, Used, find_run, of_final, read_used
from .plan import Cell, Plan
from .scoring import Scorer, score, unless
from .store import Limits, Record, Store

T = TypeVar("T")
AtStop = Literal["abort", "wait"]
DONE = ("ok", "failed", "timeout")
"""The statuses of a cell that is not run again."""
_PAUSES = (0.0, 2.0, 0.0)  # seconds after each attempt that was lost; no more: the run may be what ends the gateway
_DRAIN_SECONDS = 330.0  # that a gateway may take to end its runs before it restarts
_MOST_STALLS = 3
_ABORT_SECONDS = 10.0
_ABORT_AGAIN = 0.5
_RUN_IDS = uuid.UUID("6f1c6a52-8b0f-4c52-9a49-3a1f0f6f7d55")
"""The namespace of the runs' ids: the same attempt of the same cell has the same id, and is run once."""


class _LostError(Exception):
    """The gateway restarted during a run, or was about to: it will not end, or ended before a model was asked."""


class Runner:
    """Runs what is left of an experiment.

    Args:
        core: of a connected client.
        plan: what is run.
        store: where it is written, locked.
        limits: how it is run.
        records: what is known of cells, by number; kept up to date.
        events: hears what the runs do; its prefix begins the names of their sessions.
        scorers: by the names of their columns.

    Attributes:
        task: in which it runs, ``None`` before that.
        limit: the limit that was reached, ``None`` for none.
    """

    def __init__(
        self,
        core: Core,
        plan: Plan,
        store: Store,
        limits: Limits,
        records: dict[int, Record],
        events: RunEvents,
        scorers: Mapping[str, Scorer],
    ) -> None:
        self._core = core
        self._plan = plan
        self._store = store
        self._limits = limits
        self._records = records
        self._prefix = events.prefix
        self._events = events
        self._scorers = scorers
        self.task: asyncio.Task[Any] | None = None
        self._stopped = False
        self._aborting = asyncio.Event()
        self._in_flight = 0
        self._costs: dict[int, float] = {}
        self._cost = 0.0
        self._done = 0
        self.limit: str | None = None

    # Which cells, and when

    async def run(self) -> None:
        """Run the cells that have not ended, those first whose runs were under way when it was interrupted.

        At the end of all of them their sessions are deleted, where that is wanted.

        Raises:
            ExperimentError: the disk failed.
            GatewayClosedError: the connection was lost, and did not come back.
            MissingScopeError: the connection may not start runs.
        """
        self._costs = {number: record.cost or 0.0 for number, record in self._records.items()}
        self._cost = sum(self._costs.values())
        self._done = sum(record.status in DONE for record in self._records.values())
        left = [cell for cell in self._plan.order if self._is_left(self._records.get(cell.number))]
        left.sort(key=lambda cell: cell.number not in self._records)
        queue = deque(left)
        loop = asyncio.get_running_loop()
        timer = self._limits.max_seconds and loop.call_later(self._limits.max_seconds, self._reach, "max_seconds")
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._limits.parallel, len(queue))):
                    workers.create_task(self._work(queue))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            if timer:
                timer.cancel()
        if self._limits.cleanup and not self._stopped:
            await self._clean_up()

    def cancel(self) -> None:
        """End at once: runs under way go on in the gateway, and are found the next time. On the loop's thread."""
        if self.task is not None:
            self.task.cancel()

    def stop(self, at_stop: AtStop) -> None:
        """Begin no more runs; on the loop's thread.

        Args:
            at_stop: abort those under way, or wait for them.
        """
        self._stopped = True
        if at_stop == "abort":
            self._aborting.set()

    def _reach(self, limit: str) -> None:
        self.limit = limit
        self.stop("abort" if limit == "max_seconds" else "wait")

    def _is_left(self, record: Record | None) -> bool:
        if record is None or record.status not in DONE:
            return True
        return bool(self._scorers) and record.status == "ok" and record.scores is None

    def _may_begin(self, cell: Cell) -> bool:
        most, record = self._limits.max_cost, self._records.get(cell.number)
        if most is not None and not self._stopped and (record is None or record.status not in DONE):
            each = self._cost / self._done if self._done else 0.0
            if self._cost >= most or self._cost + each * (self._in_flight + 1) > most:
                self._reach("max_cost")
        return not self._stopped

    async def _work(self, queue: deque[Cell]) -> None:
        while queue and self._may_begin(queue[0]):
            cell = queue.popleft()
            record = self._records.get(cell.number)
            self._in_flight += 1
            try:
                if record is None or record.status not in DONE:
                    record = await self._ended(cell, record)
                await self._scored(cell, record)
            finally:
                self._in_flight -= 1

    # One cell

    async def _ended(self, cell: Cell, record: Record | None) -> Record:
        """Run a cell to its end; return what is known of it then."""
        why = ""
        for pause in _PAUSES:
            was_under_way = record is not None and record.status == "running"
            if record is None or not was_under_way:
                record = self._begun(cell, record)
            self._events.begin(_name(record))
            try:
                outcome = await self._outcome(cell, record, was_under_way)
            except _LostError as error:
                why = str(error)
                # The gateway goes on with an interrupted session by itself, with a prompt of its own: that is no
                # answer to the template's, and costs.
                await self._ask("chat.abort", {"sessionKey": record.session})
                record = self._put(replace(record, status="lost"))
                await self._steady(pause)
                if self._stopped:
                    return record
            else:
                return record if outcome is None else await self._closed(record, outcome)
        assert record is not None
        return await self._closed(record, Outcome("failed", error=f"{why} ({len(_PAUSES)} attempts)"))

    async def _steady(self, pause: float) -> None:
        """Wait for a restart that is announced, whose gateway takes no runs any more, or for so many seconds; no longer
        than until runs are to be aborted.
        """
        restarts = self._core.status.state == "restarting"
        ends: list[asyncio.Task[Any]] = [asyncio.create_task(self._aborting.wait())]
        if restarts:
            ends.append(asyncio.create_task(self._core.lost(self._core.feed.epoch)))
        try:
            limit = _DRAIN_SECONDS if restarts else pause
            await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    def _begun(self, cell: Cell, before: Record | None) -> Record:
        """Write down what is about to be asked for: whatever comes, it is found again."""
        attempt = 1 if before is None else before.attempt + 1
        run = uuid.uuid5(_RUN_IDS, f"{self._prefix}{cell.number}/{attempt}")
        session = self._session(cell, attempt)
        started = round(time.time(), 3)
        spent = {} if before is None else {name: getattr(before, name) for name in Used._fields}
        return self._put(Record(cell.number, "running", attempt, str(run), session, started=started, **spent))

    def _session(self, cell: Cell, attempt: int) -> str:
        again = f"-{attempt}" if attempt > 1 else ""
        return f"agent:{cell.agent}:{self._prefix}{cell.number}{again}"

    async def _outcome(self, cell: Cell, record: Record, was_under_way: bool) -> Outcome | None:
        """Return how a run ended, asked for if need be; ``None`` where that is found out another time."""
        stalls = 0
        while True:
            if was_under_way:
                found = await self._read(partial(find_run, str(record.session), str(record.run)))
                if found.state == "lost":
                    raise _LostError(f"run {record.run} is lost: the gateway restarted during it")
                if found.outcome is not None:
                    return found.outcome
            began = time.monotonic()
            try:
                return await self._asked(cell, record, began)
            except RunAbortedError as error:
                return Outcome("aborted", error=str(error))
            except GatewayTimeoutError:
                timeout = self._limits.timeout
                if timeout is not None and time.monotonic() - began >= timeout:
                    await self._ask("chat.abort", {"sessionKey": record.session, "runId": record.run})
                    return Outcome("timeout", error=f"it did not end within {timeout:g} s, and was aborted")
                stalls += 1
                if stalls == _MOST_STALLS:
                    raise
            except (GatewayClosedError, MissingScopeError):
                raise  # nothing that a run can help
            except GatewayError as error:
                return await self._failed(record, error)
            was_under_way = True

    async def _failed(self, record: Record, error: GatewayError) -> Outcome:
        """Return the outcome of a run that failed, unless no model was asked: a gateway that is about to restart, or
        has restarted, has no outcome for it.
        """
        found = await self._read(partial(find_run, str(record.session), str(record.run)))
        if found.outcome is None and (isinstance(error, RunFailedError) or error.code == "UNAVAILABLE"):
            raise _LostError(str(error))
        if found.outcome is not None and found.outcome.status == "ok":  # it ended while the gateway did
            return found.outcome
        return Outcome("failed", error=str(error))

    async def _asked(self, cell: Cell, record: Record, began: float) -> Outcome | None:
        settings = {"model": cell.model, "thinkingLevel": self._plan.thinking}
        settings = {name: value for name, value in settings.items() if value is not None}
        if settings:
            await self._ask("sessions.create", {"key": record.session, **settings})
        params = {
            "message": self._plan.message(cell),
            "agentId": cell.agent,
            "sessionKey": record.session,
            "idempotencyKey": record.run,
        }
        async with self._watched(record) as too_dear:
            run = asyncio.create_task(finish_agent(self._core, params, self._limits.timeout))
            stop = asyncio.create_task(self._aborting.wait())
            try:
                ends: set[asyncio.Future[Any]] = {run, stop, too_dear}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if not run.done() and not await self._aborted(record, run):
                    return None
                if too_dear.done():
                    return Outcome("failed", error=too_dear.result())
                outcome = of_final(await run)
            finally:
                for task in (run, stop):
                    task.cancel()
                await asyncio.gather(run, stop, return_exceptions=True)
        if outcome.answer is None:  # of a result that was fetched later
            found = await self._read(partial(find_run, str(record.session), str(record.run)))
            outcome = found.outcome or outcome._replace(answer="")
        return outcome._replace(seconds=time.monotonic() - began)

    async def _aborted(self, record: Record, run: asyncio.Task[Any]) -> bool:
        """Have a run aborted; return whether it has ended. One that has not is looked for another time."""
        end = time.monotonic() + _ABORT_SECONDS
        while not run.done() and time.monotonic() < end:
            with contextlib.suppress(GatewayError):  # as if it had not been asked: there is another time
                await self._core.requests.ask(
                    "chat.abort", {"sessionKey": record.session, "runId": record.run}, _ABORT_AGAIN
                )
            await asyncio.wait({run}, timeout=_ABORT_AGAIN)
        return run.done()

    @contextlib.asynccontextmanager
    async def _watched(self, record: Record) -> AsyncIterator[asyncio.Future[str]]:
        """Yield a future that says so once a run cost more than it may, by the messages that the gateway kept."""
        too_dear: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        most = self._limits.max_run_cost
        if most is None:
            yield too_dear
            return
        cost = 0.0

        def add(event: Event) -> None:
            nonlocal cost
            try:
                payload = event.payload
            except MalformedFrame:
                return
            spent = value_at(payload, ["message", "usage", "cost", "total"])
            if value_at(payload, ["sessionKey"]) == record.session and type(spent) in (int, float):
                cost += spent
            if cost > most and not too_dear.done():
                too_dear.set_result(f"it cost ${cost:.4g}, more than max_run_cost={most:g}, and was aborted")

        limit = self._core.settings.request_timeout
        with self._core.feed.subscribe("session.message", add):
            await self._ask("sessions.messages.subscribe", {"key": record.session})
            try:
                yield too_dear
            finally:
                with contextlib.suppress(GatewayError):  # the connection is gone, and its subscriptions with it
                    await self._core.requests.ask("sessions.messages.unsubscribe", {"key": record.session}, limit)

    async def _closed(self, record: Record, outcome: Outcome) -> Record:
        """Write down how a run ended, and what it used with those before it."""
        used = outcome.used
        if used is None or record.attempt > 1:
            cell = self._plan.cells[record.cell]
            sessions = [self._session(cell, attempt + 1) for attempt in range(record.attempt)]
            used = await self._read(partial(read_used, sessions))
        seconds = outcome.seconds
        if seconds is None and record.started is not None:
            seconds = max(time.time() - record.started, 0.0)
        clean = self._core.log.redactor.text
        return self._put(
            replace(
                record,
                status=outcome.status,
                answer=None if outcome.answer is None else clean(outcome.answer),
                model=outcome.model,
                seconds=None if seconds is None else round(seconds, 3),
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
                cost=used.cost,
                error=None if outcome.error is None else self._core.log.clean(outcome.error),
            )
        )

    async def _scored(self, cell: Cell, record: Record) -> None:
        log = self._events.end(_name(record))
        if self._scorers and record.status == "ok" and record.answer is not None:
            trace = await asyncio.to_thread(self._events.trace, log, record)
            judged = score(self._scorers, self._plan.rows[cell.row], record.answer, trace)
            if (found := await unless(self._aborting, judged)) is not None:  # else by the next run
                scores, errors = found
                self._put(replace(record, scores=scores, error="; ".join(errors) or None))

    def _put(self, record: Record) -> Record:
        self._store.put(record)
        before = self._records.get(record.cell)
        self._done += (record.status in DONE) - (before is not None and before.status in DONE)
        self._records[record.cell] = record
        cost = record.cost or 0.0
        self._cost += cost - self._costs.get(record.cell, 0.0)
        self._costs[record.cell] = cost
        return record

    # At the end

    async def _clean_up(self) -> None:
        """Delete the sessions of cells that ended, and no others; a gateway takes half a second for each."""
        for number, record in list(self._records.items()):
            if record.status in DONE and not record.deleted and not self._stopped:
                for attempt in range(record.attempt):
                    key = self._session(self._plan.cells[number], attempt + 1)
                    await self._ask("sessions.delete", {"key": key})
                self._put(replace(record, deleted=True))

    # Asking

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        limit = self._core.settings.request_timeout
        return decode_answer(method, await self._patiently(lambda: self._core.requests.ask(method, params, limit)))

    async def _read(self, steps: Callable[[], Steps[T]]) -> T:
        return await self._patiently(lambda: Reader(self._core).read_silently(steps()))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask for something that may be asked for twice, until the connection does not come back."""
        while True:
            try:
                return await ask()
            except GatewayClosedError:
                if not await self._core.returned():
                    raise


def _name(record: Record) -> str:
    """Return the last part of a session's key, which is the experiment's own."""
    return str(record.session).rpartition(":")[2]
