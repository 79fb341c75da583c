"""The state machine of one connection: bytes and times in, effects out, no sockets, no sleeps."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gateway_nb.errors import (
    AuthenticationError,
    BadParamsError,
    FrameTooLargeError,
    GatewayClosedError,
    GatewayConnectError,
    GatewayRequestError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
    MissingScopeError,
    PairingRequiredError,
    ProtocolMismatchError,
    RateLimitedError,
)
from gateway_nb.protocol.effects import (
    Acknowledged,
    Answered,
    Challenged,
    Close,
    Dropped,
    Effect,
    Failed,
    Gap,
    Jump,
    Late,
    Send,
    Welcomed,
)
from gateway_nb.protocol.frames import LONGEST_TIMER, MAX_NAME, EventFrame
from gateway_nb.protocol.handshake import LONGEST_TICK_INTERVAL, hello_secrets
from gateway_nb.protocol.session import MAX_GAP, Phase, Session
from tests.helpers.frames import HELLO, event, response


def ready(now: float = 0.0, hello: dict[str, Any] = HELLO, **options: Any) -> Session:
    session = Session(now, **options)
    session.receive([event("connect.challenge", {"nonce": "n", "ts": 5})], now)
    session.connect("hello", {}, now)
    (welcomed,) = session.receive([response("hello", hello)], now)
    assert isinstance(welcomed, Welcomed)
    return session


def ask(
    session: Session, request_id: str = "1", *, now: float = 0.0, timeout: float | None = 30.0, **options: Any
) -> list[Effect]:
    return session.request(request_id, "health", None, now, timeout=timeout, **options)


def error_of(effects: Any) -> Exception:
    (effect,) = effects
    assert isinstance(effect, (Failed, Close))
    assert effect.error is not None
    return effect.error


# Handshake


def test_the_handshake() -> None:
    """A challenge is answered with connect, and hello-ok opens the connection."""
    session = Session(0.0)
    (challenged,) = session.receive([event("connect.challenge", {"nonce": " n ", "ts": 7})], 1.0)
    assert isinstance(challenged, Challenged)
    assert (challenged.challenge.nonce, challenged.challenge.ts_ms) == ("n", 7)
    (send,) = session.connect("hello", {"minProtocol": 3}, 1.0)
    assert isinstance(send, Send)
    assert json.loads(send.data) == {"type": "req", "id": "hello", "method": "connect", "params": {"minProtocol": 3}}
    assert session.phase is Phase.CONNECT
    (welcomed,) = session.receive([response("hello", HELLO)], 1.5)
    assert isinstance(welcomed, Welcomed)
    assert welcomed.hello.tick_interval == 10
    assert welcomed.secrets == ["hush"]
    assert "hush" not in repr(welcomed)
    assert session.phase is Phase.READY


@pytest.mark.parametrize("payload", [None, {}, {"nonce": ""}, {"nonce": "  "}, {"nonce": 5}, [], "n"])
def test_a_challenge_without_nonce(payload: Any) -> None:
    """A blank or missing nonce closes with 1008 and says so."""
    (close,) = Session(0.0).receive([event("connect.challenge", payload)], 0.0)
    assert isinstance(close, Close)
    assert (close.code, close.reason) == (1008, "connect challenge missing nonce")
    assert "gateway connect challenge missing nonce" in str(close.error)


@pytest.mark.parametrize("ts", [None, -1, True, "5", 1.5])
def test_a_challenge_with_a_clock_of_no_use(ts: Any) -> None:
    """A challenge whose ts is no count of milliseconds still counts; the local clock is used."""
    (challenged,) = Session(0.0).receive([event("connect.challenge", {"nonce": "n", "ts": ts})], 0.0)
    assert isinstance(challenged, Challenged)
    assert challenged.challenge.ts_ms is None


def test_no_challenge_in_time() -> None:
    """Without a challenge the connection is closed with 1008, naming waited and limit."""
    session = Session(100.0, challenge_timeout=2.0)
    assert session.next_timer() == 102.0
    assert session.timer(101.9) == []
    (close,) = session.timer(102.5)
    assert isinstance(close, Close)
    assert close.code == 1008
    assert isinstance(close.error, HandshakeTimeoutError)
    assert "waited 2500ms, limit 2000ms" in str(close.error)
    assert session.next_timer() == math.inf


def test_no_hello_in_time() -> None:
    """Without hello-ok the connection is closed with 4000, 15 s after the challenge was answered."""
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 10.0)
    session.connect("hello", {}, 10.0)
    assert session.next_timer() == 25.0
    (close,) = session.timer(25.0)
    assert isinstance(close, Close)
    assert close.code == 4000
    assert isinstance(close.error, HandshakeTimeoutError)


def test_a_second_challenge_is_dropped() -> None:
    """A challenge after the first is of no use, and changes nothing."""
    (dropped,) = ready().receive([event("connect.challenge", {"nonce": "m"})], 1.0)
    assert isinstance(dropped, Dropped)


@pytest.mark.parametrize("payload", [None, {}, {"protocol": "4"}, []])
def test_a_hello_that_is_none(payload: Any) -> None:
    """A hello-ok without a protocol version closes the connection."""
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("hello", {}, 0.0)
    assert isinstance(error_of(session.receive([response("hello", payload)], 0.0)), GatewayConnectError)


def test_a_sparse_hello_gets_defaults() -> None:
    """A hello-ok with missing or odd fields is understood as far as it goes."""
    hello = {
        "protocol": 3,
        "server": 5,
        "features": {"methods": ["a", 1]},
        "auth": {"scopes": "x"},
        "policy": {"tickIntervalMs": -1},
    }
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("hello", {}, 0.0)
    (welcomed,) = session.receive([response("hello", hello)], 0.0)
    assert isinstance(welcomed, Welcomed)
    assert (welcomed.hello.methods, welcomed.hello.scopes, welcomed.hello.tick_interval) == (("a",), (), 30.0)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"auth": {"deviceToken": "a", "recoveryScope": "b"}, "pluginSurfaceUrls": {"x": "c"}}, ["a", "b", "c"]),
        ({"auth": {"deviceTokens": [{"deviceToken": "a"}, {"token": "b"}, "c"]}}, ["a", "b", "c"]),
        ({"auth": {"deviceToken": "", "recoveryScope": 5, "deviceTokens": [7, None, {"token": []}]}}, []),
        ({"auth": {"deviceToken": None, "deviceTokens": {"token": "a"}}, "pluginSurfaceUrls": ["x"]}, []),
        ([], []),
    ],
)
def test_the_secrets_of_a_hello(payload: Any, found: list[str]) -> None:
    """Device tokens, the recovery scope and capability URLs are secrets; what is no text, or an empty one, is none."""
    assert hello_secrets(payload) == found


REFUSALS = [
    ({"code": "AUTH_TOKEN_MISMATCH"}, AuthenticationError),
    ({"code": "DEVICE_AUTH_SIGNATURE_EXPIRED"}, AuthenticationError),
    ({"code": "DEVICE_IDENTITY_REQUIRED"}, AuthenticationError),
    ({"code": "AUTH_RATE_LIMITED"}, AuthenticationError),
    ({"code": "PROTOCOL_MISMATCH"}, ProtocolMismatchError),
    ({"code": "PAIRING_REQUIRED", "requestId": "r-1", "reason": "not-paired"}, PairingRequiredError),
    ({"code": "SOMETHING_NEW"}, GatewayConnectError),
    (None, GatewayConnectError),
    ("odd", GatewayConnectError),
]


@pytest.mark.parametrize(("details", "kind"), REFUSALS)
def test_a_refused_connect(details: Any, kind: type[GatewayConnectError]) -> None:
    """Each refusal is an error of its own kind, and closes with 1008."""
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("hello", {}, 0.0)
    shape = {"code": "INVALID_REQUEST", "message": "no\nway", "details": details}
    (close,) = session.receive([response("hello", ok=False, error=shape)], 0.0)
    assert isinstance(close, Close)
    assert close.code == 1008
    assert type(close.error) is kind
    assert "\n" not in str(close.error)


@pytest.mark.parametrize("request_id", ["; rm -rf /", "", None, "x" * 129, "-x"])
def test_a_pairing_request_id_that_is_none(request_id: Any) -> None:
    """An id that is not of the gateway's form never reaches a command line."""
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("hello", {}, 0.0)
    shape = {
        "code": "NOT_PAIRED",
        "message": "pairing required",
        "details": {"code": "PAIRING_REQUIRED", "requestId": request_id},
    }
    error = error_of(session.receive([response("hello", ok=False, error=shape)], 0.0))
    assert isinstance(error, PairingRequiredError)
    assert error.request_id is None
    assert error.approve_command is None


