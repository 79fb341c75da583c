"""A tool: a function, its signature, and what its user decided of it."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from ..client.options import timeout as checked_timeout
from ..errors import BadArgumentError
from .answers import Answer, of_value
from .calls import Call
from .running import cancelled, current, progress
from .signature import Signature
from .workers import Workers

PLUGIN, COMMAND, SERVER = "node-mcp", "mcp.tools.call.v1", "notebook"
_MOST_YIELDED = 1000
F = TypeVar("F", bound=Callable[..., Any])

Sessions = Literal["own", "*"] | tuple[str, ...]
"""Which sessions may call a tool: those in which this connection started a run, all, or those whose key matches."""


class ToolOptions(TypedDict, total=False):
    """Options of a tool."""

    name: str | None
    """by which agents call it; default: the function's"""
    description: str | None
    """for the agent; default: the docstring, without the part on parameters and results"""
    confirm: bool
    """each call waits for the user to allow it"""
    confirm_timeout: float
    """seconds after which a call that nobody allowed is denied, default 60"""
    timeout: float
    """seconds that a call may take, default 120"""
    sessions: str | Iterable[str]
    """``"own"`` (default): sessions in which this connection started a run, while it is in flight; ``"*"``: every
    session of every agent; or patterns of session keys. An agent's main session is shared with its chat channels"""


@dataclass(frozen=True)
class Tool:
    """A function that agents can call.

    Attributes:
        function: the user's.
        signature: what the gateway is told of it.
        confirm: each call waits for the user to allow it.
        confirm_timeout: seconds after which a call that nobody allowed is denied.
        timeout: seconds that a call may take.
        sessions: which sessions may call it.
    """

    function: Callable[..., Any]
    signature: Signature
    confirm: bool
    confirm_timeout: float
    timeout: float
    sessions: Sessions

    @classmethod
    def of(cls, function: Callable[..., Any], **options: Unpack[ToolOptions]) -> Tool:
        """Return a function as a tool.

        Raises:
            BadArgumentError: the function can't be offered, or an option has the wrong type.
            BadArgumentError: an option is out of its range.
        """
        unknown = set(options) - set(ToolOptions.__annotations__)
        if unknown:
            allowed = ", ".join(ToolOptions.__annotations__)
            raise BadArgumentError(f"a tool has no option {min(unknown)!r}; there are {allowed}")
        confirm = options.get("confirm", False)
        if not isinstance(confirm, bool):
            raise BadArgumentError(f"confirm must be True or False, not {confirm!r}")
        return cls(
            function,
            Signature.of(function, options.get("name"), options.get("description")),
            confirm,
            _seconds("confirm_timeout", options.get("confirm_timeout", 60.0)),
            _seconds("timeout", options.get("timeout", 120.0)),
            _sessions(options.get("sessions", "own")),
        )

    def published(self) -> dict[str, Any]:
        """Return it as ``node.pluginTools.update`` takes it."""
        name = self.signature.name
        about = {"pluginId": PLUGIN, "name": name, "description": self.signature.description}
        mcp = {"server": SERVER, "tool": name}
        return {**about, "parameters": self.signature.schema, "command": COMMAND, "mcp": mcp}

    def matches(self, session: str) -> bool:
        """Return whether it is offered to a session by its key, whoever started the run."""
        if isinstance(self.sessions, str):
            return self.sessions == "*"
        return any(fnmatch.fnmatchcase(session, pattern) for pattern in self.sessions)

    async def run(self, arguments: dict[str, Any], call: Call, workers: Workers) -> Answer:
        """Return the function's answer to a call.

        Args:
            arguments: converted.
            call: its record: prints and progress go there.
            workers: threads; a coroutine function runs on the loop instead.

        Raises:
            Raised: what the function raised on its thread.
            Busy: no thread is left.
            BaseException: what a coroutine function raised.
        """
        with current(call):
            if inspect.iscoroutinefunction(self.function):
                value = await self.function(**arguments)
            elif inspect.isasyncgenfunction(self.function):
                value = await _all_of(self.function(**arguments))
            else:
                value = await workers.run(lambda: _called(self.function, arguments, call))
                if isinstance(value, Answer):
                    return value
                value = await value  # what was called returned a coroutine
            return await workers.run(lambda: of_value(value))


