"""`Approvals`: what waits for a person at the gateway of a sync connection, in a notebook's cells and scripts."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..approvals.approvals import describe
from ..approvals.deciding import NOTICE, Deciding
from ..approvals.items import PENDING, QUESTION, Item, checked_answers
from ..approvals.waiting import Approval, Question, Waiting, Work, waiting
from ..client.core import STOP_TIMEOUT, Core
from ..client.options import timeout as checked_timeout
from ..client.redaction.redactor import Redactor
from ..errors import GatewayRequestError
from ..events import widgets
from ..records.inventory import read_decisions
from ..records.reading import Reader
from ..sync.handle import RequestHandle
from ..sync.loop_thread import LoopThread

if TYPE_CHECKING:
    import pandas as pd

    from ..events.widgets import ApprovalsView


class Approvals:
    """What waits for a person at the gateway of a connection: ``gw.approvals``.

    Its first use lets the gateway ask this connection's user, and says so: see `start`. Iterate it for what waits now,
    or `wait` for the next. Nothing is allowed unless somebody does it.

    Args:
        thread: of the loop that the connection lives on.
        core: of the connection.

    Example:
        >>> gw.approvals.start()
        >>> for item in gw.approvals:
        ...     print(item.command, item.session)
        ...     item.deny()
        >>> gw.approvals.stop()
    """

    def __init__(self, thread: LoopThread, core: Core) -> None:
        self._thread = thread
        self._core = core
        self._deciding = deciding = Deciding(core)
        thread.at_exit(deciding, STOP_TIMEOUT)
        weakref.finalize(self, thread.call, deciding.abort).atexit = False  # the loop's thread closes what is left

    def start(self) -> None:
        """Let the gateway ask this connection's user, from when it returns; every use of it does so.

        Gateways ask only clients that declare it when they connect, so this makes a connection of its own. It changes
        what the gateway does: what it refused at once before, since there was nobody to ask, waits from now on.

        Raises:
            MissingScopeError: the connection has neither operator.approvals nor operator.questions.
            GatewayError: the connection is closed, or its gateway has no approvals.
        """
        if self.listen():
            warnings.warn(NOTICE, stacklevel=3)

    def listen(self) -> bool:
        """Do the same without the warning; return whether it is new."""
        return self._thread.run(self._deciding.listen, "approvals")

    def stop(self) -> None:
        """Give it back: where no other client decides, the gateway refuses again what agents ask."""
        if self._thread.is_alive():
            self._thread.run(self._deciding.stop, "approvals.stop")

    def wait(self, timeout: float | None = None) -> Approval[None] | Question[None]:
        """Return the next one that waits; each is returned once.

        Args:
            timeout: seconds, ``None`` for no limit.

        Raises:
            GatewayTimeoutError: none came in time.
            GatewayClosedError: it was stopped.
        """
        limit = checked_timeout(timeout)
        self.start()
        return self.shown(self._thread.run(lambda: self._deciding.next_item(limit), "approvals.wait"))

    def __iter__(self) -> Iterator[Approval[None] | Question[None]]:
        self.start()
        return iter([self.shown(item) for item in self._deciding.waiting])

    def __len__(self) -> int:
        """How many wait; 0 while it is stopped. It starts nothing: IPython asks for it in ``gw.approvals?``."""
        return len(self._deciding.waiting)

    def history(self, limit: int | None = None) -> pd.DataFrame:
        """Return the approvals that were decided or are over, the latest first, with who decided what and when.

        Args:
            limit: rows that are enough.

        Returns:
            Columns as of ``gw.data.approvals()``.

        Raises:
            MissingScopeError: the connection has not the scope operator.approvals.
            GatewayRequestError: this gateway keeps none.
        """
        return Reader(self._core).read(read_decisions(limit), "approvals", self._thread)

    def table(self) -> ApprovalsView:
        """Return what waits as a live widget, where it can be allowed, denied and answered.

        Raises:
            MissingScopeError, GatewayError: as of `start`.
        """
        self.listen()
        return widgets.backend.approvals_table(self)

    @property
    def listening(self) -> bool:
        """Whether the gateway asks this connection's user."""
        return self._deciding.listening

    @property
    def current(self) -> bool:
        """Whether what waits was read on the connection that is there now, so that it can be answered."""
        return self._deciding.current

    @property
    def notice(self) -> str | None:
        """What is not as it should be, and what to do; ``None`` if all is well."""
        return self._deciding.notice

    # For what is built on this package

    @property
    def redactor(self) -> Redactor:
        """What takes the connection's secrets out of what is shown."""
        return self._deciding.redactor

    @property
    def items(self) -> tuple[Item, ...]:
        """What waits, and what has ended; none while it is stopped."""
        return self._deciding.book.items if self.listening else ()

    @property
    def changes(self) -> int:
        """A number that changes with any of them."""
        return self._deciding.book.changes

    def shown(self, item: Item) -> Approval[None] | Question[None]:
        """Return an item as its user gets it."""
        return waiting(item, self._deciding, self._run)

    def submit(self, number: int, answer: str, answers: object = None) -> RequestHandle[None]:
        """Answer an item without waiting for the gateway, as widgets do.

        Args:
            number: the item's; another content has another one.
            answer: a decision, or ``answer`` or ``cancel`` for a question.
            answers: to a question.

        Raises:
            GatewayRequestError: there is no such item any more.
            BadArgumentError: the answers are not what is asked for.
        """
        item = next((item for item in self.items if item.number == number), None)
        if item is None or (item.kind == QUESTION) != (answer in ("answer", "cancel")):
            raise GatewayRequestError("that does not wait here any more: nothing was sent")
        if item.kind == QUESTION:
            checked = checked_answers(item.questions, answers) if answer == "answer" else None
            return self._thread.submit(self._deciding.answer(item, checked), answer)
        return self._thread.submit(self._deciding.decide(item, answer), answer)

    def each(self, function: Callable[[Waiting[None]], object]) -> Callable[[], None]:
        """Call a function on the loop's thread with each that comes; return the function that ends that."""
        return self._deciding.subscribe(lambda item: function(self.shown(item)))

    def _run(self, work: Work) -> None:
        self._thread.run(work, "answer")

    def _ipython_display_(self) -> None:
        if not widgets.backend.show_approvals(self):
            print(repr(self))

    def __repr__(self) -> str:
        pending = [self.shown(item) for item in self.items if item.status == PENDING]
        return describe(self.listening, pending, self.notice)