def _greeted(session: Session, **answer: Any) -> None:
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("hello", {}, 0.0)
    session.receive([response("hello", **answer)], 0.0)


ENDS: dict[str, Callable[[Session], Any]] = {
    "no nonce": lambda session: session.receive([event("connect.challenge", {})], 0.0),
    "no challenge": lambda session: session.timer(1e9),
    "refused": lambda session: _greeted(session, ok=False),
    "a bad hello-ok": lambda session: _greeted(session, payload={}),
    "closed before the challenge": lambda session: session.closed(1006, ""),
    "closed after hello-ok": lambda session: (_greeted(session, payload=HELLO), session.closed(1006, "")),
    "stopped": lambda session: session.stop(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_nothing_follows_the_end(end: Callable[[Session], Any]) -> None:
    """After a failed handshake, a close or a stop whatever the gateway still sends is dropped, and no timer runs."""
    session = Session(0.0)
    end(session)
    rest = [event("connect.challenge", {"nonce": "n"}), response("hello", HELLO), event("x", seq=1)]
    assert [type(effect) for effect in session.receive(rest, 1.0)] == [Dropped] * 3
    assert (session.next_timer(), session.timer(1e9)) == (math.inf, [])


def test_two_challenges_at_once() -> None:
    """Of two challenges that come together the first is answered."""
    challenge = event("connect.challenge", {"nonce": "n"})
    assert [type(effect) for effect in Session(0.0).receive([challenge] * 2, 0.0)] == [Challenged, Dropped]


def test_requests_wait_for_hello() -> None:
    """A request before hello-ok, or after the end, is a closed connection."""
    session = Session(0.0)
    with pytest.raises(GatewayClosedError, match="gateway not connected"):
        ask(session)
    session = ready()
    session.closed(1006, "")
    with pytest.raises(GatewayClosedError, match="gateway not connected"):
        ask(session)


# Requests


def test_a_request_and_its_answer() -> None:
    """An answer settles its request once; a second one is an unknown id."""
    session = ready()
    (send,) = ask(session)
    assert isinstance(send, Send)
    assert json.loads(send.data) == {"type": "req", "id": "1", "method": "health"}
    (answered,) = session.receive([response("1", {"ok": True})], 1.0)
    assert isinstance(answered, Answered)
    assert (answered.request_id, bytes(answered.payload)) == ("1", b'{"ok": true}')
    assert isinstance(session.receive([response("1")], 1.0)[0], Dropped)
    assert session.pending == 0


@pytest.mark.parametrize(
    ("shape", "kind", "text"),
    [
        ({"code": "INVALID_REQUEST", "message": "bad"}, GatewayRequestError, "health: bad [INVALID_REQUEST]"),
        ({"code": "INVALID_REQUEST", "message": "unknown method: x"}, GatewayRequestError, "gw.methods lists"),
        ({"code": "FORBIDDEN", "message": "missing scope: operator.talk"}, MissingScopeError, "operator.talk"),
        (
            {"code": "FORBIDDEN", "message": "no", "details": {"code": "MISSING_SCOPE", "missingScope": "s"}},
            MissingScopeError,
            "scopes=[..., 's']",
        ),
        (
            {
                "code": "UNAVAILABLE",
                "message": "rate",
                "retryable": True,
                "retryAfterMs": 1500,
                "details": {"limit": 3},
            },
            RateLimitedError,
            "call again in 1.5 s",
        ),
        ({"message": "m"}, GatewayRequestError, "[UNAVAILABLE]"),
        ({}, GatewayRequestError, "unknown error"),
        (None, GatewayRequestError, "unknown error"),
    ],
)
def test_an_error_answer(shape: Any, kind: type[GatewayRequestError], text: str) -> None:
    """An error is of the kind that says what to do, in one line."""
    session = ready()
    ask(session)
    error = error_of(session.receive([response("1", ok=False, error=shape)], 0.0))
    assert type(error) is kind
    assert text in str(error)
    assert isinstance(error, GatewayRequestError)
    assert (error.method, error.request_id) == ("health", "1")


def test_a_request_times_out() -> None:
    """Without an answer a request fails at its deadline."""
    session = ready()
    ask(session, timeout=5.0)
    assert session.next_timer() == 5.0
    assert session.timer(4.9) == []
    error = error_of(session.timer(5.0))
    assert isinstance(error, GatewayTimeoutError)
    assert isinstance(error, TimeoutError)
    assert "no answer within 5 s" in str(error)


def test_timers_are_clamped() -> None:
    """A timeout beyond what a timer can hold becomes the longest one."""
    session = ready(hello={**HELLO, "policy": {"tickIntervalMs": 10**400}})
    ask(session, timeout=1e12)
    assert session.next_timer() == LONGEST_TICK_INTERVAL  # the watchdog
    session.timer(LONGEST_TICK_INTERVAL)
    failed, close = session.timer(LONGEST_TIMER)
    assert isinstance(failed, Failed)
    assert isinstance(close, Close)


def test_accepted_is_not_final() -> None:
    """With expect_final an accepted answer is an acknowledgement; without, it is the answer."""
    session = ready()
    ask(session, expect_final=True)
    assert isinstance(session.receive([response("1", {"status": "accepted"})], 0.0)[0], Acknowledged)
    assert isinstance(session.receive([response("1", {"status": "ok"})], 0.0)[0], Answered)
    ask(session, "2")
    assert isinstance(session.receive([response("2", {"status": "accepted"})], 0.0)[0], Answered)


@pytest.mark.parametrize("payload", [None, [], 5, "accepted", {"status": 5}, {"status": {"a": []}}])
def test_final_payloads_of_any_shape(payload: Any) -> None:
    """A final answer need not be an object with a status."""
    session = ready()
    ask(session, expect_final=True)
    assert isinstance(session.receive([response("1", payload)], 0.0)[0], Answered)


def test_only_so_many_in_flight() -> None:
    """Requests beyond the limit wait in line, in order, and go out as places become free."""
    session = ready(max_in_flight=2)
    assert [len(ask(session, str(number))) for number in range(5)] == [1, 1, 0, 0, 0]
    assert (session.pending, session.waiting) == (5, 3)
    _, send = session.receive([response("1")], 0.0)
    assert isinstance(send, Send)
    assert json.loads(send.data)["id"] == "2"
    (send,) = session.cancel("0")
    assert isinstance(send, Send)
    assert json.loads(send.data)["id"] == "3"
    assert session.cancel("4") == []
    assert (session.pending, session.waiting) == (2, 0)
    assert len(session.receive([response("2")], 0.0)) == 1
    assert session.cancel("nobody") == []


def test_a_timeout_frees_a_place() -> None:
    """A request that times out makes room for the next; one that times out in line is never sent."""
    session = ready(max_in_flight=1)
    ask(session, "a", timeout=1.0)
    ask(session, "b", timeout=0.5)
    ask(session, "c", timeout=9.0)
    failed = session.timer(0.6)
    assert [effect.request_id for effect in failed if isinstance(effect, Failed)] == ["b"]
    _, send = session.timer(1.1)
    assert isinstance(send, Send)
    assert json.loads(send.data)["id"] == "c"


def test_a_request_too_large() -> None:
    """A frame beyond the gateway's limit is refused before it is sent."""
    with pytest.raises(FrameTooLargeError, match="the gateway takes 2,000"):
        ready().request("1", "health", {"x": "y" * 3000}, 0.0, timeout=1.0)


@pytest.mark.parametrize(
    "params", [[1], "x", {"x": math.nan}, {"x": [{"y": math.inf}]}, {"x": object()}, {"x": "\ud800"}]
)
def test_params_that_are_not_json(params: Any) -> None:
    """Params that JSON does not have are refused by name, and nothing is left waiting."""
    session = ready()
    with pytest.raises(BadParamsError, match="health"):
        session.request("1", "health", params, 0.0, timeout=1.0)
    assert session.pending == 0


# The end


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (1006, "", "gateway closed (1006): abnormal closure (no close frame)"),
        (1008, "slow consumer", "gateway closed (1008): slow consumer"),
        (1012, "", "gateway closed (1012): service restart"),
        (4999, "", "gateway closed (4999): no reason given"),
    ],
)
def test_the_end_fails_every_request(code: int, reason: str, text: str) -> None:
    """When the connection closes, every waiter fails with code and reason, waiting ones too."""
    session = ready(max_in_flight=1)
    ask(session, "1")
    ask(session, "2")
    failed = session.closed(code, reason)
    assert [effect.request_id for effect in failed if isinstance(effect, Failed)] == ["1", "2"]
    assert text in str(failed[0].error)  # type: ignore[union-attr]
    assert session.closed(code, reason) == []
    assert session.timer(1e9) == []


