"""Tools: what agents can call, and calling it without an agent.

- ``tools.catalog {agentId?}`` -> ``{agentId, profiles[], groups[{id, label, source, tools[{id, label, description,
  source}]}]}``: the gateway's own; the tools of nodes are not in it.
- ``tools.effective {sessionKey, agentId?}`` -> ``{agentId, profile, groups}``: what an agent can call in a session; the
  tools of nodes are in group ``mcp``.
- ``tools.invoke {name, args?, sessionKey?, agentId?, idempotencyKey?}`` -> ``{ok: true, toolName, output{content,
  details}, source}`` or ``{ok: false, toolName, error{code: not_found | internal_error, message}}``, both ok frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import READ, WRITE
from ..answers import LATER, fault
from ..clock import now_ms
from ..params import Params, anything, mapping, text
from ..spawning import Tasks
from ..state.sessions import MAIN_AGENT, Sessions, main_session
from ..tools import Caller, ToolFailure, Tools
from .method import Call, Method, Table

_EFFECTIVE = Params({"sessionKey": text, "agentId": text}, ("sessionKey",))
_INVOKE = Params(
    {"name": text, "args": mapping(anything), "sessionKey": text, "agentId": text, "idempotencyKey": text}, ("name",)
)


@dataclass
class ToolMethods:
    """The methods."""

    _tools: Tools
    _sessions: Sessions
    _tasks: Tasks  # runs calls that go on when who asked has gone

    def table(self) -> Table:
        return {
            "tools.catalog": Method(READ, Params({"agentId": text}), self._catalog),
            "tools.effective": Method(READ, _EFFECTIVE, self._effective),
            "tools.invoke": Method(WRITE, _INVOKE, self._invoke),
        }

    def _catalog(self, call: Call) -> dict[str, Any]:
        group = {"id": "core", "label": "Built-in tools", "source": "core", "tools": self._tools.catalog()}
        return {"agentId": MAIN_AGENT, "profiles": [{"id": "full", "label": "Full"}], "groups": [group]}

    def _effective(self, call: Call) -> dict[str, Any]:
        if call.params["sessionKey"] not in self._sessions:
            raise fault(f'unknown session key "{call.params["sessionKey"]}"')
        return {"agentId": MAIN_AGENT, "profile": "full", "groups": self._tools.groups()}

    def _invoke(self, call: Call) -> Any:
        self._tasks.spawn(self._answer_invoke(call))
        return LATER

    async def _answer_invoke(self, call: Call) -> None:
        name = call.params["name"]
        session = call.params.get("sessionKey", main_session(MAIN_AGENT))
        caller = Caller(session, f"rpc-delegated-{call.params.get('idempotencyKey', now_ms())}")
        try:
            result = await self._tools.call(name, call.params.get("args", {}), caller)
        except ToolFailure as failure:
            error = {"code": failure.code, "message": failure.message}
            call.peer.answer(call.id, {"ok": False, "toolName": name, "error": error})
        else:
            done = {"ok": True, "toolName": name, "output": result.output, "source": result.source}
            call.peer.answer(call.id, done)
