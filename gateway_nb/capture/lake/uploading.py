"""From journals into the lake: segments become commits, each once, and are deleted after that.

A process may end between any two steps: what is committed and not deleted yet is found in the table, by the capture's
id and the segment's number; what is not committed is still a file.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...client.log import LOGGER
from ...errors import CaptureError
from .delta import Lake
from .spool import Rows, Segment, Spool, left_over, read_segment, sorted_rows, spools

if TYPE_CHECKING:
    from deltalake import DeltaTable

COMMIT_BYTES = 128 * 1024 * 1024
"""Of journals that one commit takes, and that are in memory for it; one segment is always taken."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What one commit brought into the lake.

    Attributes:
        segments: files that are deleted now.
        rows: lines that are in the lake now, and were not before.
        damaged: lines that could not be read; their files were set aside.
    """

    segments: int
    rows: int
    damaged: int

    def __add__(self, other: Upload) -> Upload:
        return Upload(self.segments + other.segments, self.rows + other.rows, self.damaged + other.damaged)


NOTHING = Upload(0, 0, 0)


def upload(lake: Lake, table: DeltaTable, spool: Spool, below: Path | None = None) -> Upload | None:
    """Commit a capture's oldest segments, and delete them.

    Args:
        lake: of the table.
        table: where to.
        spool: the capture's journal.
        below: the segment that is being written; ``None`` where none is.

    Returns:
        What was done; ``None`` where there is nothing to do.

    Raises:
        CaptureError: the store can't be reached, or a segment can't be read; all of them are still there.
    """
    segments = _batch(spool.segments(below))
    if not segments:
        return None
    committed = lake.committed(table, spool.capture)
    fresh = [_read(segment, spool.capture) for segment in segments if segment.number > committed]
    rows = sum(part.table.num_rows for part in fresh)
    if rows:
        table_of_all = sorted_rows([part.table for part in fresh])
        if not lake.commit(table, table_of_all, spool.capture, committed, segments[-1].number):
            return NOTHING  # some are there by now: the others are asked for again
    for segment in segments:
        segment.path.unlink(missing_ok=True)
    return Upload(len(segments), rows, sum(part.damaged for part in fresh))


def resume(lake: Lake) -> list[tuple[str, Upload]]:
    """Commit what captures left here whose process is dead.

    Returns:
        For each capture what was done.

    Raises:
        CaptureError: there is no such lake, or it can't be reached; what is not committed is still here.
    """
    table = lake.open()
    done = []
    for spool in left_over(spools(lake)):
        try:
            parts = list(iter(lambda: upload(lake, table, spool), None))  # noqa: B023 - called at once
        finally:
            spool.release()
        done.append((spool.capture, sum(parts, NOTHING)))
    return done


def _batch(segments: list[Segment]) -> list[Segment]:
    """Return the first segments, as many as one commit takes."""
    taken, size = 0, 0
    for segment in segments:
        size += segment.bytes
        if taken and size > COMMIT_BYTES:
            break
        taken += 1
    return segments[:taken]


def _read(segment: Segment, capture: str) -> Rows:
    try:
        rows = read_segment(segment, capture)
        if rows.damaged:
            aside = segment.path.with_suffix(".damaged")
            with contextlib.suppress(FileExistsError):
                os.link(segment.path, aside)
            LOGGER.warning(f"{rows.damaged} lines are damaged, and not in the lake; they are in {aside}")
    except OSError as error:
        raise CaptureError(f"{segment.path} can't be read: {error.strerror or error}") from None
    if rows.torn:
        LOGGER.warning(f"{segment.path.name} of the capture {capture} ends in a torn line, which is left out")
    return rows
