"""The widgets live outside JupyterLab: in Notebook 7 and in Voila, from the same server."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.helpers.lab import Page
from tests.helpers.support import missing, until

_CDN = re.compile("https://[^/]*/.*(fontawesome|MathJax|mathjax)")
CELL = """
import gateway_nb as gnb
local = gnb.LocalGateway(token="a-token-of-a-test").start()
gw = gnb.connect(local.url, token=local.token)
for number in range(100):
    local.emit("agent", {"n": number})
"""


def need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        missing(package, f"pip install {package}")


def _has_run_all(page: Page) -> bool:
    """Ask for all cells to be run, and tell whether they were: Notebook 7 drops what comes too early, or asks back."""
    from playwright.sync_api import TimeoutError

    prompts = page.page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[[\d*]+\]"))
    try:
        page.page.get_by_role("menuitem", name="Run", exact=True).click(timeout=3000)
        page.page.get_by_role("menuitem", name="Run All Cells", exact=True).click(timeout=3000)
        prompts.nth(2).wait_for(timeout=3000)
    except TimeoutError:
        page.page.keyboard.press("Escape")
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("package", ["notebook", "voila"])
def test_live(page: Page, package: str) -> None:
    """The table and the form are live, and nothing is fetched from elsewhere."""
    need(package)
    path = page.write_cells(CELL, "gw.table()", "gnb.connect_form()")
    if package == "notebook":
        page.page.goto(f"{page.url}/notebooks/{path.name}")
        page.page.locator("[data-status=idle]").first.wait_for(timeout=60_000)
        page.errors.clear()  # Notebook 7.6 complains of a setting of its own while it loads
        until(lambda: _has_run_all(page), 60)
    else:
        # Voila's own page wants fonts and MathJax from elsewhere, before any widget is there.
        page.page.route(_CDN, lambda route: route.fulfill(body=""))
        page.page.goto(f"{page.url}/voila/render/{path.name}")
        page.page.locator(".gnb").first.wait_for(timeout=60_000)
        page.errors.clear()  # MathJax, which is not there, and Voila's own modules
        page.foreign[:] = [url for url in page.foreign if not _CDN.match(url)]
    page.page.locator(".gnb-rows .gnb-row", has_text='"n":99').wait_for(timeout=60_000)
    page.page.locator(".gnb-view").press("Home")
    page.page.locator(".gnb-rows .gnb-row", has_text='"n":0}').wait_for()
    page.page.locator(".gnb-chips button", has_text="agent 100").click()
    page.page.locator(".gnb-rows .gnb-row", has_text='"n":0}').click()
    page.page.locator(".gnb-inspector .gnb-tree details").first.wait_for()
    form = page.page.locator(".gnb-form")
    form.get_by_label("Gateway", exact=True).fill("http://nowhere")
    form.get_by_text("must begin with ws://").wait_for()
