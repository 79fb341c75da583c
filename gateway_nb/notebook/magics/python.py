"""What can stand at the cursor in a call of a gateway's Python methods. Pure, and from memory alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...records.usage import BYS
from .completion import Completions, Knowledge, matching, param_names, param_values

_LONGEST = 20_000
_TOKEN = re.compile(r"\n|#[^\n]*|'''|\"\"\"|[\"']|[()\[\]{}]")
_CALLEE = re.compile(r"(\w+)((?:\.\w+)+)\s*\Z")
_PATH = re.compile(r"(?<![\w.])(\w+)\.call((?:\.\w+)*)\.(\w*)\Z")
_ATTRIBUTE = re.compile(r"(?<![\w.\"'])(\w+)\.(\w*)\Z")
_FIRST = re.compile(r"\s*(?:method\s*=\s*)?[\"']([\w.:-]+)[\"']\s*,")
_KEYWORD = re.compile(r"(?:.*[,(]|\A)\s*(\w+)\s*=\s*[\[({]?(?:\s*[\"'][^\"']*[\"']\s*,)*\s*\Z", re.DOTALL)
_GIVEN = re.compile(r"(\w+)\s*=(?!=)")
_TAKE_METHODS = {"request", "submit"}
_TAKE_SESSIONS = {"session", "transcript", "messages", "tool_calls", "audit"}
_TAKE_EVENTS = {"on", "wait_for", "stream", "where", "payloads"}


@dataclass(frozen=True)
class _Call:
    """The call around the cursor.

    Attributes:
        variable: what it is called on, up to the first dot.
        names: the attributes after that.
        arguments: the text between its bracket and the string at the cursor, or the cursor.
        string: the text of that string so far; ``None`` outside of one.
        inner: the bracket within the arguments that is open, or ``""``.
    """

    variable: str
    names: list[str]
    arguments: str
    string: str | None
    inner: str


def complete_python(before: str, knowledge_of: Callable[[str], Knowledge | None]) -> Completions | None:
    """Return what may stand at the end of a text, or ``None`` where it is no call of a gateway's or a table's method.

    Args:
        before: a cell's code up to the cursor.
        knowledge_of: returns what is known of what a variable holds; ``None`` where that is something else.
    """
    path = _PATH.search(before[-_LONGEST:])
    if path is not None and (knowledge := knowledge_of(path[1])) is not None:
        return _in_path(path[2].strip("."), path[3], knowledge)
    attribute = _ATTRIBUTE.search(before[-_LONGEST:])
    if attribute is not None and (knowledge := knowledge_of(attribute[1])) is not None and knowledge.attributes:
        return matching(attribute[2], knowledge.attributes, "function")
    call = _call_at_end(before[-_LONGEST:])
    knowledge = None if call is None else knowledge_of(call.variable)
    if call is None or knowledge is None:
        return None
    if call.names[0] == "call" and len(call.names) > 1:
        return _in_method(".".join(call.names[1:]), call, knowledge)
    if call.string is None:
        return None
    keyword = _KEYWORD.match(call.arguments)
    name = keyword[1] if keyword else "" if call.arguments.strip() else call.names[-1]
    if name in ("event", "events") or name in _TAKE_EVENTS:
        return matching(call.string, knowledge.events, "event")
    if name == "method" or name in _TAKE_METHODS:
        return matching(call.string, knowledge.methods or knowledge.facts.methods, "method")
    if (choices := _named(name, knowledge)) is not None:
        return matching(call.string, choices, "value")
    first = _FIRST.match(call.arguments)
    if call.names[-1] in _TAKE_METHODS and first is not None and call.inner == "{":
        return _in_params(first[1], call.arguments[first.end() :], call.string, knowledge)
    return None


def _named(name: str, knowledge: Knowledge) -> Iterable[str] | None:
    """Return the values of an argument, or of a method's first one; ``None`` where they are not known."""
    seen = knowledge.seen
    if name in _TAKE_SESSIONS:
        return seen.sessions
    return {"agent": seen.agents, "job": seen.jobs, "cron_runs": seen.jobs, "by": BYS, "usage": BYS}.get(name)


def _in_path(prefix: str, fragment: str, knowledge: Knowledge) -> Completions:
    """In ``gw.call.NAME``: what may follow the names so far, a dash as an underscore."""
    written = (name.replace("-", "_") for name in knowledge.methods)
    start = f"{prefix}." if prefix else ""
    parts = {name.removeprefix(start).partition(".")[0] for name in written if name.startswith(start)}
    return matching(fragment, sorted(parts), "method")


def _in_method(name: str, call: _Call, knowledge: Knowledge) -> Completions | None:
    """In ``gw.call.NAME(``: its params, or the values of one."""
    dashed = name.replace("_", "-")
    method = dashed if name not in knowledge.methods and dashed in knowledge.methods else name
    if call.string is not None:
        keyword = _KEYWORD.match(call.arguments)
        return param_values(method, [keyword[1]], call.string, knowledge, quoted=False) if keyword else None
    if call.inner:
        return None
    *given, last = call.arguments.split(",")
    if not re.fullmatch(r"\s*\w*", last):
        return None
    taken = set(_GIVEN.findall(",".join(given)))
    found = param_names(method, [], last.strip(), knowledge, quoted=False, given=taken)
    return Completions(found.fragment, tuple(choice.replace(": ", "=") for choice in found.choices), found.kind)


def _in_params(method: str, arguments: str, string: str, knowledge: Knowledge) -> Completions:
    """In ``gw.request("NAME", {"``: the names of its params, or the values of one."""
    value = re.search(r"[\"'](\w+)[\"']\s*:\s*\Z", arguments)
    if value is not None:
        return param_values(method, [value[1]], string, knowledge, quoted=False)
    given = set(re.findall(r"[\"'](\w+)[\"']\s*:", arguments))
    found = param_names(method, [], string, knowledge, quoted=False, given=given)
    return Completions(string, tuple(choice.removesuffix(": ") for choice in found.choices), found.kind)


def _call_at_end(text: str) -> _Call | None:
    """Return the innermost call with a dotted name that is open at the end of a text."""
    brackets: list[tuple[str, int]] = []
    quote, quoted_from = "", 0
    at = 0
    while found := _TOKEN.search(text, at):
        token, at = found[0], found.end()
        if quote:
            escaped = text[found.start() - 1 : found.start()] == "\\"
            ends = token.startswith(quote) and not escaped
            at = found.start() + (len(quote) if ends else 1)
            if ends or (token == "\n" and len(quote) == 1):
                quote = ""
        elif token[0] in "\"'":
            quote, quoted_from = token, at
        elif token in "([{":
            brackets.append((token, found.start()))
        elif token in ")]}" and brackets:
            brackets.pop()
    if len(quote) == 3:
        return None
    string = text[quoted_from:] if quote else None
    inner = ""
    for bracket, start in reversed(brackets):
        callee = _CALLEE.search(text[:start]) if bracket == "(" else None
        if callee is not None:
            arguments = text[start + 1 : quoted_from - 1] if quote else text[start + 1 :]
            return _Call(callee[1], callee[2].strip(".").split("."), arguments, string, inner)
        inner = inner or bracket
    return None
