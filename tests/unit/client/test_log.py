"""What a client says of itself: so many lines, by level, without secrets."""

from __future__ import annotations

import logging

import pytest

from gateway_nb.client.log import LOGGER, Log
from gateway_nb.errors import GatewayError


def secretive() -> Log:
    log = Log()
    log.redactor.hide(["hush-hush-hush"])
    return log


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    """Lines have their level, here and in Python's logging, on one line, without secrets."""
    log = secretive()
    with caplog.at_level("DEBUG", LOGGER.name):
        log.debug("a\nb")
        log.info("with hush-hush-hush")
        log.warning(7)
        log.problem(GatewayError("a full disk of hush-hush-hush"))
    assert log.lines == ("debug: a b", "info: with [secret]", "warning: 7", "warning: a full disk of [secret]")
    assert [f"{record.levelname.lower()}: {record.getMessage()}" for record in caplog.records] == list(log.lines)
    assert log.problems == ("a full disk of [secret]",)


def test_how_much_is_kept() -> None:
    """The last 500 lines and 10 problems are kept."""
    log = Log()
    for number in range(501):
        log.info(number)
    assert (len(log.lines), log.lines[0]) == (500, "info: 1")
    for number in range(11):
        log.problem(GatewayError(str(number)))
    assert log.problems == tuple(map(str, range(1, 11)))


def test_errors() -> None:
    """An error is told without secrets in everything it holds: its message, its fields, and its details."""
    log = secretive()
    error = GatewayError("with hush-hush-hush", details={"x": "hush-hush-hush"}, method="hush-hush-hush")
    error.args = (*error.args, 7)
    assert log.clean_error(error) is error
    assert error.args == ("with [secret]", 7)
    assert (error.details, error.method) == ({"x": "[secret]"}, "[secret]")


def test_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    """A record with a traceback, or arguments, goes to Python's logging without the secrets that are known."""
    log = secretive()
    formatted: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            formatted.append(self.format(record))

    handler = Lines()
    LOGGER.addHandler(handler)
    try:
        try:
            raise ValueError("with hush-hush-hush")
        except ValueError:
            LOGGER.exception("it failed with %s", "hush-hush-hush")
    finally:
        LOGGER.removeHandler(handler)
    [text] = formatted
    assert text.startswith("it failed with [secret]\nTraceback")
    assert text.endswith("ValueError: with [secret]")
    assert log.lines == ()
