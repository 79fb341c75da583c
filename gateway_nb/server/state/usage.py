"""What the embedded gateway's sessions used and cost, by day, session and model, in the real gateway's shapes.

It is counted as it happens, so that sessions that are reset or deleted stay counted; it is never stale.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from ..answers import fault
from ..clock import now_ms
from .models import KINDS

_RANGES = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}
RANGES = (*_RANGES, "all")
DEFAULT_DAYS = 30


@dataclass
class Entry:
    """One message, as it counts."""

    at: int
    key: str
    session_id: str
    agent: str
    message: dict[str, Any]


@dataclass(frozen=True)
class Span:
    """Days, the last one included, in a time zone."""

    first: datetime.date
    last: datetime.date
    zone: datetime.tzinfo

    @property
    def days(self) -> list[str]:
        """Each day as ``YYYY-MM-DD``."""
        count = (self.last - self.first).days + 1
        return [(self.first + datetime.timedelta(days=number)).isoformat() for number in range(count)]

    def day(self, at: int) -> str:
        """Return the day of a time in milliseconds since 1970."""
        return datetime.datetime.fromtimestamp(at / 1000, self.zone).date().isoformat()


class Usage(list[Entry]):
    """Every message that was ever kept."""

    def add(self, row: dict[str, Any], message: dict[str, Any]) -> None:
        """Count a message of a session."""
        self.append(Entry(message["timestamp"], row["key"], row["sessionId"], row["agentId"], message))

    def rename(self, row: dict[str, Any]) -> None:
        """Note that a session was deleted: what it used is then told under its id."""
        for entry in self:
            if entry.session_id == row["sessionId"]:
                entry.key = f"agent:{row['agentId']}:{row['sessionId']}"

    def span(self, params: dict[str, Any]) -> Span:
        """Return the days that params ask for.

        Raises:
            Refusal: half a range, or an unknown time zone.
        """
        zone = _zone(params)
        today = datetime.datetime.now(zone).date()
        if ("startDate" in params) != ("endDate" in params):
            raise fault("startDate and endDate must be provided together")
        if "startDate" in params:
            return Span(_date(params["startDate"]), _date(params["endDate"]), zone)
        if params.get("range") == "all":
            first = min((entry.at for entry in self), default=now_ms())
            return Span(datetime.datetime.fromtimestamp(first / 1000, zone).date(), today, zone)
        days = params.get("days", _RANGES.get(params.get("range", ""), DEFAULT_DAYS))
        try:
            return Span(today - datetime.timedelta(days=days - 1), today, zone)
        except OverflowError:
            raise fault(f"invalid days: {days}") from None

    def within(self, span: Span, agent: str | None) -> list[Entry]:
        """Return what happened in a span, of one agent or of all."""
        days = set(span.days)
        return [entry for entry in self if agent in (None, entry.agent) and span.day(entry.at) in days]

    def cost(self, params: dict[str, Any], agent: str | None) -> dict[str, Any]:
        """Return the payload of ``usage.cost``."""
        span = self.span(params)
        entries = self.within(span, agent)
        by_day = _grouped(entries, lambda entry: span.day(entry.at))
        daily = [{"date": day, **totals(by_day.get(day, []))} for day in span.days]
        about = {"updatedAt": now_ms(), "days": len(span.days), "daily": daily, "totals": totals(entries)}
        return about | {"cacheStatus": cache_status()}


def sessions_usage(span: Span, entries: list[Entry], rows: dict[str, dict[str, Any]], limit: int) -> dict[str, Any]:
    """Return the payload of ``sessions.usage``: rows up to the limit, totals of all.

    Args:
        span: the days.
        entries: what happened on them.
        rows: the sessions that there are, by key.
        limit: of rows.
    """
    sessions = [
        _session(key, session_id, group, rows.get(key, {}), span)
        for (key, session_id), group in _grouped(entries, lambda entry: (entry.key, entry.session_id)).items()
    ]
    sessions.sort(key=lambda session: session["updatedAt"], reverse=True)
    return {
        "updatedAt": now_ms(),
        "startDate": span.first.isoformat(),
        "endDate": span.last.isoformat(),
        "sessions": sessions[:limit],
        "totals": totals(entries),
        "aggregates": _aggregates(entries, span, len(sessions)),
        "cacheStatus": cache_status(),
    }


def totals(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return tokens and cost: the sums over the messages' own."""
    calls = [entry.message["usage"] for entry in entries if "usage" in entry.message]
    tokens = {kind: sum(call[kind] for call in calls) for kind in KINDS}
    costs = {f"{kind}Cost": sum(call["cost"][kind] for call in calls) for kind in KINDS}
    total = {"totalTokens": sum(tokens.values()), "totalCost": sum(call["cost"]["total"] for call in calls)}
    return {**tokens, **total, **costs, "missingCostEntries": 0}


