"""Tokens and cost: the gateway's totals beside the sums over messages."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gateway_nb.records.steps import Pause
from gateway_nb.records.times import milliseconds, moment
from gateway_nb.records.usage import BYS, read_usage, span_of
from tests.helpers.records import history, message, read, usage

TODAY = dt.datetime.now(dt.UTC)
NOW = TODAY.timestamp() * 1000
PRICES = {"input": 1.0, "output": 2.0, "cacheRead": 0.5, "cacheWrite": 1.0}
TOTALS = {"input": 30, "output": 30, "cacheRead": 30, "cacheWrite": 0, "totalTokens": 90, "totalCost": 0.75}


def gateway(cache: list[dict[str, Any]], total: dict[str, Any] = TOTALS) -> Any:
    """Return a gateway with two priced messages of today and one of 1969, whose totals are as fresh as told."""
    used = [
        message(1, "assistant", provider="p", model="m", usage=usage(10, 0.25), timestamp=NOW),
        message(2, "assistant", provider="p", model="m", usage=usage(20, 0.5), timestamp=NOW),
        message(3, "assistant", provider="p", model="m", usage=usage(99, 9.0), timestamp=-1000),
        message(4, "assistant", provider="p", model="m", usage=usage(99, 9.0), timestamp=1e300),
        message(5, "user", timestamp=NOW),
    ]
    messages = history(used)

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "config.get":
            return {"config": {"models": {"providers": {"p": {"models": [{"id": "m", "cost": PRICES}]}}}}}
        if method not in ("usage.cost", "sessions.usage"):
            return messages(method, params)
        assert params["agentScope"] == "all"
        status = cache.pop(0) if len(cache) > 1 else cache[0]
        by_model = [{"provider": "p", "model": "m", "totals": total}]
        return {
            "daily": [{"date": TODAY.date().isoformat(), **total}],
            "sessions": [{"key": "agent:main:s", "agentId": "main", "usage": total}, {"key": "empty", "usage": None}],
            "aggregates": {"byModel": by_model, "byAgent": [{"agentId": "main", "totals": total}]},
            "cacheStatus": status,
        }

    return answer


FRESH = {"status": "fresh", "refreshedAt": NOW + 1}


@pytest.mark.parametrize("by", BYS)
def test_totals_and_messages_agree(by: Any) -> None:
    """By whatever it is grouped, the gateway's totals stand beside the messages' sums, and the difference is 0."""
    (row,) = read(read_usage(by, "7d"), gateway([FRESH])).to_dict("records")
    assert (row["total_tokens"], row["message_tokens"], row["token_difference"]) == (90, 90, 0)
    assert (row["cost"], row["message_cost"], row["cost_difference"]) == (0.75, 0.75, 0.0)
    assert row["priced_cost"] == pytest.approx((30 * 1 + 30 * 2 + 30 * 0.5) / 1e6, abs=1e-15)
    assert row["fresh"]


@pytest.mark.parametrize("by", BYS)
def test_totals_that_are_wrong(by: Any) -> None:
    """A gateway that tells zeros while there are messages is seen by the difference."""
    (row,) = read(read_usage(by, "7d"), gateway([FRESH], dict.fromkeys(TOTALS, 0))).to_dict("records")
    assert (row["token_difference"], row["cost_difference"]) == (-90, -0.75)


def test_rows_that_the_gateway_left_out() -> None:
    """What only the messages have is a row, too."""
    frame = read(read_usage("model", "7d"), gateway([FRESH], {}))
    assert frame["model"].tolist() == ["m"]
    assert frame["message_tokens"].tolist() == [90]


def test_stale_totals_are_asked_for_again() -> None:
    """Totals that are older than the last message, or being counted, are asked for again, and the waiting says why."""
    pauses: list[Pause] = []
    stale = [{"status": "refreshing"}, {"status": "fresh", "refreshedAt": 5}, {"status": "fresh"}, FRESH]
    assert read(read_usage("day", "7d"), gateway(stale), pauses)["fresh"].tolist() == [True]
    assert len(pauses) == 3
    assert all("waiting for fresh totals" in pause.why for pause in pauses)


def test_figures_of_other_shapes() -> None:
    """Totals and usage of any shape are no error: what is no figure counts as 0."""
    wrong: list[Any] = [
        {"provider": [], "model": {}, "totals": "many", "date": 5, "key": [], "agentId": 1, "usage": []}
    ]
    shapes = {"byModel": wrong, "byAgent": wrong}

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "config.get":
            return {"config": {"models": {"providers": {"p": {"models": [{"id": [], "cost": PRICES}, 5]}, "q": 1}}}}
        if method in ("usage.cost", "sessions.usage"):
            return {"daily": wrong, "sessions": wrong, "aggregates": shapes, "cacheStatus": FRESH}
        used = {"input": "ten", "output": True, "cost": []}
        return history([message(1, "assistant", provider=[], model={}, usage=used, timestamp=NOW)])(method, params)

    for by in BYS:
        assert read(read_usage(by, "7d"), answer)["total_tokens"].sum() == 0


def test_totals_that_stay_stale() -> None:
    """Totals that do not become fresh within two minutes are told as they are, marked."""
    pauses: list[Pause] = []
    frame = read(read_usage("agent", "7d"), gateway([{"status": "refreshing"}]), pauses)
    assert frame["fresh"].tolist() == [False]
    assert sum(pause.seconds for pause in pauses) == 120


def test_totals_of_nothing() -> None:
    """Where there is no message, nothing is waited for; totals of what was deleted are told, marked."""
    pauses: list[Pause] = []
    totals = gateway([{"status": "refreshing"}])

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"sessions": []} if method == "sessions.list" else totals(method, params)

    assert read(read_usage("agent", "7d"), answer, pauses)["fresh"].tolist() == [False]
    assert pauses == []


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        ("7d", None, 7),
        ("1d", None, 1),
        ("2w", None, 14),
        ("2026-11-01", "2026-11-03", 3),
        (dt.date(2026, 1, 1),) * 2 + (1,),
    ],
)
def test_spans(since: Any, until: Any, days: int) -> None:
    """A span is whole days, the first and the last one included."""
    span = span_of(since, until)
    assert (span.last - span.first).days + 1 == days


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("week",), "by must be one of model, day, session, agent"),
        (("model", "soon"), "since must be like '24h', '7d' or '2026-11-26'"),
        (("model", None), "since must be like"),
        (("model", "2026-11-02", "2026-11-01"), "since must not be later than until"),
        (("model", 7), "not 7"),
    ],
)
def test_arguments_that_are_wrong(arguments: Any, words: str) -> None:
    """A wrong argument is refused before anything is sent."""
    with pytest.raises(ValueError, match=words):
        read(read_usage(*arguments), lambda *_: pytest.fail("sent"))


def test_moments() -> None:
    """A time is so long ago, or a date or a time; without a zone it is in UTC."""
    before = dt.datetime.now(dt.UTC)
    day_ago = moment("24h", "since") + dt.timedelta(days=1)
    assert before <= day_ago <= dt.datetime.now(dt.UTC)
    assert moment("2026-11-26T10:00:00+02:00", "since").isoformat() == "2026-11-26T08:00:00+00:00"
    assert milliseconds(dt.datetime(1970, 1, 1, 0, 0, 1), "since") == 1000
    assert milliseconds(None, "since") is None
