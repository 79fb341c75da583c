"""What the sync face hands out: a method's name as attributes, and a run of an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ..client.event import Event
from ..client.options import timeout as seconds
from ..client.run import ABORT_SECONDS, AsyncRun, RunResult
from ..errors import GatewayError, printable
from ..protocol.names import closest
from ..schema.facts import known
from ..sync.loop_thread import LoopThread, RequestHandle


class Caller(Protocol):
    """What a `MethodPath` needs of a gateway."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The advertised methods."""

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a method."""


class MethodPath:
    """A method's name, written as attributes; calling it calls the method.

    ``gw.call.sessions.list(limit=5)`` is ``gw.request("sessions.list", {"limit": 5})``. A dash is written as an
    underscore (``gw.call.system_presence()``), or as it is: ``gw.call["system-presence"]()``.
    """

    __slots__ = ("_gateway", "_name")

    def __init__(self, gateway: Caller, name: str) -> None:
        self._gateway = gateway
        self._name = name

    def __getattr__(self, part: str) -> MethodPath:
        if part.startswith("_"):
            raise AttributeError(part)
        return self[part]

    def __getitem__(self, part: str) -> MethodPath:
        if not isinstance(part, str):
            raise TypeError(f"a method's name is a string, not {part!r}")
        return MethodPath(self._gateway, f"{self._name}.{part}" if self._name else part)

    def __call__(self, **params: Any) -> Any:
        """Call the method with these params; errors as for `Gateway.request`."""
        if not self._name:
            raise TypeError("name a method: gw.call.health()")
        return self._gateway.request(self._advertised_name(), params or None)

    def getdoc(self) -> str:
        """Return what is known of the method: IPython asks for it at ``gw.call.sessions.list?``."""
        return known().describe(self._advertised_name()) if self._name else str(type(self).__doc__)

    def __dir__(self) -> Iterable[str]:
        prefix = f"{self._name}." if self._name else ""
        names = (name.removeprefix(prefix) for name in self._gateway.methods if name.startswith(prefix))
        return sorted({name.partition(".")[0].replace("-", "_") for name in names})

    def __repr__(self) -> str:
        name = self._advertised_name()
        if name in self._gateway.methods:
            return printable(f"<method {name}>")
        near = closest(name, self._gateway.methods, 3)
        return printable(f"<method {name or '?'}, not advertised{'; near: ' + ', '.join(near) if near else ''}>")

    def _advertised_name(self) -> str:
        methods = self._gateway.methods
        if self._name in methods or "_" not in self._name:
            return self._name
        dashed = self._name.replace("_", "-")
        return dashed if dashed in methods else self._name


class Run:
    """One turn of an agent, for code without ``await``. Ctrl-C asks the gateway to abort it, then raises.

    Example:
        >>> for piece in gw.run("hello"):
        ...     print(piece, end="")
        hello
    """

    def __init__(self, thread: LoopThread, run: AsyncRun) -> None:
        self._thread = thread
        self._run = run
        self._handle: RequestHandle[RunResult] = thread.submit(run.result(), f"run {run.run_id}")

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
        """The answer so far."""
        return self._run.text

    @property
    def events(self) -> list[Event]:
        """Every event of this run so far."""
        return list(self._run.events)

    def result(self, timeout: float | None = None) -> RunResult:
        """Return the run's result.

        Args:
            timeout: seconds to wait; the run goes on after it.

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
            done = "the gateway does not answer, and may go on with it"
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
        return f"<Run {self.run_id}: {'ended' if self.done() else 'running'}, {len(self.text)} characters>"
