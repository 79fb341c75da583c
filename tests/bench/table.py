"""The live table at 10,000 events a second in JupyterLab, beside none; and its windows on a million rows.

Needs a browser. The events come from a process of their own; the kernel's and the browser's times are measured while
they come, and the floor is the same stretch of time with the table closed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

import gateway_nb as gnb
from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.notebook.widgets.event_table.matches import Matches
from gateway_nb.notebook.widgets.event_table.preview import preview
from gateway_nb.notebook.widgets.event_table.query import Query
from gateway_nb.notebook.widgets.row_ids import LogRows
from tests.helpers.lab import CHROMIUM_OPTIONS, Lab, Page

RATE = 10_000
SECONDS = 30
ROWS = 1_000_000
_WINDOWS = 200

_SERVER = """
import asyncio, json, sys, time
from websockets.asyncio.server import serve

RATE, SECONDS = int(sys.argv[1]), int(sys.argv[2])
HELLO = {"protocol": 4, "server": {"version": "bench", "connId": "c"}, "features": {}, "auth": {}, "policy": {}}
STEP = 0.01

def frames(start, count):
    parts = []
    for number in range(start, start + count):
        name = (b"agent", b"chat", b"tick")[number % 3]
        data = (b'{"type":"event","event":"%s","payload":{"runId":"r%d","data":{"n":%d,"delta":"%s"}},"seq":%d}'
                % (name, number // 1000, number, b"x" * 300, number + 1))
        parts.append(b"\\x81\\x7e" + len(data).to_bytes(2, "big") + data)
    return b"".join(parts)

async def answer(socket):
    await socket.send(json.dumps({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n"}}))
    request = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": HELLO}))
    sent = 0
    async for message in socket:
        request = json.loads(message)
        if request["method"] != "go":
            continue
        began, first = time.monotonic(), sent
        while sent - first < RATE * SECONDS:
            due = min(int((time.monotonic() - began) * RATE), RATE * SECONDS) - (sent - first)
            if due:
                socket.transport.write(frames(sent, due))
                sent += due
            await asyncio.sleep(STEP)
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": sent - first}))

async def main():
    async with serve(answer, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""

_CELLS = (
    "import json, os, time\nimport gateway_nb as gnb\nfrom gateway_nb.sync.loop_thread import loop_thread\n"
    "gw = gnb.connect('ws://127.0.0.1:PORT', device_identity=None)",
    "table = gw.table(); table",
    # In the background, so that the kernel's main thread is free, as it is between cells
    "before, since, rows = time.process_time(), time.monotonic(), len(gw.events)\n"
    "handle = gw.submit('go', timeout=None)",
    "sent = handle.result()\nspent, took = time.process_time() - before, time.monotonic() - since\n"
    "print(json.dumps({'sent': sent, 'kept': len(gw.events) - rows, 'gaps': gw.status.counters.gaps,\n"
    "                  'cpu': spent / took, 'took': took}))",
    "table.close()",
    "1",
)


def _windows() -> dict[str, Any]:
    """Return how long windows of 200 rows take on a million rows, in milliseconds, the worst of many."""
    raw = [msgspec.Raw(b'{"runId":"r%d","data":{"delta":"%s","p":%d}}' % (n, b"x" * 300, n % 7)) for n in range(1000)]
    log, rows = gnb.EventLog(), LogRows()
    for number in range(ROWS):
        log.extend([Event(1e9 + number / 1e3, 1, ("agent", "chat", "tick")[number % 3], number, raw[number % 1000])])
    figures: dict[str, Any] = {}
    rows.follow(*log.pieces())
    for name, query in {
        "all": Query(),
        "by_name": Query(events=("tick",)),
        "by_text": Query(text="r77"),
        "by_path": Query(path="data.p=3"),
        "sorted": Query(sort="seq", descending=True),
    }.items():
        matches, slices = Matches(query, rows), []
        began = time.perf_counter()
        while True:
            at = time.perf_counter()
            done = matches.advance(0.02)
            slices.append(time.perf_counter() - at)
            if done:
                break
        figures[f"found_{name}_ms"] = round((time.perf_counter() - began) * 1000)
        times = []
        for at in range(0, matches.end, max(matches.end // _WINDOWS, 1)):
            began = time.perf_counter()
            msgspec.json.encode(preview(at, *rows.take(matches.ids(at, at + 200)), (), Redactor(), 200))
            times.append(time.perf_counter() - began)
        figures[f"window_{name}_worst_ms"] = round(max(times) * 1000, 1)
    return figures


class _Stretch:
    """One stretch of events, with or without a table that is seen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.comm_messages = 0
        self.cdp = page.page.context.new_cdp_session(page.page)
        self.cdp.send("Performance.enable")
        page.page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, data: Any) -> None:
        self.comm_messages += b"comm_msg" in (data if isinstance(data, bytes) else str(data).encode())

    def _busy(self) -> float:
        metrics = {one["name"]: one["value"] for one in self.cdp.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"])

    def measure(self, name: str) -> dict[str, Any]:
        page = self.page
        self.comm_messages = 0
        page.run(2)
        page.start(3)
        keys = self._type() if name == "table" else {}
        busy, since = self._busy(), time.monotonic()
        page.page.wait_for_function(
            "document.querySelectorAll('.jp-CodeCell')[3].querySelector('.jp-InputPrompt').textContent.match(/\\d/)",
            timeout=(SECONDS + 60) * 1000,
        )
        share = (self._busy() - busy) / (time.monotonic() - since)
        said = msgspec.json.decode(page.cell(3).locator(".jp-OutputArea-output").first.inner_text())
        return {
            f"{name}_sent": said["sent"],
            f"{name}_kept": said["kept"],
            f"{name}_gaps": said["gaps"],
            f"{name}_seconds": round(said["took"], 1),
            f"{name}_kernel_cpu": round(said["cpu"], 3),
            f"{name}_browser_busy": round(share, 3),
            f"{name}_messages_per_s": round(self.comm_messages / said["took"], 1),
            **keys,
        }

    def _type(self) -> dict[str, Any]:
        """Type into a cell meanwhile; return how long a key takes until the next frame, in milliseconds."""
        page = self.page.page
        self.page.cell(5).locator(".cm-content").click()
        times = []
        for _ in range(60):
            times.append(
                page.evaluate(
                    """() => new Promise((done) => {
                    const began = performance.now();
                    document.execCommand("insertText", false, "x");
                    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
                })"""
                )
            )
            page.wait_for_timeout(50)
        times.sort()
        return {"key_p50_ms": round(times[30], 1), "key_worst_ms": round(times[-1], 1)}


def measure() -> dict[str, Any]:
    """Return shares of a core (1.0 is all of it), messages per second, milliseconds, and rows sent and kept."""
    from playwright.sync_api import sync_playwright

    figures = _windows()
    program = shutil.which("chromium")
    folder = Path(tempfile.mkdtemp(prefix="gateway-nb-bench-"))
    command = [sys.executable, "-c", _SERVER, str(RATE), str(SECONDS)]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        ) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        lab = Lab(folder)
        try:
            page = Page(browser.new_context(viewport={"width": 1000, "height": 1200}).new_page(), lab)
            stretch = _Stretch(page)
            page.open_cells(*(cell.replace("PORT", port) for cell in _CELLS))
            page.run(0)
            figures |= stretch.measure("floor")
            page.run(1)
            page.cell(1).locator(".gnb-rows .gnb-row").first.wait_for()
            figures |= stretch.measure("table")
            figures["table_alone_kernel_cpu"] = round(figures["table_kernel_cpu"] - figures["floor_kernel_cpu"], 3)
            figures["errors"] = len(page.errors)
        finally:
            lab.stop()
            browser.close()
        server.communicate()
    shutil.rmtree(folder, ignore_errors=True)
    return figures
