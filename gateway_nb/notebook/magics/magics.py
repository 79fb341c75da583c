"""``%gateway``, ``%%gateway`` and ``%%agent``: the grammar's commands, carried out."""

from __future__ import annotations

import fnmatch
import getpass
import itertools
import os
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_cell_magic, magics_class, no_var_expand
from IPython.display import display
from traitlets import Enum, Float, Unicode

from ...capture.detached import DetachedCapture, captures
from ...capture.journal import Capture
from ...diagnosis.doctor import doctor
from ...errors import CaptureError, GatewayClosedError, GatewayError, PairingRequiredError, printable, with_options
from ...faces import connections as connecting
from ...faces.gateway import Gateway
from ...fleets.asking import answers
from ...fleets.fleet import fleet
from ...schema.facts import method_facts
from .. import current
from ..calls import call as calls
from ..calls.agent import AgentRunning
from ..calls.call import Running
from ..display.cards import Connections, Listing
from ..display.pairing import PairingCard
from ..display.table import line
from . import grammar
from .binding import bind, bind_text
from .body import CommandError
from .commands import FORMATS, help_text
from .completion import Seen
from .grammar import Call, Command
from .records import BOOKS, read_book
from .settings import settings

_BACKGROUND_KEPT = 20


@magics_class
class GatewayMagics(Magics):
    """The magics of gateway_nb; `%config GatewayMagics` shows and sets what they do by default."""

    default_connection = Unicode("default", help="The connection of a magic without -c.").tag(config=True)
    default_timeout = Float(None, allow_none=True, help="Seconds for a call; none: the connection's own.").tag(
        config=True
    )
    default_format = Enum(FORMATS, "auto", help="How a result is shown without -f.").tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.seen = Seen()
        self.asked: weakref.WeakSet[Gateway] = weakref.WeakSet()
        self._background: dict[int, Running] = {}
        self._numbers = itertools.count(1)
        self._captures: list[Capture | DetachedCapture] = []

    @no_var_expand
    @line_cell_magic
    def gateway(self, line: str, cell: str | None = None) -> Running | None:
        """Call an OpenClaw Gateway; ``%gateway help`` says how. With ``--bg`` it returns the call, which continues."""
        try:
            parsed = grammar.parse_line(line) if cell is None else grammar.parse_cell(line, cell)
            if isinstance(parsed, Call):
                return self._call(parsed, in_cell=cell is not None)
            getattr(self, f"_{parsed.name}")(parsed)
            return None
        except GatewayError as error:
            error.args = (with_options(str(error)),)
            raise

    @no_var_expand
    @cell_magic
    def agent(self, line: str, cell: str) -> Running | None:
        """Ask an agent of an OpenClaw Gateway, the prompt as the cell; ``%gateway help`` lists the options."""
        try:
            prompt = grammar.parse_agent(line, cell)
            message = bind_text(prompt.text, self._variables, suggest=self.own_variables())
            running = AgentRunning(self._gateway(prompt.connection), prompt, message)
            return self._run(running, lambda _: self._keep(prompt.output, running))
        except GatewayError as error:
            error.args = (with_options(str(error)),)
            raise

    @property
    def _variables(self) -> dict[str, Any]:
        assert self.shell is not None, "magics are registered with a shell"
        variables: dict[str, Any] = self.shell.user_ns
        return variables

    def own_variables(self) -> dict[str, Any]:
        """Return the variables, the user's own first: a misspelt one is more likely one of these than of IPython's."""
        assert self.shell is not None, "magics are registered with a shell"
        hidden = self.shell.user_ns_hidden
        return {name: value for name, value in self._variables.items() if name not in hidden}

    def _gateway(self, name: str | None) -> Gateway:
        wanted = name or current.chosen(self.default_connection)
        gateway = connecting.connections().get(wanted)
        if gateway is None:
            raise _not_connected(wanted)
        if name is None:
            for change in current.changes(gateway):
                print(change, file=sys.stderr)
        return gateway

    def _call(self, call: Call, *, in_cell: bool = False) -> Running | None:
        call = replace(call, format=call.format or self.default_format)
        params = bind(call.body, self._variables, suggest=self.own_variables())
        if call.connection is not None and any(sign in call.connection for sign in "*?["):
            self._call_each(call, params, call.connection)
            return None
        gateway = self._gateway(call.connection)
        if call.dry_run:
            print(calls.dry_run(call, params, gateway.status.scopes, gateway.redactor))
            return None
        running = calls.Running(gateway, call, params, self.default_timeout if call.timeout is None else call.timeout)
        return self._run(running, lambda value: self._keep(call.output, value), in_cell=in_cell)

    def _call_each(self, call: Call, params: dict[str, Any] | None, pattern: str) -> None:
        """Call a method of every connection whose name matches; the result is a DataFrame."""
        for name, given in {"--bg": call.background, "--final": call.final, "--path": call.path}.items():
            if given:
                raise CommandError(f"{name} is for one connection, and {pattern!r} is a pattern of names")
        found = connecting.connections()
        gateways = [gateway for name, gateway in found.items() if fnmatch.fnmatchcase(name, pattern)]
        if not gateways:
            names = line(found, 60) if found else "none; %gateway fleet FILE connects to many"
            raise GatewayClosedError(f"no connection's name matches {pattern!r}; there are: {names}")
        if call.dry_run:
            print(f"would ask {len(gateways)} connections: {line(gateway.name for gateway in gateways)}")
            print(calls.dry_run(call, params, gateways[0].status.scopes, gateways[0].redactor))
            return
        timeout = self.default_timeout if call.timeout is None else call.timeout
        frame = answers(gateways, call.method, params, ... if timeout is None else timeout)
        calls.warn(call.method, params)
        for payload in frame["payload"]:
            self.seen.take(payload)
        self._keep(call.output, frame)
        if not call.quiet:
            display(frame)

    def _run(self, running: Running, keep: Callable[[Any], object], *, in_cell: bool = True) -> Running | None:
        if running.call.background:
            running.number = next(self._numbers)
            running.start()
            self._background[running.number] = running
            self._background.pop(running.number - _BACKGROUND_KEPT, None)
            keep(running)
            calls.warn(running.call.method, running.params)
            running.show()
            return running
        payload = calls.wait(running, can_redraw=in_cell and hasattr(self.shell, "kernel"), keep=keep)
        self.seen.take(payload)
        return None

    def _keep(self, name: str | None, value: Any) -> None:
        if name is not None:
            self._variables[name] = value

    def _result(self, command: Command) -> None:
        kept = ", ".join(map(str, self._background)) or "none"
        try:
            running = self._background[int(command.words[0]) if command.words else max(self._background, default=0)]
        except (KeyError, ValueError):
            raise CommandError(f"there is no such call in the background; kept are: {kept}") from None
        calls.wait(running, can_redraw=False)

    def _describe(self, command: Command) -> None:
        if not command.words:
            raise CommandError("%gateway describe needs a method: %gateway describe sessions.list")
        facts = method_facts()
        if command.words[0] not in facts.methods:
            raise CommandError(facts.describe(command.words[0]))
        print(printable(facts.describe(command.words[0])))

    def _connect(self, command: Command) -> None:
        options = dict(command.options)
        name = options.pop("connection", self.default_connection)
        arguments: dict[str, Any] = {"name": name, **_arguments(options)}
        if "wait" in options:
            arguments |= {"pairing_timeout": options["wait"], "on_pairing": self._show_pairing}
        former = connecting.connections().get(name)
        try:
            gateway = connecting.connect(command.words[0] if command.words else None, **arguments)
        except GatewayError as error:
            if isinstance(error, PairingRequiredError):
                display(PairingCard(error))
            if former is not None:
                print(f"still connected: {current.where(former)}", file=sys.stderr)
            raise
        current.adopt(gateway)
        if name == "default":
            self._variables["gw"] = gateway
        display(gateway)

    def _fleet(self, command: Command) -> None:
        if not command.words:
            raise CommandError("%gateway fleet needs a file: %gateway fleet fleet.yaml")
        connected = fleet(command.words[0])
        current.adopt_beside(connected)
        self._variables[command.options.get("output", "fleet")] = connected
        display(connected.status)

    def _show_pairing(self, error: PairingRequiredError) -> None:
        # Called on the loop's thread while the cell waits: what is shown lands in this cell, which is its place.
        display(PairingCard(error, waiting=True))

    def _use(self, command: Command) -> None:
        gateway = connecting.connections().get(command.words[0])
        if gateway is None:
            raise _not_connected(command.words[0])
        current.use(gateway)
        if self.default_connection != "default":
            self.default_connection = gateway.name
        self._status(command)

    def _disconnect(self, command: Command) -> None:
        gateway = self._gateway(command.options.get("connection"))
        gateway.close()
        display(gateway)

    def _status(self, command: Command) -> None:
        gateways = connecting.connections()
        if gateways:
            display(Connections(list(gateways.values()), current.chosen(self.default_connection)))
        else:
            print("not connected; %gateway connect [URL] connects, %gateway help lists the commands")

    def _methods(self, command: Command) -> None:
        self._list(command, "methods", self._gateway(command.options.get("connection")).methods)

    def _events(self, command: Command) -> None:
        self._list(command, "events", self._gateway(command.options.get("connection")).event_names)

    def _list(self, command: Command, what: str, names: tuple[str, ...]) -> None:
        pattern = command.words[0] if command.words else "*"
        chosen = sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))
        display(Listing(f"{len(chosen)} of {len(names)} {what}", chosen))

    def _capture(self, command: Command) -> None:
        verb, *rest = command.words or ("status",)
        if verb == "start":
            options = dict(command.options)
            gateway = self._gateway(options.pop("connection", None))
            if not rest:
                raise CommandError("%gateway capture start needs a file: %gateway capture start run.jsonl agent chat.*")
            if rest[0] in gateway.event_names or "*" in rest[0]:
                events = " ".join(rest)
                raise CommandError(f"the file comes before the events: %gateway capture start run.jsonl {events}")
            capture = gateway.capture(rest[0], tuple(rest[1:]) or ("*",), **options)
            self._captures.append(capture)
            display(capture)
            return
        found = self._all_captures()
        if verb == "stop":
            self._stop_captures(found, rest)
            return
        for capture in found:
            display(capture)
        if not found:
            print("no captures; %gateway capture start PATH starts one")

    def _all_captures(self) -> list[Capture | DetachedCapture]:
        """Return those that were started here, and those that run in processes of their own, whoever started them."""
        mine = {capture.pid for capture in self._captures if isinstance(capture, DetachedCapture)}
        return [*self._captures, *(capture for capture in captures() if capture.pid not in mine)]

    def _stop_captures(self, found: list[Capture | DetachedCapture], paths: list[str]) -> None:
        wanted = [Path(path).absolute() for path in paths]
        chosen = [item for item in found if (_path(item) in wanted if wanted else item in self._captures)]
        failures = _stop(chosen)
        self._captures = [item for item in self._captures if item not in chosen or item.alive]
        for item in chosen:
            display(item)
        if failures:
            raise failures[0]
        if not chosen:
            others = ", ".join(str(_path(item)) for item in found)
            print(f"nothing was started here; %gateway capture stop PATH ends {others}" if others else "no captures")

    def _form(self, command: Command) -> None:
        from ..widgets.connect_form import connect_form

        display(connect_form())

    def _data(self, command: Command) -> None:
        if not command.words:
            raise CommandError(f"%gateway data needs one of {', '.join(BOOKS)}")
        gateway = self._gateway(command.options.get("connection"))
        frame = read_book(gateway.data, command.words[0], command.options)
        self.seen.take_frame(frame)
        self._shown(command, frame)

    def _transcript(self, command: Command) -> None:
        if not command.words:
            raise CommandError("%gateway transcript needs a session's key; %gateway data sessions lists them")
        gateway = self._gateway(command.options.get("connection"))
        self._shown(command, gateway.transcript(command.words[0]))

    def _shown(self, command: Command, value: object) -> None:
        if "output" in command.options:
            self._variables[command.options["output"]] = value
        display(value)

    def _table(self, command: Command) -> None:
        display(self._gateway(command.options.get("connection")).table())

    def _panel(self, command: Command) -> None:
        display(self._gateway(command.options.get("connection")).panel())

    def _tools(self, command: Command) -> None:
        display(self._gateway(command.options.get("connection")).tools)

    def _approvals(self, command: Command) -> None:
        display(self._gateway(command.options.get("connection")).approvals.table())

    def _config(self, command: Command) -> None:
        print(settings(self).to_string())

    def _doctor(self, command: Command) -> None:
        url = command.words[0] if command.words else None
        report = doctor(url, **_arguments(dict(command.options)))
        findings = [replace(found, advice=found.advice and with_options(found.advice)) for found in report.findings]
        display(replace(report, findings=tuple(findings)))

    def _help(self, command: Command) -> None:
        print(help_text())

    def close(self) -> None:
        """Leave nothing running: calls in the background are cancelled, captures end."""
        for running in self._background.values():
            if not running.done():
                running.cancel()
        _stop(item for item in self._captures if isinstance(item, Capture))  # detached ones outlive even the kernel


