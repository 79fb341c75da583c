"""What can stand at the cursor in a call of Python."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.notebook.magics.completion import Knowledge, Seen
from gateway_nb.notebook.magics.python import complete_python
from gateway_nb.schema.facts import Facts, Method, Param

FACTS = Facts(
    "a table",
    {
        "sessions.list": Method(
            params={
                "limit": Param("integer"),
                "sort": Param("string", choices=("new", "old")),
                "all": Param("boolean"),
            }
        ),
        "chat.send": Method(params={"message": Param("string"), "sessionKey": Param("string", True)}),
        "system-event": Method(params={"text": Param("string", True)}),
    },
)
KNOWN = Knowledge(
    ("health", "sessions.list", "chat.send", "system-event"),
    ("session.message", "agent", "chat"),
    (),
    FACTS,
    Seen({"agent:main:one": None}, {"main": None}, {"job-1": None}),
    ("call", "request"),
)

CASES: list[tuple[str, str, tuple[str, ...]]] = [
    ("gw.", "", ("call", "request")),
    ("x = gw.re", "re", ("request",)),
    ("gw.call.", "", ("chat", "health", "sessions", "system_event")),
    ("x = gw.call.sess", "sess", ("sessions",)),
    ("gw.call.sessions.", "", ("list",)),
    ("gw.call.sessions.list(", "", ("all=", "limit=", "sort=")),
    ("gw.call.sessions.list(li", "li", ("limit=",)),
    ("gw.call.sessions.list(limit=5, ", "", ("all=", "sort=")),
    ("gw.call.sessions.list(\n    limit=5,\n    so", "so", ("sort=",)),
    ("gw.call.sessions.list(sort='n", "n", ("new",)),
    ("gw.call.chat.send(", "", ("sessionKey=", "message=")),
    ("gw.call.chat.send(sessionKey='ag", "ag", ("agent:main:one",)),
    ("gw.call.system_event(", "", ("text=",)),
    ("x = [gw.call.sessions.list(li", "li", ("limit=",)),
    ('gw.request("sess', "sess", ("sessions.list",)),
    ("gw.request('sess", "sess", ("sessions.list",)),
    ('gw.request(method="he', "he", ("health",)),
    ('gw.submit("he', "he", ("health",)),
    ('print(gw.request("he', "he", ("health",)),
    ('gw.request("sessions.list", {"li', "li", ("limit",)),
    ('gw.request("sessions.list", {"limit": 5, "', "", ("all", "sort")),
    ('gw.request("sessions.list", {"sort": "o', "o", ("old",)),
    ('gw.on("ses', "ses", ("session.message",)),
    ('gw.wait_for("a', "a", ("agent",)),
    ('gw.events.where("a', "a", ("agent",)),
    ('gw.events.expand("x", event="ch', "ch", ("chat",)),
    ('table.filter(events=["', "", ("session.message", "agent", "chat")),
    ('table.filter(events=["chat", "ag', "ag", ("agent",)),
    ('gw.capture("x.jsonl", events="ch', "ch", ("chat",)),
    ('gw.transcript("', "", ("agent:main:one",)),
    ('gw.data.messages("agent:', "agent:", ("agent:main:one",)),
    ('gw.run("hello", session="', "", ("agent:main:one",)),
    ('gw.run("hello", agent="', "", ("main",)),
    ('gw.data.cron_runs("', "", ("job-1",)),
    ('gw.data.cron_runs(job="jo', "jo", ("job-1",)),
    ('gw.data.usage("da', "da", ("day",)),
    ('gw.data.usage(by="se', "se", ("session",)),
    ("note = \"it's\"  # isn't it\ngw.on('ch", "ch", ("chat",)),
    ('gw.request("a#b"); gw.on("ch', "ch", ("chat",)),
]


def known(name: str) -> Knowledge | None:
    return KNOWN if name == "gw" else replace(KNOWN, attributes=()) if name == "table" else None


@pytest.mark.parametrize(("before", "fragment", "choices"), CASES)
def test_choices(before: str, fragment: str, choices: tuple[str, ...]) -> None:
    """Methods, params, values and events are offered where they belong."""
    found = complete_python(before, known)
    assert found is not None
    assert (found.fragment, found.choices) == (fragment, choices)


@pytest.mark.parametrize(
    "before",
    [
        "",
        "gw",
        "table.",
        "other.",
        "a.gw.",
        "other.call.",
        "x.gw.call.",
        'other.request("he',
        'request("he',
        'gw.run("he',
        "gw.on(",
        'gw.on("chat", "',
        "gw.call.sessions.list(limit=5",
        "gw.call.sessions.list([",
        '# gw.on("',
        "'''gw.on(\"",
        'gw.request("health")',
    ],
)
def test_elsewhere(before: str) -> None:
    """Anywhere else the completion of Python itself goes on."""
    assert complete_python(before, known) is None


@given(st.text("gw.call(request\"'#[{,=\\\n ", max_size=60))
def test_any_text(before: str) -> None:
    """Whatever is typed, completing it ends, and replaces a piece of its end."""
    found = complete_python(f"gw.{before}", known)
    assert found is None or before.endswith(found.fragment)
