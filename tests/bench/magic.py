"""What the magic costs over the plain call, and completion over the wire, in a real kernel."""

from __future__ import annotations

import json
import os
from typing import Any

from jupyter_client.manager import start_new_kernel

from tests.bench.common import TOKEN, gateway_process

_SETUP = """
import json, statistics, time
import gateway_nb as gnb
%load_ext gateway_nb
%gateway connect
shell = get_ipython()
"""
_MEASURE = """
from IPython.utils.capture import capture_output
from gateway_nb.notebook.magics.completion import complete
def timed(function, count=300):
    times = []
    for _ in range(count):
        began = time.perf_counter()
        function()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)
params = {"limit": 5}
with capture_output():
    figures = {
        "request_ms": min(timed(lambda: gw.request("sessions.list", params)) for _ in range(3)),
        "quiet_magic_ms": min(
            timed(lambda: shell.run_cell_magic("gateway", "sessions.list --quiet", "limit: 5")) for _ in range(3)
        ),
        "shown_magic_ms": min(
            timed(lambda: shell.run_cell_magic("gateway", "sessions.list", "limit: 5")) for _ in range(3)
        ),
        "completion_ms": min(
            timed(lambda: list(shell.Completer.custom_matchers[-1](context("%%gateway sessions.list\\nli"))))
            for _ in range(3)
        ),
    }
print(json.dumps(figures))
"""
_CONTEXT = """
from IPython.core.completer import CompletionContext
def context(text):
    line = text.split("\\n")[-1]
    return CompletionContext(line, text, len(line), text.count("\\n"), None)
"""


def measure() -> dict[str, Any]:
    """Return medians of the best round in milliseconds, and what the magic adds."""
    with gateway_process() as url:
        os.environ |= {"OPENCLAW_GATEWAY_URL": url, "OPENCLAW_GATEWAY_TOKEN": TOKEN}
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            printed: list[str] = []
            for code in (_SETUP, _CONTEXT, _MEASURE):
                reply = client.execute_interactive(
                    code,
                    timeout=120,
                    output_hook=lambda message: printed.append(message["content"].get("text", "")),
                )
                assert reply["content"]["status"] == "ok", reply["content"]
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    figures = json.loads("".join(printed).strip().splitlines()[-1])
    figures = {name: round(took, 3) for name, took in figures.items()}
    return {
        **figures,
        "quiet_magic_adds_ms": round(figures["quiet_magic_ms"] - figures["request_ms"], 3),
        "shown_magic_adds_ms": round(figures["shown_magic_ms"] - figures["request_ms"], 3),
    }
