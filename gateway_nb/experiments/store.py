"""An experiment's folder: what is run, and what became of each cell, written before and after every run."""

from __future__ import annotations

from typing import Any

import msgspec


class Record(msgspec.Struct, omit_defaults=True):
    """What is known of a cell; each change is a line of the journal, and the last line counts.

    Attributes:
        cell: its number.
        status: running, ok, failed, timeout; aborted and lost ones run again.
        attempt: how many runs it took, from 1: only what was aborted or lost is run again.
        run: the run's id.
        session: the session's key.
        model: ``provider/model``, as the gateway tells it.
        started: when it was asked for, in seconds since 1970.
        seconds: until its end.
        answer: the agent's.
        input_tokens: of all attempts, as the others.
        output_tokens: of all attempts.
        cost: of all attempts, in USD.
        error: why it failed, or which scorers did.
        scores: by column.
    """

    cell: int
    status: str
    attempt: int = 1
    run: str | None = None
    session: str | None = None
    model: str | None = None
    started: float | None = None
    seconds: float | None = None
    answer: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    error: str | None = None
    scores: dict[str, Any] | None = None
