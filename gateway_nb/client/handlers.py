"""The user's own code: handlers and callbacks. Whatever it does, the events continue."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable

from ..errors import BadArgumentError
from .event import Event
from .log import Log


class Handlers:
    """Calls the user's functions.

    Args:
        log: where an exception of theirs is noted.

    Attributes:
        dispatch: how they are called, given what to call and the bytes that it keeps in memory until then; returns
            whether it will be. Default: here and now.
        errors: exceptions that they raised.
        missed: calls that were left out, since earlier ones took too long.
    """

    def __init__(self, log: Log) -> None:
        self.dispatch: Callable[[Callable[[], object], int], bool] = _at_once
        self.errors = 0
        self.missed = 0
        self._log = log
        self._failed: set[object] = set()

    def listener(self, event: str, handler: Callable[[Event], object]) -> Callable[[Event], None]:
        """Return what calls a handler of the user's with each event that it is given; the log names it by its event.

        Raises:
            BadArgumentError: it can't be called, or nobody would await what it returns.
        """
        self.check(event, handler)
        key = object()
        return lambda item: self.call(f"a handler of {event!r}", handler, item, size=item.size, key=key)

    def check(self, event: str, handler: object) -> None:
        """Check a handler of the user's.

        Args:
            event: what it handles.
            handler: the user's.

        Raises:
            BadArgumentError: it can't be called, or nobody would await what it returns.
        """
        if not callable(handler):
            raise BadArgumentError(f"handler must be callable, not {handler!r}")
        if inspect.iscoroutinefunction(handler):
            raise BadArgumentError(
                f"the handler of {event!r} is a coroutine function, which would never be awaited; "
                "pass a plain function, or iterate over AsyncGateway.stream()"
            )

    def call(
        self, name: str, function: Callable[..., object], *arguments: object, size: int = 0, key: object = None
    ) -> None:
        """Call a function of the user's; what it raises is counted and logged, and goes no further.

        Its first exception is printed and in `Status.problems`, too.

        Args:
            name: of the function, for the log.
            function: the user's.
            arguments: for it.
            size: bytes that the arguments take.
            key: of the function, where others may have its name.
        """

        def guarded() -> None:
            try:
                function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, even SystemExit
                self.errors += 1
                self._report(name, key or name, error)

        if not self.dispatch(guarded, size):
            self.missed += 1
            if self.missed.bit_count() == 1:  # the first, and whenever they have doubled
                self._log.warning(f"the handlers are too slow: {self.missed:,} of their calls were left out")

    def _report(self, name: str, key: object, error: BaseException) -> None:
        text = f"{name} raised {type(error).__name__}: {error}{_line_of(error)}"
        if key in self._failed:
            self._log.warning(text)
            return
        self._failed.add(key)
        self._log.problem(text)
        print(f"gateway_nb: {self._log.clean(text)}; later ones are counted in .status", file=sys.stderr)


def _line_of(error: BaseException) -> str:
    """Return where in the user's code an exception was raised, in words."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the call in here
    return f" (line {frames[-1].lineno} of {frames[-1].name})" if frames else ""


def _at_once(call: Callable[[], object], _size: int) -> bool:
    call()
    return True
