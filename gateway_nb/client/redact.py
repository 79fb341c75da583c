"""What the client says of itself: log lines in which no secret can appear, by value."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

from ..protocol.errors import one_line

LOGGER = logging.getLogger("gateway_nb")
# Without a handler Python would print warnings to stderr, from the loop's thread into whichever cell runs.
LOGGER.addHandler(logging.NullHandler())
LOG_LINES = 500
_SHORTEST_SECRET = 4  # replacing "a" everywhere would hide the log, not the secret


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
        self._secrets.update(value for value in values if len(value) >= _SHORTEST_SECRET)

    def clean(self, text: object) -> str:
        """Return a text as one line without the secrets."""
        line = str(text)
        for value in sorted(self._secrets, key=len, reverse=True):
            line = line.replace(value, "[secret]")
        return one_line(line)

    def without_secrets(self, data: bytes) -> bytes:
        """Return bytes without the secrets, for what is kept on disk."""
        for value in sorted(self._secrets, key=len, reverse=True):
            data = data.replace(value.encode(), b"[secret]")
        return data

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
