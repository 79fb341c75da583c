"""A call of a magic, from the parsed cell to what is shown: bound, checked, waited for, streamed or left running."""

from __future__ import annotations

import re
import sys
import threading
import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, clear_output, display

from ...client.redaction.redactor import EXAMINED, Redactor, hidden
from ...client.run import ABORT_SECONDS, FINISH, STARTED, run_of
from ...errors import GatewayError, GatewayRequestError, RunAbortedError, printable
from ...faces.gateway import Gateway
from ...protocol.frames import encode_request
from ...schema.facts import known
from ...sync.handle import RequestHandle
from ..display import Elapsed, Result
from ..magics.binding import bind
from ..magics.body import CommandError, pointed
from ..magics.grammar import Call
from .results import frame_of_rows, part_at, rows_in
from .runs import RunView

_LOOK_EVERY = 0.1
_SILENT_SECONDS = 1.0
_CATCH_UP_SECONDS = 1.0
_SHOWN_ID = 120
_POINTER = re.compile(r"\bat (/[^\s:;,]*)")


class Running:
    """A call on its way: waited for in its cell, or left in the background.

    Args:
        gateway: a connection.
        call: the parsed cell.
        params: its params, bound.
        timeout: seconds, ``None`` for the connection's own.
    """

    def __init__(self, gateway: Gateway, call: Call, params: dict[str, Any] | None, timeout: float | None) -> None:
        self.call = call
        self.number = 0
        self._shown_in: object = None
        self.view: RunView | None = None
        self._gateway = gateway
        self._params = params
        self._listening = ExitStack()
        self._began = time.monotonic()
        self._ended: float | None = None
        if call.method in FINISH:
            self._params = {"idempotencyKey": str(uuid.uuid4()), **(params or {})}
            if call.final:
                self.view = RunView(call.method, run_of(self._params)[0], gateway.redactor)
        self._options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        self._sent: RequestHandle[Any] | None = None

    def start(self) -> None:
        """Send it."""
        if self.view is not None:
            for name in ("agent", "chat"):
                self._listening.enter_context(self._gateway.on(name, self.view.take))
        self._began = time.monotonic()
        self._sent = self._gateway.submit(self.call.method, self._params, expect_final=self.call.final, **self._options)

    @property
    def _handle(self) -> RequestHandle[Any]:
        assert self._sent is not None, "start it first"
        return self._sent

    @property
    def redactor(self) -> Redactor:
        """What takes the connection's secrets out of what is shown."""
        return self._gateway.redactor

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def state(self) -> str:
        """``running``, ``ok``, ``failed``, ``cancelled``, ``aborted``, or what the gateway says of a run it began."""
        if self._sent is None or not self._sent.done():
            return "running"
        if self._handle.cancelled():
            return "cancelled"
        error = self._handle.exception()
        if error is not None:
            return "aborted" if isinstance(error, RunAbortedError) else "failed"
        return str(self._goes_on.get("status", "ok"))

    @property
    def _goes_on(self) -> dict[str, Any]:
        """The answer, where it is only that a run has begun."""
        if not self._handle.done() or self._handle.cancelled() or self._handle.exception() is not None:
            return {}
        answer = self._handle.result()
        begun = isinstance(answer, dict) and "runId" in answer and answer.get("status") in STARTED
        return answer if begun else {}

    @property
    def started(self) -> bool:
        """Whether it was sent."""
        return self._sent is not None

    def done(self) -> bool:
        """Whether it has ended."""
        return self._handle.done()

    def result(self, timeout: float | None = None) -> Any:
        """Return the payload of the answer; waits for it.

        Args:
            timeout: seconds to wait; the call goes on after it.

        Raises:
            GatewayError: the call failed; points into the cell where the gateway named a place.
            TimeoutError: it has not ended yet.
        """
        try:
            payload = self._handle.result(timeout)
        except GatewayRequestError as error:
            self._end()
            raise self._explained(error) from None
        except TimeoutError:
            if self._handle.done():
                self._end()
            raise
        except BaseException:
            self._end()
            raise
        self._end()
        return payload

    def __await__(self) -> Generator[Any, None, Any]:
        return self._handle.__await__()

    def cancel(self) -> str:
        """Wait no more; a run is aborted in the gateway, too. Return what was done."""
        if self._sent is not None:
            self._sent.cancel()
        self._end()
        if self.call.method not in FINISH or self._params is None:
            return "nobody waits for the answer any more"
        run_id, session = run_of(self._params)
        try:
            answer = self._gateway.request(
                "chat.abort", {"sessionKey": session, "runId": run_id}, timeout=ABORT_SECONDS
            )
        except GatewayError as error:
            return f"the run could not be aborted: {error}"
        if self.view is not None:
            self.view.state = "aborted"
        aborted = isinstance(answer, dict) and answer.get("aborted")
        return "the gateway aborted the run" if aborted else "the gateway had no such run to abort"

    def _end(self) -> None:
        if self._ended is None:
            self._ended = time.monotonic()
            if self.view is not None:  # its answer may be here before it has heard the last events
                self._gateway.dispatcher.catch_up(_CATCH_UP_SECONDS)
        self._listening.close()
        if self.view is not None:
            self.view.seconds = self.seconds
            self.view.state = self.view.state if self.view.state == "aborted" else self.state

    def _explained(self, error: GatewayRequestError) -> GatewayRequestError:
        """Point at the place in the cell that the gateway complains of."""
        found = _POINTER.search(error.gateway_message)
        if found is not None and not error.excerpt:
            pointed(error, self.call.body.text, self.call.body.at(found[1]))
        return error

    # In the background

    def show(self) -> None:
        """Show what becomes of it, in a display that follows it until it ends."""
        self._shown_in = _cell()
        handle = display(self._bundle(), raw=True, display_id=True)
        assert handle is not None
        ended = threading.Event()
        self._handle.add_done_callback(lambda _: ended.set())
        threading.Thread(target=self._follow, args=(handle, ended), name="gateway_nb-background", daemon=True).start()

    def _ipython_display_(self) -> None:
        if self._shown_in != _cell():  # as the value of its own cell it has been shown already
            self.show()

    def _follow(self, handle: DisplayHandle, ended: threading.Event) -> None:
        while not ended.wait(_SILENT_SECONDS):
            handle.update(self._bundle(), raw=True)
        self._end()
        handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        if self.view is not None:
            self.view.seconds = self.seconds
            return self.view._repr_mimebundle_()
        return {"text/plain": repr(self)}

    def __repr__(self) -> str:
        last = f" · last event: {self.view.last_event}" if self.view is not None and self.view.last_event else ""
        recall = f"%gateway result {self.number} shows the answer"
        if run := self._goes_on.get("runId"):
            run = self.redactor.start(str(run), _SHOWN_ID)[:_SHOWN_ID]
            recall = f"run {run} goes on; --final --bg follows it to its end · {recall}"
        return printable(f"{self.call.method} · {self.state} · {self.seconds:.1f} s{last} · {recall}")


