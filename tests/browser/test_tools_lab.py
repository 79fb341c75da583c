"""Tools in a real JupyterLab: the card, a click during a cell, and no secret in the notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.helpers.lab import Page

START = """
import gateway_nb as gnb
TOKEN = "-".join(["horse", "battery", "staple", "correct"])
local = gnb.LocalGateway(token=TOKEN).start()
gw = gnb.connect(local.url, token=TOKEN)
"""
TOOL = '''
@gw.tool(confirm=True)
def delete(number: int) -> str:
    """Delete a row."""
    print("deleting", number, TOKEN)
    return f"row {number} is gone <b>for ever</b>"
'''
CALLS = """
gw.tools.approve()
for number in (1, 2):
    call = gw.submit("tools.invoke", {"name": "delete", "args": {"number": number}})
    print(call.result(60)["output"]["content"][0]["text"])
"""


@pytest.mark.slow
def test_a_click_during_a_cell(page: Page) -> None:
    """The card says what to approve; Allow and Deny work while the cell that waits for the call blocks the kernel."""
    path = page.open_cells(START, TOOL, CALLS, "gw.tools")
    page.run(0)
    page.run(1)
    card = page.cell(1).locator(".gnb-tools")
    card.get_by_text("run gw.tools.approve() here").wait_for()
    page.start(2)
    waiting = card.locator(".gnb-decision")
    waiting.get_by_text('delete({"number":1})').wait_for()
    assert "asked by agent:main:main" in waiting.inner_text()
    waiting.get_by_role("button", name="Allow").click()
    waiting.get_by_text('delete({"number":2})').wait_for()
    waiting.get_by_role("button", name="Deny").click()
    printed = page.cell(2).locator(".jp-OutputArea-output")
    printed.get_by_text("the user did not allow this call").wait_for()
    assert printed.first.inner_text().splitlines() == [
        "row 1 is gone <b>for ever</b>",
        "delete: the user did not allow this call",
    ]
    page.run(3)
    rows = page.cell(3).locator(".gnb-calls details")
    rows.nth(1).wait_for()
    assert "denied" in rows.nth(0).inner_text()
    rows.nth(1).locator("summary").click()
    shown = rows.nth(1).inner_text()
    assert "1 · delete · ok" in shown
    assert "row 1 is gone <b>for ever</b>" in shown
    assert "deleting 1" in shown
    saved = json.dumps(page.save(path))
    assert "horse-battery-staple-correct" not in saved + shown


THEMES = ("JupyterLab Light", "JupyterLab Dark")
HOSTILE = "<img src=http://x.invalid/a onerror=alert(1)> ![p](http://x.invalid/p)"
ANSWER = f"""# Sales

| shop | sold |
|---|---|
| a | **3** |

It costs $5, not $6. {HOSTILE}

```python
def total(frame):  # of all shops
    return frame["sold"].sum()
```"""


def picture(page: Page, cell: int, folder: Path, name: str) -> None:
    """Keep a picture of a cell in both themes, for whoever wants to look."""
    for theme in THEMES:
        page.command("apputils:change-theme", theme=theme)
        page.page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
        page.cell(cell).scroll_into_view_if_needed()
        (folder / f"{name}-{theme.rpartition(' ')[2]}.png").write_bytes(page.cell(cell).screenshot())


@pytest.mark.slow
def test_the_panels_tab(page: Page, tmp_path: Path) -> None:
    """The panel's tab follows the tools: none, one that waits for a click, then the calls with arguments and answer."""
    page.open_cells(
        START + "panel = gw.panel()\npanel.selected_index = panel.titles.index('Tools')\npanel", TOOL, CALLS
    )
    page.run(0)
    tab = page.cell(0).locator(".gnb-tools")
    tab.get_by_text("No tools; @gw.tool offers a function to agents").wait_for()
    page.run(1)
    tab.get_by_text("Tools: delete").wait_for()
    page.start(2)
    tab.get_by_text('delete({"number":1})').wait_for()
    tab.get_by_role("button", name="Allow").click()
    tab.get_by_text('delete({"number":2})').wait_for()
    picture(page, 0, tmp_path, "tab-waiting")
    tab.get_by_role("button", name="Deny").click()
    page.cell(2).get_by_text("the user did not allow this call").wait_for()
    done = tab.locator("details", has_text="1 · delete · ok")
    done.locator("summary").click()
    assert re.search(r'Arguments\s+{"number":1}\s+Answer\s+row 1 is gone <b>for ever</b>', done.inner_text())
    picture(page, 0, tmp_path, "tab")


@pytest.mark.slow
def test_an_answer_in_a_cell(page: Page, tmp_path: Path) -> None:
    """%%agent shows Markdown with coloured code, loads nothing that it names, and stays in the saved notebook."""
    setup = START + TOOL.replace("confirm=True", "") + "gw.tools.approve()\n%load_ext gateway_nb"
    path = page.open_cells(
        setup,
        f"%%agent --session agent:main:lab\necho:{ANSWER}",
        '%%agent --session agent:main:lab\ntool:delete:{"number": 7}',
        "%%agent --session agent:main:lab\ncount:1000:50",
    )
    for number in (0, 1, 2):
        page.run(number)
    answer = page.cell(1).locator(".gnb-markdown")
    assert answer.locator("h1").inner_text() == "Sales"
    assert answer.locator("td strong").inner_text() == "3"
    assert "It costs $5, not $6. <img src=http://x.invalid/a onerror=alert(1)> !p" in answer.inner_text()
    assert answer.locator("img, script, mjx-container").count() == 0
    colours = answer.locator("code span").evaluate_all("spans => spans.map((span) => getComputedStyle(span).color)")
    assert len(set(colours)) > 3
    picture(page, 1, tmp_path, "answer")
    call = page.cell(2).locator("details")
    call.locator("summary").click()
    assert "row 7 is gone <b>for ever</b>" in call.inner_text()
    picture(page, 2, tmp_path, "call")
    page.start(3)
    page.cell(3).get_by_text("1 2 3").wait_for()
    page.command("notebook:interrupt-kernel")
    page.cell(3).get_by_text("the gateway aborted the run").first.wait_for()
    saved = json.dumps(page.save(path))
    assert "horse-battery-staple-correct" not in saved
    assert "<h1>Sales</h1>" in saved
    page.go_to(path)
    assert page.cell(1).locator(".gnb-markdown h1").inner_text() == "Sales"
