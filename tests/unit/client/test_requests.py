"""Calls: keys that make repeating safe, repeating where the gateway asks for it, and who records them."""

from __future__ import annotations

import types
import uuid
from typing import Any

import msgspec
import pytest

from gateway_nb.client import requests as module
from gateway_nb.client.log import Log
from gateway_nb.client.requests import NEEDS_IDEMPOTENCY_KEY, Requests
from gateway_nb.errors import BadParamsError, GatewayClosedError, GatewayRequestError
from gateway_nb.protocol.frames import encode
from tests.helpers.support import async_test

OK = msgspec.Raw(b'{"ok":1}')


def refusal(retry_after: float | None = None, *, retryable: bool = True) -> GatewayRequestError:
    error = GatewayRequestError("busy", code="UNAVAILABLE", details={"x": 1}, retryable=retryable)
    error.retry_after, error.gateway_message = retry_after, "it is busy"
    return error


class Wire:
    """A connection whose answers are scripted, and a clock on which pauses alone take time.

    Attributes:
        asked: method, params, timeout and whether a final answer was expected, of each request.
        pauses: seconds between them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.pauses: list[float] = []
        self.spawned: list[Any] = []
        self._answers = list(answers)
        self._now = 1000.0
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: self._now))
        monkeypatch.setattr(module, "asyncio", types.SimpleNamespace(sleep=self._sleep))
        self.requests = Requests(self._connection, 30.0, Log())

    def _connection(self, method: str) -> Any:
        return self

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 9))
        self._now += seconds

    async def request(
        self, method: str, params: Any, *, timeout: float | None, expect_final: bool, on_acknowledged: Any
    ) -> msgspec.Raw:
        self.asked.append((method, params, timeout, expect_final))
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    def spawn(self, work: Any) -> None:
        self.spawned.append(work)


@pytest.mark.parametrize(
    ("answers", "limit", "pauses"),
    [
        ([], None, []),
        ([refusal()] * 8, None, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        ([refusal(2.0), refusal(), refusal(0.05)], None, [2.0, 0.2, 0.4]),
        ([refusal(300.0)], None, [300.0]),
        ([refusal()] * 3, 1.0, [0.1, 0.2, 0.4]),
        ([refusal(1.9)], 2.0, [1.9]),
    ],
)
@async_test
async def test_repeating(
    answers: list[Any], limit: float | None, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the gateway asks for it a request is sent again, after pauses that grow to 5 s, or as long as it says."""
    wire = Wire(monkeypatch, *answers, OK)
    assert await wire.requests.ask("m", {"x": 1}, limit, expect_final=True) is OK
    assert wire.pauses == pauses
    assert wire.requests.retries == len(pauses)
    left = [None if limit is None else limit - sum(pauses[:count]) for count in range(len(pauses) + 1)]
    assert [asked[:2] + asked[3:] for asked in wire.asked] == [("m", {"x": 1}, True)] * (len(pauses) + 1)
    assert [asked[2] for asked in wire.asked] == pytest.approx(left)


