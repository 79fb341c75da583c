"""What a hostile gateway costs another connection of the same process: its longest wait, and the memory at the worst.

Each kind of gateway runs in a process of its own, and so does the client, with each WebSocket library.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from typing import Any

import gateway_nb as gnb
from tests.bench.common import TOKEN, gateway_process
from tests.helpers.hostile import KINDS, SECONDS

ROUNDS = 3
LIBRARIES = ("websockets", "picows")


def measure() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with gateway_process() as url:
        for kind in KINDS:
            if any(word not in kind for word in sys.argv[2:] if not word.startswith("-")):
                continue
            for library in LIBRARIES:
                rounds = [_round(kind, library, url) for _ in range(ROUNDS)]
                best = min(rounds, key=lambda one: one["wait_s"])
                memory = max(one["memory_mib"] for one in rounds)
                figures[f"{kind} ({library})"] = f"{best['wait_s']:.3f} s, {memory:.0f} MiB, {best['end']}"
    return figures


def _round(kind: str, library: str, url: str) -> dict[str, Any]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.hostile", kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        hostile = server.stdout.readline().strip()
        environment = {**os.environ, "GATEWAY_NB_TRANSPORT": library}
        client = [sys.executable, "-m", "tests.bench.hostile", kind, hostile, url]
        out = subprocess.run(client, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    finally:
        server.kill()
        server.communicate()
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def client(kind: str, hostile: str, url: str) -> None:
    """Meet the hostile gateway on one connection, and measure another."""
    bystander = gnb.connect(url, token=TOKEN, device_identity=None, name="bystander")
    waits: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            began = time.perf_counter()
            bystander.request("last-heartbeat", timeout=None)
            waits.append(time.perf_counter() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    end = "lived through"
    try:
        victim = gnb.connect(hostile, token="", device_identity=None, name="victim")
        if "slow handler" in kind:
            victim.on("*", lambda _: time.sleep(0.5))
        if "run" in kind:
            run = victim.run("hello")
            time.sleep(SECONDS)
            end = repr(run).split(":")[1][:20]
        else:
            victim.request("go", timeout=SECONDS)
    except gnb.GatewayError as error:
        end = str(error)[:60]
    time.sleep(0.5)
    over.set()
    asking.join()
    gnb.connections().get("victim", bystander).close()
    bystander.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wait_s": max(waits), "memory_mib": peak, "end": end}))


if __name__ == "__main__":
    client(*sys.argv[1:4])
