"""Notebooks with widgets, exported to pages that are opened without a kernel, a network or scripts."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import FOLDERS

_CELLS = (
    "import gateway_nb as gnb\ngw = gnb.connect()",
    "gw.table()",
    "gw.panel()",
    "gnb.connect_form()",
    "%load_ext gateway_nb\n%gateway table",
    "%%agent\necho:the answer is **forty-two**",
)
_SCRIPT = re.compile(r"<script.*?</script>|<style.*?</style>", re.DOTALL)


@pytest.fixture
def exported(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What a page says whose scripts do not run, of a notebook that was run without a browser."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    for name in FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(_CELLS)
    ]
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    program = Path(sys.executable).with_name("jupyter")
    command = [str(program), "nbconvert", "--to", "html", "--execute", path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "notebook.html").read_text()
    assert "application/vnd.jupyter.widget-state+json" in page
    assert local.token not in page
    return html.unescape(_SCRIPT.sub("", page))


def test_rows_stand_in_the_page(exported: str, local: gnb.LocalGateway) -> None:
    """Table, panel and form show their rows and their state in an exported page, though no script runs in it."""
    assert exported.count("● connected") == 3
    assert exported.count("rows, the newest") == 3
    assert exported.count(local.url) >= 2
    assert "Connection form: connected" in exported


def test_answers_stand_in_the_page(exported: str) -> None:
    """What an agent answered in a cell stands in an exported page as it was shown."""
    assert "<p>the answer is <strong>forty-two</strong></p>" in exported
    assert "agent · ok · " in exported
