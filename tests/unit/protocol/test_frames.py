"""Frames, and the numbers in them."""

from __future__ import annotations

import gc
import json
from types import SimpleNamespace

import msgspec
import pytest

from gateway_nb.errors import GatewayRequestError
from gateway_nb.protocol import frames


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [
        (0, 0.0),
        (1500, 1.5),
        (1.5, 0.0015),
        (10**12, frames.LONGEST_TIMER),
        (10**400, frames.LONGEST_TIMER),
        (1e300, frames.LONGEST_TIMER),
        (-1, None),
        (True, None),
        ("1500", None),
        (None, None),
        ([], None),
        (float("nan"), None),
    ],
    ids=str,
)
def test_milliseconds(milliseconds: object, seconds: float | None) -> None:
    """A gateway's milliseconds are seconds that a timer can hold, or nothing."""
    assert frames.seconds(milliseconds) == seconds


def test_a_payload_of_empty_lists() -> None:
    """A payload of very many lists is refused at once: to make them would stop the process for a second."""
    with pytest.raises(frames.MalformedFrame, match="more than 4,000,000 lists and objects"):
        frames.decode_payload(b"[" + b"[]," * 3_999_999 + b"{}]")


@pytest.mark.parametrize("enabled", [True, False])
def test_large_payloads_leave_the_garbage_collector_as_it_was(enabled: bool) -> None:
    """Decoding a large payload does without the garbage collector, and leaves it as it was."""
    payload = json.dumps(["x"] * 300_000).encode()
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        assert len(frames.decode_payload(payload)) == 300_000
        with pytest.raises(frames.MalformedFrame):
            frames.decode_payload(payload[:-1])
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_large_payloads_are_not_searched_for_garbage() -> None:
    """While a large payload is decoded no garbage is collected: each time all of its new objects would be visited."""
    collected: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        collected.append(phase)

    payload = b"[" + b"[]," * 400_000 + b"1]"
    gc.callbacks.append(note)
    try:
        assert len(frames.decode_payload(payload)) == 400_001
        assert collected == []
    finally:
        gc.callbacks.remove(note)


def test_an_answer_that_cannot_be_read() -> None:
    """An answer that is no UTF-8 is an error of the request, which names its method."""
    with pytest.raises(GatewayRequestError, match="health: the answer can't be read"):
        frames.decode_answer("health", b'"\xff"')


@pytest.mark.parametrize(("size", "kept"), [(65_536, True), (65_537, False)])
def test_the_largest_details(size: int, kept: bool) -> None:
    """Of an error's details up to 64 KiB are read; of more only how much it is."""
    details = "x" * (size - 2)
    shape = frames.read_error(msgspec.Raw(frames.encode({"code": 7, "details": details, "retryable": 1})))
    assert shape.details == (details if kept else f"{size:,} bytes, left out")
    assert (shape.code, shape.message, shape.retryable, shape.retry_after) == (None, None, False, None)


@pytest.mark.parametrize(("text", "read"), [(b"[{},{}]", True), (b"[{},{},[]]", False)])
def test_how_many_lists_and_objects_there_may_be(text: bytes, read: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload of more than so many lists and objects is refused: they would take a thousand times its bytes."""
    monkeypatch.setattr(frames, "MAX_CONTAINERS", 3)
    assert frames.decode_payload(b"[[],[],[],[]]") == [[]] * 4, "small ones are not counted"
    monkeypatch.setattr(frames, "_LARGE_PAYLOAD", 5)
    if read:
        assert frames.decode_payload(text) == [{}, {}]
    else:
        with pytest.raises(frames.MalformedFrame, match="more than 3 lists and objects"):
            frames.decode_payload(text)


def test_the_collector_rests_while_a_large_payload_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector does not look at the objects of a large payload while they come to be."""
    monkeypatch.setattr(frames, "_LARGE_PAYLOAD", 5)
    seen: list[bool] = []
    monkeypatch.setattr(frames, "_any", SimpleNamespace(decode=lambda raw: seen.append(gc.isenabled())))
    frames.decode_payload(b"[1,2,3]")
    frames.decode_payload(b"[1]")
    assert seen == [False, True]
