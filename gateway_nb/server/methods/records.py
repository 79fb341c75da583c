"""What happened in the gateway, and what it is made of.

- ``audit.activity.list {agentId?, sessionKey?, runId?, kind?: agent_run | tool_action | message, status?, after?,
  before?, limit?: 1..500 (100), cursor?}`` -> ``{events[{schemaVersion, sequence, eventId, occurredAt, kind, action,
  status, errorCode?, agentId, sessionKey, sessionId, runId, toolName?, toolCallId?, actor}], nextCursor?}``, the newest
  first; ``toolCallId`` is ``sha256:`` and the digest of the real one. ``audit.list``: the same without messages.
- ``tasks.list {status?, agentId?, sessionKey?, limit?: 1..500 (100), cursor?}`` -> ``{tasks[{id, runtime, status,
  title, sessionKey, childSessionKey, runId, createdAt, updatedAt, startedAt, endedAt?, terminalSummary?, error?}],
  nextCursor?}``; a cursor is good until something changes.
- ``logs.tail {cursor?, limit?: 1..5000 (500)}`` -> ``{file, cursor, size, lines[JSON text with time,
  _meta.logLevelName, message], truncated, reset}``.
- ``models.list {}`` -> ``{models[{id, name, provider, contextWindow, reasoning, available, tags, thinkingLevels}]}``;
  ``config.get {}`` -> ``{config, parsed, ...}``, with the prices in ``models.providers.PROVIDER.models[].cost``, USD
  per 1,000,000 tokens; ``agents.list {}`` -> ``{defaultId, mainKey, scope, agents[{id, model}]}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import READ
from ..params import NOTHING, Params, array, choice, integer, one_of, text
from ..state.logs import Log
from ..state.models import CONTEXT_TOKENS, MAX_TOKENS, MODEL, PRICES, PROVIDER
from ..state.records import Records
from ..state.sessions import MAIN_AGENT, MAIN_KEY
from .method import Call, Method, Table, unchecked

_RUNS_AND_TOOLS = ("agent_run", "tool_action")
_KINDS = (*_RUNS_AND_TOOLS, "message")
_PAGE = {"limit": integer(1, 500), "cursor": text}
_AUDIT = Params(
    {
        "agentId": text,
        "sessionKey": text,
        "runId": text,
        "kind": choice(*_KINDS),
        "status": text,
        "after": integer(0),
        "before": integer(0),
        **_PAGE,
    }
)
_TASKS = Params({"status": one_of(text, array(text)), "agentId": text, "sessionKey": text, **_PAGE})
_TAIL = Params({"cursor": integer(0), "limit": integer(1, 5000), "maxBytes": integer(1, 1_000_000)})
_OFF = {"id": "off", "label": "off"}


@dataclass
class RecordMethods:
    """The methods."""

    _records: Records
    _log: Log

    def table(self) -> Table:
        return {
            "audit.activity.list": Method(READ, _AUDIT, self._audit(_KINDS)),
            "audit.list": Method(READ, _AUDIT, self._audit(_RUNS_AND_TOOLS)),
            "tasks.list": Method(
                READ, _TASKS, lambda call: self._records.tasks(call.params, call.params.get("limit", 100))
            ),
            "logs.tail": Method(READ, _TAIL, self._tail),
            "models.list": Method(READ, unchecked, lambda call: {"models": [_model()]}),
            "config.get": Method(READ, NOTHING, lambda call: _config()),
            "agents.list": Method(READ, NOTHING, lambda call: _agents()),
        }

    def _audit(self, kinds: tuple[str, ...]) -> Any:
        return lambda call: self._records.audit(call.params, call.params.get("limit", 100), kinds)

    def _tail(self, call: Call) -> dict[str, object]:
        return self._log.tail(call.params.get("cursor"), call.params.get("limit", 500))


def _model() -> dict[str, Any]:
    about = {"id": MODEL, "name": "Local 1", "provider": PROVIDER, "contextWindow": CONTEXT_TOKENS, "reasoning": False}
    return {**about, "tags": ["default"], "thinkingLevels": [_OFF], "thinkingDefault": "off", "available": True}


def _config() -> dict[str, Any]:
    model = {"id": MODEL, "name": "Local 1", "reasoning": False, "input": ["text"], "cost": PRICES}
    model |= {"contextWindow": CONTEXT_TOKENS, "maxTokens": MAX_TOKENS}
    config = {"models": {"mode": "replace", "providers": {PROVIDER: {"api": "local", "models": [model]}}}}
    return {"path": "memory", "exists": True, "valid": True, "parsed": config, "config": config, "issues": []}


def _agents() -> dict[str, Any]:
    agent = {"id": MAIN_AGENT, "model": {"primary": f"{PROVIDER}/{MODEL}"}, "thinkingLevels": [_OFF]}
    return {"defaultId": MAIN_AGENT, "mainKey": MAIN_KEY, "scope": "per-sender", "agents": [agent]}
