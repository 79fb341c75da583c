"""A real JupyterLab in Debian's chromium, with folders of its own, on 127.0.0.1 alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.lab import CHROMIUM_OPTIONS, Lab, Page
from tests.helpers.support import missing


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Debian's chromium. Not for the whole session: playwright's loop runs on the main thread while it is open."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        missing("browser", str(error))
    program = shutil.which("chromium")
    if program is None:
        missing("browser", "there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab for these tests."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture
def page(browser: Any, lab: Lab) -> Iterator[Page]:
    """A fresh page."""
    context = browser.new_context(viewport={"width": 1000, "height": 1200})
    notebook = Page(context.new_page(), lab)
    yield notebook
    context.close()
    assert notebook.foreign == []
    assert notebook.errors == []
