"""What the magics make of their options."""

from __future__ import annotations

import inspect

from gateway_nb.client.options import ConnectOptions
from gateway_nb.faces.connections import connect
from gateway_nb.notebook.magics.commands import COMMANDS
from gateway_nb.notebook.magics.magics import _NO_ARGUMENTS, _arguments


def test_every_option_of_connect_arrives() -> None:
    """An option that the help of %gateway connect shows is one of connect, or becomes another of its arguments."""
    fields = {option.field for option in COMMANDS["connect"].accepted}
    assert "tls_fingerprint" in fields
    assert fields - _NO_ARGUMENTS <= {*inspect.signature(connect).parameters, *ConnectOptions.__annotations__}


def test_arguments() -> None:
    """Options become the arguments of connect of the same name; scopes become a list."""
    given = {"connection": "a", "wait": 3.0, "scopes": "x, y,", "timeout": 5.0, "tls_fingerprint": "00"}
    assert _arguments(given) == {"scopes": ["x", "y"], "timeout": 5.0, "tls_fingerprint": "00"}
