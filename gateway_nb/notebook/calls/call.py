"""A call of a magic, from the parsed cell to what is shown: bound, checked, waited for, streamed or left running."""

from __future__ import annotations

import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, clear_output, display

from ...client.redaction.redactor import EXAMINED, Redactor, hidden
from ...client.run import ABORT_SECONDS, FINISH, STARTED, run_of
from ...errors import GatewayError, GatewayRequestError, RunAbortedError, one_line, printable
from ...faces.gateway import Gateway
from ...protocol.frames import encode_request
from ...protocol.scopes import allows
from ...schema.facts import method_facts
from ...sync.handle import RequestHandle
from .. import current
from ..display.result import Elapsed, Result
from ..magics.body import CommandError, pointed
from ..magics.grammar import Call
from .results import Rows, frame_of_rows, part_at, rows_in
from .run_view import RunView

_POLL_SECONDS = 0.1
_PAUSE_PER_SHOW = 5  # a long answer takes long to show
_SILENT_SECONDS = 1.0
_CATCH_UP_SECONDS = 1.0
_SHOWN_ID = 120
_POINTER = re.compile(r"\bat (root|/[^\s:;,]*)(?:: unexpected property '([^']+)')?")


class Running:
    """A call on its way: waited for in its cell, or left in the background.

    Args:
        gateway: a connection.
        call: the parsed cell.
        params: its params, bound.
        timeout: seconds, ``None`` for the connection's own.

    Attributes:
        number: what ``%gateway result`` knows it by; 0 if it does not.
        params: as they are sent.
        view: the run that grows, if it is one that is followed.
    """

    def __init__(self, gateway: Gateway, call: Call, params: dict[str, Any] | None, timeout: float | None) -> None:
        self.call = call
        self.number = 0
        self._shown_in: object = None
        self.view: RunView | None = None
        self._gateway = gateway
        self.params = params
        self._listening = ExitStack()
        self._began = time.monotonic()
        self._ended: float | None = None
        if call.method in FINISH:
            self.params = {"idempotencyKey": str(uuid.uuid4()), **(params or {})}
            if call.final:
                self.view = RunView(call.method, run_of(self.params)[0], gateway.redactor, current.where(gateway))
        self._options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        self._sent: RequestHandle[Any] | None = None

    def start(self) -> None:
        """Send it."""
        if self.view is not None:
            for name in ("agent", "chat"):
                self._listening.enter_context(self._gateway.on(name, self.view.take))
        self._began = time.monotonic()
        self._sent = self._gateway.submit(self.call.method, self.params, expect_final=self.call.final, **self._options)

    @property
    def _handle(self) -> RequestHandle[Any]:
        assert self._sent is not None, "start it first"
        return self._sent

    @property
    def redactor(self) -> Redactor:
        """What takes the connection's secrets out of what is shown."""
        return self._gateway.redactor

    @property
    def where(self) -> str:
        """The connection's name and the gateway's address."""
        return current.where(self._gateway)

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
        return str(self._begun.get("status", "ok"))

    @property
    def _begun(self) -> dict[str, Any]:
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
            timeout: seconds to wait; the call continues after that.

        Raises:
            GatewayError: the call failed; points into the cell where the gateway named a place.
            TimeoutError: it has not ended yet.
        """
        try:
            payload = self._handle.result(timeout)
        except GatewayRequestError as error:
            self._end()
            raise self._located(error) from None
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
        if self.call.method not in FINISH or self.params is None:
            return "its answer is no longer waited for"
        run_id, session = run_of(self.params)
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
                if self.state == "ok":
                    self.view.take_final(self._handle.result())
        self._listening.close()
        if self.view is not None:
            self.view.seconds = self.seconds
            self.view.state = self.view.state if self.view.state == "aborted" else self.state

    def _located(self, error: GatewayRequestError) -> GatewayRequestError:
        """Point at the place in the cell that the gateway complains of."""
        found = _POINTER.search(error.gateway_message)
        if found is not None and not error.excerpt:
            pointer = found[1].removeprefix("root") + (f"/{found[2]}" if found[2] else "")
            pointed(error, self.call.body.text, self.call.body.at(pointer))
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
        parts = [self.call.method, self.state, f"{self.seconds:.1f} s", self.where]
        if self.view is not None and self.view.last_event:
            parts.append(f"last event: {self.view.last_event}")
        if run := self._begun.get("runId"):
            run = self.redactor.start(str(run), _SHOWN_ID)[:_SHOWN_ID]
            parts.append(f"run {run} continues; --final --bg follows it to its end")
        if self.number:
            parts.append(f"%gateway result {self.number} shows the answer")
        return printable(" · ".join(parts))


def _cell() -> object:
    return getattr(get_ipython(), "execution_count", None)


def wait(running: Running, *, can_redraw: bool, keep: Callable[[Any], object] = lambda value: None) -> Any:
    """Return the answer of a call, shown, and with what is going on shown meanwhile; Ctrl-C ends the call.

    Args:
        running: the call.
        can_redraw: the front end replaces displays, and this cell has nothing else in it.
        keep: called with what ``-o`` keeps of the answer, before anything of it is shown.

    Raises:
        GatewayError: the call failed.
        CommandError: the answer has no such part, or no rows.
        KeyboardInterrupt: says what became of it.
    """
    shown: DisplayHandle | None = None
    pause = _POLL_SECONDS
    try:
        if not running.started:
            running.start()  # in here: a Ctrl-C right behind it must find it
        while True:
            try:
                payload = running.result(pause if can_redraw else None)
                break
            except TimeoutError:
                if running.done():  # between the end of the waiting and here, or it is the call's own
                    payload = running.result(0)
                    break
            if running.view is not None or running.seconds >= _SILENT_SECONDS:
                began = time.monotonic()
                shown = _show(shown, _progress(running))
                pause = max(_POLL_SECONDS, _PAUSE_PER_SHOW * (time.monotonic() - began))
        kept, result = outcome(running, payload)
        keep(kept)
    except KeyboardInterrupt:
        ended = running.cancel()
        _leave(running, shown)
        raise KeyboardInterrupt(f"{running.call.method}: {ended}") from None
    except BaseException:
        _leave(running, shown)
        raise
    _finish(running, result, shown)
    return payload


def _progress(running: Running) -> RunView | Elapsed:
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


def _finish(running: Running, result: object, shown: DisplayHandle | None) -> None:
    """Leave in the notebook what is to stay: the run as it ended, or the result; nothing of the waiting."""
    warn(running.call.method, running.params)
    if running.call.quiet:
        if shown is not None:
            clear_output()
    else:
        _show(shown, result if running.view is None else running.view)


def warn(method: str, params: dict[str, Any] | None) -> None:
    """Print what looks wrong in a call's params; of a call that was refused the error says it."""
    for finding in method_facts().findings(method, params):
        print(printable(hidden(f"{method}: {finding}", EXAMINED)), file=sys.stderr)


