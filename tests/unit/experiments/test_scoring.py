"""Scorers' columns and calls: every score has a name, and no scorer ends an experiment."""

from __future__ import annotations

import asyncio
import functools
import threading
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.errors import BadArgumentError
from gateway_nb.experiments import scorers
from gateway_nb.experiments.scoring import Scorer, columns, score


def length(row: dict[str, Any], answer: str, trace: Any) -> int:
    return len(answer)


def scored(*scorers: Scorer, answer: str = "an answer") -> tuple[dict[str, Any], list[str]]:
    return asyncio.run(score(columns(scorers), {"text": "x"}, answer, None))


def test_names() -> None:
    """Functions give their names, lambdas are scores, a dict has its own; a name that comes again gets a number."""
    some = lambda row, answer, trace: 1  # noqa: E731
    assert list(columns([length, some, some, length])) == ["length", "score", "score_2", "length_2"]
    assert list(columns({"a": some, "b": length})) == ["a", "b"]


@pytest.mark.parametrize(
    ("scorers", "message"),
    [
        (length, "scorers must be a list of functions"),
        ("length", "scorers must be a list of functions"),
        (["length"], "a scorer is a function"),
        ({"": length}, "has no name"),
        ([functools.partial(length)], "give scorers as a dict"),
        ({"text": length}, "there is a column 'text' already"),
        ({"judge": length}, "there is a column 'judge.score' already"),
        ([scorers.exact], r"scorer 'exact' is called with \(row, answer, trace\), but its arguments are \(text: "),
        ({"two": lambda answer, expected: True}, r"but its arguments are \(answer, expected\): too many positional"),
    ],
)
def test_unusable_scorers(scorers: Any, message: str) -> None:
    """What can't be called, has no name or would hide another column is refused before anything runs."""
    with pytest.raises(BadArgumentError, match=message):
        columns(scorers, taken=("text", "judge.score"))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (True, True),
        (np.bool_(False), False),
        (3, 3),
        (np.int64(3), 3),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (Decimal("0.5"), 0.5),
        (float("nan"), None),
        ("good", "good"),
    ],
)
def test_scores(value: Any, kept: Any) -> None:
    """Numbers, bools and texts are kept as plain Python values, numpy's too; NaN is a missing score."""
    values, errors = scored(lambda row, answer, trace: value)
    assert (values, errors) == ({"score": kept}, [])
    assert type(values["score"]) is type(kept)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "returned a NoneType"),
        ([1], "returned a list"),
        (1j, "returned a complex"),
        (np.ones(2), "returned a ndarray"),
        (float("inf"), "inf is no score"),
        (10**400, "too large"),
        ("x" * 10_001, "10,001 characters"),
        ({}, "1 to 100 names"),
        ({1: 2}, "1 to 100 names"),
        ({"a": {"b": 1}}, "returned a dict"),
    ],
)
def test_nonsense(value: Any, message: str) -> None:
    """What is no score leaves the row without one, and the row says why; other scorers are not affected."""
    values, errors = scored(lambda row, answer, trace: value, length)
    assert values == {"length": 9}
    assert len(errors) == 1
    assert errors[0].startswith("score: ")
    assert message in errors[0]


@pytest.mark.parametrize(
    "error", [ValueError("a\nb\x1b[2K"), StopIteration(1), KeyError("x"), RecursionError(), SystemExit(1)]
)
def test_a_scorer_that_raises(error: Exception) -> None:
    """Whatever a scorer raises, its row says so in one line, and the others' scores are there."""

    def broken(row: dict[str, Any], answer: str, trace: Any) -> int:
        raise error

    async def also_broken(row: dict[str, Any], answer: str, trace: Any) -> int:
        raise SystemExit("late")

    values, errors = scored(broken, length, also_broken)
    assert values == {"length": 9}
    assert errors[0].startswith(f"broken: {type(error).__name__}")
    assert errors[1] == "also_broken: SystemExit: late"
    assert errors[0].isprintable()


def test_secrets_in_scores() -> None:
    """A secret that a scorer returns or raises is in no column."""
    secret = Redactor(["horse battery staple"])

    def broken(row: dict[str, Any], answer: str, trace: Any) -> int:
        raise ValueError(answer)

    values, errors = scored(lambda row, answer, trace: {"quote": answer}, broken, answer="it is horse battery staple")
    assert values == {"score.quote": "it is [secret]"}
    assert errors == ["broken: ValueError: it is [secret]"]
    del secret


def test_rows_that_scorers_change() -> None:
    """What a scorer does to its row, to a list in it, too, is seen by no other scorer, and by no prompt."""

    def emptying(row: dict[str, Any], answer: str, trace: Any) -> int:
        row["names"].clear()
        return 1

    async def names(row: dict[str, Any], answer: str, trace: Any) -> int:
        return len(row["names"])

    row = {"names": ["a", "b"]}
    values, _ = asyncio.run(score(columns([emptying, names]), row, "", None))
    assert (values["names"], row) == (2, {"names": ["a", "b"]})


def test_where_scorers_run() -> None:
    """Functions run on threads, side by side, where they may block; coroutine functions on the loop; all get copies."""
    met = threading.Barrier(2, timeout=10)

    def blocking(row: dict[str, Any], answer: str, trace: Any) -> int:
        row["text"] = "changed"
        return met.wait() >= 0

    async def on_loop(row: dict[str, Any], answer: str, trace: Any) -> bool:
        await asyncio.sleep(0)
        return row == {"text": "x"} and threading.current_thread() is threading.main_thread()

    values, errors = scored(blocking, blocking, on_loop)
    assert (values, errors) == ({"blocking": True, "blocking_2": True, "on_loop": True}, [])
