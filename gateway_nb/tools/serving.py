"""Calls from their request to their answer: once each, within their time, and never one that nobody may make."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ..client.event import Event
from ..client.log import Log
from ..errors import GatewayError, one_line
from .answers import Answer, failure, of_error
from .calls import Call, Calls
from .consent import DIRECT, Confirmations, Runs
from .signature import BadArguments
from .tool import COMMAND, Tool
from .workers import Busy, Raised, Workers

_MOST_IDS = 10_000
_MARGIN = 1.0
"""Seconds before the gateway's own deadline at which a call is given up, so that the agent hears why."""


class Request(msgspec.Struct, rename="camel"):
    """A ``node.invoke.request``."""

    id: str
    node_id: str
    command: str
    idempotency_key: str
    params_json: str = msgspec.field(name="paramsJSON")
    timeout_ms: float = 120_000
    session_key: str | None = None


class _Params(msgspec.Struct):
    tool: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Cancel(msgspec.Struct, rename="camel"):
    invoke_id: str


class Refused(Exception):
    """A call ends before its function runs.

    Args:
        status: of its record.
        why: for the agent.
    """

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Work:
    """A call that is under way, and how many wait for it."""

    def __init__(self, task: asyncio.Task[Answer], call: Call) -> None:
        self.task = task
        self.call = call
        self.waiting = 0


