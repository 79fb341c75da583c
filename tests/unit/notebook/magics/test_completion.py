"""What can stand at the cursor, from memory alone."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.notebook.magics.completion import Knowledge, Seen, complete
from gateway_nb.schema.facts import Facts, Method, Param

SCHEDULE = Param("object", True, fields={"kind": Param("string", True, ("at", "every")), "everyMs": Param("integer")})
FACTS = Facts(
    "a table",
    {
        "sessions.list": Method(
            "operator.read",
            params={
                "limit": Param("integer"),
                "sort": Param("string", choices=("new", "old")),
                "all": Param("boolean"),
            },
        ),
        "cron.add": Method("operator.admin", params={"name": Param("string", True), "schedule": SCHEDULE}),
        "chat.send": Method("operator.write", params={"sessionKey": Param("string", True), "agentId": Param("string")}),
    },
)
SEEN = Seen({"agent:main:one": None}, {"main": None}, {"job-1": None})
METHODS, EVENTS = ("health", "sessions.list", "sessions.patch"), ("agent", "talk.mode")
KNOWN = Knowledge(METHODS, EVENTS, ("default", "b"), FACTS, SEEN, tools=("add", "sales"), variables=("limit", "name"))
B = "%%gateway sessions.list\n"
C = "%%gateway cron.add -o x\n"

CASES: list[tuple[str, str, tuple[str, ...]]] = [
    ("%gateway ca", "ca", ("call", "capture")),
    ("%gateway data us", "us", ("usage",)),
    ("%gateway data usage --by mo", "mo", ("model",)),
    ("%gateway data messages --session ", "", ("agent:main:one",)),
    ("%gateway data cron_runs --job ", "", ("job-1",)),
    ("%gateway data audit --agent m", "m", ("main",)),
    ("%gateway transcript agent", "agent", ("agent:main:one",)),
    ("%gateway call ses", "ses", ("sessions.list", "sessions.patch")),
    ("%gateway call patch", "patch", ("sessions.patch",)),
    ("%gateway methods he", "he", ("health",)),
    ("%gateway call health --t", "--t", ("--timeout",)),
    ("%gateway call health -c ", "", ("default", "b")),
    ("%gateway call -c b he", "he", ("health",)),
    ("%gateway connect --w", "--w", ("--wait",)),
    ("%gateway events t", "t", ("talk.mode",)),
    ("%gateway capture st", "st", ("start", "stop", "status")),
    ("%gateway capture start a.jsonl ag", "ag", ("agent",)),
    ("%gateway capture start ", "", ()),
    ("%gateway call health x", "x", ()),
    ("%gateway frob x", "x", ()),
    ('%gateway call sessions.list {"li', '"li', ('"limit": ',)),
    ("%%gateway h", "h", ("health",)),
    ("%%gateway health -f r", "r", ("raw",)),
    ("%%gateway health -o x --q", "--q", ("--quiet",)),
    ("%%agent --a", "--a", ("--agent",)),
    ("%%agent --session ", "", ("agent:main:one",)),
    ("%%agent --agent main -", "-", ("--session", "--tools", "-o", "--timeout", "-c", "--bg")),
    ("%%agent --bg -c ", "", ("default", "b")),
    ("%%agent --tools ", "", ("add", "sales", "none")),
    ("%%agent --tools add,s", "s", ("sales",)),
    (B, "", ("all: ", "limit: ", "sort: ")),
    (B + "limit: 5\n", "", ("all: ", "sort: ")),
    (B + "sort: n", "n", ("new",)),
    (B + "all: t", "t", ("true",)),
    (B + "limit: ", "", ()),
    (B + "limit: $", "$", ("$limit", "$name")),
    (B + '{"limit": $li', "$li", ("$limit",)),
    (B + "search: hello $na", "$na", ("$name",)),
    (B + "limit: $$na", "$$na", ()),
    (C + "na", "na", ("name: ",)),
    (C + "schedule:\n  ", "", ("kind: ", "everyMs: ")),
    (C + "schedule:\n  kind: e", "e", ("every",)),
    (C + "schedule:\n  kind: every\nna", "na", ("name: ",)),
    (C + "schedule: {ki", "{ki", ()),
    (B + "{", "", ('"all": ', '"limit": ', '"sort": ')),
    (B + '{"limit": 5, "', '"', ('"all": ', '"sort": ')),
    (B + '{"sort": "o', '"o', ('"old"',)),
    (B + '{"all": f', "f", ("false",)),
    (C + '{"schedule": {"ki', '"ki', ('"kind": ',)),
    (C + '{"schedule": {"kind": "at"}, "na', '"na', ('"name": ',)),
    (C + '{"list": [1, {"x": ', "", ()),
    ("%%gateway chat.send\nsessionKey: ag", "ag", ("agent:main:one",)),
    ('%%gateway chat.send\n{"agentId": ', "", ('"main"',)),
    ("%%gateway no.such\nx", "x", ()),
]


@pytest.mark.parametrize(("text", "fragment", "choices"), CASES)
def test_cases(text: str, fragment: str, choices: tuple[str, ...]) -> None:
    """At the end of each text stands what may, and what it replaces."""
    found = complete(text, len(text), KNOWN)
    assert found is not None
    assert (found.fragment, found.choices) == (fragment, choices)


@pytest.mark.parametrize("text", ["", "x = 1", "%time", "%gateways", "%%gatewayx a", "print('%gateway ')", "%gateway"])
def test_not_ours(text: str) -> None:
    """Elsewhere nothing is offered, so that nobody's completions are in the way."""
    assert complete(text, len(text), KNOWN) is None


