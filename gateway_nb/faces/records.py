"""What both faces offer of the gateway's own records: frames, transcripts, search. Loaded when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..sync.loop_thread import LoopThread
from .face import Face

if TYPE_CHECKING:
    import pandas as pd

    from ..client.core import Core
    from ..events.plots import Plot
    from ..events.traces.trace import Trace
    from ..records.data import Data
    from ..records.plots import RecordPlots
    from ..records.steps import Steps
    from ..records.transcript import Transcript

T = TypeVar("T")


def trace_completion(core: Core, thread: LoopThread) -> Callable[[Trace], Trace]:
    """Return what completes a trace with what a client's gateway keeps; it does not hold the face."""

    def complete(trace: Trace) -> Trace:
        from ..records.reading import Reader
        from ..records.tracing import complete_trace

        return Reader(core).read(complete_trace(trace), "trace", thread)

    return complete


class Records(Face):
    """The records of a connection, for code without ``await``."""

    _thread: LoopThread

    def _read(self, steps: Steps[T], title: str) -> T:
        from ..records.reading import Reader

        return Reader(self.core).read(steps, title, self._thread)

    @property
    def data(self) -> Data[pd.DataFrame]:
        """The gateway's own records as DataFrames: ``gw.data.sessions()``; see `Data`."""
        from ..records.data import Data

        return Data(lambda steps, title: self._read(steps(), title))

    @property
    def plot(self) -> RecordPlots[Plot]:
        """Pictures of the records: ``gw.plot.cost(since="7d")``; see `RecordPlots`."""
        from ..records.plots import RecordPlots

        return RecordPlots(self._read)

    def transcript(self, session: str) -> Transcript:
        """Return every message of a session, in order, to read and to export.

        Args:
            session: its key.

        Raises:
            GatewayRequestError: there is no such session.

        Example:
            >>> text = gw.transcript("agent:main:main").to_markdown()
        """
        from ..records.following import Following
        from ..records.transcript import read_transcript

        follow = partial(Following, self.core, self._thread.loop)
        steps = read_transcript(session, self.core.server_version, follow)
        return self._read(steps, f"transcript of {session}")

    def search(self, text: str) -> pd.DataFrame:
        """Return the sessions and messages in which a text is found, the best matches first.

        Args:
            text: words to find.

        Returns:
            Columns: `kind` (message, session; cut where one session has more matches than the gateway tells),
            `session`, `message`, `role`, `time`, `text`, `score`, `open` (the call that shows it), `more`.

        Raises:
            BadArgumentError: there is no text to search for.
        """
        from ..records.search import read_matches

        return self._read(read_matches(text), "search")


class AsyncRecords(Face):
    """The records of a connection, for asyncio."""

    def _read(self, steps: Steps[T], title: str) -> Coroutine[Any, Any, T]:
        from ..records.reading import Reader

        return Reader(self.core).read_async(steps, title)

    @property
    def data(self) -> Data[Coroutine[Any, Any, pd.DataFrame]]:
        """The gateway's own records as DataFrames: ``await agw.data.sessions()``; see `Data`."""
        from ..records.data import Data

        return Data(lambda steps, title: self._read(steps(), title))

    @property
    def plot(self) -> RecordPlots[Coroutine[Any, Any, Plot]]:
        """Pictures of the records: ``await agw.plot.cost(since="7d")``; see `RecordPlots`."""
        from ..records.plots import RecordPlots

        return RecordPlots(self._read)

    async def transcript(self, session: str) -> Transcript:
        """Return every message of a session, in order; see `Records.transcript`."""
        from ..records.following import Following
        from ..records.transcript import read_transcript

        follow = partial(Following, self.core, asyncio.get_running_loop())
        steps = read_transcript(session, self.core.server_version, follow)
        return await self._read(steps, f"transcript of {session}")

    async def search(self, text: str) -> pd.DataFrame:
        """Return the sessions and messages in which a text is found; see `Records.search`."""
        from ..records.search import read_matches

        return await self._read(read_matches(text), "search")
