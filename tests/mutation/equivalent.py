"""Faults that change nothing that anybody could notice, with the proof. Each is still there: tests/unit asks for it."""

from __future__ import annotations

_PROOFS = {
    "A step of work, one longer: the same bytes or rows go through in the same order, in other steps.": (
        "gateway_nb/capture/files.py _TAIL_BYTES: 65_536 -> (65537)",
        "gateway_nb/capture/journal.py Capture._flush: self._taken_bytes - bytes_before < _LARGEST_WRITE"
        " -> (self._taken_bytes - bytes_before <= _LARGEST_WRITE)",
        "gateway_nb/capture/journal.py _LARGEST_WRITE: 4 -> (5)",
        "gateway_nb/capture/journal.py _LARGEST_WRITE: 1024 -> (1025)",
        "gateway_nb/capture/reading.py _CHUNK_BYTES: 64 -> (65)",
        "gateway_nb/capture/reading.py _CHUNK_BYTES: 1024 -> (1025)",
        "gateway_nb/capture/reading.py _STEP_BYTES: 512 -> (513)",
        "gateway_nb/capture/recording.py CHUNK_ROWS: 8192 -> (8193)",
        "gateway_nb/client/connection.py _SLICE: 256 -> (257)",
        "gateway_nb/client/redaction/sieve.py _CHUNK: 65_536 -> (65537)",
        "gateway_nb/client/transport/interface.py READ_BYTES: 32 -> (33)",
        "gateway_nb/client/transport/interface.py READ_BYTES: 1024 -> (1025)",
        "gateway_nb/client/transport/picows.py _READ_BUFFER: 256 -> (257)",
        "gateway_nb/client/transport/picows.py _READ_BUFFER: 1024 -> (1025)",
        "gateway_nb/client/transport/picows.py _RECEIVE_BUFFER: 256 -> (257)",
        "gateway_nb/client/transport/picows.py _RECEIVE_BUFFER: 1024 -> (1025)",
    ),
    "One byte more is read of a file that is refused for the byte before.": (
        "gateway_nb/identity/files.py read_bounded: 1 -> (2)",
    ),
    "Nothing is written once more, after all is.": (
        "gateway_nb/capture/files.py Output.write: written < len(data) -> (written <= len(data))",
    ),
    "A deadline of a clock that nobody can stop: at that very moment one more look, or one less, is as right.": (
        "gateway_nb/capture/detached.py _wait_until_registered: time.monotonic() > until"
        " -> (time.monotonic() >= until)",
        "gateway_nb/capture/detached.py DetachedCapture.stop: time.monotonic() > until -> (time.monotonic() >= until)",
        "gateway_nb/client/connection.py Connection._read: self._time() < until -> (self._time() <= until)",
        "gateway_nb/capture/journal.py Capture._write: time.monotonic() - synced >= SYNC_SECONDS"
        " -> (time.monotonic() - synced > SYNC_SECONDS)",
    ),
    "No event has this time or this epoch: the first one is different from it, and from any other below zero.": (
        "gateway_nb/capture/journal.py _lines: 1.0 -> (2.0)",
        "gateway_nb/capture/journal.py _lines: 1 -> (2)",
    ),
    "A timer takes the place of another for the same moment.": (
        "gateway_nb/client/connection.py Connection._arm: self._timer.when() <= when -> (self._timer.when() < when)",
    ),
    "Damaged lines are counted from 0 again before their number is read.": (
        "gateway_nb/capture/recording.py Recording.__init__: 0 -> (1)",
    ),
    "A warning is told of the reading file, whose generators are the callers on both levels.": (
        "gateway_nb/capture/recording.py Recording._checked: 2 -> (3)",
    ),
    "A number that stands under a null is never read.": (
        "gateway_nb/events/frame.py FrameBuilder.extend: 0 -> (1)",
        "gateway_nb/events/rows.py _numbers: 0 -> (1)",
    ),
    "No rows are added to rows.": ("gateway_nb/events/log.py EventLog.newest: missing <= 0 -> (missing < 0)",),
    "No record has a level above CRITICAL.": ("gateway_nb/client/transport/picows.py : 1 -> (2)",),
    "Pings are told apart by their numbers, wherever these begin.": (
        "gateway_nb/client/transport/messages.py Pings.__init__: 1 -> (2)",
    ),
    "The first capacity of an array that grows: it grows once more, or once less.": (
        "gateway_nb/events/frame.py _FIRST_CAPACITY: 8192 -> (8193)",
        "gateway_nb/events/frame.py _Column.reserve: 2 -> (3)",
        "gateway_nb/events/frame.py _Column.reserve: needed <= len(self._array) -> (needed < len(self._array))",
        "gateway_nb/events/frame.py FrameBuilder._reserve: 2 -> (3)",
    ),
    "The size from which another way to the same outcome is the quicker one; at this size both are as quick.": (
        "gateway_nb/client/redaction/needles.py LARGE: 16_384 -> (16385)",
        "gateway_nb/client/redaction/redactor.py _LARGE_LINES: 1024 -> (1025)",
        "gateway_nb/protocol/frames.py _LARGE_PAYLOAD: 1024 -> (1025)",
        "gateway_nb/protocol/frames.py _SPARE_BYTES: 1024 -> (1025)",
        "gateway_nb/client/redaction/needles.py Needles.suspects: len(data) < large -> (len(data) <= large)",
        "gateway_nb/protocol/frames.py decode: len(data) - len(frame.payload) > _SPARE_BYTES"
        " -> (len(data) - len(frame.payload) >= _SPARE_BYTES)",
        "gateway_nb/protocol/frames.py decode_payload: len(raw) > _LARGE_PAYLOAD -> (len(raw) >= _LARGE_PAYLOAD)",
    ),
    "The size of a cache, one more: what is in it is what would be computed again.": (
        "gateway_nb/client/feed.py _NAMES_KEPT: 1024 -> (1025)",
        "gateway_nb/client/feed.py _pattern: 256 -> (257)",
        "gateway_nb/client/feed.py matches: 4096 -> (4097)",
        "gateway_nb/client/redaction/shapes.py _is_secret_name: 1024 -> (1025)",
        "gateway_nb/events/frame.py _FRAMES_KEPT: 256 -> (257)",
        "gateway_nb/events/frame.py FrameBuilder._reserve: len(self._sharing) >= _FRAMES_KEPT"
        " -> (len(self._sharing) > _FRAMES_KEPT)",
    ),
    "Of late answers the last thousand or so are promised to be told from unknown ones.": (
        "gateway_nb/protocol/pending.py _LATE_KEPT: 1024 -> (1025)",
        "gateway_nb/protocol/pending.py Requests.give_up: len(self._given_up) > _LATE_KEPT"
        " -> (len(self._given_up) >= _LATE_KEPT)",
    ),
    "The table has twice the room; a hash has 16 bits, and no other place of it is ever asked for.": (
        "gateway_nb/client/redaction/sieve.py Sieve.__init__: 1 -> (2)",
    ),
    "The hash only says where to compare in full: with another one more, or fewer, places are compared in vain.": (
        "gateway_nb/client/redaction/sieve.py _BITS: 16 -> (17)",
        "gateway_nb/client/redaction/sieve.py _FACTOR: 2_654_435_761 -> (2654435762)",
        "gateway_nb/client/redaction/sieve.py _hashed: 32 -> (33)",
    ),
}
EQUIVALENT: dict[str, str] = {name: proof for proof, names in _PROOFS.items() for name in names}
"""A mutant's name -> why no test can tell it from the code as it is."""
