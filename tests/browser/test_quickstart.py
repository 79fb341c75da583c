"""The quickstart as a newcomer sees it: in a real JupyterLab."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.lab import Page

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01-quickstart.ipynb"


def test_quickstart(page: Page) -> None:
    """Every cell of the quickstart runs, shows what it should, and keeps no token in the saved file."""
    page.open(QUICKSTART)
    page.run_all()
    text = page.page.locator(".jp-Notebook").inner_text()
    assert "connected" in text
    assert "1 2 3 4 5" in text
    assert "My first session" in text
    assert page.page.locator(".gnb-result details").count() >= 2
    saved = page.save(QUICKSTART)
    outputs = [output for cell in saved["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "token" not in json.dumps(outputs).lower().replace("contexttokens", "").replace("outputtokens", "")
