"""The commands of ``%gateway``, their words and options: what the grammar reads, completion offers and help says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Option(NamedTuple):
    """An option of a command.

    Attributes:
        name: as it is typed.
        field: what it sets.
        value: what stands for its value in help; ``""`` for an option without one.
        about: what it does.
    """

    name: str
    field: str
    value: str
    about: str


class Syntax(NamedTuple):
    """What a command takes.

    Attributes:
        uses: its forms: the words behind its name, and what it does then.
        words: how many words it takes at most.
        accepted: its options.
    """

    uses: tuple[tuple[str, str], ...]
    words: int = 0
    accepted: tuple[Option, ...] = ()

    @property
    def options(self) -> Mapping[str, str]:
        """The options that take a value, with the fields that they set."""
        return {option.name: option.field for option in self.accepted if option.value}

    @property
    def flags(self) -> Mapping[str, str]:
        """The options that take no value, with the fields that they set."""
        return {option.name: option.field for option in self.accepted if not option.value}


FORMATS = ("auto", "json", "df", "raw")
CAPTURE_VERBS = ("start", "stop", "status")

_CONNECTION = Option("-c", "connection", "NAME", "uses the connection of that name")
_CONNECTING = (
    Option("--ask", "ask", "", "asks for the token"),
    Option("--token-env", "token_env", "NAME", "takes the token from an environment variable"),
    Option("--password-env", "password_env", "NAME", "takes the password from an environment variable"),
    Option("--tls-fingerprint", "tls_fingerprint", "FP", "expects the certificate with this SHA-256"),
    Option("--scopes", "scopes", "A,B", "asks for these scopes only"),
    Option("--timeout", "timeout", "S", "gives up after so many seconds"),
)
CALL = Syntax(
    (
        (
            "METHOD",
            "call a method, its params as the cell: JSON or YAML; `$name` and `${expr}` are Python values",
        ),
    ),
    1,
    (
        Option("-o", "output", "NAME", "keeps the answer in a variable"),
        Option("-f", "format", "FORMAT", "shows a table or tree (auto), `json`, a DataFrame (df) or the value (raw)"),
        Option("--path", "path", "/POINTER", "takes a part of the answer"),
        Option("--final", "final", "", "waits for the last answer, and shows a run as it grows"),
        Option("--bg", "background", "", "returns at once"),
        Option("--dry-run", "dry_run", "", "shows what would be sent, and sends nothing"),
        Option("--timeout", "timeout", "S", "waits for so many seconds"),
        Option("-c", "connection", "NAME", "uses the connection of that name, or all that match `'prod-*'`"),
        Option("--quiet", "quiet", "", "shows nothing; so does a `;` at the end"),
    ),
)
AGENT = Syntax(
    (
        (
            "",
            "ask an agent, the prompt as the cell; `$name` is a Python value, a DataFrame a table",
        ),
    ),
    0,
    (
        Option("--agent", "agent", "NAME", "asks this agent"),
        Option(
            "--session",
            "session",
            "KEY",
            "asks in this session; otherwise in the main one, as its chat channels do",
        ),
        Option("--tools", "tools", "A,B|none", "lets the run call only these of your functions"),
        Option("-o", "output", "NAME", "keeps the run: .text, .run, .session"),
        Option("--bg", "background", "", "returns at once"),
        Option("--timeout", "timeout", "S", "waits for so many seconds"),
        _CONNECTION,
    ),
)
COMMANDS = {
    "status": Syntax((("", "list the connections; an arrow marks the one that the magics use"),)),
    "connect": Syntax(
        (("[URL]", "connect"),),
        1,
        (
            Option("-c", "connection", "NAME", "names the connection"),
            *_CONNECTING,
            Option("--wait", "wait", "S", "waits for the gateway's owner to approve this device"),
        ),
    ),
    "fleet": Syntax(
        (("FILE", "connect to the gateways of a YAML or TOML file"),),
        1,
        (Option("-o", "output", "NAME", "names the variable for the fleet; otherwise `fleet`"),),
    ),
    "use": Syntax((("NAME", "let the magics use another connection"),), 1),
    "disconnect": Syntax((("", "close a connection; its events stay in `gw.events`"),), 0, (_CONNECTION,)),
    "methods": Syntax((("[GLOB]", "list the methods that the gateway advertises"),), 1, (_CONNECTION,)),
    "events": Syntax((("[GLOB]", "list the events that the gateway advertises"),), 1, (_CONNECTION,)),
    "call": Syntax((("METHOD [JSON]", "call a method; options as for `%%gateway`"),), 1, CALL.accepted),
    "describe": Syntax((("METHOD", "show a method's scope and params; so does `%gateway call METHOD?`"),), 1),
    "result": Syntax((("[N]", "show the answer of a call that `--bg` left running: of the last, or of number N"),), 1),
    "capture": Syntax(
        (
            ("start PATH [GLOB ...]", "write events to a file"),
            ("stop [PATH]", "end the captures that were started here, or any by its file"),
            ("status", "list them, and those in processes of their own"),
        ),
        100,
        (
            Option("--append", "append", "", "continues a capture that exists"),
            Option("--requests", "requests", "", "keeps requests and answers, too"),
            Option("--rotate", "rotate", "LIMIT", "continues in another file after 100MB or 1h"),
            Option("--detached", "detached", "", "captures in a process that outlives the kernel"),
            _CONNECTION,
        ),
    ),
    "data": Syntax(
        (
            (
                "BOOK",
                "show the gateway's own records, one of `gw.data`",
            ),
        ),
        1,
        (
            Option("-o", "output", "NAME", "keeps the DataFrame in a variable"),
            Option("--by", "by", "KEY", "sums usage by model, day, session or agent"),
            Option("--since", "since", "TIME", "begins so long ago (7d), or at a date"),
            Option("--until", "until", "TIME", "ends there"),
            Option("--session", "session", "KEY", "reads one session, or those of a pattern"),
            Option("--run", "run", "ID", "reads one run"),
            Option("--agent", "agent", "NAME", "reads one agent"),
            Option("--job", "job", "ID", "reads one job"),
            Option("--status", "status", "STATUS", "reads what has this status"),
            Option("--kind", "kind", "KIND", "reads what is of this kind"),
            Option("--limit", "limit", "N", "stops at so many rows"),
            Option("-n", "n", "N", "reads so many lines of the log"),
            _CONNECTION,
        ),
    ),
    "transcript": Syntax(
        (("SESSION", "show every message of a session"),),
        1,
        (Option("-o", "output", "NAME", "keeps the transcript in a variable"), _CONNECTION),
    ),
    "table": Syntax((("", "show the events, live"),), 0, (_CONNECTION,)),
    "panel": Syntax((("", "show a connection in tabs"),), 0, (_CONNECTION,)),
    "tools": Syntax((("", "show the functions that agents can call, and their calls"),), 0, (_CONNECTION,)),
    "approvals": Syntax((("", "show what waits to be allowed or answered"),), 0, (_CONNECTION,)),
    "form": Syntax((("", "show a form to connect with"),)),
    "config": Syntax((("", "list the settings and where each comes from"),)),
    "doctor": Syntax(
        (("[URL]", "find out what prevents a connection, and what to do; options as for connect"),),
        1,
        _CONNECTING,
    ),
    "help": Syntax((("", "show this"),)),
}
_COLUMN = 50


def help_text() -> str:
    """Return what ``%gateway help`` prints."""
    lines = []
    for usage, about, options in _entries():
        lines.append(f"{usage:{_COLUMN}}{about}")
        lines += [f"    {f'{option.name} {option.value}':{_COLUMN - 4}}{option.about}" for option in options]
    return "\n".join(lines).replace("`", "")


def markdown_table() -> str:
    """Return the commands as a table in Markdown, for the README; ``%gateway help`` has their options, too."""
    rows = ["| magic | what it does |", "|---|---|", *(f"| `{usage}` | {about} |" for usage, about, _ in _entries())]
    return "\n".join(rows) + "\n"


def _entries() -> Iterator[tuple[str, str, tuple[Option, ...]]]:
    """Yield each form of each command: usage, what it does, and the options to list with it."""
    for name, syntax in COMMANDS.items():
        for number, (words, about) in enumerate(syntax.uses):
            connection = "[-c NAME]" if _CONNECTION in syntax.accepted and not number else ""
            usage = f"%gateway {'' if name == 'status' else name} {words} {connection}"
            listed = () if number or name in ("call", "doctor") else syntax.accepted
            yield " ".join(usage.split()), about, tuple(option for option in listed if option != _CONNECTION)
    yield f"%%gateway {CALL.uses[0][0]}", CALL.uses[0][1], CALL.accepted
    yield "%%agent", AGENT.uses[0][1], AGENT.accepted
