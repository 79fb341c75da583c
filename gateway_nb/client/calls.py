"""What users ask of a client, with advice where something looks wrong: calls, handlers, waiting for events."""

from __future__ import annotations

import asyncio
import uuid
import warnings
from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any

from ..errors import GatewayError, GatewayRequestError, GatewayTimeoutError, is_unknown_method, suggest_methods
from ..protocol.frames import check_method, decode_answer
from ..protocol.spelling import closest
from ..schema.facts import method_facts
from .core import Core
from .event import Event
from .feed import Subscription
from .options import timeout as checked_timeout
from .run import FINISH


async def call(
    core: Core, method: str, params: Mapping[str, Any] | None, timeout: float | EllipsisType | None, expect_final: bool
) -> Any:
    """Call a method and return its payload; see `AsyncGateway.request`."""
    check_method(method)
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


def refuse_keywords(others: Mapping[str, Any]) -> None:
    """Refuse params that were passed as arguments of `request`, which takes them as one mapping.

    Raises:
        TypeError: there are some.
    """
    for name in others:  # its value may be a secret
        raise TypeError(f"request() takes no argument {name!r}; pass params as a mapping: {{{name!r}: ...}}")


async def wait_for(core: Core, event: str, where: Callable[[Event], object] | None, timeout: float | None) -> Event:
    """Return the next event of a name for which `where` is true; see `AsyncGateway.wait_for`."""
    try:
        return await core.feed.wait_for(event, where, checked_timeout(timeout))
    except GatewayTimeoutError as error:
        error.args = (f"{error}{event_advice(core, event)}",)
        raise


def subscribe(core: Core, event: str, handler: Callable[[Event], object]) -> Subscription:
    """Call a handler of the user's for each event of a name; see `AsyncGateway.on`."""
    subscription = core.feed.subscribe(event, core.handlers.listener(event, handler))
    if advice := event_advice(core, event):
        warnings.warn(f"{event!r} will be heard if it comes{advice}", stacklevel=3)
    return subscription


def event_advice(core: Core, event: str) -> str:
    """Return which event may have been meant by a name that the gateway does not advertise, or ``""``."""
    names = core.hello.events if core.hello is not None else ()
    if event in names or any(sign in event for sign in "*?["):
        return ""
    near = closest(event, names)
    return f"; the gateway advertises no such event, did you mean {' or '.join(near)}?" if near else ""
