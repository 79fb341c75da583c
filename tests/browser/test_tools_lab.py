"""Tools in a real JupyterLab: the card, a click during a cell, and no secret in the notebook."""

from __future__ import annotations

import json

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
