"""`Gateway`: the sync face of the client, for notebooks: the core's coroutines, run on the loop's thread."""

from __future__ import annotations

import contextlib
import functools
import html
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from ..capture.detached import DetachedCapture
from ..capture.detached import start as start_capture
from ..capture.journal import Capture
from ..client import options as options_
from ..client import trace_context
from ..client.calls import call, check_patterns, user_facing, wait_for
from ..client.core import STOP_TIMEOUT, Core
from ..client.event import Event
from ..client.options import portable
from ..client.pairing import start_when_paired
from ..errors import BadArgumentError, CaptureError, PairingRequiredError
from ..events import widgets
from ..events.log import EventLog
from ..sync.dispatcher import Dispatcher
from ..sync.handle import RequestHandle
from ..sync.loop_thread import LoopThread, loop_thread
from .agents import Agents
from .face import Arguments
from .method_path import MethodPath
from .records import Records, trace_completion

if TYPE_CHECKING:
    from ..events.widgets import EventTable, Panel
    from ..schema.methods import Methods
    from ..tools.tool import Decorator
    from .tools import Tools


@user_facing
class Gateway(Agents, Records):
    """A connection to a gateway, for code without ``await``. Made by `gateway_nb.connect`.

    Every method may be called from any thread, from a handler, and in a cell with a running loop. Ctrl-C
    cancels the call, waits for its cleanup, and leaves the connection alive.

    Attributes:
        name: of the connection.
        events: what arrived, as an `EventLog`.
        call: any method as attributes: ``gw.call.sessions.list(limit=5)``.
        closed: `close` was called last, not `connect`.
        dispatcher: the thread of the handlers.
    """

    def __init__(self, url: str | None = None, *, name: str = "default", **arguments: Unpack[Arguments]) -> None:
        super().__init__(url, **arguments)
        self.name = name
        self.closed = False
        self.call: Methods = cast("Methods", MethodPath(self, ""))
        self.events = EventLog(redactor=self.redactor)
        self._captures: weakref.WeakSet[Capture] = weakref.WeakSet()
        self.dispatcher = Dispatcher()
        self.core.handlers.dispatch = self.dispatcher.call
        self._remove_log = self.core.feed.keep(self.events)
        self._thread: LoopThread = loop_thread()
        self.events.complete = trace_completion(self.core, self._thread)
        self._thread.at_exit(self.core, STOP_TIMEOUT)
        # The finalizer must not hold this object, and must not wait.
        self._finalizer = weakref.finalize(self, _abandon, self._thread, self.core, self.dispatcher)
        self._finalizer.atexit = False  # the loop thread closes what is left, with a close frame

    def connect(self, timeout: float | EllipsisType | None = ...) -> Gateway:
        """Connect again after `close` or a pause; does nothing while connected.

        Args:
            timeout: seconds until connected; default: as given to `gateway_nb.connect`.

        Raises:
            GatewayConnectError: or one of its kinds, saying why.
        """
        limit = self._limit(timeout)
        self._thread.run(lambda: self.core.start(limit), "connect")
        self.closed = False
        return self

    def wait_until_paired(
        self, timeout: float = 300.0, on_pending: Callable[[PairingRequiredError], object] | None = None
    ) -> Gateway:
        limit, patience = self._connect_timeout, options_.timeout(timeout)
        self._thread.run(lambda: start_when_paired(self.core, limit, patience, on_pending), "wait_until_paired")
        self.closed = False
        return self

    def close(self) -> None:
        """Close the connection: open requests fail, handlers are not called any more, captures and tools end.

        The events stay. Calling it again does nothing.
        """
        self.closed = True
        for capture in list(self._captures):
            try:
                capture.stop()
            except CaptureError as error:
                if capture.stats.error is None:  # else it was told when it happened
                    self.core.log.problem(error)
        with contextlib.ExitStack() as ends:  # the last first, each whatever becomes of the others
            ends.callback(self.dispatcher.stop)
            if self._thread.is_alive():
                ends.callback(self._thread.run, lambda: self.core.stop(STOP_TIMEOUT), "close")
            for offer in {"tools", "approvals"} & vars(self).keys():
                ends.callback(getattr(self, offer).stop)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _continue(self, log: EventLog) -> None:
        """Continue another connection's event log, as `gateway_nb.connect` does when a cell is run again."""
        self.redactor.keep_also(log.redactor)
        log.redactor = self.redactor

        async def join() -> None:  # on the loop's thread, where no event comes in between
            self._remove_log()
            log.join(self.events)
            log.complete = self.events.complete
            log.complete = self.events.complete
            self.events, self._remove_log = log, self.core.feed.keep(log)

        self._thread.run(join, "connect")

    # Calling

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        traceparent: str | None = None,
    ) -> Any:
        carried = trace_context.traceparent(self.core.server_version, traceparent)
        return self._thread.run(lambda: call(self.core, method, params, timeout, expect_final, carried), method)

    def submit(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        traceparent: str | None = None,
    ) -> RequestHandle[Any]:
        """Call a method in the background, with the arguments of `request`, and return a handle.

        It has ``.result(timeout)``, ``await handle``, ``.cancel()`` and ``.done()``.
        """
        carried = trace_context.traceparent(self.core.server_version, traceparent)
        return self._thread.submit(call(self.core, method, params, timeout, expect_final, carried), method)

    # Listening

    def wait_for(
        self, event: str, where: Callable[[Event], object] | None = None, timeout: float | None = 30.0
    ) -> Event:
        return self._thread.run(lambda: wait_for(self.core, event, where, timeout), f"wait_for({event!r})")

    @overload
    def capture(
        self,
        path: str | Path | None = None,
        events: str | Iterable[str] = ("*",),
        *,
        append: bool = False,
        requests: bool = False,
        rotate: str | None = None,
        detached: Literal[False] = False,
    ) -> Capture: ...

    @overload
    def capture(
        self,
        path: str | Path | None = None,
        events: str | Iterable[str] = ("*",),
        *,
        append: bool = False,
        rotate: str | None = None,
        detached: Literal[True],
    ) -> DetachedCapture: ...

    def capture(
        self,
        path: str | Path | None = None,
        events: str | Iterable[str] = ("*",),
        *,
        append: bool = False,
        requests: bool = False,
        rotate: str | None = None,
        detached: bool = False,
    ) -> Capture | DetachedCapture:
        """Write events to a file as they come, one JSON line each.

        Args:
            path: the file; a name that ends in ``.zst`` is compressed. Default: a name with the time, in this folder.
            events: patterns of the event names to keep.
            append: continue a capture that exists, not a compressed one. What a killed writer left of its last line
                is moved to a file beside it, named in a warning and in ``stats.torn``.
            requests: keep requests and their answers, too, for a replay; secrets are replaced.
            rotate: ``"100MB"`` or ``"1h"``: continue in another file then, ``run-00001.jsonl`` and so on.
            detached: capture in a process of its own, with a connection of its own, which continues when this kernel
                ends. For a file that is being captured already, that capture is returned.

        Returns:
            A `Capture`, a context manager; ``.stop()`` ends it. Or a `DetachedCapture`; `gateway_nb.captures` finds it.

        Raises:
            CaptureError: the file exists, its folder does not, it is not a capture to append to, another capture writes
                to it, or it can't be written. If the disk fails later, `status` says so.
            BadArgumentError: `rotate` is neither a size nor a time, or these arguments can't be combined.
        """
        patterns = check_patterns(self.core, events)
        file = Path(path or time.strftime("gateway-%Y%m%d-%H%M%S.jsonl"))
        if detached:
            if requests:
                raise BadArgumentError("requests=True can't be used with detached=True, which is another process")
            return start_capture(portable(self.core.settings), file, events=patterns, append=append, rotate=rotate)
        attached: list[Capture] = []

        def attach(capture: Capture) -> Callable[[], object]:
            attached.append(capture)
            self._captures.add(capture)
            removals = [self.core.feed.keep(capture)]
            if requests:
                removals.append(self.core.requests.record(capture))
            return lambda: [remove() for remove in removals]

        try:
            return Capture(
                file,
                patterns,
                append=append,
                rotate=rotate,
                redactor=self.redactor,
                attach=attach,
                on_error=self.core.log.problem,
            )
        except BaseException:  # Ctrl-C between the last step and the return: nobody has the capture
            for capture in attached:
                capture.discard()
            raise

    # Offering

    @property
    def tool(self) -> Decorator:
        """Offers a function as a tool of the gateway's agents: ``@gw.tool``; options: `tools.tool.ToolOptions`."""
        from ..tools.tool import Decorator

        return Decorator(self.tools.offer)

    @functools.cached_property
    def tools(self) -> Tools:
        """The functions that agents can call, and their calls."""
        from .tools import Tools

        return Tools(self._thread, self.core)

    # Seeing

    def table(self) -> EventTable:
        """Return a live table of the events, a widget."""
        return widgets.backend.connection_table(self)

    def panel(self) -> Panel:
        """Return status, events, requests and runs in tabs, a widget."""
        return widgets.backend.panel(self)

    def __repr__(self) -> str:
        return f"<Gateway {self.name!r} {self.status.state} {self.status.url}>"

    def _repr_html_(self) -> str:
        kept = f"<div><b>{html.escape(self.name)}</b> · events kept: {len(self.events):,}</div>"
        return kept + self.status._repr_html_()


def _abandon(thread: LoopThread, core: Core, dispatcher: Dispatcher) -> None:
    thread.call(core.abort)
    dispatcher.stop()
