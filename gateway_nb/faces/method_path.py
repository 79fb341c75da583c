"""Methods as attributes: ``gw.call.sessions.list(limit=5)``."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ..errors import BadArgumentError, printable
from ..protocol.spelling import closest
from ..schema.facts import Method, method_facts


class Caller(Protocol):
    """What a `MethodPath` needs of a gateway."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The advertised methods."""

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a method."""


class MethodPath:
    """A method's name, written as attributes; calling it calls the method.

    ``gw.call.sessions.list(limit=5)`` is ``gw.request("sessions.list", {"limit": 5})``. A dash is written as an
    underscore (``gw.call.system_presence()``), or as it is: ``gw.call["system-presence"]()``.
    """

    __slots__ = ("_gateway", "_name")

    def __init__(self, gateway: Caller, name: str) -> None:
        self._gateway = gateway
        self._name = name

    def __getattr__(self, part: str) -> MethodPath:
        if part.startswith("_"):
            raise AttributeError(part)
        return self[part]

    def __getitem__(self, part: str) -> MethodPath:
        if not isinstance(part, str):
            raise BadArgumentError(f"a method's name is a string, not {part!r}")
        return MethodPath(self._gateway, f"{self._name}.{part}" if self._name else part)

    def __call__(self, *positional: Any, **params: Any) -> Any:
        """Call the method with these params, each by its name; errors as for `Gateway.request`."""
        if not self._name:
            raise BadArgumentError("name a method: gw.call.health()")
        name = self._advertised_name()
        if positional:
            given = positional[0]
            names = list(given) if isinstance(given, Mapping) else list(method_facts().fields(name))
            first = names[0] if names else "name"
            raise BadArgumentError(
                f"{name} takes its params by name: gw.call.{self._name}({first}=...); "
                f"a mapping: gw.request({name!r}, {{...}})"
            )
        return self._gateway.request(name, params or None)

    def getdoc(self) -> str:
        """Return what is known of the method: IPython asks for it at ``gw.call.sessions.list?``."""
        return method_facts().describe(self._advertised_name()) if self._name else str(type(self).__doc__)

    @property
    def __signature__(self) -> inspect.Signature:
        """Its params by name, for editors and completion."""
        facts = method_facts().methods.get(self._advertised_name(), Method())
        arguments = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=inspect.Parameter.empty if needed else ...)
            for name, _, needed in facts.arguments
        ]
        rest = [] if facts.closed else [inspect.Parameter("params", inspect.Parameter.VAR_KEYWORD)]
        return inspect.Signature([*arguments, *rest])

    def __dir__(self) -> Iterable[str]:
        prefix = f"{self._name}." if self._name else ""
        names = (name.removeprefix(prefix) for name in self._gateway.methods if name.startswith(prefix))
        return sorted({name.partition(".")[0].replace("-", "_") for name in names})

    def __repr__(self) -> str:
        name = self._advertised_name()
        if name in self._gateway.methods:
            return printable(f"<method {name}>")
        near = closest(name, self._gateway.methods, 3)
        return printable(f"<method {name or '?'}, not advertised{'; near: ' + ', '.join(near) if near else ''}>")

    def _advertised_name(self) -> str:
        methods = self._gateway.methods
        if self._name in methods or "_" not in self._name:
            return self._name
        dashed = self._name.replace("_", "-")
        return dashed if dashed in methods else self._name
