"""The pieces that iterating a run yields, whatever the gateway sends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway_nb.client.feed import Feed
from gateway_nb.client.log import Log
from gateway_nb.client.run import AsyncRun
from gateway_nb.errors import RunFailedError
from gateway_nb.protocol.frames import EventFrame, encode
from tests.helpers.support import async_test

Delta = tuple[str, bool]


class FakeCore:
    """Plays a run's ``chat`` events, then its final answer."""

    def __init__(self, deltas: list[Delta], final: str) -> None:
        self.log = Log()
        self.feed = Feed(self.log)
        self.requests = self
        self._deltas, self._final = deltas, final

    async def ask(self, method: str, params: dict[str, Any], limit: float | None, **_: Any) -> bytes:
        run = params["idempotencyKey"]
        for text, replace in self._deltas:
            payload = {"runId": run, "state": "delta", "deltaText": text} | ({"replace": True} if replace else {})
            self.feed.receive([EventFrame("chat", msgspec.Raw(encode(payload)))])
        return encode({"status": "ok", "result": {"payloads": [{"text": self._final}]}})


@pytest.mark.parametrize(
    ("deltas", "final", "printed"),
    [
        ([("He", False), ("llo", False)], "Hello", "Hello"),
        ([], "Hello", "Hello"),
        ([("He", False)], "Hello", "Hello"),
        ([("He", False), ("Hello", True)], "Hello", "Hello"),
        ([("Hello ", False)], "Hello", "Hello "),
        ([("Hello", False), ("He", True), ("llo", False)], "Hello", "Hello"),
        ([("[Thu", False), ("hello", True), (" there", False)], "hello there", "[Thu\nhello there"),
        ([("[Thu 9] hello", False), ("hello", True), (" there", False)], "hello there", "[Thu 9] hello there"),
        ([("A\n\nB", False)], "A\nB", "A\n\nB"),
        ([("one", False)], "two", "one\ntwo"),
    ],
)
@async_test
async def test_pieces(deltas: list[Delta], final: str, printed: str) -> None:
    """Printed one after the other, the pieces end with the answer, told once; `text` is the answer alone."""
    core: Any = FakeCore(deltas, final)
    run = AsyncRun(core, "hi", agent="main", session=None, timeout=None)
    assert "".join([piece async for piece in run]) == printed
    assert run.text == (await run.result()).text == final


@pytest.mark.parametrize(("size", "kept"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
@async_test
async def test_what_a_failed_run_tells(size: int, kept: bool) -> None:
    """Of a run that failed the gateway's details are there up to 1 MiB; of more only how much it is."""
    final = {"status": "error", "summary": "no", "more": ""}
    final["more"] = "x" * (size - len(encode(final)))

    class Failing(FakeCore):
        async def ask(self, method: str, params: dict[str, Any], limit: float | None, **_: Any) -> bytes:
            return encode(final)

    core: Any = Failing([], "")
    with pytest.raises(RunFailedError, match="ended with error: no") as failed:
        await AsyncRun(core, "hi", agent="main", session=None, timeout=None).result()
    assert failed.value.details == (final if kept else "1,048,577 bytes, left out")
