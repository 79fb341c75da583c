"""`Approval` and `Question`: what waits for a person, as users hold it, with its answers.

The same classes serve code with and without ``await``: what an answer returns is up to the function that runs it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from ..client.redaction.redactor import Redactor
from ..errors import one_line, printable
from .items import ALLOW_ALWAYS, ALLOW_ONCE, DENY, QUESTION, Item, Part, checked_answers

R = TypeVar("R")
Work = Callable[[], Coroutine[Any, Any, None]]
_SHOWN = 200  # characters


class Decider(Protocol):
    """What sends the answers."""

    @property
    def redactor(self) -> Redactor:
        """Takes the connection's secrets out of what is shown."""

    async def decide(self, item: Item, decision: str, reason: str | None = None) -> None:
        """Decide an approval."""

    async def answer(self, item: Item, answers: dict[str, list[str]] | None) -> None:
        """Answer a question, or cancel it."""


class Waiting(Generic[R]):
    """Something that waits for a person.

    Args:
        item: what waits.
        decider: sends its answer.
        run: runs what answers it; returns what the methods return.
    """

    def __init__(self, item: Item, decider: Decider, run: Callable[[Work], R]) -> None:
        self.item = item
        self._decider = decider
        self._run = run

    @property
    def id(self) -> str:
        """The gateway's id of it."""
        return self.item.id

    @property
    def kind(self) -> str:
        """``exec``, ``plugin`` or ``question``."""
        return self.item.kind

    @functools.cached_property
    def command(self) -> str:
        """What would be done, whole: the command, what a plugin asks for, or the questions; without your secrets."""
        return self._decider.redactor.text(self.item.command)

    @property
    def session(self) -> str | None:
        """The key of the session that asks."""
        return self.item.text("sessionKey")

    @property
    def agent(self) -> str | None:
        """The id of the agent that asks."""
        return self.item.text("agentId")

    @property
    def run(self) -> str | None:
        """The id of the run that asks."""
        return self.item.text("runId")

    @property
    def tool_call(self) -> str | None:
        """The id of the tool call that asks."""
        return self.item.text("toolCallId")

    @property
    def created(self) -> dt.datetime:
        """When it was asked, by the gateway's clock, in UTC."""
        return dt.datetime.fromtimestamp(self.item.created, dt.UTC)

    @property
    def expires(self) -> dt.datetime:
        """Until when it waits, by the gateway's clock, in UTC."""
        return dt.datetime.fromtimestamp(self.item.expires, dt.UTC)

    @property
    def status(self) -> str:
        """``pending``, ``allowed``, ``denied``, ``answered``, ``expired``, ``cancelled`` (also with its run) or
        ``gone`` (the gateway restarted).
        """
        return self.item.status

    @property
    def decided_by(self) -> str | None:
        """Who answered it, as the gateway calls them; ``None`` while it waits, and where nobody did."""
        return self.item.by

    @property
    def reason(self) -> str | None:
        """Why it was denied here, or ended by the gateway."""
        return self.item.reason

    @functools.cached_property
    def details(self) -> dict[str, Any]:
        """Everything that the gateway sends of it, without your secrets."""
        details: dict[str, Any] = self._decider.redactor.value(dict(self.item.fields))
        return details

    def __repr__(self) -> str:
        text, length = self._decider.redactor.start(self.item.command, _SHOWN), len(self.item.command)
        cut = f" ({length:,} characters)" if length > _SHOWN else ""
        session = one_line(self.session or "no session", 200)
        return printable(f"<{type(self).__name__} {self.kind} {self.status}: {text!r}{cut}, asked by {session}>")


class Approval(Waiting[R]):
    """A command, or an action of a plugin, that waits to be allowed. Nothing is allowed unless one of these is called.

    Example:
        >>> def allow_listing(item: Approval[None]) -> None:
        ...     if item.command == "ls":
        ...         item.allow_once()
        ...     else:
        ...         item.deny("only ls")
        >>> gw.run("hello", on_approval=allow_listing).result(30).text
        'hello'
    """

    @property
    def decisions(self) -> tuple[str, ...] | None:
        """What the gateway offers, of ``allow-once``, ``allow-always`` and ``deny``; ``None`` if it does not say."""
        return self.item.decisions

    def allow_once(self) -> R:
        """Allow it, this time.

        Raises:
            GatewayRequestError: it does not wait any more: the message says who decided what, or that its time is over.
            GatewayClosedError: the gateway is not connected.
        """
        return self._decide(ALLOW_ONCE)

    def allow_always(self) -> R:
        """Allow it, and its like from now on; errors as of `allow_once`.

        Raises:
            GatewayError: the gateway does not offer that; nothing was sent.
        """
        return self._decide(ALLOW_ALWAYS)

    def deny(self, reason: str | None = None) -> R:
        """Deny it; errors as of `allow_once`.

        Args:
            reason: why, for this client's own record: gateways take none, and the agent does not get it.
        """
        return self._decide(DENY, reason)

    def _decide(self, decision: str, reason: str | None = None) -> R:
        return self._run(lambda: self._decider.decide(self.item, decision, reason))


class Question(Waiting[R]):
    """One or more questions of an agent that wait for their answers.

    Example:
        >>> gw.run("hello", on_question=lambda item: item.answer("red")).result(30).text
        'hello'
    """

    @property
    def questions(self) -> Sequence[Part]:
        """The questions, each with its options."""
        return self.item.questions

    def answer(self, answers: str | Sequence[str] | Mapping[str, str | Sequence[str]]) -> R:
        """Answer all of them.

        Args:
            answers: the answer of a single question, several where it takes several; or a mapping from the ids of the
                questions.

        Raises:
            ValueError: an answer is missing, or none of its options; nothing was sent.
            GatewayRequestError: it does not wait any more, or the gateway takes no such answer.
            GatewayClosedError: the gateway is not connected.
        """
        checked = checked_answers(self.item.questions, answers)
        return self._run(lambda: self._decider.answer(self.item, checked))

    def cancel(self) -> R:
        """Leave them without an answer; errors as of `answer`."""
        return self._run(lambda: self._decider.answer(self.item, None))


def waiting(item: Item, decider: Decider, run: Callable[[Work], R]) -> Approval[R] | Question[R]:
    """Return an item as its user gets it; arguments as of `Waiting`."""
    return Question(item, decider, run) if item.kind == QUESTION else Approval(item, decider, run)