def cache_status() -> dict[str, Any]:
    """Return that the figures are of now."""
    return {"status": "fresh", "cachedFiles": 0, "pendingFiles": 0, "staleFiles": 0, "refreshedAt": now_ms()}


def counts(entries: Iterable[Entry]) -> dict[str, int]:
    """Return how many messages there are of each kind."""
    messages = [entry.message for entry in entries]
    roles = [message["role"] for message in messages]
    failed = [message for message in messages if message.get("isError") or message.get("stopReason") == "error"]
    people = {"user": roles.count("user"), "assistant": roles.count("assistant")}
    tools = {"toolCalls": len(_tool_names(messages)), "toolResults": roles.count("toolResult")}
    return {"total": sum(people.values()), **people, **tools, "errors": len(failed)}


def by_model(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return calls and totals of each model."""
    calls = [entry for entry in entries if "usage" in entry.message]
    groups = _grouped(calls, lambda entry: (entry.message["provider"], entry.message["model"]))
    return [
        {"provider": provider, "model": model, "count": len(group), "totals": totals(group)}
        for (provider, model), group in groups.items()
    ]


def _session(key: str, session_id: str, group: list[Entry], row: dict[str, Any], span: Span) -> dict[str, Any]:
    first, last = group[0].at, group[-1].at
    times = {"firstActivity": first, "lastActivity": last, "durationMs": last - first}
    messages = {"messageCounts": counts(group), "toolUsage": _tool_usage(group), "modelUsage": by_model(group)}
    usage = {**totals(group), "sessionId": session_id, **times, **messages}
    usage["activityDates"] = sorted({span.day(entry.at) for entry in group})
    about = {name: row[name] for name in ("label", "modelProvider", "model") if row.get(name) is not None}
    ids = {"key": key, "sessionId": session_id, "agentId": group[0].agent, "scope": "instance"}
    return {**ids, "updatedAt": row.get("updatedAt", last), **about, "usage": usage}


def _aggregates(entries: list[Entry], span: Span, sessions: int) -> dict[str, Any]:
    days = sorted(_grouped(entries, lambda entry: span.day(entry.at)).items())
    model_days = [(day, model) for day, group in days for model in by_model(group)]
    return {
        "sessionCount": sessions,
        "messages": counts(entries),
        "tools": _tool_usage(entries),
        "byModel": by_model(entries),
        "byProvider": [
            {"provider": provider, "count": sum("usage" in entry.message for entry in group), "totals": totals(group)}
            for provider, group in _grouped(entries, lambda entry: entry.message.get("provider")).items()
            if provider is not None
        ],
        "byAgent": [
            {"agentId": agent, "totals": totals(group)}
            for agent, group in _grouped(entries, lambda entry: entry.agent).items()
        ],
        "modelDaily": [
            {
                "date": day,
                "provider": model["provider"],
                "model": model["model"],
                "tokens": model["totals"]["totalTokens"],
                "cost": model["totals"]["totalCost"],
                "count": model["count"],
            }
            for day, model in model_days
        ],
        "daily": [{"date": day, **_day(group)} for day, group in days],
    }


def _day(group: list[Entry]) -> dict[str, Any]:
    used, number = totals(group), counts(group)
    about = {"messages": number["total"], "toolCalls": number["toolCalls"], "errors": number["errors"]}
    return {"tokens": used["totalTokens"], "cost": used["totalCost"], **about}


def _tool_usage(entries: Iterable[Entry]) -> dict[str, Any]:
    names = _tool_names(entry.message for entry in entries)
    tools = [{"name": name, "count": names.count(name)} for name in sorted(set(names))]
    return {"totalCalls": len(names), "uniqueTools": len(tools), "tools": tools}


def _tool_names(messages: Iterable[dict[str, Any]]) -> list[str]:
    blocks = (block for message in messages if message["role"] == "assistant" for block in message["content"])
    return [block["name"] for block in blocks if block["type"] == "toolCall"]


def _grouped(entries: Iterable[Entry], key: Callable[[Entry], Hashable]) -> dict[Any, list[Entry]]:
    groups: defaultdict[Any, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups


def _zone(params: dict[str, Any]) -> datetime.tzinfo:
    if params.get("mode") != "specific":
        return datetime.UTC
    if "timeZone" in params:
        try:
            return zoneinfo.ZoneInfo(params["timeZone"])
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise fault(f"invalid timeZone: {params['timeZone']}") from None
    hours, _, minutes = params.get("utcOffset", "UTC+0").removeprefix("UTC").partition(":")
    sign = -1 if hours.startswith("-") else 1
    try:
        return datetime.timezone(datetime.timedelta(hours=int(hours), minutes=sign * int(minutes or 0)))
    except ValueError:  # a day or more
        raise fault(f"invalid utcOffset: {params['utcOffset']}") from None


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise fault(f"invalid date: {text}") from None
