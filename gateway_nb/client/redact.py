"""What the client says of itself: log lines in which no secret can appear, by value."""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeVar

from ..protocol.errors import GatewayError, GatewayRequestError, one_line

LOGGER = logging.getLogger("gateway_nb")
# Without a handler Python would print warnings to stderr, from the loop's thread into whichever cell runs.
LOGGER.addHandler(logging.NullHandler())
LOG_LINES = 500
E = TypeVar("E", bound=GatewayError)
_SECRET_FIELDS = frozenset(
    {"token", "deviceToken", "bootstrapToken", "password", "signature", "nonce", "secret", "apiKey"}
)
_STRING = rb'"(?:[^"\\]|\\.)*"'
_JSON_STRING = re.compile(b"(" + _STRING + rb")(\s*:)?")
_SECRET_FIELD = re.compile(
    rb'("(?:' + "|".join(sorted(_SECRET_FIELDS)).encode() + rb')"\s*:\s*)(' + _STRING + rb")", re.ASCII
)
_SHORTEST_SECRET = 4  # replacing "a" everywhere would hide the log, not the secret
_SHORTEST_UNKNOWN = 16  # what only a field's name calls a secret may be an ordinary word: "none", "mock"


def _decoded(text: bytes) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # a gateway's broken text: nothing in it is of use
        return ""


class Log:
    """The last 500 log lines of one client, and the way to ``logging.getLogger("gateway_nb")``.

    Every secret the client has seen (tokens, password, nonce, signature, ...) is replaced in every line,
    wherever it stands.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._lines: deque[str] = deque(maxlen=LOG_LINES)

    def hide(self, values: Iterable[str]) -> None:
        """Never show these strings."""
        for value in values:
            if len(value) >= _SHORTEST_SECRET:
                # As it is, and as JSON writes it.
                self._secrets |= {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}

    def clean(self, text: object) -> str:
        """Return a text as one line without the secrets."""
        return one_line(self._replace(str(text)))

    def clean_error(self, error: E) -> E:
        """Return an error that says no secret: the gateway may repeat what it was told."""
        if self._secrets:
            error.args = tuple(self.clean(argument) for argument in error.args)
            error.details = self._clean_value(error.details)
            if isinstance(error, GatewayRequestError):
                error.gateway_message = self.clean(error.gateway_message)
        return error

    def _clean_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._clean_value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._clean_value(item) for item in value]
        return self._replace(value) if isinstance(value, str) else value

    def _replace(self, text: str) -> str:
        for value in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(value, "[secret]")
        return text

    def without_secrets(self, data: bytes) -> bytes:
        """Return JSON without the secrets, for what is kept on disk: those known, and those that a field names.

        Only what stands in strings changes, in a field's name only a long secret: it stays the JSON that it was.
        """
        named = [_decoded(text) for _, text in _SECRET_FIELD.findall(data)]
        self.hide(value for value in named if len(value) >= _SHORTEST_UNKNOWN)
        if named:
            data = _SECRET_FIELD.sub(rb'\1"[secret]"', data)
        there = [value for value in (value.encode() for value in self._secrets) if value in data]
        long = [value for value in there if len(value) >= _SHORTEST_UNKNOWN]

        def cleaned(found: re.Match[bytes]) -> bytes:
            text, colon = found[1], found[2] or b""
            if not any(value in text for value in (long if colon else there)):
                return found[0]
            return json.dumps(self._replace(_decoded(text)), ensure_ascii=False).encode() + colon

        return _JSON_STRING.sub(cleaned, data) if there else data

    def write(self, level: int, text: object) -> None:
        """Log one line.

        Args:
            level: of the logging module.
            text: anything; cleaned first.
        """
        line = self.clean(text)
        self._lines.append(f"{logging.getLevelName(level).lower()}: {line}")
        LOGGER.log(level, "%s", line)

    def debug(self, text: object) -> None:
        """Log what only a developer wants to know."""
        self.write(logging.DEBUG, text)

    def info(self, text: object) -> None:
        """Log what happened."""
        self.write(logging.INFO, text)

    def warning(self, text: object) -> None:
        """Log what a user should know."""
        self.write(logging.WARNING, text)

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, oldest first."""
        return tuple(self._lines)
