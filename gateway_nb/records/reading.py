"""The drivers of steps: what is asked is sent through a client's core, with a progress bar beyond a second."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeVar

from tqdm import tqdm

from ..client.core import Core
from ..errors import GatewayError, GatewayRequestError, MissingScopeError, is_unknown_method
from ..protocol.frames import decode_answer
from ..protocol.scopes import ADMIN
from ..sync.loop_thread import LoopThread
from .steps import Ask, Batch, Done, Pause, Steps, advance

T = TypeVar("T")
_UNADVERTISED = {"sessions.usage", "sessions.get"}
"""Methods that gateways have and do not advertise."""


class Reader:
    """Reads records through a client.

    Args:
        core: the client's.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def read(self, steps: Steps[T], title: str, thread: LoopThread) -> T:
        """Go through steps on this thread; Ctrl-C ends them, and what was read is dropped.

        Args:
            steps: what to read.
            title: of the progress bar.
            thread: where the client lives.

        Raises:
            GatewayRequestError, GatewayTimeoutError, GatewayClosedError: as for a request.
        """
        outcome: Any = None
        with _bar(title) as bar:
            while not isinstance(step := advance(steps, outcome), Done):
                _show(bar, step)
                outcome = thread.run(partial(self._outcome, step), title)
        result: T = step.result
        return result

    async def read_async(self, steps: Steps[T], title: str) -> T:
        """Go through steps on the client's loop, which does not wait while rows become columns."""
        with _bar(title) as bar:
            return await self.read_silently(steps, partial(_show, bar))

    async def read_silently(
        self, steps: Steps[T], show: Callable[[Ask | Batch | Pause], object] = lambda step: None
    ) -> T:
        """Do the same without a bar.

        Args:
            steps: what to read.
            show: called with each.
        """
        outcome: Any = None
        while not isinstance(step := await asyncio.to_thread(advance, steps, outcome), Done):
            show(step)
            outcome = await self._outcome(step)
        result: T = step.result
        return result

    async def _outcome(self, step: Ask | Batch | Pause) -> Any:
        """Return what a step comes to; the loop does not wait while answers are decoded."""
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Batch):
            *outcomes, _ = await asyncio.gather(*map(self._outcome, step.asks), asyncio.to_thread(step.meanwhile))
            return outcomes
        try:
            return await asyncio.to_thread(self._decoded, step, await self._ask(step))
        except GatewayError as error:
            return error.with_traceback(None)

    async def _ask(self, step: Ask) -> Any:
        try:
            return await self._core.requests.ask(step.method, step.params, self._core.settings.request_timeout)
        except GatewayRequestError as error:
            if _is_lacking(error) and not self._has(step.method):
                self._lacks(step.method)
            raise

    def _decoded(self, step: Ask, raw: Any) -> Any:
        """Return a payload; frames are saved with notebooks, so it is one without the user's secrets."""
        return decode_answer(step.method, self._core.log.redactor.json(bytes(raw)))

    def _has(self, method: str) -> bool:
        hello = self._core.hello
        return hello is None or method in hello.methods or method in _UNADVERTISED

    def _lacks(self, method: str) -> NoReturn:
        version = self._core.status.server_version or "of an unknown version"
        message = f"{method}: this gateway ({version}) has no such method; a newer one has"
        raise GatewayRequestError(message, code="INVALID_REQUEST", method=method) from None


def _is_lacking(error: GatewayRequestError) -> bool:
    """Return whether an error may say that there is no such method: who is no admin is told of a scope instead."""
    return is_unknown_method(error) or (isinstance(error, MissingScopeError) and error.missing_scope == ADMIN)


class _Bar(tqdm):  # type: ignore[misc]  # tqdm tells no types
    """A bar that needs no thread to watch over it: it is updated by whoever waits."""

    monitor_interval = 0


def _bar(title: str) -> _Bar:
    # A kernel's stderr is no terminal, and shows bars all the same; a file does not.
    in_kernel = type(sys.stderr).__module__.startswith("ipykernel.")
    return _Bar(desc=title, unit="", disable=False if in_kernel else None, delay=1, leave=False)


def _show(bar: _Bar, step: Ask | Batch | Pause) -> None:
    if isinstance(step, Pause):
        bar.set_postfix_str(step.why)
    else:
        bar.total = step.total
        bar.update(step.rows - bar.n)
