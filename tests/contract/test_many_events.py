"""Many events of the real gateway: all there, in order, and the recording's own figures agree."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gateway_nb as gnb
from gateway_nb.capture.journal import Capture
from tests.helpers.real import RealGateway
from tests.helpers.support import async_test

EVENTS = 100_000
_AT_ONCE = 500


@async_test
async def test_a_hundred_thousand_events(real: RealGateway, tmp_path: Path) -> None:
    """A hundred thousand events of the real gateway are in the log and in the journal, each once and in order."""
    log, capture = gnb.EventLog(), Capture(tmp_path / "run.jsonl", events=("talk.mode",))
    async with gnb.AsyncGateway(real.url, token=real.token) as agw:
        agw.core.feed.keep(log)
        agw.core.feed.keep(capture)
        last = asyncio.ensure_future(agw.wait_for("talk.mode", lambda event: _number(event) == EVENTS - 1, 280))
        for first in range(0, EVENTS, _AT_ONCE):
            asked = (
                agw.request("talk.mode", {"enabled": True, "phase": f"n{number}"})
                for number in range(first, first + _AT_ONCE)
            )
            await asyncio.gather(*asked)
        await last
    await asyncio.to_thread(capture.stop)
    recording = gnb.load(tmp_path / "run.jsonl")
    for view in (log, recording):
        assert [int(payload["phase"][1:]) for payload in view.payloads("talk.mode")] == list(range(EVENTS))
    stats = recording.stats
    assert (stats.events, stats.gaps, stats.missed, stats.dropped) == ({"talk.mode": EVENTS}, 0, 0, 0)


def _number(event: gnb.Event) -> int:
    return int(event.payload["phase"][1:])
