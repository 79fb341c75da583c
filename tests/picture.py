"""The README's picture: cells that run in a real JupyterLab, as chromium shows them.

python -m tests.picture      # makes notebooks/notebook.png anew
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import gateway_nb as gnb
from tests.helpers.lab import CHROMIUM_OPTIONS, Lab, Page
from tests.notebooks import FOLDER

_WIDTH, _TALL = 980, 2400
_PLAIN = """
#jp-top-panel, #jp-menu-panel, #jp-bottom-panel, .jp-Toolbar, .jp-SideBar, .jp-Notebook-footer { display: none }
.jp-Collapser, .lm-SplitPanel-handle { visibility: hidden }
"""
_CELLS = (
    "import gateway_nb as gnb\n\n%load_ext gateway_nb\ngw = gnb.connect()",
    "%%gateway sessions.list\nlimit: 5",
    "%%gateway agent --final\nmessage: count:24:40\nsessionKey: agent:main:weather",
    'table = gw.table()\ntable.filter(events=["chat"])\ntable.expand("sessionKey", "deltaText")\ntable',
)
_LIVELY = "count:200:50"


def main() -> None:
    """Make it."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, gnb.LocalGateway() as local, sync_playwright() as playwright:
        os.environ |= {"OPENCLAW_GATEWAY_URL": local.url, "OPENCLAW_GATEWAY_TOKEN": local.token}
        somebody = gnb.connect(name="somebody", device_identity=None)
        for name in ("weather", "release notes", "night shift"):
            somebody.call.sessions.create(key=f"agent:main:{name.replace(' ', '-')}", label=name)
        lab = Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS)
        try:
            context = browser.new_context(viewport={"width": _WIDTH, "height": _TALL})
            page = Page(context.new_page(), lab)
            shoot(page, somebody)
        finally:
            browser.close()
            lab.stop()
            somebody.close()


def shoot(page: Page, somebody: gnb.Gateway) -> None:
    """Run cells one after the other, and keep how they look while somebody else's run goes on."""
    page.open_cells(*_CELLS)
    page.page.add_style_tag(content=_PLAIN)
    if page.page.locator("#jp-left-stack").is_visible():
        page.command("application:toggle-left-area")
    for number in range(len(_CELLS)):
        page.run(number)
    run = somebody.run(_LIVELY, session="agent:main:night-shift")
    for _ in itertools.islice(run, 60):
        pass
    first, last = (page.cell(number).bounding_box() for number in (0, len(_CELLS) - 1))
    area = {**first, "height": last["y"] + last["height"] - first["y"]}
    page.page.screenshot(path=FOLDER / "notebook.png", clip=area)
    run.abort()


if __name__ == "__main__":
    main()
