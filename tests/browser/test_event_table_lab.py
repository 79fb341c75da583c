"""The live table in a real JupyterLab."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.lab import Page
from tests.helpers.support import until

START = """
import time
import gateway_nb as gnb
local = gnb.LocalGateway(token="a-token-of-a-test").start()
gw = gnb.connect(local.url, token=local.token)

def emit(count, pause=0.0, each=100):
    before = len(gw.events)
    for number in range(count):
        text = f'"n":{number}, ' + "x" * 80
        local.emit("agent", {"runId": f"r{number % 50}", "data": {"n": number, "text": text}})
        if pause and number % each == each - 1:
            time.sleep(pause)
    while len(gw.events) < before + count:
        time.sleep(0.01)
"""
ROWS = ".gnb-rows .gnb-row"


def rows(page: Page, cell: int, text: str) -> None:
    """Wait until a cell's table shows this."""
    page.cell(cell).locator(ROWS, has_text=text).first.wait_for(timeout=30_000)


def comms(page: Page) -> int:
    """Return how many widgets the kernel holds."""
    ask = """async () => {
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        return Object.keys((await kernel.requestCommInfo({})).content.comms).length;
    }"""
    return int(page.page.evaluate(ask))


@pytest.mark.slow
def test_a_saved_notebook_stays_small(page: Page) -> None:
    """Two tables of 100,000 events, saved with their state, make at most 60 KB, and live again after a reload."""
    path = page.open_cells(START, "emit(100_000)", "gw.table()", "gw.table()")
    page.run_all()
    rows(page, 2, '"n":99999')
    rows(page, 3, '"n":99999')
    saved = page.save(path)
    assert path.stat().st_size <= 60 * 1024
    assert "widgets" in saved["metadata"]
    widget, picture = [output["data"] for output in saved["cells"][2]["outputs"]]
    assert "".join(widget["text/plain"]) == "<EventTable default>"
    assert "100,001 rows" in "".join(picture["text/html"])
    assert "a-token-of-a-test" not in json.dumps([saved["metadata"], [cell["outputs"] for cell in saved["cells"]]])
    page.go_to(path)
    page.cell(2).scroll_into_view_if_needed()
    rows(page, 2, '"n":99999')


@pytest.mark.slow
def test_enter_adds_a_column(page: Page) -> None:
    """Enter in the table's fields is the table's: a path becomes a column, and the notebook stays as it is."""
    page.open_cells(START, "emit(50); gw.table()")
    page.run_all()
    rows(page, 1, '"n":49')
    table = page.cell(1)
    table.get_by_text("More filters").click()
    table.get_by_label("Column ").focus()
    table.locator("datalist option").first.wait_for(state="attached")
    assert table.locator("datalist option").evaluate_all("all => all.map((option) => option.value)") == [
        "runId",
        "data.n",
        "data.text",
        "bootId",
    ]
    table.get_by_label("Column ").fill("data.n")
    table.get_by_label("Column ").press("Enter")
    table.locator(".gnb-rows [data-column='data.n']", has_text="49").wait_for()
    assert page.page.locator(".jp-CodeCell").count() == 2


@pytest.mark.slow
def test_a_picture(page: Page) -> None:
    """While the table is live its picture is hidden; saved, and with its kernel gone, the picture is seen."""
    path = page.open_cells(START, "emit(50); gw.table()")
    page.run_all()
    rows(page, 1, '"n":49')
    picture = page.cell(1).get_by_text("51 rows, the newest 10 of them")
    picture.wait_for(state="hidden")
    assert page.cell(1).locator(".jp-OutputArea-child:visible").count() == 1
    page.save(path)
    page.command("kernelmenu:shutdown")
    page.go_to(path)
    picture.wait_for()
    assert page.cell(1).locator(".gnb").is_hidden()


@pytest.mark.slow
def test_a_life_of_a_table(page: Page) -> None:
    """A cell run again, a closed widget, a closed connection, a restarted kernel: no error, and nothing left over."""
    page.open_cells(
        START, "emit(50); table = gw.table(); table", "gw.close()", "table.close()", "sum(table.df['kind'] == 'event')"
    )
    for number in (0, 1):
        page.run(number)
    rows(page, 1, '"n":49')
    held = comms(page)
    for _ in range(3):
        page.run(1)
    rows(page, 1, '"n":49')
    until(lambda: comms(page) == held, 30)
    page.run(2)
    page.cell(1).get_by_text("closed", exact=False).first.wait_for()
    page.run(3)
    page.run(4)
    assert page.cell(4).inner_text().strip().endswith("200")
    page.command("notebook:run-all-cells")
    page.restart_kernel()
    page.run(0)
    page.run(1)
    rows(page, 1, '"n":49')
    page.restart_kernel()
    dead = page.cell(1)
    dead.get_by_role("button", name="Pause").click()
    dead.get_by_label("Search").fill('"n":4')
    dead.locator(".gnb-summary", has_text="rows that are here").wait_for()
    dead.locator(".gnb-view").press("d")
    dead.locator(".gnb-view").press("d")
    dead.get_by_role("button", name="Resume").press("d")
    dead.get_by_role("button", name="Resume").press("d")
    dead.locator(ROWS).first.click()
    page.page.wait_for_timeout(5000)  # longer than a view takes to say that it is there
    assert page.page.locator(".jp-CodeCell").count() == 5


def test_live(page: Page) -> None:
    """At 2,000 events a second every one is in the log, and the browser hears at most twelve messages a second."""
    heard: list[float] = []

    def listen(socket: Any) -> None:
        socket.on("framereceived", lambda data: heard.append(1.0) if b"comm_msg" in _bytes(data) else None)

    page.page.on("websocket", listen)
    page.open_cells(
        START,
        "gw.table()",
        "began = time.time(); emit(8000, 0.05); print(round(time.time() - began, 2), gw.events.stats.events)",
    )
    page.run(0)
    page.run(1)
    page.cell(1).locator(".gnb-view").wait_for()
    heard.clear()
    page.run(2)
    rows(page, 1, '"n":7999')
    seconds, events = page.cell(2).locator(".jp-OutputArea-output").inner_text().split(maxsplit=1)
    assert events.strip() == "{'agent': 8000}"
    assert len(heard) <= 12 * (float(seconds) + 1)


@pytest.mark.slow
def test_during_a_cell(page: Page) -> None:
    """While a cell runs, the table goes on, and a click is answered before the cell has ended."""
    page.open_cells(
        START, "emit(200); gw.table()", "import threading; stop = threading.Event(); emit(5); stop.wait(60)"
    )
    page.run(0)
    page.run(1)
    rows(page, 1, '"n":199')
    page.start(2)
    rows(page, 1, '"n":4,')
    page.cell(1).locator(ROWS).first.click()
    page.cell(1).locator(".gnb-inspector .gnb-tree details").first.wait_for(timeout=20_000)
    page.cell(1).locator(".gnb-view").press("Home")
    rows(page, 1, '"n":0,')
    assert "[*]" in page.cell(2).inner_text()
    page.command("notebook:interrupt-kernel")


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()
