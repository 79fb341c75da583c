"""What looks like a secret although nobody named its value: by the name of its field, or by its shape in a text."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable

MARK = "[secret]"

_LONGEST_NAME = 128
_SECRET_NAME = re.compile(
    # A page token is a cursor, and the first token of an answer is a time.
    r"(?:(?<!next)(?<!page)(?<!continuation)(?<!first)(?<!last)(?<!stop)token"
    r"|(?:access|api|app|auth|bearer|bootstrap|bot|device|gateway|id|push|refresh|secret|service|session|user)tokens"
    r"|(?:access|account|api|auth|consumer|deploy|encryption|hmac|license|master|private|sas|secret|service|shared|signing"
    r"|ssh|ssl|storage|tls|webhook)keys?"
    r"|(?:access|auth|authorization|invite|mfa|otp|pairing|pin|recovery|setup|verification)code"
    r"|(?:admin|app|database|db|ftp|imap|mail|root|smtp|ssh|user)pass|psk|(?:recovery|seed)phrase"
    r"|secrets?|passw(?:or)?ds?|pwd|passphrases?|passcodes?|credentials?|authorization|bearer|cookies?|jwt|mnemonic"
    r"|nonce|otp|recoveryscope|signatures?)"
    r"(?:b64|base64|data|hash|hex|jwk|pem|plain|sha|text|value)?\d*\Z"
    r"|\A(?:creds?|csrf|pass|sig|xsrf)\Z"
)

NAME_HINT = (
    "(?i:auth|bearer|code|cookie|cred|csrf|xsrf|jwt|key|mnemonic|nonce|otp|pass|phrase|psk|pwd|recoveryscope|secret|sig"
    "|token)"
)
"""A regular expression of RE2: what is in each name of a field with a secret."""


@functools.lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a secret, in any case and with any separators.

    Args:
        name: of a JSON field, a header, a variable, an option.

    Example:
        >>> is_secret_name("X-Api-Key"), is_secret_name("botToken"), is_secret_name("maxTokens")
        (True, True, False)
    """
    return _is_secret_name(name[-_LONGEST_NAME:])


def is_secret_option(text: str) -> bool:
    """Return whether a text is an option of a command line whose value is a secret: ``--token``."""
    return text.startswith("-") and text.lstrip("-").replace("-", "").isalnum() and is_secret_name(text)


def _after_name(found: re.Match[str]) -> str:
    return found[1] + MARK if is_secret_name(found["name"]) else found[0]


def _basic(found: re.Match[str]) -> str:
    """``Basic`` is an ordinary word, too: credentials are base64 of something with a colon."""
    text = found[2].rstrip("=")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
    except binascii.Error:
        return found[0]
    return found[1] + MARK if b":" in decoded else found[0]


_QUOTED = re.compile(
    r"((?P<quote>\\{0,7}[\"'])(?P<name>[\w.-]{1,64})(?P=quote)\s{0,8}:\s{0,8}(?P=quote))(?:(?!(?P=quote))(?:\\.|.))*",
    re.DOTALL,
)


def _quoted(found: re.Match[str]) -> str:
    """A value that is no secret may be JSON with one inside; there are few kinds of quotes to go down through."""
    if is_secret_name(found["name"]):
        return found[1] + MARK
    return found[1] + _QUOTED.sub(_quoted, found[0][len(found[1]) :])


_VALUE = r"(?:\[secret\]|\\?\"[^\"\\]*\\?\"|'[^']*'|[^\s&\"'<>\\]+)"
_SHAPES: tuple[tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # What must be in the text, what is looked for, and what takes its place. None looks back and forth: a long text
    # costs its length.
    (
        "PRIVATE KEY",
        re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[^-]*-----|\Z)", re.DOTALL),
        MARK,
    ),
    ("://", re.compile(r"((?<=://)[^\s/@:\"'<>]{0,256}:)[^\s/@\"'<>]{1,4096}@"), rf"\g<1>{MARK}@"),
    # Before what would take their first word for the value of a name
    ("", re.compile(r"(\b(?i:bearer)[ \t]{1,8})(?!\[secret\])[A-Za-z0-9._~+/=:-]{8,}"), rf"\g<1>{MARK}"),
    ("", re.compile(r"(\b(?i:basic)[ \t]{1,8})([A-Za-z0-9+/_-]{8,}={0,2})"), _basic),
    ("=", re.compile(rf"((?<![\w-])(?P<name>[\w-]{{1,64}})=){_VALUE}"), _after_name),
    ("-", re.compile(rf"((?<![\w-])--?(?P<name>[A-Za-z][\w-]{{0,63}})[ \t]{{1,8}})(?!-){_VALUE}"), _after_name),
    (
        ":",
        re.compile(
            r"((?<![\w-])(?P<name>(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{1,40})[ \t]{0,8}:[ \t]{0,8})"
            r"[^\r\n\"'\\]+",
            re.IGNORECASE,
        ),
        _after_name,
    ),
    (":", _QUOTED, _quoted),
    (
        "",
        re.compile(
            r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|[rs]k_(?:live|test)_\w{10,}|gh[oprsu]_\w{20,}|github_pat_\w{20,}"
            r"|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|npm_\w{30,}"
            r"|hf_\w{20,}|gsk_\w{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|ya29\.[\w-]{16,}|\d{8,10}:[\w-]{35}"
            r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
        ),
        MARK,
    ),
)


def without_shapes(text: str) -> str:
    """Return a text without what looks like a secret: credentials in URLs, headers, options, PEM, keys of services.

    Example:
        >>> without_shapes("curl -H 'Authorization: Bearer abcdefgh' --token x https://me:pw@host/?key=1&api_key=2")
        "curl -H 'Authorization: [secret]' --token [secret] https://me:[secret]@host/?key=1&api_key=[secret]"
    """
    for needed, shape, replacement in _SHAPES:
        if needed in text:
            text = shape.sub(replacement, text)
    return text
