"""The form and the panel in a real JupyterLab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.lab import SECRET, Lab, Page, fill, output, state

START = f"""
import gateway_nb as gnb
from gateway_nb.server.admission import _ROLE
local = gnb.LocalGateway(token="-".join({SECRET.split("-")!r})).start()
admission, approved = local.admission, []

def pair(params, device, role, scopes):
    if device.device_id not in admission.devices:
        raise admission._pairing_required(_ROLE, device, params["client"], role, scopes)
"""


def test_a_typed_secret(page: Page, lab: Lab) -> None:
    """A secret typed into the form connects, and is in no file and in no message of the kernel's."""
    said: list[Any] = []
    page.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: said.append(data)))
    path = page.open_cells(
        START, "print(local.url)", "form = gnb.connect_form(); form", "form.gateway.request('health')['ok']"
    )
    for number in (0, 1, 2):
        page.run(number)
    fill(page, 2, output(page, 1))
    state(page, "connected")
    page.run(3)
    assert output(page, 3) == "True"
    saved = page.save(path)
    assert "widgets" in saved["metadata"]
    assert SECRET not in json.dumps(saved)
    assert said
    assert not [one for one in said if SECRET.encode() in (one if isinstance(one, bytes) else str(one).encode())]
    assert not [file for file in lab.root.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


@pytest.mark.slow
def test_pairing_by_click(page: Page) -> None:
    """An approval is asked for with a command, and once the owner has run it the form connects by itself."""
    page.open_cells(
        START + "admission._pair = pair",
        "print(local.url)",
        "form = gnb.connect_form(); form",
        "import sys\nadmission.approve(input())",
    )
    for number in (0, 1, 2):
        page.run(number)
    form = fill(page, 2, output(page, 1))
    state(page, "pairing")
    command = form.locator(".gnb-card code").last.inner_text()
    assert command.startswith("openclaw devices approve ")
    page.start(3)
    page.answer(3, command.rpartition(" ")[2])
    state(page, "connected")


@pytest.mark.slow
def test_disconnect_during_a_cell(page: Page) -> None:
    """Disconnect works while a cell keeps the kernel's main thread."""
    page.open_cells(START, "print(local.url)", "form = gnb.connect_form(); form", "import time; time.sleep(60)")
    for number in (0, 1, 2):
        page.run(number)
    form = fill(page, 2, output(page, 1))
    state(page, "connected")
    page.start(3)
    page.cell(3).get_by_text("[*]").wait_for()
    form.get_by_role("button", name="Disconnect").click()
    state(page, "closed")
    assert "[*]" in page.cell(3).inner_text()
    page.command("notebook:interrupt-kernel")


@pytest.mark.slow
def test_a_panel(page: Page, tmp_path: Path) -> None:
    """The panel's tabs show status, events, a request's answer and runs, and look at home in both themes."""
    page.open_cells(
        START + "gw = gnb.connect(local.url, token=local.token)",
        "%load_ext gateway_nb\n%gateway panel",
        "gw.run('hello').result().text",
        "for number in range(100): local.emit('tick', {'n': number if number < 99 else 'the last of all'})",
    )
    for number in (0, 1, 2):
        page.run(number)
    panel = page.cell(1)
    tabs = panel.locator(".lm-TabBar-tab")
    panel.locator(".gnb-status[data-state=connected]").wait_for()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.command("apputils:change-theme", theme=theme)
        page.page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
        for tab, selector in enumerate((".gnb-status dd", ".gnb-rows .gnb-row", ".gnb-pick option", ".gnb-runs td")):
            tabs.nth(tab).click()
            panel.locator(selector).first.wait_for(state="attached")
            tabs.nth(tab).scroll_into_view_if_needed()
            (tmp_path / f"{theme}-{tab}.png").write_bytes(page.page.screenshot())
    tabs.nth(1).click()
    page.run(3)
    panel.locator(".gnb-rows .gnb-row", has_text="the last of all").wait_for()
    assert panel.get_by_label("Follow").is_checked()
    tabs.nth(2).click()
    panel.get_by_label("Methods").select_option("health")
    panel.get_by_role("button", name="Send").click()
    panel.locator(".gnb-request .gnb-tree details").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_contrast(page: Page, theme: str) -> None:
    """Every text of the form, the table and a trace stands out from its background by 4.5 : 1, in either theme."""
    page.open_cells(
        START + "gw = gnb.connect(local.url, token=local.token)\nfor name in 'abcdefgh': local.emit(name, {'x': name})",
        "gnb.connect_form()",
        "gw.table()",
        "run = gw.run('hello')\ntext = run.result().text\nrun.trace()",
    )
    page.command("apputils:change-theme", theme=theme)
    page.page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
    page.run_all()
    page.cell(2).locator(".gnb-rows .gnb-row").nth(7).wait_for()
    page.cell(1).get_by_text("More", exact=True).click()
    page.cell(3).get_by_role("treeitem").first.click()
    page.cell(3).locator(".gnb-details dd").first.wait_for()
    weak = page.page.evaluate(_CONTRAST)
    assert weak == []


_CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const flat = (colors) => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 1, 1);
    for (const color of colors) { pen.fillStyle = color; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const weak = [];
  for (const node of document.querySelectorAll(".gnb *")) {
    const said = [...node.childNodes].filter((child) => child.nodeType === 3 && child.data.trim());
    if (!said.length || !node.offsetParent || node.disabled || node.closest("option, select")) continue;
    const behind = [];
    for (let up = node; up; up = up.parentElement) behind.unshift(getComputedStyle(up).backgroundColor);
    const back = flat(behind), front = flat([...behind, getComputedStyle(node).color]);
    const [a, b] = [light(back), light(front)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push([said[0].data, ratio.toFixed(2), String(front), String(back)]);
  }
  return weak;
}"""
