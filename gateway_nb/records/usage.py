"""Tokens and cost: the gateway's totals beside the sums over the messages, which must be the same."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from ..errors import BadArgumentError
from .frames import Book, Column, value_at
from .history import History, about, agent_of
from .inventory import read_prices
from .messages import read_histories
from .paging import rows_of
from .steps import Ask, Pause, Steps
from .times import When, moment

if TYPE_CHECKING:
    import pandas as pd

By: TypeAlias = Literal["model", "day", "session", "agent"]
Prices: TypeAlias = dict[tuple[Any, Any], dict[str, Any]]
KeyOf: TypeAlias = Callable[[str, tuple[str | None, str | None], str], Any]
BYS: tuple[By, ...] = ("model", "day", "session", "agent")
_KINDS = ("input", "output", "cacheRead", "cacheWrite")
_ALL_SESSIONS = 1_000_000
_ATTEMPTS, _PAUSE = 60, 2.0  # so often, so many seconds apart: the gateway's caches need up to a minute
_KEYS = {
    "model": (
        Column("provider", "text", "provider", "the model's provider"),
        Column("model", "text", "model", "the model's id"),
    ),
    "day": (Column("day", "time", "day", "the day, in UTC"),),
    "session": (
        Column("session", "text", "session", "the session's key"),
        Column("agent", "text", "agent", "the agent's id"),
    ),
    "agent": (Column("agent", "text", "agent", "the agent's id"),),
}
_FIGURES = (
    Column("input_tokens", "count", "input", "tokens in that were in no cache"),
    Column("output_tokens", "count", "output", "tokens out"),
    Column("cache_read_tokens", "count", "cacheRead", "tokens in, read from the provider's cache"),
    Column("cache_write_tokens", "count", "cacheWrite", "tokens in, written to the provider's cache"),
    Column("total_tokens", "count", "totalTokens", "the sum of these four"),
    Column("cost", "number", "totalCost", "what it cost, in USD, as the gateway tells it"),
    Column("unpriced_calls", "count", "missingCostEntries", "calls of models without a price, which count as 0 USD"),
    Column("message_tokens", "count", "own.tokens", "tokens of the messages that can be read"),
    Column("message_cost", "number", "own.cost", "what these messages say they cost, in USD"),
    Column("priced_cost", "number", "own.priced", "their tokens at the models' prices of today, in USD"),
    Column("token_difference", "count", "token_difference", "total_tokens less message_tokens"),
    Column("cost_difference", "number", "cost_difference", "cost less message_cost, in USD"),
    Column("fresh", "flag", "fresh", "whether the gateway counted its totals after the last message"),
)
USAGE = {
    by: Book(f"{'usage.cost' if by == 'day' else 'sessions.usage'}, chat.history", (*_KEYS[by], *_FIGURES))
    for by in BYS
}


class Span(NamedTuple):
    """Whole days in UTC, the last one included."""

    first: dt.date
    last: dt.date

    @property
    def params(self) -> dict[str, Any]:
        """What both methods take."""
        return {
            "startDate": self.first.isoformat(),
            "endDate": self.last.isoformat(),
            "mode": "utc",
            "agentScope": "all",
        }

    @property
    def days(self) -> list[str]:
        """Each day as ``YYYY-MM-DD``."""
        count = (self.last - self.first).days + 1
        return [(self.first + dt.timedelta(days=number)).isoformat() for number in range(count)]

    def __contains__(self, day: object) -> bool:
        return isinstance(day, dt.date) and self.first <= day <= self.last


def read_usage(by: By = "model", since: When = "30d", until: When = None) -> Steps[pd.DataFrame]:
    """Read what was used, in whole days of UTC."""
    if by not in BYS:
        raise BadArgumentError(f"by must be one of {', '.join(BYS)}, not {by!r}")
    span = span_of(since, until)
    histories = yield from read_histories(None)
    prices = yield from read_prices()
    rows, fresh = yield from _totals(by, span, newest(histories))
    return USAGE[by].frame(compared(by, rows, own_usage(_OWN_KEYS[by], histories, span, prices), fresh))


def span_of(since: When, until: When) -> Span:
    """Return the days from one time to another; ``"7d"`` are today and the six days before it.

    Raises:
        BadArgumentError: they are no times, or in the wrong order.
    """
    last = (dt.datetime.now(dt.UTC) if until is None else moment(until, "until")).date()
    if since is None:
        raise BadArgumentError("since must be like '7d' or '2026-11-26', a date or a datetime, not None")
    first = moment(since, "since").date()
    if isinstance(since, str) and since.strip().endswith(("d", "w")):
        first += dt.timedelta(days=1)
    if first > last:
        raise BadArgumentError(f"since must not be later than until: {first} is after {last}")
    return Span(first, last)


def newest(histories: Iterable[History]) -> float:
    """Return when the gateway kept the last message, in milliseconds by its own clock."""
    messages = (message for history in histories for message in history.messages)
    return max((_figure(about(message).get("recordTimestampMs")) for message in messages), default=0)


def _totals(by: By, span: Span, since: float) -> Steps[tuple[list[dict[str, Any]], bool]]:
    """Read the gateway's totals; it keeps old ones for a while, so they are asked for until they are new enough."""
    method, path = _SOURCES[by]
    for attempt in range(_ATTEMPTS):
        params = dict(span.params)
        if method == "sessions.usage":  # an answer is kept by its params: these change with the messages
            params["limit"] = _ALL_SESSIONS + (int(since) + attempt) % _ALL_SESSIONS
        payload = yield Ask(method, params)
        status, counted = (value_at(payload, ["cacheStatus", name]) for name in ("status", "refreshedAt"))
        fresh = status == "fresh" and _figure(counted) >= since
        if fresh or not since:  # the totals of nothing never become fresh on some gateways
            break
        what = f"waiting for fresh totals, {attempt * _PAUSE:.0f} s: the gateway's are older than the last message"
        yield Pause(_PAUSE, what)
    *parents, field = path
    return [_row(by, row) for row in rows_of(method, value_at(payload, parents), field)], fresh


