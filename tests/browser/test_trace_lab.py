"""A trace in a real JupyterLab: live, saved and reopened, in both themes, in the panel."""

from __future__ import annotations

import json
import re
from pathlib import Path

from nbconvert import HTMLExporter

from tests.helpers.lab import Lab, Page

START = """
import gateway_nb as gnb
TOKEN = "-".join(["horse", "battery", "staple", "correct"])
local = gnb.LocalGateway(token=TOKEN).start()
gw = gnb.connect(local.url, token=TOKEN, caps=["tool-events"])
"""
TOOL = '''
@gw.tool
def sales(month: int) -> str:
    """Fetch a month's sales."""
    if month > 12:
        raise ValueError("there are 12 months")
    return f"{month} <b>units</b> " + TOKEN

gw.tools.approve()
'''
RUN = """
run = gw.run('Look.\\ntool:sales:{"month": 3}\\ntool:sales:{"month": 13}')
text = run.result(60).text
"""
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "11-traces.ipynb"
THEMES = ("JupyterLab Light", "JupyterLab Dark")


def picture(page: Page, cell: int, folder: Path, name: str) -> None:
    """Keep a picture of a cell in both themes, for whoever wants to look."""
    for theme in THEMES:
        page.command("apputils:change-theme", theme=theme)
        page.page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
        page.page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.cell(cell).scroll_into_view_if_needed()
        (folder / f"{name}-{theme.rpartition(' ')[2]}.png").write_bytes(page.cell(cell).screenshot())


def test_live_saved_and_reopened(page: Page, lab: Lab, tmp_path: Path) -> None:
    """A live view hides the picture; saved and reopened, or converted without a network, the picture is there."""
    path = page.open_cells(START, TOOL, RUN, "gw.events.trace(run)")
    for number in (0, 1, 2, 3):
        page.run(number)
    view = page.cell(3).locator(".gnb-trace")
    rows = view.get_by_role("treeitem")
    rows.nth(5).wait_for()
    page.cell(3).locator(".jp-RenderedSVG").wait_for(state="hidden")
    rows.filter(has_text="✕ sales").click()
    view.get_by_text("there are 12 months").wait_for()
    picture(page, 3, tmp_path, "live")
    rows.filter(has_text="sales").first.click()
    view.get_by_text("3 <b>units</b> [secret]").wait_for()
    saved = page.save(path)
    svg = "".join(saved["cells"][3]["outputs"][1]["data"]["image/svg+xml"])
    assert svg.count("<g>") == 6
    assert "units" not in svg
    assert "horse-battery-staple-correct" not in json.dumps(saved)
    page.command("kernelmenu:shutdown")
    page.go_to(path)
    page.cell(3).locator(".jp-RenderedSVG img").wait_for(state="visible")
    picture(page, 3, tmp_path, "reopened")
    html, _ = HTMLExporter(template_name="lab").from_filename(str(lab.folder / path.name))
    image = re.search(r'<img[^>]+src="?data:image/svg\+xml;base64,[^>]+>', html)
    assert image is not None
    page.page.goto("about:blank")
    page.page.set_content(image[0])
    page.page.wait_for_function("document.querySelector('img').naturalWidth === 780")
    (tmp_path / "converted.png").write_bytes(page.page.screenshot())


def test_it_grows(page: Page) -> None:
    """A trace that is shown while its run goes on grows in the cell, and so does the picture that is saved."""
    path = page.open_cells(
        START, 'run = gw.run("count:1000:50")\nfor piece in run: break\ngw.events.trace(run)', "run.abort()"
    )
    page.run(0)
    page.run(1)
    view = page.cell(1).locator(".gnb-trace")
    view.get_by_text("live", exact=True).wait_for()
    page.run(2)
    view.locator(".gnb-title", has_text="aborted").wait_for()
    page.page.wait_for_function("!document.querySelector('.gnb-trace .gnb-note').textContent.includes('live')")
    saved = page.save(path)
    _, output = saved["cells"][1]["outputs"]
    assert ": aborted, " in "".join(output["data"]["text/plain"])


def test_in_the_panel(page: Page, tmp_path: Path) -> None:
    """A click on a run in the panel shows its trace below the runs."""
    page.open_cells(START, TOOL, "panel = gw.panel()\npanel.selected_index = panel.titles.index('Runs')\npanel", RUN)
    for number in (0, 1, 2, 3):
        page.run(number)
    panel = page.cell(2)
    assert panel.locator(".gnb-trace").get_by_role("tree").is_hidden()
    panel.locator(".gnb-runs tbody").get_by_role("button").click()
    panel.get_by_role("treeitem").nth(5).wait_for()
    assert panel.get_by_role("treeitem").filter(has_text="✕ sales").count() == 1
    picture(page, 2, tmp_path, "panel")


def test_a_notebook_of_somebody_else(page: Page, tmp_path: Path) -> None:
    """JupyterLab shows no SVG of a notebook that it does not trust: there a trace is text."""
    page.open(NOTEBOOK)
    cell = page.page.locator(".jp-CodeCell", has_text="run.trace()").first
    text = cell.locator(".jp-OutputArea-child pre", has_text="✕ sales")
    text.wait_for()
    assert "█" in text.inner_text()
    assert cell.locator(".jp-RenderedSVG img, .gnb").count() == 0
    (tmp_path / "untrusted.png").write_bytes(cell.screenshot())
