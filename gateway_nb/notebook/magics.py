"""``%gateway`` and ``%%gateway``: the grammar's commands, carried out."""

from __future__ import annotations

import fnmatch
import getpass
import os
import time
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display

from .. import connecting
from ..facade import Gateway
from ..protocol.errors import GatewayClosedError, PairingRequiredError
from . import grammar
from .display import Listing, PairingCard, Result
from .grammar import Call, Command, CommandError

HELP = """\
%gateway                       the connections and their state
%gateway connect [URL]         connect; -c NAME names it, --ask asks for the token, --token-env NAME and
                               --password-env NAME name a variable, --scopes a,b, --tls-fingerprint FP, --timeout S,
                               --wait S waits for the gateway's owner to approve this device
%gateway disconnect [-c NAME]  close a connection; its events stay in gw.events
%gateway methods [GLOB]        the methods the gateway advertises
%gateway events [GLOB]         the event names it advertises
%gateway call METHOD [JSON]    call a method
%%gateway METHOD               call a method with the cell's body, a JSON object, as params:
                               -o NAME keeps the result, -f auto|json|raw, --final waits for the last answer,
                               --timeout S, -c NAME, --quiet or a ; at the end shows nothing"""


@magics_class
class GatewayMagics(Magics):
    """The magics of gateway_nb."""

    @no_var_expand
    @line_cell_magic
    def gateway(self, line: str, cell: str | None = None) -> None:
        """Call an OpenClaw Gateway; ``%gateway help`` says how."""
        if cell is not None:
            self._call(grammar.parse_cell(line, cell))
            return
        command = grammar.parse_line(line)
        if isinstance(command, Call):
            self._call(command)
        else:
            getattr(self, f"_{command.name}")(command)

    @property
    def _variables(self) -> dict[str, Any]:
        assert self.shell is not None, "magics are registered with a shell"
        variables: dict[str, Any] = self.shell.user_ns
        return variables

    def _call(self, call: Call) -> None:
        gateway = _connection(call.connection)
        began = time.perf_counter()
        options: dict[str, Any] = {} if call.timeout is None else {"timeout": call.timeout}
        payload = gateway.request(call.method, call.params, expect_final=call.final, **options)
        took = (time.perf_counter() - began) * 1000
        if call.output is not None:
            self._variables[call.output] = payload
        if call.quiet:
            return
        if call.format == "raw":
            display(payload)
        else:
            where = "" if call.connection == "default" else f" · {call.connection}"
            display(Result(payload, f"{call.method} · {took:.0f} ms{where}"))

    def _connect(self, command: Command) -> None:
        options = dict(command.options)
        name = options.pop("connection", "default")
        arguments: dict[str, Any] = {"name": name, **_credentials(options)}
        if "scopes" in options:
            arguments["scopes"] = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        for same in ("tls_fingerprint", "timeout"):
            if same in options:
                arguments[same] = options[same]
        if "wait" in options:
            arguments |= {"pairing_timeout": options["wait"], "on_pairing": self._show_pairing}
        try:
            gateway = connecting.connect(command.words[0] if command.words else None, **arguments)
        except PairingRequiredError as error:
            display(PairingCard(error))
            raise
        if name == "default":
            self._variables["gw"] = gateway
        display(gateway)

    def _show_pairing(self, error: PairingRequiredError) -> None:
        # Called on the loop's thread while the cell waits: what is shown lands in this cell, which is its place.
        display(PairingCard(error, waiting=True))

    def _disconnect(self, command: Command) -> None:
        gateway = _connection(command.options.get("connection", "default"))
        gateway.close()
        display(gateway)

    def _status(self, command: Command) -> None:
        open_ones = connecting.connections()
        if not open_ones:
            print("not connected; %gateway connect [URL] connects, %gateway help lists what there is")
        for gateway in open_ones.values():
            display(gateway)

    def _methods(self, command: Command) -> None:
        self._list(command, "methods", _connection(command.options.get("connection", "default")).methods)

    def _events(self, command: Command) -> None:
        self._list(command, "events", _connection(command.options.get("connection", "default")).event_names)

    def _list(self, command: Command, what: str, names: tuple[str, ...]) -> None:
        pattern = command.words[0] if command.words else "*"
        chosen = sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))
        display(Listing(f"{len(chosen)} of {len(names)} {what}", chosen))

    def _help(self, command: Command) -> None:
        print(HELP)


def _connection(name: str) -> Gateway:
    gateway = connecting.connections().get(name)
    if gateway is None:
        option = "" if name == "default" else f" -c {name}"
        raise GatewayClosedError(f"there is no connection {name!r}; run: %gateway connect{option}")
    return gateway


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
