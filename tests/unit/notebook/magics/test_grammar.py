"""The magics' grammar: text and what it means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.notebook.magics.body import Body
from gateway_nb.notebook.magics.grammar import Call, Command, CommandError, Prompt, parse_agent, parse_cell, parse_line


def call(method: str, value: Any, **options: Any) -> Call:
    return Call(method, Body(value), **options)


def plain(meaning: Command | Call) -> Command | Call:
    """Without the body's text, which stands in the table already."""
    return replace(meaning, body=Body(meaning.body.value)) if isinstance(meaning, Call) else meaning


LINES: list[tuple[str, Command | Call]] = [
    ("", Command("status")),
    ("  ", Command("status")),
    ("help", Command("help")),
    ("connect", Command("connect")),
    ("connect ws://localhost:1", Command("connect", ("ws://localhost:1",))),
    (
        "connect wss://h --tls-fingerprint ab:cd --scopes a,b -c two --timeout 5 --ask",
        Command(
            "connect",
            ("wss://h",),
            {"tls_fingerprint": "ab:cd", "scopes": "a,b", "connection": "two", "timeout": 5.0, "ask": True},
        ),
    ),
    ("connect --token-env=MY_TOKEN", Command("connect", (), {"token_env": "MY_TOKEN"})),
    ("methods sessions.*", Command("methods", ("sessions.*",))),
    ("disconnect -c two", Command("disconnect", (), {"connection": "two"})),
    ("form", Command("form")),
    ("table -c two", Command("table", (), {"connection": "two"})),
    ("call health", Call("health")),
    ('call sessions.list {"limit": 5}', call("sessions.list", {"limit": 5})),
    ("describe sessions.list", Command("describe", ("sessions.list",))),
    (
        "capture start run.jsonl agent chat.* --rotate 1h",
        Command("capture", ("start", "run.jsonl", "agent", "chat.*"), {"rotate": "1h"}),
    ),
    ('call sessions.list {"limit": 5} ;', call("sessions.list", {"limit": 5}, quiet=True)),
    ("capture stop", Command("capture", ("stop",))),
    ("result x", Command("result", ("x",))),
    ("config", Command("config")),
    (
        'call agent --final -o x --timeout 2.5 {"a": "--not an option"}',
        call("agent", {"a": "--not an option"}, output="x", timeout=2.5, final=True),
    ),
]
CELLS: list[tuple[str, str, Call]] = [
    ("health", "", Call("health")),
    ("health;", "\n", Call("health", quiet=True)),
    ("status", "", Call("status")),
    ("health --quiet", "", Call("health", quiet=True)),
    ("system-presence -f raw", "{}", call("system-presence", {}, format="raw")),
    (
        "a -f df --path /sessions --bg --dry-run",
        "limit: 5",
        call("a", {"limit": 5}, format="df", path="/sessions", background=True, dry_run=True),
    ),
    ("a", "$params", call("a", "$params")),
    ("a.b -o rows -c 'two words'", '{"x": [{}]}', call("a.b", {"x": [{}]}, output="rows", connection="two words")),
]
ERRORS: list[tuple[str, str | None, str]] = [
    ("frobnicate", None, "no command 'frobnicate'"),
    ("sessions.list", None, "%%gateway sessions.list"),
    ("health", None, "to call a method: %gateway call health, or %%gateway health with"),
    ("conect", None, "did you mean connect?"),
    ("call sessions.list -o x", "limit: 5", "followed by the method itself: %%gateway sessions.list, and the params"),
    ("call", "", "followed by the method itself: %%gateway sessions.list"),
    ("connect --token abc", "", "with one %: %gateway connect"),
    ("connect a b", None, "takes one URL; not understood: b"),
    ("connect --token abc", None, "--token is refused"),
    ("connect --password=abc", None, "--password is refused"),
    ("connect --frob", None, "unknown option --frob"),
    ("connect -c", None, "-c needs a value"),
    ("connect --scopes --ask", None, "--scopes needs a value"),
    ("connect --timeout soon", None, "--timeout needs seconds"),
    ("call", None, "needs a method"),
    ("call a b", None, "not understood: b"),
    ("call bad!name", None, "is not the name of a method"),
    ('call a {"x": 1} trailing', None, "line 1, column 10"),
    ("methods a b", None, "takes one GLOB"),
    ("table x", None, "takes no words"),
    ("", "{}", "needs a method"),
    ("a b", "{}", "not understood: b"),
    ("a -o 5x", "{}", "-o needs a variable name"),
    ("a -f xml", "{}", "-f must be one of"),
    ("a", "[1]", "is a list; params are a mapping"),
    ("a", "5", "is a value; params are a mapping"),
    ("a --path x", "", "--path needs a JSON pointer"),
    ("capture begin x", None, "takes start, stop, status, not 'begin'"),
    ("help me", None, "takes no words"),
    ("a", '{\n "x": 1\n "y": 2}', "line 3, column 2"),
    ("a", '{"x": 1, "x": 2}', "says 'x' twice"),
    ("a", '{"x": NaN}', "says NaN"),
    ("a", '{"x": -Infinity}', "says -Infinity"),
    ("a", "{" * 10 + '"', "not valid JSON"),
    ("a", '{"a":' * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize(("line", "meaning"), LINES)
def test_lines(line: str, meaning: Command | Call) -> None:
    """Each line means what it says."""
    assert plain(parse_line(line)) == meaning


@pytest.mark.parametrize(("line", "body", "meaning"), CELLS)
def test_cells(line: str, body: str, meaning: Call) -> None:
    """Each cell means what it says."""
    assert plain(parse_cell(line, body)) == meaning


@pytest.mark.parametrize(("line", "body", "message"), ERRORS)
def test_errors(line: str, body: str | None, message: str) -> None:
    """Each mistake is said in one line, with the place or what to do instead, and never with a secret."""
    with pytest.raises(CommandError) as caught:
        parse_line(line) if body is None else parse_cell(line, body)
    assert message in str(caught.value)
    assert "abc" not in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(), st.text())
def test_nothing_but_its_own_error(line: str, body: str) -> None:
    """Whatever is typed, the grammar answers with a meaning or with its own error in one line."""
    for parse in (lambda: parse_line(line), lambda: parse_cell(line, body)):
        try:
            answer: Call | Command | CommandError = parse()
        except CommandError as error:
            answer = error
        assert isinstance(answer, (Call, Command)) or "\n" not in str(answer)


PROMPTS: list[tuple[str, str, Prompt]] = [
    ("", "hi", Prompt("hi")),
    ("", "\n\n  a\n b\n", Prompt("  a\n b")),
    ("--agent work --session agent:work:x --bg", "hi", Prompt("hi", "work", "agent:work:x", background=True)),
    ("--tools sales,add -o x", "hi", Prompt("hi", tools=frozenset({"add", "sales"}), output="x")),
    ("--tools none -c two --timeout 2", "hi", Prompt("hi", tools=frozenset(), connection="two", timeout=2.0)),
]
PROMPT_ERRORS = [
    ("", " \n", "needs a prompt: write it as the cell's body"),
    ("what is it", "hi", "the prompt goes into the cell's body; not understood: what is it"),
    ("--tools none,add", "hi", "--tools needs names of functions, or none, not 'none,add'"),
    ("--tools ,", "hi", "--tools needs names of functions, or none, not ','"),
    ("-o a.b", "hi", "-o needs a variable name"),
    ("--timeout soon", "hi", "--timeout needs seconds, not 'soon'"),
    ("--agnet x", "hi", "unknown option --agnet: it takes --agent, .*; the prompt stands in the body"),
    ("--token x", "hi", "--token is refused"),
]


@pytest.mark.parametrize(("line", "body", "meaning"), PROMPTS)
def test_prompts(line: str, body: str, meaning: Prompt) -> None:
    """A cell's options and its body say what an agent is asked."""
    assert parse_agent(line, body) == meaning


@pytest.mark.parametrize(("line", "body", "message"), PROMPT_ERRORS)
def test_mistakes_in_prompts(line: str, body: str, message: str) -> None:
    """What is not understood is named before anything is sent."""
    with pytest.raises(CommandError, match=message):
        parse_agent(line, body)
