"""The magics' grammar: text in, a command out. Pure: knows neither IPython nor the client."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..protocol.errors import GatewayError

_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|\S+)""")
_METHOD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*\Z")
_SECRET_OPTIONS = ("--token", "--password", "--device-token", "--bootstrap-token", "--secret")

# option -> the field it sets; flags take no value
CALL_OPTIONS = {"-o": "output", "-f": "format", "-c": "connection", "--timeout": "timeout"}
CALL_FLAGS = {"--final": "final", "--quiet": "quiet"}
CONNECT_OPTIONS = {
    "--token-env": "token_env",
    "--password-env": "password_env",
    "--tls-fingerprint": "tls_fingerprint",
    "--scopes": "scopes",
    "-c": "connection",
    "--timeout": "timeout",
    "--wait": "wait",
}
CONNECT_FLAGS = {"--ask": "ask"}
FORMATS = ("auto", "json", "raw")
COMMANDS = ("connect", "disconnect", "status", "methods", "events", "call", "help")


class CommandError(GatewayError):
    """The text of a magic is not what it takes. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method.

    Attributes:
        method: its name.
        params: the parsed body, or ``None`` for none.
        output: the variable for the result, or ``None``.
        format: ``auto``, ``json`` or ``raw``.
        connection: name of the connection.
        timeout: seconds, ``None`` if not given.
        final: wait for the final answer of a two-phase method.
        quiet: show nothing.
    """

    method: str
    params: dict[str, Any] | None = None
    output: str | None = None
    format: str = "auto"
    connection: str = "default"
    timeout: float | None = None
    final: bool = False
    quiet: bool = False


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
    name, _, rest = line.strip().partition(" ")
    if not name:
        return Command("status")
    if name not in COMMANDS:
        raise CommandError(
            f"%gateway has no command {name!r}; it has {', '.join(COMMANDS)}. "
            f"To call a method: %gateway call {name} or %%gateway {name} with the params as the cell"
        )
    if name == "call":
        return _parse_call_line(rest)
    if name == "connect":
        words, options = _scan(rest, CONNECT_OPTIONS, CONNECT_FLAGS)
        return Command(name, _at_most(words, 1, "%gateway connect takes one URL"), _checked(options))
    words, options = _scan(rest, {"-c": "connection"}, {})
    return Command(name, _at_most(words, 1, f"%gateway {name} takes one word"), options)


def parse_cell(line: str, body: str) -> Call:
    """Return the call that ``%%gateway LINE`` with a body asks for.

    Args:
        line: the method and the options.
        body: the params as JSON; blank for none.

    Raises:
        CommandError: the line is no call, or the body is no JSON object; says line and column.
    """
    words, options = _scan(line, CALL_OPTIONS, CALL_FLAGS)
    if not words:
        raise CommandError("%%gateway needs a method: %%gateway sessions.list, and the params as the cell")
    _at_most(words, 1, "%%gateway takes one method; the params go into the cell's body")
    return _call(words[0], _params(body), options)


def _parse_call_line(rest: str) -> Call:
    """``call METHOD [options] [JSON]``: the JSON is the rest of the line from its first brace."""
    head, brace, tail = rest.partition("{")
    words, options = _scan(head, CALL_OPTIONS, CALL_FLAGS)
    if not words:
        raise CommandError("%gateway call needs a method: %gateway call health")
    _at_most(words, 1, 'the params of %gateway call are a JSON object: %gateway call sessions.list {"limit": 5}')
    return _call(words[0], _params(brace + tail), options)


def _call(method: str, params: dict[str, Any] | None, options: dict[str, Any]) -> Call:
    if not _METHOD.match(method):
        raise CommandError(f"{method!r} is no method name; %gateway methods lists them")
    options = _checked(options)
    output = options.get("output")
    if output is not None and not output.isidentifier():
        raise CommandError(f"-o needs a variable name, not {output!r}")
    if options.get("format", "auto") not in FORMATS:
        raise CommandError(f"-f must be one of {', '.join(FORMATS)}, not {options['format']!r}")
    return Call(method, params, **options)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for name in ("timeout", "wait"):
        if name in options:
            try:
                options[name] = float(options[name])
            except ValueError:
                raise CommandError(f"--{name} needs seconds, not {options[name]!r}") from None
    return options


def _scan(line: str, options: Mapping[str, str], flags: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Split a line into words and options; quotes keep blanks together."""
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
            raise CommandError(f"unknown option {token}; it takes {', '.join([*options, *flags])}")
        else:
            words.append(token)
    return tuple(words), found


def _unquote(token: str) -> str:
    if token[0] == '"' and token[-1] == '"' and len(token) > 1:
        return token[1:-1].replace('\\"', '"')
    return token[1:-1] if token[0] == "'" and token[-1] == "'" and len(token) > 1 else token


def _at_most(words: tuple[str, ...], count: int, advice: str) -> tuple[str, ...]:
    if len(words) > count:
        raise CommandError(f"{advice}; not understood: {' '.join(words[count:])}")
    return words


def _params(body: str) -> dict[str, Any] | None:
    if not body.strip():
        return None
    try:
        value = json.loads(body, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise CommandError(_pointed(body, error)) from None
    except RecursionError:
        raise CommandError("the body is nested too deeply") from None
    if not isinstance(value, dict):
        raise CommandError(f'the body must be a JSON object like {{"limit": 5}}, not a {type(value).__name__}')
    return value


def _pointed(body: str, error: json.JSONDecodeError) -> str:
    lines = body.splitlines() or [""]
    text = lines[min(error.lineno, len(lines)) - 1]
    column = error.colno - 1
    excerpt = f"{text[max(column - 30, 0) : column]}⟨here⟩{text[column : column + 30]}"
    return f"the body is no JSON: line {error.lineno}, column {error.colno}: {error.msg}: {excerpt.strip()}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise CommandError(f"the body says {twice!r} twice")
    return value


def _constant(text: str) -> Any:
    raise CommandError(f"the body says {text}, which JSON does not have")
