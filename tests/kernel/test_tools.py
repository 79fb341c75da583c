"""Tools in a real kernel: while a cell runs, between cells, and after the extension or the kernel has gone."""

from __future__ import annotations

import gateway_nb as gnb
from tests.helpers.kernel import Kernel
from tests.helpers.support import until

DEFINE = '''
import gateway_nb as gnb
gw = gnb.connect({url!r}, token={token!r})
@gw.tool
def work(number: int) -> str:
    """Work."""
    print("printed by the tool")
    gnb.tools.progress("half way")
    return f"worked {{number}}"
'''


def define(kernel: Kernel, local: gnb.LocalGateway) -> None:
    """Offer a tool from the kernel, and approve it."""
    outcome = kernel.run(DEFINE.format(url=local.url, token=local.token))
    assert outcome.status == "ok", outcome.error
    shown = [display["text/plain"] for display in outcome.displays]
    assert "run gw.tools.approve() here, or on the gateway's host: openclaw nodes approve" in shown[-1]
    assert kernel.run("gw.tools.approve()").status == "ok"


def invoke(local: gnb.LocalGateway, number: int) -> str:
    """Call the tool as an operator."""
    with gnb.connect(local.url, token=local.token) as gw:
        answer = gw.request("tools.invoke", {"name": "work", "args": {"number": number}})
        return str(answer["output"]["content"][0]["text"] if answer["ok"] else answer["error"]["code"])


def test_calls_during_a_cell(kernel: Kernel, local: gnb.LocalGateway) -> None:
    """Calls are answered while a cell runs and while none does; what a tool prints is in its record alone."""
    define(kernel, local)
    assert invoke(local, 1) == "worked 1"
    cell = kernel.start("import time\nprint('begun')\nwhile len(gw.tools.calls) < 2: time.sleep(0.01)\nprint('ended')")
    assert invoke(local, 2) == "worked 2"
    assert kernel.outcome(cell).text == "begun\nended\n"
    shown = kernel.run("print(gw.tools.calls[['status', 'printed', 'progress']].to_dict('records'))")
    record = {"status": "ok", "printed": "printed by the tool\n", "progress": "half way"}
    assert shown.text == f"{[record, record]}\n"


def test_unloading_and_restarting(kernel: Kernel, local: gnb.LocalGateway) -> None:
    """When the extension is unloaded or the kernel restarts, tools are gone; defined again they need no approval."""
    kernel.run("%load_ext gateway_nb")
    define(kernel, local)
    assert invoke(local, 1) == "worked 1"
    assert kernel.run("%unload_ext gateway_nb\nprint(gw.tools.names)").text == "()\n"
    assert invoke(local, 1) == "not_found"
    again = kernel.run(DEFINE.format(url=local.url, token=local.token))
    assert (again.status, again.displays) == ("ok", [])
    assert invoke(local, 1) == "worked 1"
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    until(lambda: invoke(local, 1) == "not_found")


def test_the_magic(kernel: Kernel, local: gnb.LocalGateway) -> None:
    """%gateway tools shows the tools."""
    kernel.run("%load_ext gateway_nb")
    define(kernel, local)
    outcome = kernel.run("%gateway tools")
    assert "work; node connected; calls: 0" in outcome.displays[-1]["text/plain"]
