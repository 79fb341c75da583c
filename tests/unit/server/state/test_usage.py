"""Tokens and cost, counted from messages."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from gateway_nb.server.answers import Refusal
from gateway_nb.server.state.models import no_usage, usage_of
from gateway_nb.server.state.usage import Usage, counts, sessions_usage, totals

ROW = {"key": "agent:main:a", "sessionId": "1", "agentId": "main"}
OTHER = {"key": "agent:second:b", "sessionId": "2", "agentId": "second"}


def at(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def message(when: str, prompt: str = "a b", answer: str = "c", **more: Any) -> dict[str, Any]:
    model = {"provider": "local", "model": "m", "usage": usage_of(prompt, answer), "content": []}
    return {"role": "assistant", "timestamp": at(when), **model, **more}


def usage(*messages: tuple[dict[str, Any], dict[str, Any]]) -> Usage:
    counted = Usage()
    for row, message in messages:
        counted.add(row, message)
    return counted


def test_totals_are_sums() -> None:
    """Totals are the sums over the messages' own, also where there are none."""
    both = usage((ROW, message("2026-01-01T00:00Z")), (ROW, message("2026-01-01T00:00Z", "a", "b c d")))
    sums = totals(both)
    assert (sums["input"], sums["output"], sums["totalTokens"]) == (3, 4, 7)
    assert sums["totalCost"] == pytest.approx(sums["inputCost"] + sums["outputCost"])
    assert set(totals([]).values()) == {0}
    assert set(totals([])) == set(sums)


def test_what_is_counted() -> None:
    """Calls of tools, their results and failures are counted beside the messages of people and agents."""
    call = {"type": "toolCall", "id": "1", "name": "sales", "arguments": {}}
    messages = [
        {"role": "user", "timestamp": 0, "content": "hello"},
        message("2026-01-01T00:00Z", content=[call]),
        {"role": "toolResult", "timestamp": 0, "content": [], "isError": True},
        message("2026-01-01T00:00Z", usage=no_usage(), stopReason="error"),
    ]
    expected = {"total": 3, "user": 1, "assistant": 2, "toolCalls": 1, "toolResults": 1, "errors": 2}
    assert counts(usage(*((ROW, each) for each in messages))) == expected


SPANS: list[tuple[dict[str, Any], list[str]]] = [
    ({"startDate": "2026-01-01", "endDate": "2026-01-03"}, ["2026-01-01", "2026-01-02", "2026-01-03"]),
    ({"startDate": "2026-01-03", "endDate": "2026-01-01"}, []),
]


@pytest.mark.parametrize(("params", "days"), SPANS)
def test_days(params: dict[str, Any], days: list[str]) -> None:
    """A span has each of its days, the last one included."""
    assert Usage().span(params).days == days


@pytest.mark.parametrize(("params", "count"), [({}, 30), ({"days": 3}, 3), ({"range": "7d"}, 7), ({"range": "all"}, 1)])
def test_days_until_today(params: dict[str, Any], count: int) -> None:
    """Without dates a span ends today; all of nothing is today."""
    days = Usage().span(params).days
    assert len(days) == count
    assert days[-1] == datetime.datetime.now(datetime.UTC).date().isoformat()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"startDate": "2026-01-01"}, "must be provided together"),
        ({"startDate": "2026-01-01", "endDate": "2026-02-31"}, "invalid date: 2026-02-31"),
        ({"mode": "specific", "timeZone": "Nowhere/Land"}, "invalid timeZone: Nowhere/Land"),
        ({"mode": "specific", "timeZone": "../etc"}, "invalid timeZone"),
        ({"mode": "specific", "utcOffset": "UTC+24"}, r"invalid utcOffset: UTC\+24"),
        ({"days": 10**9}, "invalid days: 1000000000"),
        ({"days": 10**12}, "invalid days: 1000000000000"),
    ],
)
def test_no_span(params: dict[str, Any], words: str) -> None:
    """Half a range, a day or a time zone that is none is refused."""
    with pytest.raises(Refusal, match=words):
        Usage().span(params)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ({}, "2026-01-01"),
        ({"mode": "specific", "timeZone": "Asia/Tokyo"}, "2026-01-02"),
        ({"mode": "specific", "utcOffset": "UTC+5:30"}, "2026-01-02"),
        ({"mode": "specific", "utcOffset": "UTC-5"}, "2026-01-01"),
        ({"timeZone": "Asia/Tokyo"}, "2026-01-01"),
    ],
)
def test_time_zones(zone: dict[str, str], day: str) -> None:
    """A message belongs to the day of the time zone that is asked for."""
    span = Usage().span({"startDate": "2026-01-01", "endDate": "2026-01-02", **zone})
    assert span.day(at("2026-01-01T20:00Z")) == day


def test_sessions_and_agents() -> None:
    """Rows stop at the limit, totals do not; one agent's figures are its own."""
    counted = usage((ROW, message("2026-01-01T00:00Z")), (OTHER, message("2026-01-02T00:00Z")))
    span = counted.span({"startDate": "2026-01-01", "endDate": "2026-01-02"})
    payload = sessions_usage(span, counted.within(span, None), {}, limit=1)
    assert [row["key"] for row in payload["sessions"]] == [OTHER["key"]]
    assert (payload["totals"]["totalTokens"], payload["aggregates"]["sessionCount"]) == (6, 2)
    assert [each["date"] for each in payload["aggregates"]["daily"]] == ["2026-01-01", "2026-01-02"]
    assert [entry.key for entry in counted.within(span, "second")] == [OTHER["key"]]


def test_a_deleted_session_stays_counted() -> None:
    """What a deleted session used is told under its id."""
    counted = usage((ROW, message("2026-01-01T00:00Z")))
    counted.rename(ROW)
    assert [entry.key for entry in counted] == ["agent:main:1"]
