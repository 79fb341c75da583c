"""A call as users make it: checked, followed to the end of a run where that is asked for, and decoded."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from types import EllipsisType
from typing import Any

from ..errors import GatewayError, GatewayRequestError, is_unknown_method, suggest_methods
from ..protocol.frames import check_method, decode_answer
from ..protocol.names import closest
from .core import Core
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
        raise
    return decode_answer(method, raw)
