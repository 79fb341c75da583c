"""What sessions used and cost, in USD.

- ``usage.cost {startDate?, endDate?, days?, range?: 7d | 30d | 90d | 1y | all, mode?: utc | gateway | specific,
  timeZone?, utcOffset?, agentId?, agentScope?: all}`` -> ``{updatedAt, days, daily[{date, TOTALS}], totals,
  cacheStatus}``; 30 days of the agent main unless asked otherwise.
- ``sessions.usage {key?, limit? (50), the same without days}`` -> ``{updatedAt, startDate, endDate, sessions[{key,
  sessionId, agentId, updatedAt, label?, model?, usage{TOTALS, firstActivity, lastActivity, durationMs, messageCounts,
  toolUsage, modelUsage[{provider, model, count, totals}], activityDates}}], totals, aggregates{sessionCount, messages,
  tools, byModel, byProvider, byAgent, modelDaily, daily}, cacheStatus}``; totals and aggregates are of all sessions.

TOTALS: ``input, output, cacheRead, cacheWrite, totalTokens, totalCost, inputCost, outputCost, cacheReadCost,
cacheWriteCost, missingCostEntries``. ``cacheStatus.status`` is always ``fresh`` here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import READ
from ..conversations import Conversations
from ..params import Params, choice, integer, text, word
from ..state.sessions import MAIN_AGENT
from ..state.usage import RANGES, sessions_usage
from .method import Call, Method, Table

_DATE = word(r"^\d{4}-\d{2}-\d{2}$")
_SPAN = {
    "startDate": _DATE,
    "endDate": _DATE,
    "range": choice(*RANGES),
    "mode": choice("utc", "gateway", "specific"),
    "timeZone": text,
    "utcOffset": word(r"^UTC[+-]\d{1,2}(?::[0-5]\d)?$"),
    "agentId": text,
    "agentScope": choice("all"),
}
_COST = Params({**_SPAN, "days": integer(1)})
_SESSIONS = Params({**_SPAN, "key": text, "limit": integer(1), "groupBy": choice("instance", "family")})


@dataclass
class UsageMethods:
    """The methods."""

    _conversations: Conversations

    def table(self) -> Table:
        return {
            "usage.cost": Method(
                READ, _COST, lambda call: self._conversations.usage.cost(call.params, _agent(call.params))
            ),
            "sessions.usage": Method(READ, _SESSIONS, self._sessions),
        }

    def _sessions(self, call: Call) -> dict[str, Any]:
        params, span = call.params, self._conversations.usage.span(call.params)
        agent = None if "key" in params else _agent(params)
        entries = self._conversations.usage.within(span, agent)
        if "key" in params:
            entries = [entry for entry in entries if entry.key == params["key"]]
        return sessions_usage(span, entries, self._conversations.sessions, params.get("limit", 50))


def _agent(params: dict[str, Any]) -> str | None:
    """Return the agent that is asked about, ``None``: all."""
    if params.get("agentScope") == "all":
        return None
    agent: str = params.get("agentId", MAIN_AGENT)
    return agent
