"""The words of errors."""

from __future__ import annotations

import pydoc

import pytest

from gateway_nb import errors
from gateway_nb.errors import PairingRequiredError, with_options


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("it exists; choose another name, or pass append=True", "it exists; choose another name, or pass --append"),
        ("pass token= or password=, or set X", "pass --token-env or --password-env, or set X"),
        ("a pin needs tls_fingerprint=", "a pin needs --tls-fingerprint"),
        ("mytoken=5 and append_to=x stay", "mytoken=5 and append_to=x stay"),
    ],
)  # fmt: skip
def test_options_instead_of_arguments(message: str, typed: str) -> None:
    """Who types a line is told options, not arguments of Python."""
    assert with_options(message) == typed


def test_what_a_gateways_owner_needs_to_know() -> None:
    """A refused device names the command for the owner, with the request if the gateway named one."""
    error = PairingRequiredError("refused")
    assert error.rows == {"why": "this device is not approved", "on the gateway's host run": "openclaw devices list"}
    error.request_id, error.approve_command = "r-1", "openclaw devices approve r-1"
    assert list(error.rows.items())[1:] == [
        ("request", "r-1"),
        ("on the gateway's host run", "openclaw devices approve r-1"),
    ]


def test_help() -> None:
    """The first screen of help(gnb.errors) has every error with what it says and what to do."""
    screen = pydoc.render_doc(errors, renderer=pydoc.plaintext).partition("CLASSES")[0]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GatewayError)]
    assert len(kinds) > 15
    for kind in kinds:
        assert f"    {kind.__name__:22} {str(kind.__doc__).splitlines()[0]}\n" in screen
    assert len(screen.splitlines()) < 40
