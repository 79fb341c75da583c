"""The state machine of one connection under any interleaving of frames, losses, timeouts, cancels and ends."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway_nb.errors import GatewayClosedError, GatewayTimeoutError
from gateway_nb.protocol import effects
from gateway_nb.protocol.frames import EventFrame
from gateway_nb.protocol.session import MAX_GAP, Session
from tests.helpers.frames import HELLO, event, response

TICK = HELLO["policy"]["tickIntervalMs"] / 1000
CHALLENGE = event("connect.challenge", {"nonce": "n"})
USELESS = [b"", b"[]", b'{"type":"event"}', b"\xff", CHALLENGE, response("nobody"), response("hello", HELLO)]


class Connection(RuleBasedStateMachine):
    """Drives a session as a client does, and keeps its own account of what a user is promised."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.session = Session(self.now, max_in_flight=3)
        self.ended = False
        self.ids = map(str, itertools.count(1))
        self.deadlines: dict[str, float] = {}
        """Of the requests that are not settled, in the order in which they were made."""
        self.expects_final: set[str] = set()
        self.sent: set[str] = set()
        self.given_up: set[str] = set()
        self.due: int | None = None
        """The number of the next event, once there was one."""
        self.quiet_since = self.now
        self.closes = 0

    # What the gateway does

    @initialize(times=st.integers(1, 2))
    def shake_hands(self, times: int) -> None:
        """The gateway sends its challenge and hello-ok, each once or twice; the second is of no use."""
        challenged, *rest = self.receive([CHALLENGE] * times)
        assert isinstance(challenged, effects.Challenged)
        assert all(isinstance(effect, effects.Dropped) for effect in rest)
        assert [type(effect) for effect in self.session.connect("hello", {}, self.now)] == [effects.Send]
        welcomed, *rest = self.receive([response("hello", HELLO)] * times)
        assert isinstance(welcomed, effects.Welcomed)
        assert all(isinstance(effect, effects.Dropped) for effect in rest)

    @rule(lost=st.lists(st.sampled_from([0, 0, 0, 1, 5, MAX_GAP, MAX_GAP + 1, -1, -3]), min_size=1, max_size=6))
    def send_events(self, lost: list[int]) -> None:
        """Events come together, some after others that were lost, some with numbers that go back."""
        messages, expected = [], []
        for count in lost:
            number = max((5 if self.due is None else self.due) + count, 0)
            if self.due is not None and number != self.due:
                mark = effects.Gap if 0 < count <= MAX_GAP else effects.Jump
                expected.append(mark(self.due, number))
            self.due = number + 1
            messages.append(event("x", seq=number))
            expected.append(number)
        seen = [effect.seq if isinstance(effect, EventFrame) else effect for effect in self.receive(messages)]
        if self.ended:
            assert [type(effect) for effect in seen] == [effects.Dropped] * len(messages)
        else:
            assert seen == expected

    @rule(count=st.integers(1, 3))
    def send_unnumbered_events(self, count: int) -> None:
        """An event without a number is seen as it comes, and leaves the count of the others alone."""
        kinds = {type(effect) for effect in self.receive([event("x")] * count)}
        assert kinds == {effects.Dropped if self.ended else EventFrame}

    @rule(useless=st.lists(st.sampled_from(USELESS), min_size=1, max_size=3))
    def send_useless(self, useless: list[bytes]) -> None:
        """What is of no use is counted, each of it."""
        found = self.receive(useless)
        assert [type(effect) for effect in found] == [effects.Dropped] * len(useless)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), ok=st.booleans(), status=st.sampled_from(["ok", "accepted", None]))
    def answer(self, data: st.DataObject, ok: bool, status: str | None) -> None:
        """The gateway answers a request that it got, be it settled or not, with success, failure or a receipt."""
        request_id = data.draw(st.sampled_from(sorted(self.sent)))
        is_open = request_id in self.deadlines
        first, *rest = self.receive([response(request_id, {"status": status}, ok=ok)])
        if not is_open:
            late = request_id in self.given_up
            assert type(first) is (effects.Late if late else effects.Dropped)
        elif ok and status == "accepted" and request_id in self.expects_final:
            assert isinstance(first, effects.Acknowledged)
        else:
            assert type(first) is (effects.Answered if ok else effects.Failed)
            assert request_id not in self.deadlines
        assert all(isinstance(effect, effects.Send) for effect in rest)

    # What the user does

    @rule(timeout=st.sampled_from([None, 0.0, 1.0, 7.0, 100.0]), expect_final=st.booleans())
    def request(self, timeout: float | None, expect_final: bool) -> None:
        """A request is sent at once, waits in line, or is refused because there is no connection."""
        request_id = next(self.ids)
        options: dict[str, Any] = {"timeout": timeout, "expect_final": expect_final}
        if self.ended:
            with pytest.raises(GatewayClosedError):
                self.session.request(request_id, "m", None, self.now, **options)
            return
        self.deadlines[request_id] = math.inf if timeout is None else self.now + timeout
        self.quiet_since = self.now
        if expect_final:
            self.expects_final.add(request_id)
        self.take(self.session.request(request_id, "m", None, self.now, **options))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A request is cancelled, be it sent, in line, settled or unknown."""
        request_id = data.draw(st.sampled_from([*self.deadlines, *sorted(self.given_up), "nobody"]))
        if self.deadlines.pop(request_id, None) is not None:
            self.given_up.add(request_id)
        self.quiet_since = self.now
        self.take(self.session.cancel(request_id))

    # Time, and the end

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 6.0, 30.0, 200.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by; the session is called when it wants to be."""
        until = self.now + seconds
        while (when := self.session.next_timer()) <= until:
            assert when >= self.now or when in self.deadlines.values()
            self.now = max(when, self.now)
            for effect in self.take(self.session.timer(self.now)):
                if isinstance(effect, effects.Failed):
                    assert isinstance(effect.error, GatewayTimeoutError)
                elif isinstance(effect, effects.Send):
                    assert json.loads(effect.data)["id"] in self.deadlines, "what is over is not sent any more"
        self.now = until
        assert all(deadline > self.now for deadline in self.deadlines.values())
        if not self.ended and not self.deadlines and self.now - self.quiet_since > 4 * TICK:
            assert self.closes, "nothing came for more than two ticks, and nobody noticed"

    @rule()
    def call_early(self) -> None:
        """A timer that is called before its time does nothing but what is due."""
        due = {request_id for request_id, deadline in self.deadlines.items() if deadline <= self.now}
        found = self.take(self.session.timer(self.now))
        assert {effect.request_id for effect in found if isinstance(effect, effects.Failed)} == due

    @rule(way=st.sampled_from(["closed", "stop"]))
    def end(self, way: str) -> None:
        """The socket closes or the user stops: every request that is open fails, and nothing happens any more."""
        opened = set(self.deadlines)
        found = self.session.stop() if way == "stop" else self.session.closed(1006, "")
        if way == "stop":
            assert found.pop() == effects.Close(1000, "")
        failed = self.take(found)
        assert {effect.request_id for effect in failed if isinstance(effect, effects.Failed)} == opened
        assert all(isinstance(effect, effects.Failed) for effect in failed)
        assert not self.deadlines
        self.ended = True

    # What holds always

    @invariant()
    def lines_are_kept(self) -> None:
        """No more requests are out than may be, and none waits while there is a place."""
        out = self.sent & set(self.deadlines)
        assert self.session.pending == len(self.deadlines)
        assert self.session.waiting == len(self.deadlines) - len(out)
        assert len(out) == min(3, len(self.deadlines))

    @invariant()
    def is_called_in_time(self) -> None:
        """The session wants to be called no later than the next request fails, and not at all after the end."""
        assert self.session.next_timer() <= min(self.deadlines.values(), default=math.inf)
        assert not self.ended or self.session.next_timer() == math.inf

    def receive(self, messages: list[bytes]) -> list[effects.Effect]:
        """Hand frames to the session."""
        self.quiet_since, self.closes = self.now, 0
        return self.take(self.session.receive(messages, self.now))

    def take(self, found: list[effects.Effect]) -> list[effects.Effect]:
        """Enter effects into the account: each request is sent and settled at most once."""
        for effect in found:
            match effect:
                case effects.Send(data):
                    request_id = json.loads(data)["id"]
                    assert request_id not in self.sent
                    waiting = [request for request in self.deadlines if request not in self.sent]
                    assert request_id == waiting[0], "requests go out in the order in which they were made"
                    self.sent.add(request_id)
                case effects.Answered(request_id) | effects.Failed(request_id):
                    assert request_id in self.deadlines, "settled twice"
                    deadline = self.deadlines.pop(request_id)
                    if isinstance(effect, effects.Failed) and isinstance(effect.error, GatewayTimeoutError):
                        assert deadline <= self.now
                        self.given_up.add(request_id)
                case effects.Close():
                    self.closes += 1
                    assert self.now - self.quiet_since > 0
        assert not self.ended or {type(effect) for effect in found} <= {effects.Dropped, effects.Late}
        return found


@pytest.mark.long
def test_any_interleaving() -> None:
    """Every request is settled once, every event is seen once or counted as missed, and the end is the end."""
    run_state_machine_as_test(Connection, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
