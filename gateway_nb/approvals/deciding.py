"""The connection on which a gateway asks its user, what it asks there, and the answers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from ..client.core import STOP_TIMEOUT, Core
from ..client.event import Event
from ..client.redaction.redactor import Redactor
from ..client.registry import Registry
from ..errors import GatewayClosedError, GatewayError, GatewayRequestError, GatewayTimeoutError, MissingScopeError
from ..protocol.frames import MalformedFrame, decode_answer, decode_payload
from ..protocol.handshake import HelloOk
from ..protocol.scopes import ADMIN, APPROVALS, QUESTIONS, allows
from .items import ALLOW_ALWAYS, DECISIONS, DENY, EXEC, GONE, KINDS, PENDING, PLUGIN, QUESTION, Item, read_item
from .pending import Ending, Pending, ending_of_event, ending_of_record

CAP = "approvals"
NOTICE = (
    "this connection now decides for the gateway: what agents ask stays pending until somebody answers (a command up "
    "to 30 minutes), where it was refused at once before; gw.approvals.stop() ends that"
)
_CONNECT = 15.0
_LISTS = {EXEC: "exec.approval.list", PLUGIN: "plugin.approval.list", QUESTION: "question.list"}
_SCOPES = {EXEC: APPROVALS, PLUGIN: APPROVALS, QUESTION: QUESTIONS}
_NOT_FOUND = ("APPROVAL_NOT_FOUND", "QUESTION_NOT_FOUND")


class Deciding:
    """What waits for a person at the gateway of one connection, and its answers.

    While it listens it has a connection of its own, with the capability ``approvals``: gateways ask only clients that
    declare it, when they connect. It has the credentials, the device and the scopes of the other one: without
    operator.admin gateways show only what the same device asked for.

    Args:
        core: of the connection that it belongs to.

    Attributes:
        book: what waits, and what has ended.
        notice: what is not as it should be, and what to do; ``None`` if all is well.
        stops: how often it was stopped.
        current: what waits was read on the connection that is there now: it can be answered.
    """

    def __init__(self, core: Core) -> None:
        self.book = Pending()
        self.notice: str | None = None
        self._core = core
        self._deciding: Core | None = None
        self._kinds: tuple[str, ...] = ()
        self.current = False
        self._starting = asyncio.Lock()
        self._syncing = asyncio.Lock()
        self.stops = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._unread: deque[Item] = deque()
        self._news = asyncio.Event()
        self._listeners: Registry[Callable[[Item], object]] = Registry()

    # Starting and ending

    async def listen(self) -> bool:
        """Let the gateway ask this connection's user; return whether that is new, so that `NOTICE` is to be shown.

        Raises:
            MissingScopeError: the connection has neither operator.approvals nor operator.questions.
            GatewayError: the connection is closed, or its gateway has no approvals.
        """
        async with self._starting:
            if self._deciding is not None:
                return False
            self._kinds = self._possible_kinds()
            settings, stops = self._core.settings, self.stops
            client = dataclasses.replace(settings.client, caps=(*settings.client.caps, CAP))
            callbacks: dict[str, Callable[..., object]] = {
                "on_hello_ok": self._connected_again,
                "on_close": self._lost,
                "on_gap": self._missed,
            }
            deciding = Core(dataclasses.replace(settings, client=client, callbacks=callbacks))
            deciding.feed.subscribe("*.requested", self._take_requested)
            deciding.feed.subscribe("*.resolved", self._take_resolved)
            await deciding.start(_CONNECT, waits_for_owner=False)
            if stops != self.stops:
                await deciding.stop(STOP_TIMEOUT)
                raise GatewayClosedError("approvals were stopped before they started")
            self._deciding = deciding
            try:
                await self._synchronize()
            except BaseException:
                await self.stop()
                raise
            self._core.log.warning(NOTICE)
            return True

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Give it back: where no other client decides, the gateway refuses again what agents ask.

        What waits goes on waiting at the gateway. Iterating over these approvals ends.

        Args:
            timeout: seconds to close the connection.
        """
        deciding = self._let_go()
        await asyncio.gather(
            *(task for task in self._tasks if task is not asyncio.current_task()), return_exceptions=True
        )
        if deciding is not None:
            await deciding.stop(timeout)

    def abort(self) -> None:
        """Cut the connection now. On the loop's own thread."""
        deciding = self._let_go()
        if deciding is not None:
            deciding.abort()

    def _let_go(self) -> Core | None:
        deciding, self._deciding, self.current = self._deciding, None, False
        self.stops += 1
        self.notice = None
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._wake()
        return deciding

    def _possible_kinds(self) -> tuple[str, ...]:
        """Return the kinds that this connection can be asked; what it can't is said in `notice`."""
        status, hello = self._core.status, self._core.hello
        if status.state != "connected" or hello is None:
            raise GatewayClosedError("approvals need a connection: connect first")
        allowed = [kind for kind in KINDS if allows(status.scopes, _SCOPES[kind])]
        if not allowed:
            refused = MissingScopeError(
                f"approvals: missing scope: {APPROVALS}; connect with scopes=[..., {APPROVALS!r}, {QUESTIONS!r}] (or "
                f"{ADMIN}, without which gateways show only what the same device asked for)"
            )
            refused.missing_scope = APPROVALS
            raise refused
        there = [kind for kind in allowed if _LISTS[kind] in hello.methods]
        if not there:
            version = status.server_version or "of an unknown version"
            raise GatewayError(f"this gateway ({version}) has no approvals that can be answered here; update it")
        notes = []
        if len(allowed) < len(KINDS):
            missing = sorted({_SCOPES[kind] for kind in KINDS if kind not in allowed})
            notes.append(f"the connection has not the scope {', '.join(missing)}: part of it is not heard")
        if len(there) < len(allowed):
            lacking = ", ".join(kind for kind in allowed if kind not in there)
            notes.append(f"this gateway ({status.server_version}) has none of the kind {lacking}")
        if not allows(status.scopes, ADMIN):
            notes.append(f"without {ADMIN} gateways show only what the same device asked for, and not what agents ask")
        self.notice = "; ".join(notes) or None
        return tuple(there)

    @property
    def redactor(self) -> Redactor:
        """What takes the connection's secrets out of what is shown."""
        return self._core.log.redactor

    @property
    def _name(self) -> str:
        """Who decides here, as the gateway tells others."""
        client = self._core.settings.client
        return client.display_name or client.id

    @property
    def listening(self) -> bool:
        """Whether the gateway asks this connection's user."""
        return self._deciding is not None

    # What waits

    @property
    def waiting(self) -> tuple[Item, ...]:
        """Those that wait now, the oldest first; none while it does not listen."""
        return self.book.waiting if self.listening else ()

    async def next_item(self, limit: float | None) -> Item:
        """Return the next one that waits, each once.

        Args:
            limit: seconds, ``None`` for no limit.

        Raises:
            GatewayTimeoutError: none came in time.
            GatewayClosedError: it was stopped.
        """
        stops = self.stops
        try:
            async with asyncio.timeout(limit):
                while self._deciding is not None and stops == self.stops:
                    while self._unread:
                        item = self._unread.popleft()
                        if item.status == PENDING:
                            return item
                    await self._news.wait()
        except TimeoutError:
            raise GatewayTimeoutError(f"nothing asked for a person within {limit:g} s") from None
        raise GatewayClosedError("approvals were stopped")

    def subscribe(self, listener: Callable[[Item], object]) -> Callable[[], None]:
        """Call a listener with each new item, on the loop; return the function that ends that."""
        return self._listeners.add(listener)

    # Answers

    async def decide(self, item: Item, decision: str, reason: str | None = None) -> None:
        """Decide an approval; see `Approval`.

        Args:
            item: the approval.
            decision: one of `DECISIONS`.
            reason: why, for this client's own record: gateways take none.
        """
        await self._check_waits(item)
        await self._check_offered(item, decision)
        await self._check_waits(item)
        decided = Ending("denied" if decision == DENY else "allowed", decision, self._name, reason)
        params = {"id": item.id, "decision": decision}
        if self._has("approval.resolve"):
            answer = await self._answer(item, "approval.resolve", {**params, "kind": item.kind})
            record = answer.get("approval")
            ending = ending_of_record(record) if isinstance(record, dict) else None
            if answer.get("applied") is not True or (ending is not None and ending.status != decided.status):
                self.book.end(item, ending or Ending(GONE))
                raise self._ended(item)
        else:  # an older gateway, which takes the same decision twice
            await self._answer(item, f"{item.kind}.approval.resolve", params)
        self.book.end(item, decided)

    async def answer(self, item: Item, answers: dict[str, list[str]] | None) -> None:
        """Answer a question, or cancel it; see `Question`.

        Args:
            item: the question.
            answers: as from `checked_answers`; ``None`` cancels it.
        """
        await self._check_waits(item)
        how = {"cancel": True} if answers is None else {"answers": {"answers": answers}}
        await self._answer(item, "question.resolve", {"id": item.id, **how})
        self.book.end(item, Ending("cancelled" if answers is None else "answered", by=self._name))

    async def _check_waits(self, item: Item) -> None:
        """Check that an item waits, unchanged, by what the gateway said on this very connection.

        Raises:
            GatewayRequestError: it does not.
            GatewayClosedError: the connection is lost, or what waits could not be read on it.
        """
        async with self._syncing:  # else what waits is being read
            pass
        if self._deciding is None:
            raise GatewayClosedError("approvals were stopped: gw.approvals.start(), and look again at what waits")
        if item.status != PENDING:
            raise self._ended(item)
        if not self.current:
            raise GatewayClosedError("the gateway is not connected: what waits is read again when it is back")

    async def _check_offered(self, item: Item, decision: str) -> None:
        offered = item.decisions
        if offered is None and decision == ALLOW_ALWAYS:
            record = await self._record_of(item)
            presentation = (record or {}).get("presentation")
            listed = presentation.get("allowedDecisions") if isinstance(presentation, dict) else None
            offered = tuple(listed) if isinstance(listed, list) else None
        if decision not in (DECISIONS if offered is None else offered):
            choices = ", ".join(offered or ())
            raise GatewayError(f"{item.kind} approval {item.id}: the gateway does not offer {decision}, only {choices}")

    async def _answer(self, item: Item, method: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._ask(method, params)
        except GatewayRequestError as error:
            if _reason(error) in (*_NOT_FOUND, "APPROVAL_ALREADY_RESOLVED", "QUESTION_ALREADY_TERMINAL"):
                await self._find_out(item)
                raise self._ended(item, error.code) from None
            raise
        return answer if isinstance(answer, dict) else {}

    def _ended(self, item: Item, code: str | None = None) -> GatewayRequestError:
        decision = f" ({item.decision})" if item.decision else ""
        by = f" by {item.by}" if item.by else ""
        why = f": {item.reason}" if item.reason else ""
        what = f"{item.kind} approval" if item.kind != QUESTION else "question"
        return GatewayRequestError(
            self._core.log.clean(f"{what} {item.id} does not wait any more: {item.status}{decision}{by}{why}"),
            code=code,
        )

    # What the gateway says

    def _take_requested(self, event: Event) -> None:
        kind = event.event.partition(".")[0]
        if event.event == _event_name(kind, "requested"):
            self._add(kind, event.raw)

    def _take_resolved(self, event: Event) -> None:
        kind = event.event.partition(".")[0]
        if event.event != _event_name(kind, "resolved"):
            return
        try:
            payload = decode_payload(event.raw)
            item = self.book.find(kind, str(payload["id"]))
        except (MalformedFrame, TypeError, KeyError) as error:
            self._core.log.warning(f"an event {event.event} is of no use: {error}")
            return
        if item is not None:
            self.book.end(item, ending_of_event(item, payload))
            self._wake()

    def _add(self, kind: str, payload: Any) -> Item | None:
        """Add what waits; what can't be read, or is too much, is counted in the log and in `notice`."""
        try:
            item = read_item(kind, payload)
            new = self.book.add(item)
        except (MalformedFrame, OverflowError) as error:
            self.notice = f"something waits at the gateway that can't be shown here: {error}"
            self._core.log.warning(self.notice)
            return None
        if new:
            self._unread.append(item)
            self._wake()
            for listener in self._listeners.items:
                listener(item)
        return item

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _connected_again(self, _: HelloOk) -> None:
        if self._deciding is not None:  # not on the first connection, after which `start` does it
            self._spawn(self._synchronize_again())

    def _lost(self, code: int, reason: str) -> None:
        self.current = False
        self.book.changes += 1

    def _missed(self, expected: int, received: int) -> None:
        if self.current:
            self._spawn(self._synchronize_again())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _synchronize_again(self) -> None:
        try:
            await self._synchronize()
        except GatewayClosedError:
            pass  # it is read when the connection is back
        except GatewayError as error:
            self.notice = f"what waits at the gateway could not be read: {error}; gw.approvals.stop(), and start again"
            self._core.log.problem(GatewayError(self.notice))

    async def _synchronize(self) -> None:
        """Read what waits; find out what became of what waited before, and is not there any more."""
        async with self._syncing:
            assert self._deciding is not None
            epoch = self._deciding.feed.epoch
            for kind in self._kinds:
                before = [item for item in self.book.waiting if item.kind == kind]
                answer = await self._ask(_LISTS[kind], {})
                rows = answer.get("questions") if isinstance(answer, dict) else answer
                if not isinstance(rows, list):
                    raise GatewayRequestError(f"{_LISTS[kind]}: the answer is no list", method=_LISTS[kind])
                listed = [item for row in rows if (item := self._add(kind, row)) is not None]
                for item in self.book.missing(before, listed):
                    await self._find_out(item)
            self.current = self._deciding is not None and self._deciding.feed.epoch == epoch
            self.book.changes += 1

    async def _find_out(self, item: Item) -> None:
        """Ask what became of an item that is not listed any more, and note it."""
        try:
            record = await self._record_of(item)
        except GatewayRequestError as error:
            if _reason(error) not in _NOT_FOUND:
                raise
            record = None
        ending = Ending(GONE) if record is None else ending_of_record(record)
        if ending is not None:
            self.book.end(item, ending)
            self._wake()

    async def _record_of(self, item: Item) -> dict[str, Any] | None:
        """Return what the gateway knows of an item; ``None`` where it can't be asked for that."""
        method, key = ("question.get", "question") if item.kind == QUESTION else ("approval.get", "approval")
        if not self._has(method):
            return None
        answer = await self._ask(method, {"id": item.id})
        record = answer.get(key) if isinstance(answer, dict) else None
        return record if isinstance(record, dict) else None

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        if self._deciding is None:
            raise GatewayClosedError("approvals were stopped")
        raw = await self._deciding.requests.ask(method, params, self._core.settings.request_timeout)
        return decode_answer(method, raw)

    def _has(self, method: str) -> bool:
        hello = self._deciding.hello if self._deciding is not None else None
        return hello is not None and method in hello.methods


def _event_name(kind: str, what: str) -> str:
    return f"question.{what}" if kind == QUESTION else f"{kind}.approval.{what}" if kind in KINDS else ""


def _reason(error: GatewayRequestError) -> str | None:
    reason = error.details.get("reason") if isinstance(error.details, dict) else None
    return reason if isinstance(reason, str) else None