@pytest.mark.parametrize(
    ("answers", "limit", "pauses"),
    [
        ([refusal(retryable=False)], None, []),
        ([refusal(300.1)], None, []),
        ([refusal(5.0)], 5.0, []),
        ([refusal(), refusal(), refusal()], 0.7, [0.1, 0.2]),
    ],
)
@async_test
async def test_no_repeating(
    answers: list[Any], limit: float | None, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the gateway does not ask for, beyond the deadline, or after more than five minutes, nothing is repeated."""
    wire = Wire(monkeypatch, *answers)
    with pytest.raises(GatewayRequestError) as failed:
        await wire.requests.ask("m", None, limit)
    assert failed.value is answers[-1]
    assert (wire.pauses, wire.requests.retries) == (pauses, len(pauses))


@pytest.mark.parametrize("method", sorted(NEEDS_IDEMPOTENCY_KEY))
@async_test
async def test_keys(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that starts something has a key, the user's or a new one, and the same one when it is repeated."""
    wire = Wire(monkeypatch, refusal(), OK, OK, OK, OK)
    await wire.requests.ask(method, {"x": 1}, None)
    await wire.requests.ask(method, {"idempotencyKey": "mine"}, None)
    await wire.requests.ask(method, None, None)
    await wire.requests.ask("sessions.list", {"x": 1}, None)
    sent = [params for _, params, *_ in wire.asked]
    assert sent[0] == sent[1] == {"x": 1, "idempotencyKey": str(uuid.UUID(sent[0]["idempotencyKey"]))}
    assert sent[2:] == [{"idempotencyKey": "mine"}, None, {"x": 1}]


class Recorder:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []

    def asked(self, request_id: str, method: str, params: bytes) -> None:
        self.notes.append((request_id, method, msgspec.json.decode(params)))

    def answered(self, request_id: str, ok: bool, answer: bytes) -> None:
        assert type(answer) is bytes
        self.notes.append((request_id, ok, msgspec.json.decode(answer)))


@async_test
async def test_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorders get each request once, however often it is sent, and its answer; what can't be sent is not recorded."""
    wire = Wire(monkeypatch, OK, refusal(), OK, refusal(1.5, retryable=False), refusal(retryable=False))
    recorder = Recorder()
    await wire.requests.ask("m", None, None)
    stop = wire.requests.record(recorder)
    with pytest.raises(BadParamsError):
        await wire.requests.ask("m", {"x": object()}, None)
    assert recorder.notes == []
    await wire.requests.ask("m", {"x": 1}, None)
    with pytest.raises(GatewayRequestError):
        await wire.requests.ask("n", None, None)
    first, second = recorder.notes[0][0], recorder.notes[2][0]
    error = {"code": "UNAVAILABLE", "message": "it is busy", "details": {"x": 1}, "retryable": False}
    assert recorder.notes == [
        (first, "m", {"x": 1}),
        (first, True, {"ok": 1}),
        (second, "n", None),
        (second, False, error | {"retry_after_ms": 1500.0}),
    ]
    assert first != second
    stop()
    with pytest.raises(GatewayRequestError):
        await wire.requests.ask("m", None, None)
    assert len(recorder.notes) == 4


@async_test
async def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection a call fails with the reason, and is recorded as asked alone."""
    recorder = Recorder()

    def closed(method: str) -> Any:
        raise GatewayClosedError(f"{method}: connect first")

    requests = Requests(closed, 30.0, Log())
    requests.record(recorder)
    with pytest.raises(GatewayClosedError, match="m: connect first"):
        await requests.ask("m", None, None)
    assert [note[1] for note in recorder.notes] == ["m"]


@async_test
async def test_subscriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was subscribed to is asked for again on another connection, as it was sent; what was undone is not."""
    wire = Wire(monkeypatch, *[OK] * 5, refusal(retryable=False), OK)
    params = {"key": "a"}
    await wire.requests.ask("sessions.subscribe", None, None)
    await wire.requests.ask("sessions.messages.subscribe", params, None)
    await wire.requests.ask("sessions.messages.subscribe", {"key": "b"}, None)
    await wire.requests.ask("sessions.messages.unsubscribe", {"key": "b"}, None)
    await wire.requests.ask("sessions.messages.list", None, None)
    with pytest.raises(GatewayRequestError):
        await wire.requests.ask("cron.subscribe", None, None)
    params["key"] = "changed"
    active = wire.requests.subscriptions
    assert [active.has("sessions.messages.subscribe", {"key": key}) for key in ("a", "b")] == [True, False]
    again: list[tuple[Any, ...]] = []

    class Next:
        async def request(self, method: str, params: Any, *, timeout: float | None) -> None:
            again.append((method, params, timeout))

        def spawn(self, work: Any) -> None:
            wire.spawned.append(work)

    wire.requests.subscriptions.make_again(Next())  # type: ignore[arg-type]
    for work in wire.spawned:
        await work
    assert again == [("sessions.subscribe", None, 30.0), ("sessions.messages.subscribe", {"key": "a"}, 30.0)]
    assert encode(again[0][1]) == b"null"
