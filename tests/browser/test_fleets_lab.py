"""A fleet in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.lab import Page

START = """
import os
import gateway_nb as gnb
locals_ = [gnb.LocalGateway(token="a-token-of-a-test").start() for _ in range(12)]
os.environ["FLEET_TOKEN"], os.environ["WRONG_TOKEN"] = "a-token-of-a-test", "another"
members = [
    {"name": f"prod-{number:02}", "url": local.url, "token_env": "FLEET_TOKEN", "labels": {"region": "eu"}}
    for number, local in enumerate(locals_)
]
members += [
    {"name": "refused", "url": locals_[0].url, "token_env": "WRONG_TOKEN"},
    {"name": "gone", "url": "ws://127.0.0.1:9"},
]
fleet = gnb.fleet(members)
fleet.status
"""
ROWS = ".gnb-rows .gnb-row"
THEMES = ("JupyterLab Light", "JupyterLab Dark")


@pytest.mark.slow
def test_a_fleet(page: Page, tmp_path: Path) -> None:
    """States are a grid, and events of all gateways one live table, in both themes; rows come while it is open."""
    page.open_cells(
        START, "fleet.table()", "answers = fleet.run('hello'); answers[['gateway', 'ok', 'answer']].tail(4)"
    )
    page.run(0)
    page.run(1)
    page.run(2)
    grid = page.cell(0).locator(".jp-OutputArea-output").last  # behind a warning
    assert "14 gateways: 12 connected, 1 paused, 1 reconnecting" in grid.inner_text()
    assert "nothing listens on ws://127.0.0.1:9" in grid.inner_text()
    table = page.cell(1)
    for name in ("prod-00", "prod-11"):
        table.locator(f"{ROWS} [data-column=gateway]", has_text=name).first.wait_for(timeout=30_000)
    assert table.get_by_role("columnheader").first.inner_text() == "gateway"
    table.get_by_label("Search").fill("prod-07")
    page.page.wait_for_function(
        f"(all => all.length && all.every(cell => cell.textContent === 'prod-07'))"
        f"([...document.querySelectorAll('{ROWS} [data-column=gateway]')])"
    )
    table.get_by_label("Search").fill("")
    for theme in THEMES:
        page.command("apputils:change-theme", theme=theme)
        page.page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
        for cell in range(3):
            name = f"fleet-{cell}-{theme.rpartition(' ')[2]}.png"
            (tmp_path / name).write_bytes(page.cell(cell).screenshot())