_SOURCES: dict[By, tuple[str, tuple[str, ...]]] = {
    "model": ("sessions.usage", ("aggregates", "byModel")),
    "agent": ("sessions.usage", ("aggregates", "byAgent")),
    "session": ("sessions.usage", ("sessions",)),
    "day": ("usage.cost", ("daily",)),
}


def _row(by: By, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of totals with the names of our keys."""
    if by == "day":
        return {**row, "day": _word(row.get("date"))}
    totals = row.get("usage" if by == "session" else "totals")
    fields = {"provider": "provider", "model": "model", "session": "key", "agent": "agentId"}
    return {
        **(totals if isinstance(totals, dict) else {}),
        **{key: _word(row.get(name)) for key, name in fields.items()},
    }


def own_usage(key_of: KeyOf, histories: Iterable[History], span: Span, prices: Prices) -> dict[Any, dict[str, float]]:
    """Return what messages say of their tokens and cost, summed.

    Args:
        key_of: what is summed over: returns it for a session's key, a model with its provider, and a day.
        histories: the sessions' messages.
        span: the days that count.
        prices: USD per 1,000,000 tokens, by provider and model.
    """
    sums: dict[Any, list[tuple[int, float, float]]] = {}
    for history in histories:
        for message in history.messages:
            used, day = message.get("usage"), _day(message.get("timestamp"))
            if isinstance(used, dict) and day in span:
                model = (_word(message.get("provider")), _word(message.get("model")))
                tokens = [_figure(used.get(kind)) for kind in _KINDS]
                price = prices.get(model, {})
                priced = math.fsum(_figure(price.get(kind)) * count for kind, count in zip(_KINDS, tokens, strict=True))
                cost = _figure(value_at(used, ["cost", "total"]))
                key = key_of(history.session, model, str(day))
                sums.setdefault(key, []).append((int(sum(tokens)), cost, priced / 1_000_000))
    return {
        key: {"tokens": sum(t for t, _, _ in group), "cost": math.fsum(c for _, c, _ in group)}
        | {"priced": math.fsum(p for _, _, p in group)}
        for key, group in sums.items()
    }


_OWN_KEYS: dict[By, KeyOf] = {
    "model": lambda session, model, day: model,
    "day": lambda session, model, day: day,
    "session": lambda session, model, day: session,
    "agent": lambda session, model, day: agent_of(session),
}


def compared(by: By, rows: list[dict[str, Any]], own: dict[Any, dict[str, float]], fresh: bool) -> list[dict[str, Any]]:
    """Return the gateway's rows beside our own sums; what only one of them has is a row as well."""
    names = [column.name for column in _KEYS[by]]
    key_of = (lambda row: (row["provider"], row["model"])) if by == "model" else (lambda row: row[names[0]])
    left = dict(own)
    merged = [_compared(row, left.pop(key_of(row), _NOTHING), fresh) for row in rows]
    for key, sums in left.items():
        keys = dict(zip(names, key if by == "model" else (key,), strict=False))
        keys |= {"agent": agent_of(str(key))} if by == "session" else {}
        merged.append(_compared(keys, sums, fresh))
    used = [row for row in merged if by == "day" or row.get("totalTokens") or row["own"]["tokens"]]
    return sorted(used, key=lambda row: str(row["day"])) if by == "day" else sorted(used, key=_most_first)


_NOTHING = {"tokens": 0, "cost": 0.0, "priced": 0.0}


def _most_first(row: dict[str, Any]) -> float:
    return -float(max(_figure(row.get("totalCost")), row["own"]["cost"]))


def _compared(row: dict[str, Any], own: dict[str, float], fresh: bool) -> dict[str, Any]:
    tokens, cost = _figure(row.get("totalTokens")), _figure(row.get("totalCost"))
    figures = {"own": own, "token_difference": int(tokens) - int(own["tokens"]), "cost_difference": cost - own["cost"]}
    kept = {name: row.get(name, 0) for name in (*_KINDS, "totalTokens", "totalCost", "missingCostEntries")}
    keys = {name: row.get(name) for name in ("provider", "model", "day", "session", "agent")}
    return {**kept, **keys, **figures, "fresh": fresh}


def _figure(value: Any) -> Any:
    return value if type(value) in (int, float) and math.isfinite(value) else 0


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _day(timestamp: Any) -> dt.date | None:
    try:
        return dt.datetime.fromtimestamp(timestamp / 1000, dt.UTC).date()
    except (TypeError, ValueError, OverflowError, OSError):
        return None