def test_stop() -> None:
    """Stopping fails every waiter in the seed's words and closes with 1000."""
    session = ready()
    ask(session)
    failed, close = session.stop()
    assert isinstance(failed, Failed)
    assert "gateway client stopped" in str(failed.error)
    assert close == Close(1000, "")


# Events


def test_gaps() -> None:
    """A jump in the numbers is reported with expected and received, and the event is delivered."""
    session = ready()
    assert [type(effect) for effect in session.receive([event("a", seq=5)], 0.0)] == [EventFrame]
    assert [type(effect) for effect in session.receive([event("a", seq=6)], 0.0)] == [EventFrame]
    gap, frame = session.receive([event("a", seq=9)], 0.0)
    assert gap == Gap(7, 9)
    assert isinstance(frame, EventFrame)
    assert len(session.receive([event("a")], 0.0)) == 1
    assert len(session.receive([event("a", seq=10)], 0.0)) == 1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((5, 5, 6), [(6, 5)]),
        ((5, 4, 5, 6), [(6, 4)]),
        ((5, 0, 6), [(6, 0), (1, 6)]),
        ((5, 10**9, 6, 7), [(6, 10**9), (10**9 + 1, 6)]),
        ((5, 6 + MAX_GAP, 7 + MAX_GAP), [(6, 6 + MAX_GAP)]),
        ((5, 7 + MAX_GAP, 8 + MAX_GAP), [(6, 7 + MAX_GAP)]),
    ],
    ids=str,
)
def test_numbers_that_jump(numbers: tuple[int, ...], expected: list[tuple[int, int]]) -> None:
    """An event whose number goes back, or far ahead, is delivered and marked; those after it count from there."""
    session = ready()
    effects = session.receive([event("a", seq=seq) for seq in numbers], 0.0)
    assert [effect.seq for effect in effects if isinstance(effect, EventFrame)] == list(numbers)
    marks = [effect for effect in effects if isinstance(effect, (Gap, Jump))]
    assert [(mark.expected, mark.received) for mark in marks] == expected
    assert [isinstance(mark, Gap) for mark in marks] == [0 < b - a <= MAX_GAP for a, b in expected]


