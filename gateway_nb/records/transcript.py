"""`Transcript`: every message of a session, in order, to read and to export."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import BadArgumentError, printable
from ..protocol.frames import encode
from . import rendering
from .atif import trajectory
from .entries import Entry, entries_of, with_running
from .history import History, about, agent_of, read_history
from .messages import MESSAGES, message_records
from .steps import Steps

if TYPE_CHECKING:
    import pandas as pd

    from .following import Following

Follow: TypeAlias = "Callable[[History, Callable[[History], Transcript]], Following[Transcript]]"


class Transcript:
    """The messages of a session, each once and in order, as they were when it was read. Shows itself in a notebook.

    Nothing of it acts where it is shown: HTML, terminal codes and direction marks are text. What a run that goes on has
    said so far is the last message, with ``stopReason`` "running".

    Args:
        history: the session and its messages.
        version: the gateway's.
        follow: begins to follow the session; without it the transcript can't be followed.

    Attributes:
        session: the session's key.
        messages: decoded, as the gateway keeps them, without the connection's secrets.

    Example:
        >>> transcript = gw.transcript("agent:main:main")
        >>> characters = Path("run.html").write_text(transcript.to_html())
    """

    def __init__(self, history: History, version: str | None = None, follow: Follow | None = None) -> None:
        self.session = history.session
        self.messages = with_running(history)
        self._version = version
        self._follow = follow
        self._read = history

    @cached_property
    def _history(self) -> History:
        return History(self.session, self.messages)

    @cached_property
    def _entries(self) -> list[Entry]:
        return entries_of(self._history)

    @property
    def df(self) -> pd.DataFrame:
        """The messages as a DataFrame, with the columns of `Data.messages`."""
        return MESSAGES.frame(list(message_records(self._history)))

    @property
    def text(self) -> str:
        """The conversation as text."""
        return rendering.plain(self.session, self._entries)

    def to_markdown(self) -> str:
        """Return the conversation as Markdown; what was said stands in fences, so that it can't become part of it."""
        return rendering.markdown(self.session, self._entries)

    def to_html(self) -> str:
        """Return the conversation as an HTML document that needs no network, whole."""
        return rendering.page(self.session, self._entries)

    def to_jsonl(self) -> str:
        """Return the messages as the gateway keeps them, one line of JSON each."""
        return "".join(encode(message).decode() + "\n" for message in self.messages)

    def to_atif(self) -> dict[str, Any]:
        """Return the conversation in the Agent Trajectory Interchange Format, version 1.8."""
        return trajectory(self.session, agent_of(self.session), self._version, self._entries)

    def follow(self) -> Following[Transcript]:
        """Return a view that grows as the session goes on, until it is stopped or the connection is closed.

        Raises:
            BadArgumentError: this is a part of a transcript, or was not read from a gateway.

        Example:
            >>> view = gw.transcript("agent:main:main").follow()
            >>> view.stop()
        """
        if self._follow is None:
            raise BadArgumentError("only a whole transcript can be followed: gw.transcript(session).follow()")
        return self._follow(self._read, partial(Transcript, version=self._version))

    def around(self, message: str, n: int = 5) -> Transcript:
        """Return a message with those before and after it.

        Args:
            message: its id, as in the column ``message`` of `Data.messages` and of a search.
            n: how many before, and how many after it.

        Raises:
            KeyError: there is no such message in it.
        """
        ids = [about(each).get("id") for each in self.messages]
        if message not in ids:
            raise KeyError(f"no message {message!r} in session {self.session!r}")
        place = ids.index(message)
        return Transcript(History(self.session, self.messages[max(place - n, 0) : place + n + 1]), self._version)

    def __len__(self) -> int:
        return len(self.messages)

    def __repr__(self) -> str:
        return printable(f"<Transcript of {self.session}: {len(self)} messages>")

    def _repr_html_(self) -> str:
        return rendering.view(self.session, self._entries)


def read_transcript(session: str, version: str | None, follow: Follow | None = None) -> Steps[Transcript]:
    """Read a session's transcript.

    Raises:
        BadArgumentError: `session` is no key.
        GatewayRequestError: there is no such session.
    """
    if not isinstance(session, str):
        raise BadArgumentError(f"session must be a session's key, not {session!r}")
    if not session:
        raise BadArgumentError("session must be a session's key, not an empty string")
    return Transcript((yield from read_history(session)), version, follow)
