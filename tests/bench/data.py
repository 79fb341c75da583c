"""10,000 messages of the real gateway to a frame, beside the bare requests; a transcript of 1,000 shown."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import gateway_nb as gnb
from gateway_nb.openclaw.process import OpenClaw
from gateway_nb.records.history import History
from gateway_nb.records.transcript import Transcript

_SESSIONS, _MESSAGES = 10, 1000
_ROUNDS = 7


async def _fill(gateway: OpenClaw) -> None:
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:

        async def talk(key: str) -> None:
            await agw.request("sessions.create", {"key": key})
            for number in range(_MESSAGES):
                text = f"message {number} {'of some length ' * 10}"
                await agw.request("chat.inject", {"sessionKey": key, "message": text}, timeout=None)

        await asyncio.gather(*(talk(f"agent:main:s{number}") for number in range(_SESSIONS)))


def _bare(gw: gnb.Gateway) -> int:
    """Fetch every message with the requests alone; return how many there are."""
    count = 0
    for session in gw.request("sessions.list", {"limit": 10_000, "archived": "all"})["sessions"]:
        params: dict[str, Any] = {"sessionKey": session["key"], "limit": 1000, "maxChars": 100_000}
        while True:
            page = gw.request("chat.history", params)
            count += len(page["messages"])
            if page.get("nextOffset") is None:
                break
            params["offset"] = page["nextOffset"]
    return count


def measure() -> dict[str, float]:
    """Return seconds, their ratio, and the size of what is shown."""
    with OpenClaw() as gateway:
        asyncio.run(_fill(gateway))
        with gnb.connect(gateway.url, token=gateway.token) as gw:
            bare, framed = [], []
            for _ in range(_ROUNDS):
                began = time.perf_counter()
                count = _bare(gw)
                bare.append(time.perf_counter() - began)
                began = time.perf_counter()
                rows = len(gw.data.messages())
                framed.append(time.perf_counter() - began)
                assert rows >= count >= _SESSIONS * _MESSAGES
            history = gw.transcript("agent:main:s0").messages
    shown, size = [], 0
    for _ in range(_ROUNDS):
        transcript = Transcript(History("agent:main:s0", history))
        began = time.perf_counter()
        size = len(transcript._repr_html_().encode())
        shown.append(time.perf_counter() - began)
    return {
        "messages": float(count),
        "bare requests (s)": round(min(bare), 3),
        "gw.data.messages() (s)": round(min(framed), 3),
        "ratio": round(min(framed) / min(bare), 2),
        f"transcript of {_MESSAGES:,} shown (s)": round(min(shown), 3),
        "its HTML (bytes)": float(size),
    }
