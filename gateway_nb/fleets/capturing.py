"""A fleet's events, captured into a lake by this process."""

from __future__ import annotations

from collections.abc import Iterable

from ..capture.lake.delta import Lake
from ..capture.lake.writing import LakeCapture
from ..faces.gateway import Gateway


def capture_all(gateways: Iterable[Gateway], lake: Lake, events: str | Iterable[str]) -> LakeCapture:
    """Return a capture of many gateways' events into a lake; those that connect later are in it, too.

    Args:
        gateways: whose names are the rows' column ``gateway``.
        lake: where to.
        events: patterns of the event names to keep.

    Raises:
        CaptureError: the lake is of another schema or a newer version, or can't be reached or written.
    """
    writing = LakeCapture(lake, events)
    try:
        for gateway in gateways:
            writing.add(gateway.name, gateway.core.feed, gateway.redactor)
    except BaseException:  # Ctrl-C: nobody has the capture
        writing.stop()
        raise
    return writing
