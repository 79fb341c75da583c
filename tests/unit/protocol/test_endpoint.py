"""Which URLs may be talked to."""

from __future__ import annotations

import pytest

from gateway_nb.errors import InsecureUrlError
from gateway_nb.protocol.endpoint import normalize_fingerprint, parse

PIN = "ab" * 32

ALLOWED = [
    ("ws://127.0.0.1:18789", 18789),
    ("ws://localhost", 80),
    ("ws://LOCALHOST:1/path?x=1", 1),
    ("ws://127.9.8.7:2", 2),
    ("ws://[::1]:3", 3),
    ("ws://[::ffff:127.0.0.1]:4", 4),
    ("wss://example.org", 443),
    ("wss://10.0.0.1:5/gw", 5),
]
REFUSED = [
    "ws://10.0.0.1",
    "ws://192.168.1.2:18789",
    "ws://example.org",
    "ws://localhost.evil.com",
    "ws://127.0.0.1.evil.com",
    "ws://localhost.",
    "ws://0.0.0.0",
    "ws://[::]",
    "ws://224.0.0.1",
    "ws://[ff02::1]",
    "ws://0x7f.1",
    "ws://0x7f000001",
    "ws://2130706433",
    "ws://127.1",
    "ws://0177.0.0.1",
    "ws://127.0.0.01",
    "ws://user@127.0.0.1",
    "ws://127.0.0.1@evil.com",
    "ws://127.0.0.1\\@evil.com",
    "ws://127.0.0.1#@evil.com:80@x",
    "wss://token:hunter2@example.org",
    "ws://\uff11\uff12\uff17.0.0.1",
    "ws://loca\u017fhost",
    "ws://",
    "ws://:80",
    "ws://127.0.0.1:0",
    "ws://127.0.0.1:99999",
    "ws://127.0.0.1:x",
    "ws://[::1",
    "ws://127.0.0.1 ",
    " ws://127.0.0.1",
    "ws://127.0.0.1\n",
    "http://127.0.0.1",
    "https://example.org",
    "127.0.0.1:18789",
    "",
    "nonsense",
    "file:///etc/passwd",
]
PRIVATE = [
    "ws://10.0.0.1",
    "ws://172.31.0.1",
    "ws://192.168.0.9",
    "ws://169.254.1.1",
    "ws://100.64.0.1",
    "ws://[fd00::1]",
    "ws://[fe80::1]",
    "ws://[::ffff:10.0.0.1]",
]
NOT_EVEN_PRIVATE = ["ws://172.32.0.1", "ws://100.128.0.1", "ws://8.8.8.8", "ws://0.0.0.0", "ws://[::]", "ws://printer"]


@pytest.mark.parametrize(("url", "port"), ALLOWED)
def test_allowed(url: str, port: int) -> None:
    """Plain text to this machine and TLS to anywhere are allowed."""
    endpoint = parse(url)
    assert endpoint.port == port
    assert endpoint.secure == url.startswith("wss")
    assert endpoint.trusted == endpoint.loopback == (not endpoint.secure)


@pytest.mark.parametrize("url", REFUSED)
def test_refused(url: str) -> None:
    """Everything else is refused in one line, malformed URLs and look-alikes included."""
    with pytest.raises(InsecureUrlError) as caught:
        parse(url)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", PRIVATE)
def test_private_ranges_need_the_variable(url: str) -> None:
    """Private addresses are allowed only where the user says so, and the refusal names the way."""
    with pytest.raises(InsecureUrlError, match="OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1"):
        parse(url)
    assert not parse(url, allow_private=True).trusted


@pytest.mark.parametrize("url", NOT_EVEN_PRIVATE)
def test_public_addresses_stay_refused(url: str) -> None:
    """The variable opens private ranges only, and is not advised when it is set."""
    with pytest.raises(InsecureUrlError) as caught:
        parse(url, allow_private=True)
    assert "OPENCLAW_ALLOW" not in str(caught.value)


