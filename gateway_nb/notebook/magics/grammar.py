"""The magics' grammar: a line in, a command out. Pure: knows neither IPython nor the client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...protocol.spelling import closest
from ...schema.facts import method_facts
from .body import Body, CommandError, parse_body
from .commands import AGENT, CALL, CAPTURE_VERBS, COMMANDS, FORMATS, Syntax

_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|\S+)""")
_METHOD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*\Z")
_NO_METHODS = set(COMMANDS) - {"status"}
"""Commands that no method is called like."""
_SECRET_OPTIONS = ("--token", "--password", "--device-token", "--bootstrap-token", "--secret")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method.

    Attributes:
        method: its name.
        body: the parsed body, references not yet bound.
        output: the variable for the result, or ``None``.
        format: ``auto``, ``json``, ``df`` or ``raw``; ``None`` if not given.
        path: JSON pointer to the part of the answer that is wanted; ``""`` for the whole.
        connection: name of the connection, ``None`` if not given.
        timeout: seconds, ``None`` if not given.
        final: wait for the final answer of a two-phase method.
        background: return at once.
        dry_run: send nothing, show what would be sent.
        quiet: show nothing.
    """

    method: str
    body: Body = field(default_factory=Body)
    output: str | None = None
    format: str | None = None
    path: str = ""
    connection: str | None = None
    timeout: float | None = None
    final: bool = False
    background: bool = False
    dry_run: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an agent is asked.

    Attributes:
        text: the prompt, references not yet bound.
        agent: agent id.
        session: the session's key; ``None`` for the agent's main session.
        tools: the user's functions that the run may call; ``None`` for all.
        output: the variable for the run, or ``None``.
        connection: name of the connection, ``None`` if not given.
        timeout: seconds for the run, ``None`` for no limit.
        background: return at once.
    """

    text: str
    agent: str = "main"
    session: str | None = None
    tools: frozenset[str] | None = None
    output: str | None = None
    connection: str | None = None
    timeout: float | None = None
    background: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand of the line magic: its name, its words, and its options by field name."""

    name: str
    words: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def parse_line(line: str) -> Command | Call:
    """Return what ``%gateway LINE`` asks for.

    Args:
        line: the text behind ``%gateway``.

    Raises:
        CommandError: it is no command.
    """
    name, rest = (*line.split(None, 1), "", "")[:2]
    if not name:
        return Command("status")
    if name not in COMMANDS:
        raise _unknown(name)
    if name == "call":
        return _parse_call_line(rest)
    words, options = _scan(rest, COMMANDS[name])
    if name == "capture" and words and words[0] not in CAPTURE_VERBS:
        raise CommandError(f"%gateway capture takes {', '.join(CAPTURE_VERBS)}, not {words[0]!r}")
    named = f"; a connection is named with -c {words[0]}" if words and "-c" in COMMANDS[name].options else ""
    takes = {0: f"takes no words{named}", 1: f"takes one {COMMANDS[name].uses[0][0].strip('[]')}"}
    _at_most(words, COMMANDS[name].words, f"%gateway {name} {takes.get(COMMANDS[name].words)}")
    if name == "use" and not words:
        raise CommandError("%gateway use needs the name of a connection; %gateway lists them")
    return Command(name, words, _checked(options))


def _unknown(name: str) -> CommandError:
    """Return the error for a command that there is not: a slip, or perhaps a method."""
    methods = method_facts().methods
    if name not in methods and (near := closest(name, COMMANDS, 1)):
        return CommandError(f"%gateway has no command {name!r}; did you mean {near[0]}?")
    if "." in name or name in methods:
        advice = f"to call a method: %gateway call {name}, or %%gateway {name} with the params as the cell"
    else:
        advice = f"it has {', '.join(COMMANDS)}; a method is called with %gateway call {name}"
    return CommandError(f"%gateway has no command {name!r}; {advice}")


def parse_cell(line: str, body: str) -> Call:
    """Return the call that ``%%gateway LINE`` with a body asks for.

    Args:
        line: the method and the options.
        body: the params as JSON or YAML; blank for none.

    Raises:
        CommandError: the line is no call, or the body can't be read; says line and column.
    """
    first, *others = line.split() or [""]
    if first in _NO_METHODS:
        raise CommandError(_as_line(first, others))
    words, options = _scan(line, CALL)
    if not words:
        raise CommandError("%%gateway needs a method: %%gateway sessions.list, and the params as the cell")
    _at_most(words, 1, "%%gateway takes one method; the params go into the cell's body")
    return _call(words[0], body, options)


def _as_line(command: str, others: list[str]) -> str:
    """Return what to write instead of a cell that begins with a command."""
    if command == "call":
        method = others[0] if others else "sessions.list"
        return f"%%gateway is followed by the method itself: %%gateway {method}, and the params as the cell"
    return f"{command} is a command of the line magic, with one %: %gateway {command}"


def parse_agent(line: str, body: str) -> Prompt:
    """Return what ``%%agent LINE`` with a body asks an agent.

    Args:
        line: the options.
        body: the prompt.

    Raises:
        CommandError: the line has something else than options, or there is no prompt.
    """
    words, options = _scan(line, AGENT)
    _at_most(words, 0, "%%agent takes options only; the prompt goes into the cell's body")
    if not body.strip():
        raise CommandError("%%agent needs a prompt: write it as the cell's body")
    if "tools" in options:
        names = {name.strip() for name in options["tools"].split(",")} - {""}
        if not names or ("none" in names and len(names) > 1):
            raise CommandError(f"--tools needs names of functions, or none, not {options['tools']!r}")
        options["tools"] = frozenset(names - {"none"})
    return Prompt(body.strip("\n"), **_checked(options))


def _parse_call_line(rest: str) -> Call:
    """``call METHOD [options] [JSON]``: the JSON is the rest of the line from its first brace."""
    quiet = rest.rstrip().endswith(";")
    head, brace, tail = rest.rstrip().removesuffix(";").partition("{")
    words, options = _scan(head, CALL)
    if quiet:
        options["quiet"] = True
    if not words:
        raise CommandError("%gateway call needs a method: %gateway call health")
    _at_most(words, 1, 'the params of %gateway call are a JSON object: %gateway call sessions.list {"limit": 5}')
    return _call(words[0], brace + tail, options)


def _call(method: str, body: str, options: dict[str, Any]) -> Call:
    if not _METHOD.match(method):
        raise CommandError(f"{method!r} is not the name of a method; %gateway methods lists them")
    options = _checked(options)
    if options.get("format") not in (None, *FORMATS):
        raise CommandError(f"-f must be one of {', '.join(FORMATS)}, not {options['format']!r}")
    path = options.get("path", "")
    if path and not (path.startswith("/") and path.strip("/.")):
        raise CommandError(f"--path needs a JSON pointer like /sessions, not {path!r}")
    return Call(method, parse_body(body), **options)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    output = options.get("output")
    if output is not None and not output.isidentifier():
        raise CommandError(f"-o needs a variable name, not {output!r}")
    for name in ("timeout", "wait"):
        if name in options:
            try:
                options[name] = float(options[name])
            except ValueError:
                raise CommandError(f"--{name} needs seconds, not {options[name]!r}") from None
    return options


def _scan(line: str, syntax: Syntax) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Split a line into words and options; quotes keep blanks together."""
    options, flags = syntax.options, syntax.flags
    words: list[str] = []
    found: dict[str, Any] = {}
    tokens = iter([_unquote(match.group(1)) for match in _TOKEN.finditer(line.rstrip().removesuffix(";"))])
    if line.rstrip().endswith(";") and "--quiet" in flags:
        found["quiet"] = True
    for token in tokens:
        name, equals, value = token.partition("=")
        if name in _SECRET_OPTIONS:
            raise CommandError(
                f"{name} is refused: notebooks and IPython's history keep what is typed into a cell. Use --ask, "
                "--token-env NAME or --password-env NAME, or set OPENCLAW_GATEWAY_TOKEN before starting Jupyter"
            )
        if token in flags:
            found[flags[token]] = True
        elif name in options:
            text = value if equals else next(tokens, None)
            if text is None or (not equals and text.startswith("--")):
                raise CommandError(f"{name} needs a value")
            found[options[name]] = text
        elif token.startswith("-") and len(token) > 1:
            raise _unknown_option(token, syntax)
        else:
            words.append(token)
    return tuple(words), found


def _unknown_option(token: str, syntax: Syntax) -> CommandError:
    names = [option.name for option in syntax.accepted]
    near = closest(token.partition("=")[0], names, 1)
    if not names:
        advice = "this command has no options"
    elif syntax is CALL or syntax is AGENT:
        advice = f"it takes {', '.join(names)}; {'params stand' if syntax is CALL else 'the prompt stands'} in the body"
    else:
        advice = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names)}"
    return CommandError(f"unknown option {token}: {advice}")


def _unquote(token: str) -> str:
    if token[0] == '"' and token[-1] == '"' and len(token) > 1:
        return token[1:-1].replace('\\"', '"')
    return token[1:-1] if token[0] == "'" and token[-1] == "'" and len(token) > 1 else token


def _at_most(words: tuple[str, ...], count: int, advice: str) -> tuple[str, ...]:
    if len(words) > count:
        raise CommandError(f"{advice}; not understood: {' '.join(words[count:])}")
    return words
