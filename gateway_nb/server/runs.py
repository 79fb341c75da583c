"""The runs of the embedded gateway's agents: they echo, count, fail or call a tool, with the real gateway's events."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from ..openclaw.commands import command, tool_calls
from .answers import Refusal
from .clock import now_ms
from .conversations import Conversations
from .peers import Peers
from .state.models import MODEL, PROVIDER, no_usage, run_usage, usage_of
from .state.records import Records
from .state.results import text_result
from .state.sessions import agent_of
from .tools import Caller, ToolFailure, Tools

TOOL_EVENTS = "tool-events"
"""The capability without which a client hears nothing of a tool's arguments and result."""


_INJECTED = {"api": "local", "provider": "openclaw", "model": "gateway-injected"}
"""Of a message that no model made: what an aborted run had said."""


class _RunError(Exception):
    """The model said no."""


@dataclass
class Run:
    """One turn of an agent."""

    run_id: str
    session_key: str
    message: str
    text: str = ""
    seq: int = 0
    started_at: int = 0
    usage: list[dict[str, Any]] = field(default_factory=list)
    final: dict[str, Any] | None = None
    error: Refusal | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass
class Runs:
    """The runs of all sessions, by id."""

    _peers: Peers  # to whom events go
    _conversations: Conversations
    _tools: Tools
    _records: Records
    _runs: dict[str, Run] = field(default_factory=dict)

    def get(self, run_id: str) -> Run | None:
        """Return a run, ``None`` if there is none of that id."""
        return self._runs.get(run_id)

    def active(self, session_key: str) -> list[Run]:
        """Return the runs of a session that go on."""
        return [run for run in self._runs.values() if run.session_key == session_key and run.final is None]

    def stop(self) -> None:
        """Cut every run short and forget it: the gateway goes away."""
        for run in self._runs.values():
            if run.final is None and run.task is not None:
                run.task.cancel()
                self._note_end(run, "killed")
        self._runs.clear()

    def start(
        self,
        run_id: str,
        session_key: str,
        message: str,
        *,
        runtime: str = "cli",
        title: str | None = None,
        label: str | None = None,
    ) -> Run:
        """Begin a run.

        Args:
            run_id: its id.
            session_key: where it happens.
            message: the prompt.
            runtime: ``cli`` or ``cron``.
            title: of its task; default: the message.
            label: of a session that it makes.
        """
        run = Run(run_id, session_key, message, started_at=now_ms())
        self._runs[run_id] = run
        row = self._conversations.sessions.begin_run(session_key, run_id, run.started_at)
        if label is not None:
            row["label"] = label
        self._records.run_started(row, run_id, title or message, runtime)
        self._conversations.changed(row, phase="start", runId=run_id)
        prompt = {"role": "user", "content": message, "idempotencyKey": f"{run_id}:user"}
        self._conversations.add_message(session_key, prompt)
        run.task = asyncio.get_running_loop().create_task(self._live(run))
        return run

    def abort(self, run: Run) -> None:
        """End a run that goes on."""
        assert run.task is not None
        run.task.cancel()
        if run.text:
            self._add_answer(run, [{"type": "text", "text": run.text}], no_usage(), "stop", **_INJECTED)
        self._chat_event(run, "aborted", stopReason="rpc", message=_message(run.text))
        self._lifecycle(run, "end", status="cancelled", aborted=True, stopReason="rpc")
        self._end(run, "killed", {"runId": run.run_id, "status": "timeout", "summary": "aborted", "stopReason": "rpc"})

    async def _live(self, run: Run) -> None:
        self._lifecycle(run, "start", startedAt=run.started_at)
        try:
            await self._reply(run)
        except _RunError as error:
            self._end_failed(run, str(error))
        else:
            self._end_well(run)

    async def _reply(self, run: Run) -> None:
        kind, argument = command(run.message)
        if kind == "fail":
            raise _RunError(f"LLM request failed: the model answered HTTP {argument}.")
        prompt = run.message
        self._lifecycle(run, "model", provider=PROVIDER, model=MODEL)
        if kind == "tool":
            argument = await self._call_tools(run, argument)
            prompt = f"{prompt} {argument}"
        async for piece in _count(argument) if kind == "count" else _words(argument):
            run.text += piece
            self._agent_event(run, "assistant", {"text": run.text, "delta": piece})
            self._chat_event(run, "delta", deltaText=piece, message=_message(run.text))
        self._model_answered(run, [{"type": "text", "text": run.text}], usage_of(prompt, run.text), "stop")

    async def _call_tools(self, run: Run, argument: str) -> str:
        """Call the tools that the message names; return their results as the model reads them."""
        try:
            calls = tool_calls(argument)
        except ValueError as error:
            raise _RunError(f"LLM request failed: {error}") from None
        results = []
        for name, arguments in calls:
            results.append(await self._call_tool(run, name, arguments))
            self._lifecycle(run, "model", provider=PROVIDER, model=MODEL)
        return "\n\n".join(results)

    async def _call_tool(self, run: Run, name: str, arguments: dict[str, Any]) -> str:
        call_id = f"call_{uuid.uuid4().hex[:24]}"
        block = {"type": "toolCall", "id": call_id, "name": name, "arguments": arguments}
        self._model_answered(run, [block], usage_of(run.message, f"{name}:{json.dumps(arguments)}"), "toolUse")
        about = {"name": name, "toolCallId": call_id}
        item = {"itemId": f"tool:{call_id}", **about, "kind": "tool", "title": name, "startedAt": now_ms()}
        self._agent_event(run, "item", {**item, "phase": "start", "status": "running"})
        self._tool_event(run, {"phase": "start", **about, "args": arguments})
        self._records.tool_started(run.run_id, name, call_id)
        status = "completed"
        try:
            result = await self._tools.call(name, arguments, Caller(run.session_key, call_id, run.run_id))
        except ToolFailure as failure:
            result = text_result(failure.reason, is_error=True)
            status = "blocked" if failure.code == "not_found" else "failed"
        failed = result.is_error
        self._tool_event(run, {"phase": "result", **about, "isError": failed, "result": result.event()})
        status = "failed" if failed and status == "completed" else status
        self._agent_event(run, "item", {**item, "phase": "end", "status": status, "endedAt": now_ms()})
        message = {"role": "toolResult", "toolCallId": call_id, "toolName": name, "content": result.content}
        self._conversations.add_message(run.session_key, {**message, "isError": failed}, run.run_id)
        self._records.tool_ended(run.run_id, name, call_id, failed=failed)
        return result.text()

    def _model_answered(self, run: Run, content: list[dict[str, Any]], usage: dict[str, Any], reason: str) -> None:
        run.usage.append(usage)
        self._agent_event(run, "usage", {"outputTokens": run_usage(run.usage)["output"]})
        self._add_answer(run, content, usage, reason)

    def _add_answer(
        self, run: Run, content: list[dict[str, Any]], usage: dict[str, Any], reason: str, **more: Any
    ) -> None:
        model = {"api": "local", "provider": PROVIDER, "model": MODEL, "usage": usage, "stopReason": reason}
        self._conversations.add_message(
            run.session_key, {"role": "assistant", "content": content, **model, **more}, run.run_id
        )

    def _end_well(self, run: Run) -> None:
        reply = {"disposition": "visible", "text": run.text}
        self._lifecycle(run, "finishing", stopReason="stop", aborted=False, endedAt=now_ms())
        times = {"startedAt": run.started_at, "endedAt": now_ms()}
        self._lifecycle(run, "end", **times, aborted=False, stopReason="stop", terminalReply=reply)
        self._chat_event(run, "final", stopReason="stop", message=_message(run.text))
        usage = run_usage(run.usage)
        about: dict[str, Any] = {
            "provider": PROVIDER,
            "model": MODEL,
            "usage": usage,
            "lastCallUsage": run_usage(run.usage[-1:]),
        }
        about |= {"costUsd": usage["cost"]["total"], "assistantTurns": len(run.usage)}
        meta = {"durationMs": now_ms() - run.started_at, "agentMeta": about, "aborted": False}
        result = {"payloads": [{"text": run.text, "mediaUrl": None}], "meta": meta}
        self._end(run, "done", {"runId": run.run_id, "status": "ok", "summary": "completed", "result": result})

    def _end_failed(self, run: Run, why: str) -> None:
        self._lifecycle(run, "finishing", error=why, aborted=False, endedAt=now_ms())
        self._lifecycle(run, "error", startedAt=run.started_at, endedAt=now_ms(), error=why)
        self._chat_event(run, "error", errorMessage=why)
        self._add_answer(run, [{"type": "text", "text": why}], no_usage(), "error", errorMessage=why)
        run.error = Refusal("UNAVAILABLE", why)
        self._end(run, "failed", {"runId": run.run_id, "status": "error", "summary": why})

    def _end(self, run: Run, status: str, final: dict[str, Any]) -> None:
        run.final = final
        row = self._note_end(run, status)
        if row is not None:
            self._conversations.changed(row, phase="error" if run.error else "end", runId=run.run_id)
        run.done.set()

    def _note_end(self, run: Run, status: str) -> dict[str, Any] | None:
        row = self._conversations.sessions.end_run(run.session_key, run.run_id, status, run_usage(run.usage))
        error = run.error.message if run.error else None
        self._records.run_ended(run.run_id, status, "This operation was aborted" if status == "killed" else error)
        return row

    def _lifecycle(self, run: Run, phase: str, **fields: Any) -> None:
        self._agent_event(run, "lifecycle", {"phase": phase, **fields})

    def _tool_event(self, run: Run, data: dict[str, Any]) -> None:
        self._peers.broadcast(
            "agent", self._payload(run, "tool", data), to=[peer for peer in self._peers if peer.has_cap(TOOL_EVENTS)]
        )

    def _agent_event(self, run: Run, stream: str, data: dict[str, Any]) -> None:
        self._peers.broadcast("agent", self._payload(run, stream, data))

    def _payload(self, run: Run, stream: str, data: dict[str, Any]) -> dict[str, Any]:
        run.seq += 1
        about = {"runId": run.run_id, "sessionKey": run.session_key, "agentId": agent_of(run.session_key)}
        return {**about, "stream": stream, "data": data, "seq": run.seq, "ts": now_ms()}

    def _chat_event(self, run: Run, state: str, **fields: Any) -> None:
        about = {"runId": run.run_id, "sessionKey": run.session_key, "agentId": agent_of(run.session_key)}
        self._peers.broadcast("chat", {**about, "seq": run.seq, "state": state, **fields})


async def _count(argument: str) -> AsyncIterator[str]:
    number, _, pause = argument.partition(":")
    for index in range(int(number)):
        yield f"{' ' if index else ''}{index + 1}"
        await asyncio.sleep(int(pause or 0) / 1000)


async def _words(text: str) -> AsyncIterator[str]:
    for index, word in enumerate(text.split(" ")):
        yield f"{' ' if index else ''}{word}"
        await asyncio.sleep(0)


def _message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now_ms()}