MALFORMED = [
    b"",
    b"nonsense",
    b"[]",
    b"null",
    b"{}",
    b'{"type":"event"}',
    b'{"type":"event","event":""}',
    b'{"type":"event","event":5}',
    b'{"type":"event","event":"' + b"x" * (MAX_NAME + 1) + b'"}',
    b'{"type":"event","event":"x","seq":-1}',
    b'{"type":"event","event":"x","seq":1.5}',
    b'{"type":"res","id":5,"ok":true}',
    b'{"type":"res","id":"1"}',
    b'{"type":"req","id":"1","method":"x"}',
    b'{"type":"event","event":"x"',
    b'{"type":"event","event":"\xff"}',
    b"[" * 100_000,
    b'{"type":"event","event":"x","payload":' + b"[" * 100_000 + b"}",
    b"\x00\x01\x02",
]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_frames_are_dropped(data: bytes) -> None:
    """Bad JSON, a wrong shape, bad UTF-8, endless nesting: dropped with a reason, and the connection goes on."""
    session = ready()
    (dropped,) = session.receive([data], 0.0)
    assert isinstance(dropped, Dropped)
    assert len(ask(session)) == 1


def test_unknown_fields_are_welcome() -> None:
    """Gateways add fields in every release: they are ignored."""
    session = ready()
    (frame,) = session.receive([event("x", {"a": 1}, seq=1, stateVersion={"health": 3}, new=[1])], 0.0)
    assert isinstance(frame, EventFrame)


