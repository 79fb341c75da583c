"""What both faces offer of agents' turns: runs, and what they ask of a person. Approvals are loaded on first use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..client import options as options_
from ..client.calls import user_facing
from ..client.core import Core
from ..client.run import AsyncRun
from ..client.trace_context import traceparent
from ..sync.loop_thread import LoopThread
from .run import Run

if TYPE_CHECKING:
    from ..approvals.approvals import AsyncApprovals
    from ..approvals.waiting import Approval, Question, Waiting
    from ..events.log import EventLog
    from .approvals import Approvals


@user_facing
class Agents:
    """The turns of agents, for code without ``await``."""

    core: Core
    events: EventLog
    _thread: LoopThread

    def run(
        self,
        message: str,
        *,
        agent: str = "main",
        session: str | None = None,
        timeout: float | None = None,
        on_approval: Callable[[Approval[None]], object] | None = None,
        on_question: Callable[[Question[None]], object] | None = None,
    ) -> Run:
        """Start a turn of an agent.

        Args:
            message: what to say to it.
            agent: agent id.
            session: session key; default: the agent's main session.
            timeout: seconds for the whole run, ``None`` for no limit.
            on_approval: called on the handlers' thread with each command or action of a plugin that this run asks to
                be allowed; it may call ``allow_once()`` or ``deny()``. What it does not answer waits for somebody else.
            on_question: likewise with its questions. Either starts `approvals`.

        Returns:
            A `Run`: iterate it for the answer's pieces, ``.result()`` for the whole, ``.abort()`` to end it.
        """
        limit = options_.timeout(timeout)
        carried = traceparent(self.core.server_version, None)
        run = AsyncRun(self.core, message, agent=agent, session=session, timeout=limit, traceparent=carried)
        if on_approval is None and on_question is None:
            return Run(self._thread, run, self.events)
        handlers = self.core.handlers
        for name, function in (("on_approval", on_approval), ("on_question", on_question)):
            if function is not None:
                handlers.check(name, function)
        self.approvals.start()

        def take(item: Waiting[None]) -> None:
            name, function = ("on_question", on_question) if item.kind == "question" else ("on_approval", on_approval)
            own = item.run == run.run_id or (item.run is None and item.session == run.session)
            if own and function is not None:
                handlers.call(name, function, item)

        remove = self.approvals.each(take)
        return Run(self._thread, run, self.events, at_end=remove)

    @functools.cached_property
    def approvals(self) -> Approvals:
        """What waits for a person: commands and plugins' actions to allow, questions to answer."""
        from .approvals import Approvals

        return Approvals(self._thread, self.core)


class AsyncAgents:
    """The turns of agents, for asyncio."""

    core: Core

    @functools.cached_property
    def approvals(self) -> AsyncApprovals:
        """What waits for a person: commands and plugins' actions to allow, questions to answer."""
        from ..approvals.approvals import AsyncApprovals

        return AsyncApprovals(self.core)
