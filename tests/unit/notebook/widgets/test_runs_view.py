"""The panel's tab of runs: a click on one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_nb.errors import BadArgumentError
from gateway_nb.notebook.widgets.runs_view import RunsView
from tests.helpers.heard import Heard
from tests.helpers.runs import log_of, whole_run

LONG = "r" * 900


@pytest.fixture
def chosen() -> list[str]:
    return []


@pytest.fixture
def runs(chosen: list[str]) -> Iterator[Heard]:
    def choose(run: str) -> None:
        chosen.append(run)
        if run == "gone":
            raise BadArgumentError("its rows are gone")

    log = log_of([*whole_run("one"), *whole_run(LONG), *whole_run("gone")])
    view = Heard(RunsView(log, "test", choose))
    view.say("open")
    yield view
    view.widget.close()


def test_a_click(runs: Heard, chosen: list[str]) -> None:
    """A run is chosen by its whole id, of which a browser gets the beginning; why one can't be shown is said."""
    rows = {row["run"]: row["id"] for row in runs.of("runs")[-1]}
    for name in ("one", LONG[:80], "gone"):
        runs.say("choose", run=rows[name])
    assert chosen == ["one", LONG, "gone"]
    assert runs.of("problem") == ["its rows are gone"]


@pytest.mark.parametrize("run", [None, "one", 5, [], {}])
def test_no_run(runs: Heard, chosen: list[str], run: object) -> None:
    """What is no run of the list chooses nothing."""
    runs.say("choose", run=run)
    assert chosen == runs.of("problem") == []