@pytest.mark.parametrize(
    "error",
    [
        {"code": 5, "message": ["no"], "retryable": "yes", "retryAfterMs": "soon", "details": 1},
        {"retryAfterMs": -1},
        {"retryAfterMs": True},
        "no",
        [],
        7,
    ],
    ids=str,
)
def test_an_error_of_any_shape_is_an_answer(error: Any) -> None:
    """Whatever an error's fields hold, its request is answered; fields of a wrong type count as missing."""
    session = ready()
    ask(session)
    failure = error_of(session.receive([response("1", ok=False, error=error)], 0.0))
    assert (failure.code, failure.retryable, failure.retry_after) == ("UNAVAILABLE", False, None)


def test_an_error_that_cannot_be_read() -> None:
    """An error that is no UTF-8 answers its request, too."""
    session = ready()
    ask(session)
    failure = error_of(session.receive([b'{"type":"res","id":"1","ok":false,"error":{"message":"\xff"}}'], 0.0))
    assert "unknown error" in str(failure)


@pytest.mark.parametrize("give_up", ["cancel", "timeout"])
def test_a_late_answer(give_up: str) -> None:
    """An answer to a request that was given up is late, which is told apart from an answer to nothing."""
    session = ready()
    ask(session, timeout=1.0)
    if give_up == "cancel":
        session.cancel("1")
    else:
        session.timer(2.0)
    assert session.receive([response("1")], 3.0) == [Late("1")]
    (dropped,) = session.receive([response("2")], 3.0)
    assert isinstance(dropped, Dropped)


