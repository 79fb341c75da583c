"""The panel's tabs on a bare page: status, requests, runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.notebook.magics.grammar import parse_cell, parse_line
from gateway_nb.notebook.widgets.panel import Panel
from gateway_nb.notebook.widgets.request_box import RequestBox
from gateway_nb.notebook.widgets.runs_view import RunsView
from gateway_nb.notebook.widgets.status_view import StatusView
from tests.helpers.events import event
from tests.helpers.stub import Stub, stub
from tests.helpers.support import until

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture
def gw(local: gnb.LocalGateway) -> Iterator[gnb.Gateway]:
    with gnb.connect(local.url, token=local.token) as gateway:
        yield gateway


@pytest.fixture
def request_box(browser: Any, gw: gnb.Gateway, tmp_path: Path) -> Iterator[Stub]:
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, RequestBox(gw), folder) as page:
        page.open()
        page.until("document.querySelector('.gnb-pick option')")
        yield page


def answered(page: Stub, text: str) -> None:
    page.until(f"document.querySelector('.gnb-note').textContent.includes({text!r})")


def test_status(browser: Any, gw: gnb.Gateway, local: gnb.LocalGateway, tmp_path: Path) -> None:
    """The status follows the connection: server, counters, gaps, a lost line, the log."""
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, StatusView(gw), folder) as page:
        page.open()
        page.until("document.querySelector('.gnb-status')?.dataset.state === 'connected'")
        assert "protocol 4" in page.text()
        local.emit("tick", {})
        until(lambda: "tick" in gw.events.stats.events)
        local.skip(3)
        for number in range(5):
            local.emit("tick", {"n": number})
        page.until("document.body.textContent.includes('3 events missed')")
        local.drop()
        page.until("document.body.textContent.includes('Reconnects1')", 30)
        page.until("document.querySelector('.gnb-status').dataset.state === 'connected'")
        page.page.get_by_text("Log", exact=True).click()
        assert "missed 3 events" in page.text("pre")
        gw.close()
        page.until("document.querySelector('.gnb-status').dataset.state === 'closed'")


def test_params_by_name(request_box: Stub) -> None:
    """The params that are known of a method are there to be picked; what looks wrong is said while one types."""
    page = request_box.page
    page.get_by_label("Method", exact=True).fill("sessions.patch")
    request_box.until("document.querySelector('[role=group] button')")
    names = page.get_by_role("group", name="What it takes")
    names.get_by_role("button", name="key *").click()
    names.get_by_role("button", name="label", exact=True).click()
    params = page.get_by_label("Params", exact=True)
    assert json.loads(params.input_value()) == {"key": "", "label": ""}
    names.get_by_role("button", name="label", exact=True).click()
    params.fill('{"n": 12345678901234567890, "labell": "x"}')
    request_box.until("document.querySelector('.gnb-warning').textContent.includes('did you mean label?')")
    names.get_by_role("button", name="key *").click()
    assert params.input_value() == '{"n": 12345678901234567890, "labell": "x", "key": ""}'
    page.get_by_text("About this method").click()
    assert "key: string (required)" in request_box.text("pre")
    page.get_by_label("Method", exact=True).fill(HOSTILE)
    request_box.until("document.querySelector('pre').textContent.includes('the table of methods has no')")


def test_a_request(request_box: Stub) -> None:
    """A method is found, called with checked params, and shown as a tree; the history calls it again."""
    page = request_box.page
    page.get_by_placeholder("find a method").fill("sessions.l")
    page.get_by_label("Methods").select_option("sessions.list")
    params = page.get_by_label("Params")
    params.fill('{"limit": }')
    request_box.until("document.querySelector('.gnb-warning').textContent.includes('(line 1, column 11)')")
    assert page.get_by_role("button", name="Send", exact=True).is_disabled()
    params.fill("[1]")
    request_box.until("document.querySelector('.gnb-warning').textContent.includes('params are a mapping')")
    params.fill('{"limit": 5}')
    request_box.until("!document.querySelector('[type=submit]').disabled")
    page.get_by_role("button", name="Send").click()
    answered(request_box, "sessions.list · ")
    request_box.until("document.querySelector('.gnb-tree details')")
    assert "limitApplied" in request_box.text(".gnb-tree")
    params.fill("")
    request_box.until("document.querySelectorAll('[aria-label=\"Called before\"] option').length === 2")
    page.get_by_label("Called before").select_option(index=1)
    assert params.input_value() == '{"limit": 5}'


def test_yaml(request_box: Stub) -> None:
    """Params are YAML or JSON, as in a cell; one that is picked is added in the same way; a dollar is a dollar."""
    page = request_box.page
    page.get_by_label("Method", exact=True).fill("sessions.patch")
    params = page.get_by_label("Params")
    params.fill("# a comment\nkey: agent:main:x\nlabell: $5")
    request_box.until("document.querySelector('.gnb-warning').textContent.includes('did you mean label?')")
    names = page.get_by_role("group", name="What it takes")
    names.get_by_role("button", name="key *").click()
    names.get_by_role("button", name="label", exact=True).click()
    assert params.input_value() == '# a comment\nkey: agent:main:x\nlabell: $5\nlabel: ""'
    params.fill("$params")
    request_box.until("document.querySelector('.gnb-warning').textContent.includes('type their value')")
    assert page.get_by_role("button", name="Send", exact=True).is_disabled()
    page.get_by_label("Method", exact=True).fill("sessions.list")
    params.fill("limit: 5")
    request_box.until("!document.querySelector('[type=submit]').disabled")
    page.get_by_role("button", name="Send", exact=True).click()
    answered(request_box, "sessions.list · ")
    assert "limitApplied" in request_box.text(".gnb-tree")


def test_requests_that_fail(request_box: Stub) -> None:
    """What the gateway refuses, what is not a method, and what is cancelled is said in a line."""
    page = request_box.page
    method, params = page.get_by_label("Method", exact=True), page.get_by_label("Params")
    method.fill("sessions.list")
    params.fill('{"limit": "five"}')
    page.get_by_role("button", name="Send").click()
    answered(request_box, "must be integer")
    method.fill("no such method")
    page.get_by_role("button", name="Send").click()
    answered(request_box, "one method")
    method.fill("agent.wait")
    params.fill('{"runId": "x", "timeoutMs": 60000}')
    page.get_by_role("button", name="Send").click()
    request_box.until("!document.querySelectorAll('.gnb-bar button')[1].disabled")
    request_box.pump()
    page.get_by_role("button", name="Cancel").click()
    answered(request_box, "cancelled")


@pytest.mark.parametrize(
    ("params", "final"), [('{"limit": 5}', False), ("", False), ('{\n  "message": "hi"\n}', True), ("", True)]
)
def test_as_a_cell(request_box: Stub, params: str, final: bool) -> None:
    """The cell that is offered does what Send does."""
    page = request_box.page
    page.get_by_label("Method", exact=True).fill("agent")
    page.get_by_label("Params").fill(params)
    page.get_by_label("wait for the final answer").set_checked(final)
    cell = str(page.locator("textarea[readonly]").input_value())
    magic, _, body = cell.partition("\n")
    if magic.startswith("%%gateway "):
        call = parse_cell(magic.removeprefix("%%gateway "), body)
    else:
        call = parse_line(magic.removeprefix("%gateway "))  # type: ignore[assignment]
    assert (call.method, call.body.value, call.final) == ("agent", json.loads(params) if params else None, final)


def test_runs(browser: Any, tmp_path: Path) -> None:
    """Runs are shown as they go: state, times, pieces, tools, tokens; what agents say is text; a click chooses one."""
    log = gnb.EventLog()
    chosen: list[str] = []
    folder = tmp_path / "page"
    folder.mkdir()

    def agent(number: int, stream: str, **data: Any) -> None:
        log.extend([event(number, "agent", {"runId": HOSTILE, "sessionKey": "main", "stream": stream, "data": data})])

    with stub(browser, RunsView(log, "test", chosen.append), folder) as page:
        page.open()
        page.until("document.body.textContent.includes('No agent has run yet')")
        agent(0, "lifecycle", phase="start")
        page.until("document.body.textContent.includes('running')")
        agent(500, "tool", phase="start", toolCallId="t1")
        agent(1000, "assistant", delta="a")
        agent(1500, "assistant", delta="b")
        agent(1900, "usage", outputTokens=7)
        agent(2000, "lifecycle", phase="end")
        page.until("document.body.textContent.includes('✓ ok')")
        cells = page.page.locator(".gnb-runs td").all_inner_texts()
        assert cells[:8] == [HOSTILE, "main", "✓ ok", "2.00 s", "1.00 s", "2", "1", "7"]
        course = page.page.locator(".gnb-course")
        assert course.get_attribute("aria-label") == "2.00 s, first token after 1.00 s, 1 tool calls"
        assert course.locator(".gnb-tool").count() == 1
        assert page.page.locator("img").count() == 0
        page.page.get_by_role("button", name=HOSTILE).press("Enter")
        until(lambda: page.pump() or chosen)
        assert chosen == [HOSTILE]


def test_a_panel(gw: gnb.Gateway) -> None:
    """A panel holds its tabs, shows itself without a browser, and closes what it made."""
    panel = Panel(gw)
    assert list(panel.titles) == ["Status", "Events", "Request", "Runs", "Data", "Tools", "Approvals"]
    assert "tools" not in vars(gw)  # a look does not make them
    assert panel._repr_mimebundle_()["text/plain"] == "<Panel default>"
    assert "connected" in panel.picture()
    children = panel.children
    panel.close()
    assert all(child.comm is None for child in children)
