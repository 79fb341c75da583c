"""Pictures of records."""

from __future__ import annotations

import datetime as dt

import pytest

from gateway_nb.records.plots import read_cost
from tests.helpers.records import history, message, read, usage

NOW = dt.datetime.now(dt.UTC).timestamp() * 1000
HOSTILE = "<script>x</script>"


@pytest.mark.long
def test_cost() -> None:
    """What was spent is drawn by day and model, with the days on which nothing was, and says how much it is."""
    used = [
        message(1, "assistant", model="mock-1", usage=usage(10, 0.25), timestamp=NOW),
        message(2, "assistant", model=HOSTILE, usage=usage(10, 0.5), timestamp=NOW),
        message(3, "assistant", model="mock-1", usage=usage(10, 9.0), timestamp=NOW - 30 * 86_400_000),
    ]
    plot = read(read_cost("7d", None), history(used))
    assert repr(plot) == "<Plot cost by day and model: 0.75 USD>"
    assert "mock-1" in plot.svg
    assert HOSTILE not in plot.svg
    days = [dt.datetime.fromtimestamp(NOW / 1000, dt.UTC).date() - dt.timedelta(days=ago) for ago in range(7)]
    assert not [day for day in days if day.isoformat() not in plot.svg]


@pytest.mark.long
def test_nothing_spent() -> None:
    """Where nothing was spent the picture is empty, not an error."""
    plot = read(read_cost("2d", None), history([]))
    assert repr(plot) == "<Plot cost by day and model: 0 USD>"
    assert plot.svg.startswith("<svg")