def test_only_so_many_late_answers_are_known() -> None:
    """Of the requests that were given up the last thousand or so are remembered: memory is bounded."""
    session = ready()
    for number in range(2000):
        session.request(str(number), "health", None, 0.0, timeout=1.0)
        session.cancel(str(number))
    (first,) = session.receive([response("0")], 0.0)
    (last,) = session.receive([response("1999")], 0.0)
    assert isinstance(first, Dropped)
    assert isinstance(last, Late)


def test_a_padded_event_keeps_its_payload_alone() -> None:
    """An event keeps its payload in memory, not the whole frame around it."""
    session = ready()
    data = event("x", {"a": 1}, seq=1, padding="y" * 1_000_000)
    references = sys.getrefcount(data)
    (frame,) = session.receive([data], 0.0)
    assert isinstance(frame, EventFrame)
    assert bytes(frame.payload) == b'{"a": 1}'
    assert sys.getrefcount(data) == references


def test_a_hello_without_end() -> None:
    """A hello-ok of more than 2 MiB is refused before anything is made of it."""
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("c", {}, 0.0)
    (close,) = session.receive([response("c", {**HELLO, "more": "x" * 5_000_000})], 0.0)
    assert isinstance(close, Close)
    assert "5,000" in str(close.error)


@pytest.mark.parametrize("interval", [b"1e400", b"1" * 5000])
def test_a_hello_that_cannot_be_read(interval: bytes) -> None:
    """A hello-ok with a number that nothing holds is said to be unreadable at once, not waited for in vain."""
    session = Session(0.0)
    session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)
    session.connect("c", {}, 0.0)
    hello = b'{"protocol":4,"policy":{"tickIntervalMs":' + interval + b"}}"
    (close,) = session.receive([b'{"type":"res","id":"c","ok":true,"payload":' + hello + b"}"], 0.0)
    assert isinstance(close, Close)
    assert "can't be read" in str(close.error)


# Watchdog


def test_silence_is_noticed() -> None:
    """No frame for more than two tick intervals closes with 4000 tick timeout."""
    session = ready()
    assert session.next_timer() == 10.0
    assert session.timer(10.0) == []
    assert session.timer(20.0) == []
    assert session.timer(30.0) == [Close(4000, "tick timeout")]


def test_any_frame_is_a_sign_of_life() -> None:
    """A response, an event and even a malformed frame count."""
    session = ready()
    session.receive([b"nonsense"], 25.0)
    assert session.timer(30.0) == []
    assert session.timer(45.1) == [Close(4000, "tick timeout")]


def test_requests_with_deadlines_speak_for_themselves() -> None:
    """While every pending request has a deadline the watchdog is off; one without turns it on again."""
    session = ready()
    ask(session, "1", timeout=100.0)
    assert session.timer(50.0) == []
    ask(session, "2", timeout=None)
    assert session.timer(60.0) == [Close(4000, "tick timeout")]
    session.cancel("2")
    assert session.timer(70.0) == []


def test_the_watchdog_looks_no_more_often_than_it_should() -> None:
    """The look-out keeps the minimum interval when ticks come faster."""
    hello = {**HELLO, "policy": {"tickIntervalMs": 10}}
    session = ready(hello=hello, tick_min_interval=1.0)
    assert session.next_timer() == 1.0
    assert session.timer(1.0) == [Close(4000, "tick timeout")]
    assert session.next_timer() == 2.0


def test_a_settled_request_leaves_no_timer() -> None:
    """The deadline of an answered or cancelled request is forgotten, asked or not."""
    session = ready()
    ask(session, "1", timeout=3.0)
    session.receive([response("1")], 1.0)
    assert session.next_timer() == 10.0
    ask(session, "2", timeout=3.0)
    session.cancel("2")
    assert session.timer(5.0) == []


def test_an_event_before_hello() -> None:
    """An event that comes before the handshake is done is dropped."""
    (dropped,) = Session(0.0).receive([event("x", seq=1)], 0.0)
    assert isinstance(dropped, Dropped)