class Serving:
    """Answers the calls of one node.

    Args:
        tools: those that are published, by name.
        send: sends the params of a ``node.invoke.result``; raises `GatewayError` if the connection is lost.
        log: of the connection; its redactor takes the secrets out of answers and records.

    Attributes:
        calls: their book.
        runs: which runs are this connection's.
        confirmations: calls that wait for the user.
        workers: where functions run.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        send: Callable[[dict[str, Any]], Awaitable[object]],
        log: Log,
    ) -> None:
        self.calls = Calls(log.redactor)
        self.runs = Runs()
        self.confirmations = Confirmations()
        self.workers = Workers()
        self._tools = tools
        self._send = send
        self._log = log
        self._ids: dict[str, None] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._works: dict[tuple[str, str | None, str], _Work] = {}

    def receive(self, event: Event) -> None:
        """Take a ``node.invoke.request`` or a ``node.invoke.cancel``."""
        try:
            if event.event == "node.invoke.cancel":
                task = self._tasks.get(msgspec.json.decode(event.raw, type=_Cancel).invoke_id)
                if task is not None:
                    task.cancel()
                return
            request = msgspec.json.decode(event.raw, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._log.warning(f"an event {event.event} is of no use: {error}")
            return
        if request.id in self._ids:
            self._log.warning("the gateway made a call twice: it runs once")
            return
        self._ids[request.id] = None
        if len(self._ids) > _MOST_IDS:
            del self._ids[next(iter(self._ids))]
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self._tasks[request.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(request.id, None))

    async def give_up(self) -> None:
        """Cancel every call: the connection is lost or closed, so that nobody hears an answer."""
        works = [work.task for work in self._works.values()]
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *works, return_exceptions=True)

    async def _serve(self, request: Request) -> None:
        about = {"id": request.id, "nodeId": request.node_id}
        if request.command != COMMAND:
            error = {"code": "UNSUPPORTED", "message": f"this node has the command {COMMAND} alone"}
            await self._answer({**about, "ok": False, "error": error})
            return
        answer = self._cleaned(await self._shared(request))
        payload = msgspec.json.encode(answer.payload()).decode()
        await self._answer({**about, "ok": True, "payloadJSON": payload})

    async def _answer(self, result: dict[str, Any]) -> None:
        try:
            await self._send(result)
        except GatewayError as error:
            self._log.warning(f"an answer of a tool could not be sent: {error}")

    async def _shared(self, request: Request) -> Answer:
        """Return a call's answer; one that is the same as another under way shares that one's."""
        # The key alone says little: a model's next run may use the same.
        key = (request.idempotency_key, request.session_key, request.params_json)
        work = self._works.get(key)
        if work is None:
            params = _decoded(request.params_json)
            call = self.calls.begin(
                params.tool, request.session_key or "", request.idempotency_key, bytes(params.arguments)
            )
            task = asyncio.get_running_loop().create_task(self._work(request, params, call))
            work = self._works[key] = _Work(task, call)
            task.add_done_callback(lambda _: self._works.pop(key))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting and not work.task.done():
                work.call.cancelled.set()
                work.task.cancel()

    async def _work(self, request: Request, params: _Params, call: Call) -> Answer:
        """Return the answer of one call, and note in the book how it ended."""
        error: BaseException | None = None
        seconds = request.timeout_ms / 1000
        try:
            async with asyncio.timeout(max(seconds - _MARGIN, seconds * 0.9)):
                answer, status = await self._run(request, params, call), "ok"
        except Refused as refused:
            answer, status = failure(str(refused)), refused.status
        except Raised as raised:
            answer, status, error = of_error(raised.error), "error", raised.error
        except TimeoutError:
            call.cancelled.set()
            answer, status = failure(f"{call.tool}: no answer within the gateway's {seconds:g} s"), "timeout"
        except asyncio.CancelledError:
            self.calls.end(call, "cancelled", None)
            raise
        except Exception as raised:  # noqa: BLE001 - a bug of ours: the agent must not wait for it
            answer, status, error = failure(f"{call.tool}: a bug in gateway_nb: {raised!r}"), "error", raised
        self.calls.end(call, status, answer, error)
        return answer

    async def _run(self, request: Request, params: _Params, call: Call) -> Answer:
        tool = self._tools.get(params.tool)
        if tool is None:
            raise Refused("unknown", f"there is no tool {one_line(params.tool, 100)!r} in this notebook (any more)")
        await self._check_session(tool, request, call)
        try:
            async with asyncio.timeout(tool.timeout):
                # On a thread: a model of pydantic's may have validators of the user's.
                arguments = await self.workers.run(lambda: tool.signature.convert(bytes(params.arguments)))
            if tool.confirm:
                await self._confirm(tool, call)
            async with asyncio.timeout(tool.timeout):
                return await _guarded(tool, arguments, call, self.workers)
        except Raised as raised:
            if isinstance(raised.error, BadArguments):
                raise Refused("invalid", str(raised.error)) from None
            raise
        except TimeoutError:
            call.cancelled.set()
            why = f"{call.tool} took longer than its {tool.timeout:g} s and was given up"
            raise Refused("timeout", why) from None
        except Busy as error:
            raise Refused("busy", f"{call.tool} can't be called now: {error}; try again later") from None

    async def _confirm(self, tool: Tool, call: Call) -> None:
        allowed = await self.confirmations.ask(call, tool.confirm_timeout)
        if allowed is None:
            why = f"nobody answered within {tool.confirm_timeout:g} s, so it was not run"
            raise Refused("denied", f"{call.tool}: the user was asked to allow this call, but {why}")
        if not allowed:
            raise Refused("denied", f"{call.tool}: the user did not allow this call")

    async def _check_session(self, tool: Tool, request: Request, call: Call) -> None:
        session, key = request.session_key or "", request.idempotency_key
        if key.startswith(DIRECT):
            return
        # Asked first: it waits for the event that says which run makes the call.
        own = (tool.sessions == "own" or bool(self.runs.limits)) and await self.runs.is_own(session, key)
        call.run = self.runs.run_of(session, key)
        if not self.runs.may_call(session, key, tool.signature.name):
            raise Refused("refused", f"{call.tool} is not one of the tools that this run may call")
        if not tool.matches(session) and not (tool.sessions == "own" and own):
            self._log.warning(f"the tool {call.tool} was called by session {session!r}, to which it is not offered")
            raise Refused("refused", f"{call.tool} is not offered to this session")

    def _cleaned(self, answer: Answer) -> Answer:
        text = self._log.redactor.text
        content = [{**part, "text": text(part["text"])} if "text" in part else part for part in answer.content]
        return dataclasses.replace(answer, content=tuple(content))


async def _guarded(tool: Tool, arguments: dict[str, Any], call: Call, workers: Workers) -> Answer:
    """Run a tool; what its function raises, even SystemExit or a TimeoutError of its own, comes as `Raised`."""
    try:
        return await tool.run(arguments, call, workers)
    except (Raised, Busy):
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Raised(asyncio.CancelledError("the function cancelled itself")) from None
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        raise Raised(error) from None


def _decoded(params: str) -> _Params:
    try:
        return msgspec.json.decode(params, type=_Params)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _Params("", msgspec.Raw(b"null"))
