"""URLs and credentials of the environment, and what was meant by a URL that is none."""

from __future__ import annotations

import pytest

import gateway_nb as gnb
from gateway_nb.client.environment import endpoint_for, suggested_url

PIN = "ab" * 32


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://127.0.0.1:18789/", "ws://127.0.0.1:18789/"),
        ("HTTP://127.0.0.1", "ws://127.0.0.1"),
        ("https://gateway.example", "wss://gateway.example"),
        ("http://gateway.example:8080/path?a=b", "wss://gateway.example:8080/path?a=b"),
        ("ws://gateway.example", "wss://gateway.example"),
        ("localhost:9", "ws://localhost:9"),
        (" 127.0.0.1 ", "ws://127.0.0.1:18789"),
        ("[::1]:9/a", "ws://[::1]:9/a"),
        ("gateway.example:443", "wss://gateway.example:443"),
        ("gateway.example", "wss://gateway.example"),
        ("", None),
        ("two words", None),
        ("ftp://127.0.0.1", None),
        ("me:secret@127.0.0.1", None),
        ("http://me:secret@127.0.0.1", None),
        ("http://127.0.0.1:99999", None),
        ("http://127.0.0.1/#part", None),
        ("://", None),
    ],
)
def test_what_was_meant(typed: str, meant: str | None) -> None:
    """The address of a page, or a host, is answered with a URL that policy allows; what may hold a secret is not."""
    assert suggested_url(typed) == meant


def test_what_was_meant_with_a_pin() -> None:
    """A pin needs TLS: a plain URL to this machine is answered with one with it."""
    assert suggested_url("ws://127.0.0.1:9", PIN) == "wss://127.0.0.1:9"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:18789", "did you mean ws://localhost:18789?"),
        ("gateway.example:443/a?token=x", "did you mean wss://gateway.example:443/…?"),
        ("http://127.0.0.1:18789", "did you mean ws://127.0.0.1:18789?"),
        ("https://gateway.example", "did you mean wss://gateway.example:443?"),
        (18789, "not 18789; did you mean ws://127.0.0.1:18789?"),
        (gnb.LocalGateway(), "not a LocalGateway; pass its url and its token: connect(local.url, token=local.token)"),
        ({"url": "secret"}, "not dict"),
    ],
)
def test_a_url_that_is_none(url: object, words: str) -> None:
    """What is no URL is refused in one line with the URL that was meant; its path and query are not repeated."""
    with pytest.raises(gnb.GatewayError) as raised:
        endpoint_for(url)  # type: ignore[arg-type]
    (line,) = raised.value._render_traceback_()
    assert line.endswith(words)


@pytest.mark.parametrize("url", ["my-secret-token", "secret:12345", "me:secret@127.0.0.1", "ws:secret.part", "user:1"])
def test_what_may_be_a_secret(url: str) -> None:
    """What may be a secret in the place of a URL is not in the message."""
    with pytest.raises(gnb.InsecureUrlError) as raised:
        endpoint_for(url)
    assert url not in str(raised.value)
    assert "secret" not in str(raised.value)
