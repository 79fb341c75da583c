"""An experiment in a real JupyterLab: its bar, its cells, and a click while the cell that runs it blocks the kernel."""

from __future__ import annotations

import pytest

from tests.helpers.lab import Page

START = """
import gateway_nb as gnb
local = gnb.LocalGateway().start()
gw = gnb.connect(local.url, token=local.token)
def even(row, answer, trace): return row["n"] % 2 == 0
rows = [{"n": n} for n in range(60)]
templates = {"short": "count:3:20 {n}", "long": "count:9:20 {n}"}
exp = gnb.experiment(gw, templates, data=rows, repeats=3, scorers=[even], path="exp/seen")
"""


@pytest.mark.slow
def test_pausing_by_a_click(page: Page) -> None:
    """While the kernel runs the experiment, its view shows the cells; a click pauses it, and the same cell goes on."""
    page.open_cells(START, "exp.grid()", "exp.run()", "exp.run()")
    page.run(0)
    page.run(1)
    view = page.cell(1).locator(".gnb-experiment")
    view.get_by_text("360 waiting").wait_for()
    page.start(2)
    page.cell(2).get_by_text("360 to run, 4 at a time").wait_for()
    view.get_by_text(" running").first.wait_for()
    page.cell(2).get_by_text("of about $").first.wait_for()
    pause = view.get_by_role("button", name="Pause: wait for runs")
    pause.click()
    view.get_by_text("waiting").first.wait_for()
    page.cell(2).get_by_text("<Experiment 'seen'").wait_for()
    view.locator("button:disabled").first.wait_for()
    page.run(3)
    view.get_by_text("seen: 360 ok").wait_for()
    assert view.locator("tbody td").last.inner_text() == "0.500"
