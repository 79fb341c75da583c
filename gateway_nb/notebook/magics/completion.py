"""What can stand at the cursor of a line or a cell of the magics. Pure, and from memory alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...records.usage import BYS
from ...schema.facts import Facts, Param
from .commands import AGENT, CALL, CAPTURE_VERBS, COMMANDS, FORMATS, Syntax
from .records import BOOKS

if TYPE_CHECKING:
    import pandas as pd

_MOST = 500
_BLOCK_LINE = re.compile(r"(\s*)((?:- )*)(?:(\w[\w.-]*|\"[^\"]*\"):(?:\s+|$))?(.*)", re.DOTALL)
_REFERENCE = re.compile(r"(?<!\$)\$\w*\Z")
_FLOW_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass
class Seen:
    """Session keys, agent ids and job ids that answers named."""

    sessions: dict[str, None] = field(default_factory=dict)
    agents: dict[str, None] = field(default_factory=dict)
    jobs: dict[str, None] = field(default_factory=dict)

    def take(self, payload: Any, depth: int = 4) -> None:
        """Remember what an answer names.

        Args:
            payload: decoded JSON.
            depth: how deep to look.
        """
        if isinstance(payload, dict):
            self._add(self.sessions, payload.get("sessionKey"))
            self._add(self.agents, payload.get("agentId"))
            self._add(self.jobs, payload.get("jobId"))
            if str(payload.get("key")).startswith("agent:"):
                self._add(self.sessions, payload["key"])
            for name, kept in (("agents", self.agents), ("jobs", self.jobs)):
                rows = payload.get(name)
                for row in rows if isinstance(rows, list) else ():
                    self._add(kept, row.get("id") if isinstance(row, dict) else None)
        if depth:
            inner: Iterable[Any] = payload.values() if isinstance(payload, dict) else payload
            if isinstance(payload, (dict, list)):
                for item in inner:
                    self.take(item, depth - 1)

    def take_frame(self, frame: pd.DataFrame) -> None:
        """Remember what a frame of `Data` names."""
        for name, kept in (("session", self.sessions), ("agent", self.agents), ("job", self.jobs)):
            for value in frame[name].dropna().unique() if name in frame else ():
                self._add(kept, value)

    def _add(self, kept: dict[str, None], value: Any) -> None:
        if isinstance(value, str) and len(kept) < _MOST:
            kept[value] = None


@dataclass(frozen=True)
class Knowledge:
    """What completions are made of.

    Attributes:
        methods: advertised names.
        events: advertised names.
        connections: their names.
        facts: of the methods' params.
        seen: of answers.
        attributes: public names of a connection, where it is a variable of Python's.
        tools: the functions that the connection offers to agents.
        variables: of the user's, for references.
    """

    methods: tuple[str, ...]
    events: tuple[str, ...]
    connections: tuple[str, ...]
    facts: Facts
    seen: Seen
    attributes: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completions:
    """What may replace a piece of text before the cursor.

    Attributes:
        fragment: that piece.
        choices: what may stand there.
        kind: what they are: ``command``, ``option``, ``method``, ``param``, ``value``, ...
    """

    fragment: str
    choices: tuple[str, ...]
    kind: str


def complete(text: str, cursor: int, knowledge: Knowledge) -> Completions | None:
    """Return what may stand at the cursor, or ``None`` where this is not about the gateway.

    Args:
        text: the cell, or a part of it that ends with the cursor's line.
        cursor: offset into it.
        knowledge: what completions are made of.
    """
    before = text[:cursor]
    head, newline, body = before.lstrip().partition("\n")
    if re.match(r"%%gateway(\s|$)", head):
        return _in_body(head, body, knowledge) if newline else _in_line(head[len("%%gateway") :], knowledge, cell=True)
    if not newline and re.match(r"%%agent\s", head):
        *given, fragment = head[len("%%agent") :].split(" ")
        return _option(AGENT, [word for word in given if word], fragment, knowledge)
    line = before.rpartition("\n")[2].lstrip()
    if re.match(r"%gateway\s", line):
        return _in_line(line[len("%gateway") :], knowledge, cell=False)
    return None


# Lines


def _in_line(line: str, knowledge: Knowledge, *, cell: bool) -> Completions:
    words = line.split(" ")
    fragment, done = words[-1], [word for word in words[:-1] if word]
    if not cell and not done:
        return matching(fragment, COMMANDS, "command")
    command = "call" if cell else done[0]
    syntax = CALL if command == "call" else COMMANDS.get(command, Syntax(()))
    given = done if cell else done[1:]
    if fragment.startswith("-") or (given and given[-1] in syntax.options):
        return _option(syntax, given, fragment, knowledge)
    count = len(_words(given, syntax))
    if command in ("call", "methods") and count == 0:
        return matching(fragment, knowledge.methods or knowledge.facts.methods, "method")
    if (command == "events" and count == 0) or (command == "capture" and count >= 2 and given[0] == "start"):
        return matching(fragment, knowledge.events, "event")
    if command == "data" and count == 0:
        return matching(fragment, BOOKS, "value")
    if command == "transcript" and count == 0:
        return matching(fragment, knowledge.seen.sessions, "value")
    if command == "use" and count == 0:
        return matching(fragment, knowledge.connections, "value")
    if command == "capture" and count == 0:
        return matching(fragment, CAPTURE_VERBS, "command")
    if command == "call" and "{" in line and not cell:
        method = _words(given, syntax)[0]
        return _in_flow(method, line[line.index("{") :], knowledge)
    return Completions(fragment, (), "")


def _words(given: list[str], syntax: Syntax) -> list[str]:
    """Return the words of a line that are neither options nor their values."""
    found, skip = [], False
    for word in given:
        if not skip and not word.startswith("-"):
            found.append(word)
        skip = not skip and word in syntax.options
    return found


def _option(syntax: Syntax, given: list[str], fragment: str, knowledge: Knowledge) -> Completions:
    """Return the options that are not given yet, or the values of the one that was given last."""
    if given and given[-1] in syntax.options:
        return _option_value(given[-1], fragment, knowledge)
    return matching(fragment, [name for name in (*syntax.options, *syntax.flags) if name not in given], "option")


def _option_value(option: str, fragment: str, knowledge: Knowledge) -> Completions:
    seen = knowledge.seen
    if option == "--tools":
        *others, fragment = fragment.split(",")
        return matching(fragment, [name for name in (*knowledge.tools, "none") if name not in others], "value")
    values = {"--session": seen.sessions, "--agent": seen.agents, "--job": seen.jobs, "--by": BYS}
    choices = {"-c": knowledge.connections, "-f": FORMATS, **values}.get(option, ())
    return matching(fragment, choices, "value")


# Bodies


def _in_body(head: str, body: str, knowledge: Knowledge) -> Completions:
    method = next(iter(_words(head.split()[1:], CALL)), "")
    if reference := _REFERENCE.search(body):
        return matching(reference[0], [f"${name}" for name in knowledge.variables], "variable")
    if body.lstrip().startswith(("{", "[")):
        return _in_flow(method, body, knowledge)
    lines = body.split("\n")
    found = _BLOCK_LINE.fullmatch(lines[-1])
    assert found is not None  # it matches anything
    path = _parents(lines[:-1], len(found[1]) + len(found[2]))
    if found[3] is None:
        return param_names(method, path, found[4], knowledge, quoted=False, given=_keys(body))
    return param_values(method, [*path, found[3].strip('"')], found[4], knowledge, quoted=False)


def _parents(lines: list[str], indent: int) -> list[str]:
    """Return the keys around a line of a block, outermost first."""
    path: list[str] = []
    for line in reversed(lines):
        found = _BLOCK_LINE.fullmatch(line)
        if found is None or not line.strip() or found[3] is None:
            continue
        width = len(found[1]) + len(found[2])
        if width < indent:
            path.insert(0, found[3].strip('"'))
            indent = width
    return path


def _keys(body: str) -> set[str]:
    return set(re.findall(r"^\s*(?:- )*\"?(\w[\w.-]*)\"?:", body, re.MULTILINE))


def _in_flow(method: str, text: str, knowledge: Knowledge) -> Completions:
    """In JSON: keys around the cursor by counting brackets."""
    tokens = list(_FLOW_TOKEN.finditer(text))
    at_end = bool(tokens) and tokens[-1].end() == len(text) and tokens[-1].group() not in "{}[],:"
    fragment = tokens.pop().group() if at_end else ""
    stack: list[str | None] = []
    key, after_colon = "", False
    given: list[set[str]] = [set()]
    for token in (match.group() for match in tokens):
        if token in "{[":
            stack.append(key if after_colon else None)
            given.append(set())
            key, after_colon = "", False
        elif token in "}]" and stack:
            stack.pop()
            given.pop()
            after_colon = False
        elif token == ":":
            given[-1].add(key)
            after_colon = True
        elif token == ",":
            key, after_colon = "", False
        elif not after_colon:
            key = token.strip('"')
    path = [name for name in stack if name]
    if after_colon:
        return param_values(method, [*path, key], fragment, knowledge, quoted=True)
    return param_names(method, path, fragment, knowledge, quoted=True, given=given[-1])


def param_names(
    method: str, path: list[str], fragment: str, knowledge: Knowledge, *, quoted: bool, given: set[str]
) -> Completions:
    """Return the names of a method's params, or of the fields of the one at a path, but for those that are given."""
    fields = knowledge.facts.fields(method, path)
    wanted = sorted(fields, key=lambda name: (not fields[name].required, name))
    names = [f'"{name}": ' if quoted else f"{name}: " for name in wanted if name not in given]
    return matching(fragment, names, "param")


def param_values(method: str, path: list[str], fragment: str, knowledge: Knowledge, *, quoted: bool) -> Completions:
    """Return the values that the param at a path is known to take."""
    name = path[-1]
    param = knowledge.facts.fields(method, path[:-1]).get(name, Param())
    choices: list[str] = [str(choice) for choice in param.choices]
    if name in ("sessionKey", "key"):
        choices += knowledge.seen.sessions
    elif name == "agentId":
        choices += knowledge.seen.agents
    texts = [f'"{choice}"' for choice in choices] if quoted else choices
    if "boolean" in param.type.split("|"):
        texts += ["true", "false"]
    return matching(fragment, texts, "value")


def matching(fragment: str, choices: Iterable[str], kind: str) -> Completions:
    """Return the choices that begin with the fragment; if none does, those that hold it."""
    choices, bare = list(choices), fragment.strip('"')
    begin = [choice for choice in choices if choice.lstrip('"').startswith(bare)]
    found = begin or [choice for choice in choices if bare.lower() in choice.lower()]
    return Completions(fragment, tuple(found), kind)