def _cell() -> object:
    return getattr(get_ipython(), "execution_count", None)


def prepared(call: Call, names: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the params of a call, bound, and say what looks wrong in them; a dry run says it by itself.

    Args:
        call: the parsed cell.
        names: what its references can use.

    Raises:
        CommandError: a name is not defined, or an expression fails.
    """
    params = bind(call.body, names)
    for finding in () if call.dry_run else known().findings(call.method, params):
        print(printable(hidden(f"{call.method}: {finding}", EXAMINED)), file=sys.stderr)
    return params


def wait(running: Running, *, can_redraw: bool) -> Any:
    """Return the answer of a call, with what is going on shown meanwhile; Ctrl-C ends the call.

    Args:
        running: the call.
        can_redraw: the front end replaces displays, and this cell has nothing else in it.

    Raises:
        GatewayError: the call failed.
        KeyboardInterrupt: says what became of it.
    """
    shown: DisplayHandle | None = None
    try:
        if not running.started:
            running.start()  # in here: a Ctrl-C right behind it must find it
        while True:
            try:
                payload = running.result(_LOOK_EVERY if can_redraw else None)
                break
            except TimeoutError:
                if running.done():  # between the end of the waiting and here, or it is the call's own
                    payload = running.result(0)
                    break
            if running.view is not None or running.seconds >= _SILENT_SECONDS:
                shown = _show(shown, _now(running))
    except KeyboardInterrupt:
        done = running.cancel()
        _leave(running, shown)
        raise KeyboardInterrupt(f"{running.call.method}: {done}") from None
    except BaseException:
        _leave(running, shown)
        raise
    _finish(running, payload, shown)
    return payload


def _now(running: Running) -> RunView | Elapsed:
    if running.view is None:
        return Elapsed(running.call.method, running.seconds)
    running.view.seconds = running.seconds
    return running.view


def _show(shown: DisplayHandle | None, what: object) -> DisplayHandle:
    if shown is None:
        shown = display(what, display_id=True)
        assert shown is not None
    else:
        shown.update(what)
    return shown


def _leave(running: Running, shown: DisplayHandle | None) -> None:
    """After an error or an interrupt: a run stays as far as it came, a clock goes."""
    if shown is not None and running.view is not None:
        shown.update(running.view)
    elif shown is not None:
        clear_output()


def _finish(running: Running, payload: Any, shown: DisplayHandle | None) -> None:
    """Leave in the notebook what is to stay: the run as it ended, or the result; nothing of the waiting."""
    if running.call.quiet:
        if shown is not None:
            clear_output()
    elif running.view is not None:
        _show(shown, running.view)
    else:
        _show(shown, presented(running, payload))


def presented(running: Running, payload: Any) -> Any:
    """Return what is shown for an answer: without the secrets, since what is shown is saved.

    Args:
        running: the call.
        payload: its answer.

    Raises:
        CommandError: the answer has no such part, or it has no rows.
    """
    call = running.call
    part = part_at(running.redactor.value(payload), call.path)
    if call.format == "raw":
        return part
    where = "" if call.connection in (None, "default") else f" · {call.connection}"
    path = f" {call.path}" if call.path else ""
    caption = f"{call.method}{path} · {running.seconds * 1000:.0f} ms{where}"
    if call.format == "json":
        return Result(part, caption, as_json=True)
    rows = rows_in(part)
    return Result(part, caption, frame=None if rows is None else frame_of_rows(rows))


def kept(call: Call, payload: Any) -> Any:
    """Return what ``-o`` keeps of an answer: a frame with ``-f df``, else the payload or its ``--path``.

    Raises:
        CommandError: the answer has no such part, or no rows.
    """
    part = part_at(payload, call.path)
    if call.format != "df":
        return part
    rows = rows_in(part)
    if rows is None:
        raise CommandError(
            f"{call.method}: the answer has not just one list of objects; --path /NAME takes one of them"
        )
    return frame_of_rows(rows)


def dry_run(call: Call, params: dict[str, Any] | None, scopes: tuple[str, ...], redactor: Redactor) -> str:
    """Return what would be sent, and what is known of it; nothing is sent.

    Args:
        call: the parsed cell.
        params: its params, bound.
        scopes: what the connection was granted.
        redactor: what knows the secrets; what looks like one is hidden, too.
    """
    facts = known()
    method = facts.methods.get(call.method)
    needed = method.scope if method is not None and method.scope else "unknown"
    granted = "granted" if needed in scopes or "operator.admin" in scopes else "NOT granted"
    lines = [
        f"would send: {redactor.json(encode_request('(a new id)', call.method, params), guess=True).decode()}",
        f"scope: needs {needed}" + (f", {granted}" if needed != "unknown" else ""),
        *(f"looks wrong: {redactor.text(finding)}" for finding in facts.findings(call.method, params)),
        f"known from: {facts.source}" if method is not None else f"{call.method} is not in {facts.source}",
    ]
    return printable("\n".join(lines))
