"""Approvals in a real JupyterLab: a click during a cell, the badge on the panel's tab, and no secret saved."""

from __future__ import annotations

import json

import pytest

import gateway_nb as gnb
from tests.helpers.lab import Page
from tests.helpers.real import RealGateway

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


@pytest.mark.slow
def test_a_click_during_a_cell(page: Page) -> None:
    """What a run asks can be allowed and denied while the cell that waits for the run blocks the kernel."""
    path = page.open_cells(START, TABLE, RUNS, PANEL, ASK)
    page.run(0)
    page.run(1)
    view = page.cell(1).locator(".gnb-approvals")
    view.get_by_text("0 waiting").wait_for()
    page.start(2)
    card = view.locator(".gnb-decision")
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


REAL = """
import json, os, uuid
import gateway_nb as gnb
gw = gnb.connect(%r, token=os.environ["TOKEN_FOR_TESTS"])
table = gw.approvals.table()
table
"""
REAL_RUNS = """
def guarded():
    key = f"agent:main:{uuid.uuid4()}"
    gw.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
    return key
for name in ("allowed", "denied", "elsewhere"):
    prompt = 'tool:exec:' + json.dumps({"command": f"echo {name} here"})
    print(f"{name} here" == gw.run(prompt, session=guarded()).result(90).text.strip())
question = {"id": "color", "header": "Color", "question": "Which?", "options": [{"label": "red"}, {"label": "blue"}]}
print("blue" in gw.run("tool:ask_user:" + json.dumps({"questions": [question]}), session=guarded()).result(90).text)
"""


@pytest.mark.slow
def test_the_real_gateway(page: Page, real: RealGateway) -> None:
    """During one cell its runs are allowed and denied by clicks, allowed elsewhere, and get an answer to a question."""
    page.open_cells(
        "from getpass import getpass\nimport os\nos.environ['TOKEN_FOR_TESTS'] = getpass()", REAL % real.url, REAL_RUNS
    )
    page.start(0)
    page.answer(0, real.token)
    page.run(1)
    view = page.cell(1).locator(".gnb-approvals")
    view.get_by_text("0 waiting").wait_for()
    page.start(2)
    card = view.locator(".gnb-decision")
    for command, button, outcome in (
        ("echo allowed here", "Allow once", "allowed"),
        ("echo denied here", "Deny", "denied"),
    ):
        view.locator("[role=option]", has_text=command).click(timeout=90_000)
        card.get_by_text(command, exact=True).wait_for()
        card.get_by_role("button", name=button).click()
        card.get_by_text(f"{outcome} by gateway_nb").wait_for()
    row = view.locator("[role=option]", has_text="echo elsewhere here")
    row.click(timeout=90_000)
    with gnb.connect(real.url, token=real.token, name="elsewhere", client_display_name="somebody else") as other:
        waiting = other.request("exec.approval.list")
        (own,) = [each["id"] for each in waiting if each["request"]["command"] == "echo elsewhere here"]
        other.request("exec.approval.resolve", {"id": own, "decision": "allow-once"})
    card.get_by_text("allowed by somebody else").wait_for()
    view.locator("[role=option]", has_text="Which?").click(timeout=90_000)
    card.get_by_label("blue").check()
    card.get_by_role("button", name="Answer").click()
    card.get_by_text("answered by gateway_nb").wait_for()
    printed = page.cell(2).locator(".jp-OutputArea-output").first
    page.page.wait_for_function("(el) => el.innerText.trim().split('\\n').length === 4", arg=printed.element_handle())
    assert printed.inner_text().split() == ["True", "False", "True", "True"]