def outcome(running: Running, payload: Any) -> tuple[Any, object]:
    """Return what ``-o`` keeps of an answer, and what is shown of it: without the secrets, since that is saved.

    Args:
        running: the call.
        payload: its answer.

    Raises:
        CommandError: the answer has no such part, or with ``-f df`` no rows.
    """
    call = running.call
    part = part_at(payload, call.path)
    found = rows_in(part) if call.format in (None, "auto", "df") else None
    if call.format == "df" and found is None:
        raise CommandError(f"{call.method}: the answer is not one list of objects; --path /NAME takes one of them")
    kept = frame_of_rows(found.rows) if found is not None and call.format == "df" else part
    if call.quiet or running.view is not None:
        return kept, None
    clean = _clean(running, part)
    if call.format == "raw":
        return kept, clean
    if clean is not part:
        found = None if found is None else rows_in(clean)
    rows = None if found is None else found.rows
    return kept, Result(clean, _caption(running, found), rows=rows, as_json=call.format == "json")


def _clean(running: Running, part: Any) -> Any:
    named = {running.call.path.rpartition("/")[2]: part}  # a short secret is hidden only in fields named like one
    clean = running.redactor.value(named)
    return next(iter(clean.values())) if isinstance(clean, dict) else clean


def _caption(running: Running, found: Rows | None) -> str:
    call = running.call
    pointer = call.path + (f"/{found.field}" if found is not None and found.field else "")
    parts = [call.method, pointer]
    if found is not None:
        rows = f"{len(found.rows):,} row{'' if len(found.rows) == 1 else 's'}"
        parts[1] = f"{rows} of {pointer}" if pointer else rows
    parts += [running.where, f"{running.seconds * 1000:.0f} ms"]
    return one_line(" · ".join(part for part in parts if part))


def dry_run(call: Call, params: dict[str, Any] | None, scopes: tuple[str, ...], redactor: Redactor) -> str:
    """Return what would be sent, and what is known of it; nothing is sent.

    Args:
        call: the parsed cell.
        params: its params, bound.
        scopes: what the connection was granted.
        redactor: what knows the secrets; what looks like one is hidden, too.
    """
    facts = method_facts()
    method = facts.methods.get(call.method)
    needed = method.scope if method is not None and method.scope else "unknown"
    granted = "granted" if allows(scopes, needed) else "NOT granted"
    lines = [
        f"would send: {redactor.json(encode_request('(a new id)', call.method, params), guess=True).decode()}",
        f"scope: needs {needed}" + (f", {granted}" if needed != "unknown" else ""),
        *(f"looks wrong: {redactor.text(finding)}" for finding in facts.findings(call.method, params)),
        f"known from: {facts.source}" if method is not None else f"{call.method} is not in {facts.source}",
    ]
    return printable("\n".join(lines))
