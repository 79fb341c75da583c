"""The live view of an experiment on a bare page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.notebook.widgets.experiment_view import ExperimentView
from tests.helpers.stub import Stub, stub
from tests.helpers.support import until

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202eevil"


@pytest.fixture
def gw() -> Iterator[gnb.Gateway]:
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gateway:
        yield gateway


def long(row: dict[str, Any], answer: str, trace: Any) -> bool:
    return len(answer) > 3


def squares(view: Stub) -> dict[str, int]:
    """How many squares of each state the page was sent last."""
    return {letter: view.widget._posted["squares"].count(letter) for letter in set(view.widget._posted["squares"])}


def test_a_run_from_beginning_to_end(browser: Any, gw: gnb.Gateway, tmp_path: Path) -> None:
    """The view shows what became of the cells as they run, the scores so far, and a cell that is clicked, as text."""
    rows = [{"text": HOSTILE}, {"text": "fail:400"}, {"text": "no"}]
    experiment = gnb.experiment(gw, {"t": "{text}"}, data=rows, repeats=20, scorers=[long], path=tmp_path / "seen")
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, ExperimentView(experiment), folder) as view:
        view.open()
        view.until("document.querySelector('[role=status]').textContent.includes('60 waiting')")
        assert view.page.get_by_role("button", name="Pause: abort runs").is_disabled()
        experiment.run()
        view.until("document.querySelector('[role=status]').textContent.includes('40 ok, 20 failed')")
        assert squares(view) == {"o": 40, "f": 20}
        assert view.page.locator("tbody td").all_inner_texts()[:5] == ["t", "main", "its own", "60", "20"]
        assert view.page.locator("th").last.inner_text() == "long"
        assert view.page.locator("tbody td").last.inner_text() == "0.500"
        view.page.locator("canvas").click(position={"x": 4, "y": 4})
        view.until("document.querySelector('pre')?.textContent.includes('onerror')")
        assert "<img src=x onerror=alert(1)>\\u001b[31m\\u202eevil" in view.page.locator("pre").inner_text()
        assert view.page.locator("img").count() == 0
        for _ in range(20):
            view.page.keyboard.press("ArrowRight")
        view.until("document.querySelector('pre').textContent.includes('HTTP 400')")
        assert "cell 20: t, row 1" in view.page.locator(".gnb-cell strong").inner_text()


@pytest.mark.parametrize(("button", "left"), [("Pause: abort runs", {"aborted"}), ("Pause: wait for runs", {"ok"})])
def test_pausing(browser: Any, gw: gnb.Gateway, tmp_path: Path, button: str, left: set[str]) -> None:
    """A button pauses the experiment: the runs under way are aborted or waited for, and no more begin."""
    experiment = gnb.experiment(
        gw, {"t": "count:15:100"}, data=[{"n": n} for n in range(9)], parallel=2, path=tmp_path / "paused"
    )
    runner = threading.Thread(target=experiment.run)
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, ExperimentView(experiment), folder) as view:
        view.open()
        runner.start()
        try:
            view.until("document.querySelector('[role=status]').textContent.includes('2 running')")
            view.page.get_by_role("button", name=button).click()
            view.until("document.querySelector('[role=status]').textContent.includes('7 waiting')")
            until(lambda: view.pump() or not runner.is_alive())
        finally:
            experiment.stop()
            runner.join()
        assert set(experiment.df["status"]) == {*left, "waiting"}
        view.until("document.querySelector('button').disabled")


def test_many_cells_share_squares(gw: gnb.Gateway, tmp_path: Path) -> None:
    """The view of a large experiment stays small: a square stands for several cells, and shows what matters most."""
    rows = [{"n": n} for n in range(10_000)]
    experiment = gnb.experiment(gw, {"t": "{n}"}, data=rows, path=tmp_path / "large")
    view = ExperimentView(experiment)
    try:
        assert view._describe()["together"] == 3
        assert len(view._describe()["squares"]) == 3_334
        assert "10,000 waiting" in view.text()
    finally:
        view.close()
