"""`Tools`: the functions that a sync connection offers to agents, in a notebook's cells."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterable

import pandas as pd

from ..client.core import STOP_TIMEOUT, Core
from ..events import widgets
from ..sync.loop_thread import LoopThread
from ..tools.calls import Call
from ..tools.tool import Tool
from ..tools.tools import AsyncTools


class Tools:
    """The Python functions that a connection offers to the agents of its gateway: ``gw.tools``.

    Args:
        thread: of the loop that the connection lives on.
        core: of the connection.
    """

    def __init__(self, thread: LoopThread, core: Core) -> None:
        self._thread = thread
        self._tools = tools = AsyncTools(core)
        self._shown: str | None = None
        thread.at_exit(tools, STOP_TIMEOUT)
        weakref.finalize(self, thread.call, tools.abort).atexit = False  # the loop's thread closes what is left

    def offer(self, tool: Tool) -> None:
        """Offer a tool, and wait until the gateway has it.

        What still stands in its way is shown once, and so is where calls can be allowed, in a notebook as a widget.

        Raises:
            GatewayError: it can't be published: why, and what to do.
        """
        self._thread.run(lambda: self._tools.offer(tool), "tool")
        notice, self._shown, before = self.notice, self.notice, self._shown
        news = notice is not None and notice != before
        if (news or tool.confirm) and not widgets.backend.show_tools(self) and news:
            warnings.warn(str(notice), stacklevel=4)

    def approve(self) -> None:
        """Approve, as this connection's operator, that its own node offers tools, and publish them.

        Raises:
            MissingScopeError: this connection may not (operator.pairing and operator.write, or operator.admin).
            GatewayError: there is nothing to approve.
        """
        self._thread.run(self._tools.approve, "approve")

    def remove(self, name: str) -> None:
        """Offer a tool no more.

        Raises:
            KeyError: there is none of that name.
        """
        self._thread.run(lambda: self._tools.remove(name), "remove")

    def stop(self) -> None:
        """Offer nothing more: the tools are gone at the gateway, and calls under way are cancelled."""
        if self._thread.is_alive():
            self._thread.run(self._tools.stop, "stop")

    def allow(self, id: int) -> None:
        """Allow a call of a tool with ``confirm=True``.

        Args:
            id: the call's number, as the repr shows it.

        Raises:
            GatewayError: it does not wait (any more).
        """
        self._tools.allow(id)

    def deny(self, id: int) -> None:
        """Deny a call of a tool with ``confirm=True``; arguments and errors as for `allow`."""
        self._tools.deny(id)

    def restrict(self, run: str, names: Iterable[str]) -> None:
        """Let a run, and its sub-agents, call these tools of this connection alone.

        Args:
            run: its id.
            names: of tools; none forbids all.

        Raises:
            GatewayError: there is no tool of that name.
        """
        self._tools.restrict(run, names)

    def last_error(self) -> str | None:
        """Return the traceback of the latest function that raised, ``None`` if none did."""
        return self._tools.last_error()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        return self._tools.names

    @property
    def calls(self) -> pd.DataFrame:
        """The last 10,000 calls, one row each, oldest first: time, tool, session, run, arguments, status, ..."""
        return self._tools.calls

    @property
    def renamed(self) -> dict[str, str]:
        """The gateway's names of tools whose name another node offers, too, by ours."""
        return self._tools.renamed

    @property
    def workers(self) -> int:
        """How many functions run at once on threads, default 4; can be set."""
        return self._tools.workers

    @workers.setter
    def workers(self, count: int) -> None:
        self._tools.workers = count

    @property
    def notice(self) -> str | None:
        """What stands in the way of the tools, and what to do; ``None`` if nothing does."""
        return self._tools.notice

    @property
    def waiting(self) -> tuple[Call, ...]:
        """The calls that wait for the user to allow them."""
        return self._tools.waiting

    def latest(self, count: int) -> tuple[Call, ...]:
        """Return the records of the latest calls, oldest first."""
        return self._tools.latest(count)

    def _ipython_display_(self) -> None:
        if not widgets.backend.show_tools(self):
            print(repr(self))

    def __repr__(self) -> str:
        return repr(self._tools)