def _not_connected(name: str) -> GatewayClosedError:
    names = ", ".join(connecting.connections())
    option = "" if name == "default" else f" -c {name}"
    others = f", or %gateway use NAME with one of {names}" if names else ""
    return GatewayClosedError(f"there is no connection {name!r}; run: %gateway connect{option}{others}")


def _path(capture: Capture | DetachedCapture) -> Path:
    return (capture.asked_for if isinstance(capture, Capture) else capture.path).absolute()


def _stop(found: Iterable[Capture | DetachedCapture]) -> list[CaptureError]:
    """Stop all of them, whatever becomes of one; return what went wrong."""
    failures = []
    for capture in found:
        try:
            capture.stop()
        except CaptureError as error:
            failures.append(error)
    return failures


_NO_ARGUMENTS = {"connection", "ask", "token_env", "password_env", "wait"}
"""Options that become other arguments, or none."""


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `connect` for the options of a magic; most have the same name."""
    arguments = {name: value for name, value in options.items() if name not in _NO_ARGUMENTS}
    if "scopes" in options:
        arguments["scopes"] = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
    return arguments | _credentials(options)


def _credentials(options: dict[str, Any]) -> dict[str, str]:
    given: dict[str, str] = {}
    for kind in ("token", "password"):
        variable = options.get(f"{kind}_env")
        if variable is None:
            continue
        if not os.environ.get(variable):
            raise CommandError(f"--{kind}-env {variable}: the environment has no such variable, or it is empty")
        given[kind] = os.environ[variable]
    if options.get("ask"):
        given["token"] = getpass.getpass("Gateway token: ")
    return given