def test_without_a_connection() -> None:
    """Before connecting, the methods of the table are offered."""
    found = complete("%%gateway cr", 12, Knowledge((), (), (), FACTS, Seen()))
    assert found is not None
    assert found.choices == ("cron.add",)


@pytest.mark.parametrize("head", ["%gateway ", "%%gateway sessions.list\n", B + "{"])
@given(st.text(alphabet='%gateway \n{}[]":,-abc$'), st.integers(0, 60))
def test_whatever_stands_there(head: str, text: str, cursor: int) -> None:
    """Whatever stands there, what is offered replaces what stands before the cursor, or nothing is offered."""
    at = len(head) + min(cursor, len(text))
    text = (head + text)[:at]
    found = complete(text, at, KNOWN)
    assert found is None or text.endswith(found.fragment)


def test_seen() -> None:
    """Session keys and agent ids are taken out of answers; the memory is bounded."""
    seen = Seen()
    listed = [{"key": "agent:main:a"}, {"key": "not a session"}]
    seen.take({"sessions": listed, "agentId": "main", "x": {"sessionKey": "s"}})
    assert (list(seen.sessions), list(seen.agents)) == (["agent:main:a", "s"], ["main"])
    seen.take([{"sessionKey": str(number)} for number in range(2000)])
    assert len(seen.sessions) == 500


def test_what_lists_and_frames_name() -> None:
    """Sessions, agents and jobs of lists and of frames are remembered, whatever else they hold."""
    seen = Seen()
    seen.take({"jobs": [{"id": "j1"}, {"id": 5}, None], "agents": [{"id": "a1"}], "runs": [{"jobId": "j2"}]})
    seen.take({"jobs": 7, "agents": None, "key": ["agent:"], "jobId": {}})
    frame = pd.DataFrame({"session": ["agent:main:s", None], "agent": ["a2", "a2"], "job": [None, "j3"], "x": [1, 2]})
    seen.take_frame(frame)
    assert (list(seen.sessions), list(seen.agents), list(seen.jobs)) == (
        ["agent:main:s"],
        ["a1", "a2"],
        ["j1", "j2", "j3"],
    )
