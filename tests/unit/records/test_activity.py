"""What happened in the gateway: log lines, and what an inventory is made of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_nb.errors import GatewayRequestError
from gateway_nb.records.activity import read_audit, read_logs
from gateway_nb.records.inventory import read_approvals, read_models, read_tools
from tests.helpers.records import read

LINE = json.dumps({"time": "2026-11-26T10:00:00.000+01:00", "_meta": {"logLevelName": "WARN"}, "message": "late"})


def test_log_lines() -> None:
    """A line's time, level and text are columns; one that is not JSON is a text."""
    payload = {"lines": [LINE, "plain \x1b[31m", "5", 7], "truncated": True, "size": 3}
    logs = read(read_logs(3), lambda *_: payload)
    assert logs["level"].tolist()[:1] == ["WARN"]
    assert logs["time"].iloc[0].isoformat() == "2026-11-26T09:00:00+00:00"
    assert logs["message"].tolist() == ["late", "plain \x1b[31m", "5"]


def test_lines_that_are_left_out() -> None:
    """Where the gateway has more than it tells, the first row says so."""
    payload = {"lines": [LINE], "truncated": True, "size": 2_000_000}
    logs = read(read_logs(10), lambda *_: payload)
    assert logs["level"].tolist() == ["CUT", "WARN"]
    assert (
        logs["message"].iloc[0] == "older lines are left out: the gateway tells the newest 1,000,000 bytes of 2,000,000"
    )


@pytest.mark.parametrize("payload", [None, {}, {"lines": "text"}])
def test_logs_of_another_shape(payload: Any) -> None:
    """An answer without lines is an error that names the method."""
    with pytest.raises(GatewayRequestError, match=r"logs\.tail: the answer has no list 'lines'"):
        read(read_logs(), lambda *_: payload)


def test_what_the_audit_log_is_asked() -> None:
    """Only what was said is asked for, times in milliseconds."""
    asked: list[dict[str, Any]] = []

    def answer(method: str, params: dict[str, Any]) -> Any:
        asked.append(params)
        return {"events": []}

    read(read_audit(session="s", since="1970-01-02", limit=5), answer)
    assert asked == [{"sessionKey": "s", "after": 86_400_000, "limit": 5}]


def test_models_without_prices() -> None:
    """A model that the configuration does not name has no price."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"models": [{"id": "m", "provider": "p"}]} if method == "models.list" else {"config": None}

    assert read(read_models(), answer)["input_price"].isna().tolist() == [True]


def test_tools_of_another_shape() -> None:
    """A group of tools without tools is an error, not a shorter list."""
    with pytest.raises(GatewayRequestError, match="the answer has no list of objects 'tools'"):
        read(read_tools(), lambda *_: {"groups": [{"id": "g"}]})


def test_enough_approvals() -> None:
    """Where enough approvals wait, the others are not asked for."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        assert method != "approval.history"
        return [{"id": method, "request": {"command": "ls"}, "createdAtMs": 5}]

    approvals = read(read_approvals(2), answer)
    assert approvals["kind"].tolist() == ["exec", "plugin"]
    assert approvals["status"].tolist() == ["pending", "pending"]
