"""What users ask of a client, with advice where something looks wrong: calls, handlers, waiting for events."""

from __future__ import annotations

import asyncio
import functools
import inspect
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import EllipsisType
from typing import Any, TypeVar

from ..errors import (
    BadArgumentError,
    GatewayError,
    GatewayRequestError,
    GatewayTimeoutError,
    is_unknown_method,
    suggest_methods,
)
from ..protocol.frames import check_method, decode_answer
from ..protocol.spelling import closest
from ..schema.facts import method_facts
from .core import Core
from .event import Event
from .feed import Subscription, matches
from .options import timeout as checked_timeout
from .run import FINISH
from .trace_context import TRACEPARENT

T = TypeVar("T")


async def call(
    core: Core,
    method: str,
    params: Mapping[str, Any] | None,
    timeout: float | EllipsisType | None,
    expect_final: bool,
    traceparent: str | None = None,
) -> Any:
    """Call a method and return its payload; see `AsyncGateway.request`."""
    check_method(method)
    before = TRACEPARENT.set(traceparent)
    try:
        return await _call(core, method, params, timeout, expect_final)
    finally:
        TRACEPARENT.reset(before)


async def _call(
    core: Core, method: str, params: Mapping[str, Any] | None, timeout: float | EllipsisType | None, expect_final: bool
) -> Any:
    if isinstance(timeout, EllipsisType):
        limit = None if expect_final else core.settings.request_timeout
    else:
        limit = checked_timeout(timeout)
    if expect_final and method in FINISH and isinstance(params, Mapping):
        keyed = {"idempotencyKey": str(uuid.uuid4()), **params}
        try:
            return await FINISH[method](core, keyed, limit)
        except GatewayError as error:  # what it says of the run is the gateway's, as in a refusal
            raise core.log.clean_error(error) from None
    try:
        raw = await core.requests.ask(method, params, limit, expect_final=expect_final)
    except GatewayRequestError as error:
        if is_unknown_method(error) and core.hello is not None:
            suggest_methods(error, await asyncio.to_thread(closest, method, core.hello.methods))
        elif error.code == "INVALID_REQUEST":
            error.args = (f"{error}{await asyncio.to_thread(_advice, method, error.gateway_message)}",)
        raise
    return decode_answer(method, raw)


def _advice(method: str, refusal: str) -> str:
    return method_facts().advice(method, refusal)


def user_facing(face: type[T]) -> type[T]:
    """Make the errors of a class's public methods short: `BadArgumentError` names the keyword that may have been meant
    by one that a method does not take, and an error of this package's does not show its frames.

    Args:
        face: a class.
    """
    for name, method in vars(face).copy().items():
        if inspect.isfunction(method) and not name.startswith("_"):
            parameters = list(inspect.signature(method).parameters.values())[1:]
            takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
            setattr(face, name, _user_facing(method, None if takes_any else [each.name for each in parameters]))
    return face


def _user_facing(method: Callable[..., Any], names: list[str] | None) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        for name in options:
            if names is not None and name not in names:  # its value may be a secret
                raise BadArgumentError(f"{method.__name__}() takes no argument {name!r}; {_meant(name, names)}")
        try:
            return method(*arguments, **options)
        except GatewayError as error:
            raise error.with_traceback(None)  # noqa: B904 - it is the same error

    return wrapper


def _meant(name: str, names: list[str]) -> str:
    if "params" in names and not closest(name, names):
        return f"pass params as a mapping: {{{name!r}: ...}}"
    near = closest(name, names) or [other for other in names if name.startswith(other)]
    return f"did you mean {near[0]}?" if near else f"it has {', '.join(names) or 'none'}"


async def wait_for(core: Core, event: str, where: Callable[[Event], object] | None, timeout: float | None) -> Event:
    """Return the next event of a name for which `where` is true; see `AsyncGateway.wait_for`."""
    try:
        return await core.feed.wait_for(event, where, checked_timeout(timeout))
    except GatewayTimeoutError as error:
        near = _near_events(core, event)
        if near is not None:
            meant = f"did you mean {' or '.join(near)}?" if near else ".event_names lists them"
            error.args = (f"{error}; the gateway advertises no such event, {meant}",)
        raise


def subscribe(core: Core, event: str, handler: Callable[[Event], object]) -> Subscription:
    """Call a handler of the user's for each event of a name; see `AsyncGateway.on`."""
    subscription = core.feed.subscribe(event, core.handlers.listener(event, handler))
    _warn_of_unknown(core, event)
    return subscription


def check_patterns(core: Core, events: str | Iterable[str]) -> tuple[str, ...]:
    """Return patterns of event names as a tuple; warn of a name that the gateway does not advertise.

    Args:
        core: of a client.
        events: one pattern, or several.
    """
    patterns = (events,) if isinstance(events, str) else tuple(events)
    for pattern in patterns:
        _warn_of_unknown(core, pattern)
    return patterns


def _warn_of_unknown(core: Core, event: str) -> None:
    if near := _near_events(core, event):
        why = f"the gateway advertises no such event, did you mean {' or '.join(near)}?"
        # The frames of the face's method and of its wrapper are not the user's.
        warnings.warn(f"the event {event!r} may never come; {why}", stacklevel=5)


def _near_events(core: Core, event: str) -> list[str] | None:
    """Return what may have been meant by a pattern that is none of the advertised events', ``None`` for others."""
    names = core.hello.events if core.hello is not None else (event,)
    return None if any(matches(event, name) for name in names) else closest(event, names)
