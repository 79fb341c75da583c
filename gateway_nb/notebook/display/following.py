"""A transcript that grows, in one display: static HTML, so that it stays in the notebook as it was last."""

from __future__ import annotations

import contextlib
import html
import threading
import time

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from ...errors import printable
from ...records.following import Following
from ...records.transcript import Transcript
from ..widgets.live import register

_PERIOD = 0.5
_BYTES_PER_SECOND = 500_000


class FollowingView:
    """Where a transcript grows. Another run of its cell closes it, as it does with widgets.

    Args:
        following: what is shown.
    """

    def __init__(self, following: Following[Transcript]) -> None:
        self._following = following

    def show(self) -> None:
        """Show it in this cell; in a terminal, which replaces nothing, as it is now."""
        if not hasattr(get_ipython(), "kernel"):
            print(self._following.transcript.text)
            return
        handle = display(self._bundle(), raw=True, display_id=True)
        assert handle is not None
        register(self)
        threading.Thread(target=self._grow, args=(handle,), name="gateway_nb-following", daemon=True).start()

    def close(self) -> None:
        """Let it grow no more."""
        self._following.stop()

    def _grow(self, handle: DisplayHandle) -> None:
        with contextlib.suppress(Exception):  # its state, shown at the end, says why it ended
            for _ in self._following:
                bundle = self._bundle()
                handle.update(bundle, raw=True)
                time.sleep(_PERIOD + len(bundle["text/html"]) / _BYTES_PER_SECOND)
        handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        transcript, state = self._following.transcript, printable(self._following.state)
        return {
            "text/html": f"{transcript._repr_html_()}<small>{html.escape(state)}</small>",
            "text/plain": repr(self._following),
        }
