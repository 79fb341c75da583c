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
_TRANSCRIPT = (
    "import gateway_nb as gnb\ngw = gnb.connect()\nsession = 'agent:main:talk'",
    "_ = gw.run('echo:<script>alert(1)</script> \\x1b[31m', session=session).result()",
    "gw.transcript(session)",
    "view = gw.transcript(session).follow()\nview",
    "_ = gw.run('echo:said later', session=session).result()\n"
    "next(each for each in view if len(each) == 4)\nview.stop()\n"
    "import threading\n_ = [each.join() for each in threading.enumerate() if each.name == 'gateway_nb-following']",
)
_SCRIPT = re.compile(r"<script.*?</script>|<style.*?</style>", re.DOTALL)


@pytest.fixture
def folder(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where notebooks are run, connected to the embedded gateway."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    for name in FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def export(folder: Path, sources: tuple[str, ...]) -> str:
    """Return a page of a notebook that was run without a browser."""
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(sources)
    ]
    path = folder / "notebook.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    program = Path(sys.executable).with_name("jupyter")
    command = [str(program), "nbconvert", "--to", "html", "--execute", path.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "notebook.html").read_text()


@pytest.fixture
def exported(folder: Path, local: gnb.LocalGateway) -> str:
    """What a page says whose scripts do not run, of a notebook with widgets."""
    page = export(folder, _CELLS)
    assert "application/vnd.jupyter.widget-state+json" in page
    assert local.token not in page
    return html.unescape(_SCRIPT.sub("", page))


@pytest.mark.slow
def test_rows_stand_in_the_page(exported: str, local: gnb.LocalGateway) -> None:
    """Table, panel and form show their rows and their state in an exported page, though no script runs in it."""
    assert exported.count("● connected") == 3
    assert exported.count("rows, the newest") == 3
    assert exported.count(local.url) >= 2
    assert "Connection form: connected" in exported


@pytest.mark.slow
def test_answers_stand_in_the_page(exported: str) -> None:
    """What an agent answered in a cell stands in an exported page as it was shown."""
    assert "<p>the answer is <strong>forty-two</strong></p>" in exported
    assert "agent · ok · " in exported


@pytest.mark.slow
def test_a_transcript_stands_in_the_page(folder: Path) -> None:
    """A transcript is in an exported page as it was shown, one that was followed as it was last, and nothing acts."""
    page = export(folder, _TRANSCRIPT)
    first, followed = page.split('<div class="gnb-transcript">')[1:]
    assert "echo:&lt;script&gt;alert(1)&lt;/script&gt; \\u001b[31m" in first
    assert "<script>alert(1)" not in page
    assert "said later" not in first.split("</article></div>")[0]
    assert followed.split("</small>")[0].count("said later") == 2
    assert "<small>ended" in followed
