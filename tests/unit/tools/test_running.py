"""What a function can do while it runs, and where its prints go."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.tools import cancelled, progress
from gateway_nb.tools.answers import of_error, of_value
from gateway_nb.tools.calls import KEPT, Call, Calls
from gateway_nb.tools.running import current
from tests.helpers.support import async_test


def begin(secret: str = "") -> Call:
    return Calls(Redactor([secret] if secret else [])).begin("tool", "s", "k", b"{}")


def test_prints_go_to_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed within a call is kept in its record; what others print goes where it went."""
    call, stream = begin(), sys.stdout
    with current(call):
        print("mine")
        other = threading.Thread(target=print, args=("others'",))
        other.start()
        other.join()
        print("to stderr", file=sys.stderr)
        sys.stdout.writelines(["a", "b"])
        assert sys.stdout.encoding == stream.encoding
    print("after")
    assert sys.stdout is stream
    assert call.printed == "mine\nto stderr\nab"
    assert capsys.readouterr().out == "others'\nafter\n"


@async_test
async def test_calls_at_once() -> None:
    """Two calls at once each have their own prints, progress and cancellation."""
    calls = [begin(), begin()]

    async def work(call: Call, number: int) -> None:
        with current(call):
            for _ in range(3):
                print(number)
                progress(number)
                await asyncio.sleep(0)
            assert cancelled() is (number == 1)

    calls[1].cancelled.set()
    await asyncio.gather(*(work(call, number) for number, call in enumerate(calls)))
    assert [call.printed for call in calls] == ["0\n0\n0\n", "1\n1\n1\n"]
    assert [call.progress for call in calls] == ["0\n0\n0", "1\n1\n1"]


def test_outside_of_a_call() -> None:
    """A function that reports progress can be called by its user as well."""
    progress("half")
    assert not cancelled()


def test_much_is_cut_and_counted() -> None:
    """Of much output the beginning is kept, of many reports the latest, with what is missing."""
    call = begin()
    with current(call):
        for number in range(3000):
            print("x" * 9)
            progress(number)
    assert call.printed.endswith("\n[28,000 more characters]")
    assert len(call.printed) < 2100
    assert call.progress.splitlines()[:2] == ["[2,980 earlier]", "2980"]


def test_no_secret_in_a_record() -> None:
    """A secret is in no column of a call's record, however it came there."""
    secret = "correct-horse-battery-staple"
    book = Calls(Redactor([secret]))
    call = book.begin(secret, secret, secret, f'{{"a": "{secret}"}}'.encode())
    with current(call):
        print(secret[:10], end="")
        print(secret[10:])
        progress(secret)
    try:
        raise ValueError(secret)
    except ValueError as error:
        book.end(call, "error", of_error(error), error)
    assert secret not in book.df.to_csv()
    assert secret not in repr(call)
    assert secret not in str(book.last_error)


@pytest.mark.long
def test_the_book_is_bounded() -> None:
    """The last 10,000 calls are kept, one row each, with typed columns, also of none and of one under way."""
    book = Calls(Redactor())
    assert book.df.empty
    for number in range(KEPT + 5):
        call = book.begin("tool", "s", "k", b"{}")
        if number % 2:
            book.end(call, "ok", of_value("four"))
    frame = book.df
    assert (len(frame), frame.id.iloc[0], str(frame.time.dtype)) == (KEPT, 6, "datetime64[ns, UTC]")
    shown: list[Any] = frame[["status", "size"]].iloc[:2].to_numpy().tolist()
    assert shown[0] == ["ok", 4]
    assert frame.seconds.isna().sum() == KEPT // 2
