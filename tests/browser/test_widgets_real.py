"""The form and the table in a real JupyterLab, against the real gateway."""

from __future__ import annotations

import json
from typing import Any

import gateway_nb as gnb
from tests.helpers.lab import Lab, Page, fill, output, state
from tests.helpers.real import RealGateway

_FORM = "import gateway_nb as gnb\nform = gnb.connect_form(); form"
_AS_A_CLI = """
import functools
import gateway_nb.notebook.widgets.connect_form as module
cli = {"client_name": "cli", "mode": "cli", "name": "before"}
gnb.Gateway(%r, token=getpass, platform="linux", **cli).connect().close()
module.Gateway = functools.partial(module.Gateway, client_name="cli", mode="cli", platform="win32")
"""


def test_connect_see_restart(page: Page, lab: Lab, real: RealGateway) -> None:
    """A typed token connects, its events are seen, a restart is recovered from; the token is nowhere to be found."""
    said: list[Any] = []
    page.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: said.append(data)))
    path = page.open_cells(
        _FORM,
        "gw = form.gateway; gw.request('health')['ok']",
        "table = gw.table(); table",
        "gw.request('talk.mode', {'enabled': True, 'phase': 'seen in a table'})['phase']",
        "sum(gw.events.df['kind'] == 'reconnect')",
    )
    page.run(0)
    fill(page, 0, real.url, real.token)
    state(page, "connected")
    for number in (1, 2, 3):
        page.run(number)
    assert output(page, 1) == "True"
    page.cell(2).locator(".gnb-rows .gnb-row", has_text="seen in a table").wait_for(timeout=30_000)
    real.restart()
    page.cell(2).locator(".gnb-rows .gnb-row", has_text="reconnected").wait_for(timeout=60_000)
    state(page, "connected")
    page.run(4)
    assert int(output(page, 4)) == 1
    saved = page.save(path)
    assert "widgets" in saved["metadata"]
    assert real.token not in json.dumps(saved)
    assert said
    assert not [one for one in said if real.token.encode() in (one if isinstance(one, bytes) else str(one).encode())]
    assert not [file for file in lab.root.rglob("*") if file.is_file() and real.token.encode() in file.read_bytes()]


def test_pairing_by_click(page: Page, real: RealGateway) -> None:
    """The real gateway wants the device approved: the form shows the command, and connects when that is done."""
    page.open_cells(_FORM, "from getpass import getpass\ngetpass = getpass()", _AS_A_CLI % real.url)
    page.run(0)
    page.start(1)
    page.answer(1, real.token)
    page.run(2)
    form = fill(page, 0, real.url, real.token)
    state(page, "pairing")
    command = form.locator(".gnb-card code").last.inner_text()
    assert command.startswith("openclaw devices approve ")
    with gnb.connect(real.url, token=real.token, device_identity=None, name="owner") as owner:
        owner.request("device.pair.approve", {"requestId": command.rpartition(" ")[2]})
    state(page, "connected")
