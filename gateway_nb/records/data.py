"""`Data`: the gateway's own records as DataFrames, ``gw.data`` and ``agw.data``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from .activity import AUDIT, CRON_RUNS, LOGS, TASKS, read_audit, read_cron_runs, read_logs, read_tasks
from .frames import documented
from .inventory import (
    APPROVALS,
    DEVICES,
    MODELS,
    NODES,
    TOOLS,
    read_approvals,
    read_devices,
    read_models,
    read_nodes,
    read_tools,
)
from .messages import MESSAGES, TOOL_CALLS, read_messages, read_tool_calls
from .sessions import SESSIONS, read_sessions
from .steps import Steps
from .times import When
from .usage import USAGE, By, read_usage

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F")


class Data(Generic[F]):
    """The gateway's own records, each as one DataFrame: ``gw.data.sessions()``, awaited: ``await agw.data.sessions()``.

    Every list is read to its end, or to `limit` rows. The dtypes of columns are the same where there are no rows: times
    ``datetime64[ms, UTC]``, ids and texts ``string``, counts ``Int64``, other numbers ``Float64``; money is in USD, as
    ``frame.attrs["currency"]`` says. The same thing has the same name in every frame, so that they merge: ``session``,
    ``run``, ``message``, ``tool_call``, ``agent``, ``model`` (with ``provider``). What a newer gateway tells beyond the
    columns, and values that a column can't hold, are in the column ``more``, as JSON. Secrets of the connection are
    replaced. Reading that is interrupted, or fails, returns nothing.

    Args:
        read: makes steps and goes through them, under a name.

    Raises:
        MissingScopeError: of each method: the connection has not the scope it needs.
        GatewayRequestError: of each method: this gateway lacks it, or refused it.
        BadArgumentError: of each method: an argument is out of its range; nothing was sent.

    Example:
        >>> costs = gw.data.usage(by="model", since="7d")
        >>> calls = gw.data.tool_calls().merge(gw.data.sessions(), on="session")
    """

    def __init__(self, read: Callable[[Callable[[], Steps[pd.DataFrame]], str], F]) -> None:
        self._read = read

    def __repr__(self) -> str:
        books = ", ".join(f"{name}()" for name in vars(type(self)) if not name.startswith("_"))
        return f"<the gateway's records, a DataFrame each: {books}>"

    @documented(SESSIONS)
    def sessions(self, limit: int | None = None) -> F:
        """Return all sessions, archived ones too, the one that changed last first.

        Args:
            limit: rows that are enough.
        """
        return self._read(partial(read_sessions, limit), "sessions")

    @documented(MESSAGES)
    def messages(self, session: str | None = None, limit: int | None = None) -> F:
        """Return the messages of sessions: by session, the oldest first.

        Texts that lists cut are asked for one by one; what the gateway does not give whole is marked in ``cut``.

        Args:
            session: a key, or a pattern of keys like ``"agent:main:*"``; default: all sessions.
            limit: rows that are enough: the newest of the sessions that changed last.

        Raises:
            GatewayRequestError: there is no session of that key.
        """
        return self._read(partial(read_messages, session, limit), "messages")

    @documented(TOOL_CALLS)
    def tool_calls(self, session: str | None = None, limit: int | None = None) -> F:
        """Return the tool calls of sessions with their results: by session, the oldest first.

        Args:
            session: a key, or a pattern of keys; default: all sessions.
            limit: the last so many rows are enough.

        Raises:
            GatewayRequestError: there is no session of that key.
        """
        return self._read(partial(read_tool_calls, session, limit), "tool calls")

    @documented(USAGE["model"])
    def usage(self, by: By = "model", since: When = "30d", until: When = None) -> F:
        """Return tokens and cost of all agents, as the gateway tells them and as the messages do.

        The gateway keeps its totals for up to a minute: they are asked for until they are new, at most two minutes;
        ``fresh`` says whether they came to be. Where there is no message, they are taken as they are. They keep what
        sessions used that were reset or deleted since, whose messages can't be read any more: that is then in
        ``token_difference`` and ``cost_difference``.

        Args:
            by: ``"model"``, ``"day"``, ``"session"`` or ``"agent"``.
            since: the first day: so long ago (``"7d"``: today and the six days before it), or a date or time. Days are
                whole, in UTC.
            until: the last day; default: today.

        Raises:
            BadArgumentError: `by` is none of these, or these are no times.
        """
        return self._read(partial(read_usage, by, since, until), f"usage by {by}")

    @documented(CRON_RUNS)
    def cron_runs(self, job: str | None = None, limit: int | None = None) -> F:
        """Return what became of the runs of jobs, the latest first.

        Args:
            job: a job's id; default: all jobs.
            limit: rows that are enough.
        """
        return self._read(partial(read_cron_runs, job, limit), "runs of jobs")

    @documented(TASKS)
    def tasks(self, limit: int | None = None) -> F:
        """Return the tasks, the latest first; every run is one.

        Args:
            limit: rows that are enough.
        """
        return self._read(partial(read_tasks, limit), "tasks")

    @documented(AUDIT)
    def audit(
        self,
        session: str | None = None,
        *,
        run: str | None = None,
        agent: str | None = None,
        kind: Literal["agent_run", "tool_action", "message"] | None = None,
        status: str | None = None,
        since: When = None,
        until: When = None,
        limit: int | None = None,
    ) -> F:
        """Return the audit log, the latest first; the gateway keeps it for 30 days.

        The end of a run that failed may be written some seconds after the run.

        Args:
            session: a session's key.
            run: a run's id.
            agent: an agent's id.
            kind: of rows.
            status: of rows, e.g. ``"failed"``.
            since: the earliest, so long ago (``"24h"``) or a date or time.
            until: the latest.
            limit: rows that are enough.
        """
        steps = partial(read_audit, session, run, agent, kind, status, since, until, limit)
        return self._read(steps, "audit rows")

    @documented(LOGS)
    def logs(self, n: int = 1000) -> F:
        """Return the newest lines of the gateway's log, the oldest of them first.

        The gateway tells 1 MB at most; where that is less than was asked for, the first row says so (``level`` CUT).

        Args:
            n: lines, at most 5,000.
        """
        return self._read(partial(read_logs, n), "log lines")

    @documented(APPROVALS)
    def approvals(self, limit: int | None = None) -> F:
        """Return the approvals: those that wait for a decision, then the others, the latest first.

        Args:
            limit: rows that are enough.
        """
        return self._read(partial(read_approvals, limit), "approvals")

    @documented(NODES)
    def nodes(self) -> F:
        """Return the nodes that are connected or paired."""
        return self._read(read_nodes, "nodes")

    @documented(MODELS)
    def models(self) -> F:
        """Return the models, with the prices of the gateway's configuration."""
        return self._read(read_models, "models")

    @documented(TOOLS)
    def tools(self, session: str | None = None) -> F:
        """Return the gateway's own tools, or all that a session's agent can call, those of nodes included.

        Args:
            session: a session's key.
        """
        return self._read(partial(read_tools, session), "tools")

    @documented(DEVICES)
    def devices(self) -> F:
        """Return the devices that wait for approval, and those that have it."""
        return self._read(read_devices, "devices")
