"""What the client says of itself: log lines and errors without secrets."""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from typing import Any, TypeVar

from ..errors import GatewayError, one_line
from ..protocol.handshake import HelloOk
from .redaction.redactor import EXAMINED, Redactor, hidden

LOGGER = logging.getLogger("gateway_nb")
# Without a handler Python would print warnings to stderr, from the loop's thread into whichever cell runs.
LOGGER.addHandler(logging.NullHandler())
LOG_LINES = 500
PROBLEMS = 10
E = TypeVar("E", bound=GatewayError)


class _Hiding(logging.Filter):
    """Takes the secrets out of records with a traceback, too: its last line may be a gateway's."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = hidden(record.getMessage(), EXAMINED), ()
        if record.exc_info:
            record.exc_text = hidden(logging.Formatter().formatException(record.exc_info), EXAMINED)
            record.exc_info = None
        return True


LOGGER.addFilter(_Hiding())


class Log:
    """The last 500 log lines of one client, and the way to ``logging.getLogger("gateway_nb")``.

    Attributes:
        redactor: takes the client's secrets out of every line.
    """

    def __init__(self) -> None:
        self.redactor = Redactor()
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._problems: deque[str] = deque(maxlen=PROBLEMS)

    def problem(self, error: object) -> None:
        """Log what went wrong beside the connection, and keep it for `Status.problems`. From any thread."""
        text = self.clean(error)
        self.warning(text)
        self._problems.append(text)

    @property
    def problems(self) -> tuple[str, ...]:
        """The last problems, oldest first."""
        return tuple(self._problems)

    def clean(self, text: object) -> str:
        """Return a text as one line without the secrets; of a long one the beginning."""
        return one_line(self.redactor.start(str(text), EXAMINED))

    def clean_error(self, error: E) -> E:
        """Return an error without the secrets, in everything it holds: the gateway may repeat what it was told."""
        error.args = tuple(self._cleaned(argument) for argument in error.args)
        for name, value in vars(error).items():
            if name not in ("details", "excerpt"):
                setattr(error, name, self._cleaned(value))
        error.details = self.redactor.value(error.details)
        return error

    def clean_hello(self, hello: HelloOk) -> HelloOk:
        """Return a hello-ok without the secrets, for whom it is shown to."""
        fields = {field.name: self._cleaned(getattr(hello, field.name)) for field in dataclasses.fields(hello)}
        return HelloOk(**fields | {"raw": self.redactor.value(hello.raw, guess=True)})

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(one_line(text) for text in self.redactor.starts(value, EXAMINED))
        return self.clean(value) if isinstance(value, str) else value

    def write(self, level: int, text: object) -> None:
        """Log anything as one line, cleaned, at a level of the logging module."""
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
