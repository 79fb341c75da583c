"""Loading into a shell and unloading from it, without a trace."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from ..errors import GatewayError
from ..events.view import EventView
from ..faces import connections as connecting
from ..faces.async_gateway import AsyncGateway
from ..faces.gateway import Gateway
from ..schema.facts import method_facts
from . import current
from .magics.completion import Completions, Knowledge, complete
from .magics.magics import GatewayMagics
from .magics.python import complete_python

_NAMES = ("gateway", "agent")
_QUESTION = re.compile(r"^(\s*)%gateway\s+call\s+([\w.:-]+)\s*\?+\s*$")

_LISTS = ("sessions.list", "agents.list", "cron.list")
_PATIENCE = 0.5  # seconds
_BODILESS = re.compile(r"%%(gateway|agent)\s")


def load(shell: Any) -> None:
    """Register the magics and their completion; loading again changes nothing."""
    if any(isinstance(item, GatewayMagics) for item in shell.configurables):
        return
    magics = GatewayMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(_matcher(magics))
    shell.input_transformers_cleanup.append(_as_meant)


def unload(shell: Any) -> None:
    """Take the magics out again, end what they left running, and close the widgets and the connections they made.

    Other connections stay, but offer no tools any more.
    """
    _take_out(shell)
    current.close_all()
    for gateway in connecting.connections().values():
        if "tools" in vars(gateway):
            gateway.tools.stop()
    from .widgets import live

    live.close_all()


def _take_out(shell: Any) -> None:
    for kind in ("line", "cell"):
        for name in _NAMES:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(GatewayMagics.__name__, None)
    for magics in [item for item in shell.configurables if isinstance(item, GatewayMagics)]:
        magics.close()
        shell.configurables.remove(magics)
    if _as_meant in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(_as_meant)
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if not hasattr(matcher, "gateway_nb")]


def _as_meant(lines: list[str]) -> list[str]:
    """Two things that IPython keeps from a magic: ``%gateway call METHOD?`` it would look up as a variable, and a
    ``%%gateway`` or ``%%agent`` cell without a body it refuses.
    """
    if len(lines) == 1 and _BODILESS.match(lines[0]):
        return [*lines, "\n"]
    return [_QUESTION.sub(r"\1%gateway describe \2\n", line) for line in lines]


def _matcher(magics: GatewayMagics) -> Any:
    @context_matcher()  # type: ignore[untyped-decorator]
    def gateway_matcher(context: CompletionContext) -> Any:
        lines = context.full_text.split("\n")
        cursor = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        found = _completions(magics, context.full_text, cursor)
        if found is not None and found.kind == "value" and not found.choices and _ask_for_names(magics):
            found = _completions(magics, context.full_text, cursor)
        if found is None:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(text=choice, type=found.kind) for choice in found.choices],
            "matched_fragment": found.fragment,
            "suppress": True,
        }

    gateway_matcher.gateway_nb = True
    return gateway_matcher


def _completions(magics: GatewayMagics, text: str, cursor: int) -> Completions | None:
    found = complete(text, cursor, _knowledge(magics))
    return found or complete_python(text[:cursor], lambda name: _knowledge_of(magics, name))


def _ask_for_names(magics: GatewayMagics) -> bool:
    """Ask each connection once for the sessions, agents and jobs that there are; return whether one was asked.

    The key that was pressed waits for it, but not long.
    """
    new = [each for each in connecting.connections().values() if each not in magics.asked and not each.closed]
    magics.asked.update(new)
    asked = [(each, each.submit(method, timeout=_PATIENCE)) for each in new for method in _LISTS]
    for gateway, handle in asked:
        with contextlib.suppress(GatewayError):  # a completion is no place to say what may not be read
            magics.seen.take(gateway.redactor.value(handle.result()))
    return bool(new)


def _knowledge(magics: GatewayMagics) -> Knowledge:
    connections = connecting.connections()
    gateway = connections.get(current.chosen(magics.default_connection)) or next(iter(connections.values()), None)
    if gateway is None:
        return _with_names(magics, (), ())
    tools = gateway.tools.names if "tools" in vars(gateway) else ()
    return replace(_with_names(magics, gateway.methods, gateway.event_names), tools=tools)


def _knowledge_of(magics: GatewayMagics, name: str) -> Knowledge | None:
    """Return what completions of a variable's methods are made of; ``None`` where it holds nothing of this package."""
    assert magics.shell is not None, "magics are registered with a shell"
    value = magics.shell.user_ns.get(name)
    if isinstance(value, (Gateway, AsyncGateway)):
        # Without Python's own completion, whose first answer takes a second
        public = tuple(name for name in dir(value) if not name.startswith("_"))
        return replace(_with_names(magics, value.methods, value.event_names), attributes=public)
    if isinstance(value, EventView) or (type(value).__module__ or "").startswith(__package__):
        return _knowledge(magics)
    return None


def _with_names(magics: GatewayMagics, methods: tuple[str, ...], events: tuple[str, ...]) -> Knowledge:
    connections = tuple(connecting.connections())
    variables = tuple(name for name in magics.own_variables() if not name.startswith("_"))
    return Knowledge(methods, events, connections, facts=method_facts(), seen=magics.seen, variables=variables)
