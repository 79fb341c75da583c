"""A cell that needs the whole interpreter, while events come in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.scripts import CONNECT, running

RATE, SECONDS = 10_000, 5
_BURN = f"""
capture = gw.capture(os.environ["JOURNAL"])
print("ready", flush=True)
total = 0
while not [event for event in gw.events.tail(1)["event"] if event == "last"]:
    for number in range(200_000):
        total += number * number % 7
capture.stop()
import gateway_nb as gnb
recording = gnb.load(os.environ["JOURNAL"])
frame = gw.events.where("counted")
numbers = [payload["n"] for payload in gw.events.payloads("counted")]
print(numbers == list(range({RATE * SECONDS})), gw.status.counters.missed, recording.stats.events["counted"])
"""


@pytest.mark.slow
def test_a_cell_that_burns_the_processor(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """With a cell that computes all the time, nothing of 10,000 events a second is lost, neither in the log nor on
    disk."""
    journal = f"{tmp_path}/run.jsonl"
    with running(CONNECT + _BURN, URL=local.url, TOKEN=local.token, JOURNAL=journal) as cell:
        cell.wait_for("ready")
        began, sent = time.perf_counter(), 0
        while sent < RATE * SECONDS:
            due = min(int((time.perf_counter() - began) * RATE), RATE * SECONDS)
            for number in range(sent, due):
                local.emit("counted", {"n": number, "text": "x" * 440})
            sent = due
            time.sleep(0.002)
        local.emit("last", {})
        assert cell.rest(120) == [f"True 0 {RATE * SECONDS}"]
