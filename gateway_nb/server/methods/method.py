"""What a method of the embedded gateway is: who may call it, with which params, and what answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...protocol.auth import ROLES
from ..params import Params
from ..peer import Peer

OPERATOR, NODE = ROLES


@dataclass(frozen=True)
class Call:
    """One request of a client, its params checked."""

    peer: Peer
    id: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes:
        scope: which one it needs; ``None``: none.
        params: the shape of its params, or the function that checks them, given the method's name.
        answer: returns the payload, or `LATER`.
        role: who may call it; ``None``: everybody.
    """

    scope: str | None
    params: Params | Callable[[str, Any], dict[str, Any]]
    answer: Callable[[Call], Any]
    role: str | None = OPERATOR

    def check(self, name: str, params: Any) -> dict[str, Any]:
        """Return the params of a call of this method.

        Raises:
            Refusal: INVALID_REQUEST, they are not of its shape.
        """
        check = self.params.check if isinstance(self.params, Params) else self.params
        return check(name, {} if params is None else params)


Table = dict[str, Method]


class Domain(Protocol):
    """The methods of one kind, and what they work on."""

    def table(self) -> Table:
        """Return the methods by name."""


def unchecked(method: str, params: Any) -> dict[str, Any]:
    """Return any params that are an object, and none of those that are not."""
    return params if isinstance(params, dict) else {}