@pytest.mark.parametrize("not_a_string", [None, 5, b"ws://127.0.0.1"])
def test_not_a_string(not_a_string: object) -> None:
    """A URL of the wrong type is refused like a malformed one."""
    with pytest.raises(InsecureUrlError, match="malformed"):
        parse(not_a_string)  # type: ignore[arg-type]


def test_a_pin_needs_tls_and_earns_trust() -> None:
    """A pinned wss endpoint may be shown a stored device token; a pin on plain text is refused."""
    endpoint = parse("wss://example.org", tls_fingerprint=PIN)
    assert endpoint.trusted
    assert endpoint.pin == PIN
    with pytest.raises(InsecureUrlError, match="wss"):
        parse("ws://127.0.0.1", tls_fingerprint=PIN)


@pytest.mark.parametrize(
    "text",
    [
        PIN,
        PIN.upper(),
        ":".join(["AB"] * 32),
        f"sha256:{PIN}",
        f"SHA256 Fingerprint={':'.join(['AB'] * 32)}",
        f" {PIN} ",
    ],
)
def test_fingerprint_spellings(text: str) -> None:
    """The spellings of openssl and of browsers are understood."""
    assert normalize_fingerprint(text) == PIN


@pytest.mark.parametrize("text", ["", "ab", PIN + "0", "zz" * 32, f"sha1:{PIN}"])
def test_not_a_fingerprint(text: str) -> None:
    """What is no SHA-256 is a ValueError that says how to get one."""
    with pytest.raises(ValueError, match="64 hex digits"):
        normalize_fingerprint(text)


def test_fingerprint_type() -> None:
    """A fingerprint of the wrong type is a TypeError."""
    with pytest.raises(TypeError, match="tls_fingerprint"):
        normalize_fingerprint(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://example.org/gw/hush/?token=hush", "wss://example.org:443/…"),
        ("wss://example.org/hush", "wss://example.org:443/…"),
        ("wss://example.org?hush", "wss://example.org:443/…"),
        ("wss://EXAMPLE.org/", "wss://example.org:443"),
        ("ws://[::1]:5", "ws://[::1]:5"),
    ],
)
def test_display_hides_path_and_query(url: str, shown: str) -> None:
    """What is shown of a URL leaves out its path and query, which may hold a secret."""
    endpoint = parse(url)
    assert endpoint.display == shown
    assert "hush" not in repr(endpoint)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://example.org/hush?hush#hush", "'http://example.org/…'"),
        ("ws://hush:hush@127.0.0.1/hush", "'ws://…@127.0.0.1/…'"),
        ("ws://hush:hu/sh@example.org", "'ws://…@example.org'"),
        ("hush:hush@example.org", "refused URL: it must begin"),
        ("hush-a-token-in-the-wrong-place", "refused URL: it must begin"),
        ("file:///hush", "'file:///…'"),
        ("ws://127.0.0.1/hush hush", "'ws://127.0.0.1/…'"),
        ("ws://127.0.0.1#hush", "'ws://127.0.0.1/…'"),
        ("ws://127.0.0.1\\hush", "'ws://127.0.0.1/…'"),
    ],
)
def test_a_refusal_hides_path_and_query(url: str, shown: str) -> None:
    """A refused URL is named without what may be a secret in it."""
    with pytest.raises(InsecureUrlError) as caught:
        parse(url)
    assert shown in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("wss://EXAMPLE.org",), ("wss://example.org:443/path?x",), True),
        (("wss://example.org",), ("wss://example.org:444",), False),
        (("ws://localhost:1",), ("ws://127.0.0.1:1",), False),
        (("ws://127.0.0.1:443",), ("wss://127.0.0.1:443",), False),
        (("wss://example.org", PIN), ("wss://10.0.0.1:5", PIN), True),
        (("wss://example.org", PIN), ("wss://example.org",), False),
    ],
)
def test_which_gateway(one: tuple[str, ...], other: tuple[str, ...], same: bool) -> None:
    """A gateway is its scheme, host and port, or its pinned certificate wherever it is; nothing looser."""
    first, second = (parse(url, tls_fingerprint=pin[0] if pin else None) for url, *pin in (one, other))
    assert (first.gateway == second.gateway) is same