class Decorator:
    """Offers functions as tools, and returns them as they are: ``@gw.tool``, or ``@gw.tool(timeout=10)``.

    Args:
        offer: what is done with a tool.
    """

    def __init__(self, offer: Callable[[Tool], object]) -> None:
        self._offer = offer

    @overload
    def __call__(self, function: F, /) -> F: ...

    @overload
    def __call__(self, /, **options: Unpack[ToolOptions]) -> Callable[[F], F]: ...

    def __call__(self, function: F | None = None, /, **options: Unpack[ToolOptions]) -> F | Callable[[F], F]:
        """Offer a function, or return what does so with these options.

        Args:
            function: every parameter has a type hint that JSON can carry; a coroutine function runs on the loop, a
                generator's values are its progress.
            **options: ``name``, ``description``: default the function's name, and its docstring;
                ``timeout=120``: seconds that a call may take;
                ``confirm=False``: each call waits until the user allows it, for ``confirm_timeout=60`` seconds;
                ``sessions="own"``: who may call: sessions in which this connection started a run, while it is in
                flight, and operators; ``"*"``: every session of every agent; or a list of patterns of session keys.
                An agent's main session is shared with its chat channels.

        Example:
            >>> @gw.tool
            ... def add(a: int, b: int = 1) -> int:
            ...     '''Add two numbers.'''
            ...     return a + b

        Raises:
            BadArgumentError: the function can't be offered: which parameter stands in the way, and why.
            BadArgumentError: a name, a description or an option is none that can be used.
            GatewayError: it can't be published: why, and what to do.
        """

        if function is None:
            return lambda function: self._decorate(function, options)
        return self._decorate(function, options)

    def _decorate(self, function: F, options: ToolOptions) -> F:
        self._offer(Tool.of(function, **options))
        return function


def _seconds(name: str, value: float) -> float:
    seconds = checked_timeout(value, name)
    if not seconds:  # None, too: a call has an end
        raise BadArgumentError(f"{name} must be more than 0 seconds, not {value!r}")
    return seconds


def _sessions(sessions: str | Iterable[str]) -> Sessions:
    if sessions == "own" or sessions == "*":
        return "own" if sessions == "own" else "*"
    if isinstance(sessions, str) or not isinstance(sessions, Iterable):
        raise BadArgumentError(f"sessions must be 'own', '*' or a list of patterns of session keys, not {sessions!r}")
    patterns = tuple(sessions)
    if not patterns or not all(isinstance(pattern, str) and pattern for pattern in patterns):
        raise BadArgumentError(f"sessions must be a list of patterns such as 'agent:main:*', not {patterns!r}")
    return patterns


def _called(function: Callable[..., Any], arguments: dict[str, Any], call: Call) -> Any:
    """Call a function on a worker's thread; return the answer, or what has to be awaited for it."""
    with current(call):  # here, too: a function that was given up goes on, and may print
        value = function(**arguments)
        if inspect.isgenerator(value):
            value = _all_yielded(value)
        return value if inspect.isawaitable(value) else of_value(value)


def _all_yielded(generator: Generator[Any, Any, Any]) -> Any:
    """Return what a generator returns, else what it yielded; each of those is progress."""
    yielded: list[Any] = []
    while not cancelled():
        try:
            _take(yielded, next(generator))
        except StopIteration as end:
            return _result(yielded) if end.value is None else end.value
    generator.close()
    return None


async def _all_of(generator: AsyncGenerator[Any, Any]) -> Any:
    yielded: list[Any] = []
    async for value in generator:
        _take(yielded, value)
    return _result(yielded)


def _take(yielded: list[Any], value: Any) -> None:
    progress(value)
    if len(yielded) < _MOST_YIELDED:
        yielded.append(value)
    else:
        yielded[-1] = f"[more than {_MOST_YIELDED:,} values: the rest is not kept]"


def _result(yielded: Sequence[Any]) -> Any:
    return "\n".join(map(str, yielded)) if all(isinstance(value, str) for value in yielded) else list(yielded)
