"""Steps that are gone through side by side."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.errors import GatewayRequestError
from gateway_nb.records.steps import Ask, Batch, Done, Steps, advance, together
from tests.helpers.records import read, refusal


def counted(number: int, asks: int) -> Steps[list[Any]]:
    """Ask so many times; return the answers."""
    answers = []
    for _ in range(asks):
        answers.append((yield Ask("count", {"of": number})))
    return answers


@pytest.mark.parametrize("asks", [[], [0], [0, 0, 0, 0, 0, 0], [1], [3, 0, 1, 2, 0, 5, 1, 1, 1]])
def test_results_are_in_order(asks: list[int]) -> None:
    """Each gets the answers to its own requests, and its result stands in its place."""
    works = together(counted(number, count) for number, count in enumerate(asks))
    found = read(works, lambda method, params: params["of"])
    assert found == [[number] * count for number, count in enumerate(asks)]


def test_few_requests_at_once() -> None:
    """At most four requests are on their way; the next begins as soon as one has ended, and progress is told."""
    steps = together(counted(number, 1 + number % 2) for number in range(7))
    batches: list[tuple[int, int, int]] = []
    outcome: Any = None
    while not isinstance(step := advance(steps, outcome), Done):
        assert isinstance(step, Batch)
        batches.append((len(step.asks), step.rows, step.total))
        outcome = [None] * len(step.asks)
    assert batches == [(4, 0, 7), (4, 2, 7), (2, 5, 7)]


def test_an_error_ends_all_of_them() -> None:
    """The error of a request is raised where it was asked; what is not caught there ends everything."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if params["of"] == 2:
            raise refusal("no")
        return params["of"]

    with pytest.raises(GatewayRequestError, match="no"):
        read(together(counted(number, 3) for number in range(4)), answer)


def test_what_has_ended_is_worked_on_meanwhile() -> None:
    """Results are worked on while other answers are waited for, the last ones at the end, and stay in order."""
    steps = together((counted(number, 1) for number in range(6)), lambda answers: [*answers, "worked on"])
    outcome: Any = None
    worked: list[int] = []
    while not isinstance(step := advance(steps, outcome), Done):
        assert isinstance(step, Batch)
        outcome = [ask.params["of"] for ask in step.asks]
        step.meanwhile()
        worked.append(step.rows)
    assert worked == [0, 4]
    assert step.result == [[number, "worked on"] for number in range(6)]
