"""Approvals in a real JupyterLab: a click during a cell, the badge on the panel's tab, and no secret saved."""

from __future__ import annotations

import json

from tests.helpers.lab import Page

START = """
import uuid, warnings
import gateway_nb as gnb
TOKEN = "-".join(["horse", "battery", "staple", "correct"])
local = gnb.LocalGateway(token=TOKEN).start()
gw = gnb.connect(local.url, token=TOKEN)
keys = ["agent:main:first", "agent:main:second"]
for key in keys:
    gw.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
"""
TABLE = "%load_ext gateway_nb\n%gateway approvals"
RUNS = """
for key, command in zip(keys, ["echo hi there", "echo " + TOKEN]):
    answer = gw.run('tool:exec:{"command": "%s"}' % command, session=key).result(60).text
    print("the run went on:", "denied" in answer)
"""
PANEL = "panel = gw.panel()\npanel"
ASK = """
gw.submit("exec.approval.request", {"command": "echo badge", "sessionKey": "agent:main:x", "agentId": "main",
                                    "timeoutMs": 60000, "twoPhase": True}, expect_final=True)
None
"""


def test_a_click_during_a_cell(page: Page) -> None:
    """What a run asks can be allowed and denied while the cell that waits for the run blocks the kernel."""
    path = page.open_cells(START, TABLE, RUNS, PANEL, ASK)
    page.run(0)
    page.run(1)
    view = page.cell(1).locator(".gnb-approvals")
    view.get_by_text("0 waiting").wait_for()
    page.start(2)
    card = view.locator(".gnb-card")
    card.get_by_text("echo hi there").wait_for()
    view.get_by_text("session agent:main:first").wait_for()
    card.get_by_role("button", name="Allow once").click()  # waits until it can be pressed
    card.get_by_text("allowed by gateway_nb").wait_for()
    second = view.locator("[role=option]", has_text="agent:main:second")
    second.click()
    card.get_by_text("echo [secret]").wait_for()
    card.get_by_role("button", name="Deny").click()
    card.get_by_text("denied by gateway_nb").wait_for()
    printed = page.cell(2).locator(".jp-OutputArea-output").first
    page.page.wait_for_function("(el) => el.innerText.trim().split('\\n').length === 2", arg=printed.element_handle())
    assert printed.inner_text().split("\n")[:2] == ["the run went on: False", "the run went on: True"]

    page.run(3)
    tab = page.cell(3).locator(".lm-TabBar-tabLabel", has_text="Approvals")
    tab.wait_for()
    assert tab.inner_text() == "Approvals"
    page.run(4)
    page.cell(3).locator(".lm-TabBar-tabLabel", has_text="Approvals (1)").wait_for()
    tab.click()
    page.cell(3).locator(".gnb-approvals").get_by_role("button", name="Deny").click()
    page.page.wait_for_function("(el) => el.innerText === 'Approvals'", arg=tab.element_handle())
    assert "horse-battery-staple-correct" not in json.dumps(page.save(path))
