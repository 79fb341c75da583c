"""What tests of lakes share: journals as a dead owner leaves them, a feed, and what is in a lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from deltalake import DeltaTable, QueryBuilder

from gateway_nb.capture.lake.delta import Lake
from gateway_nb.capture.lake.spool import Spool, new_capture, spools
from gateway_nb.client.event import Event
from gateway_nb.client.feed import Keeper


def events(first: int, count: int = 1, *, received: float = 1.5, payload: bytes = b"{}") -> list[Event]:
    """Events with numbers that follow each other."""
    return [Event(received, 1, "tick", first + more, msgspec.Raw(payload)) for more in range(count)]


class Feed:
    """Where events come from in a test: whoever keeps them gets what the test gives."""

    def __init__(self) -> None:
        self.keepers: list[Keeper] = []

    def keep(self, keeper: Keeper) -> Callable[[], None]:
        self.keepers.append(keeper)
        return lambda: self.keepers.remove(keeper)

    def give(self, given: list[Event]) -> None:
        for keeper in self.keepers:
            keeper.extend(given)


def line(number: int, gateway: str = "north", received: float = 1.5) -> bytes:
    """A line of a journal."""
    text = b'{"t":%.6f,"epoch":1,"gateway":"%s","event":"tick","seq":%d,"payload":{"n":%d}}\n'
    return text % (received, gateway.encode(), number, number)


def head(number: int, first: int) -> bytes:
    """The first line of a file of a journal."""
    detail = b"{}" if number == 1 else b'{"number":%d,"line":%d}' % (number, first)
    return b'{"t":1.5,"epoch":0,"kind":"start","payload":%s}\n' % detail


def journal(lake: Lake, *files: int, torn: bytes = b"") -> Spool:
    """Make the journal of a capture, with files of so many events each; events are numbered from 1."""
    spool, event, row = Spool(spools(lake), new_capture()), 1, 1
    for number, count in enumerate(files, 1):
        text = head(number, row) + b"".join(line(event + more) for more in range(count))
        path = spool.folder / f"journal-{number:05}.jsonl"
        path.write_bytes(text + (torn if number == len(files) else b""))
        event, row = event + count, row + count + 1
    return spool


def rows(lake: Lake, columns: str = "*") -> list[dict[str, Any]]:
    """What is in a lake."""
    table = DeltaTable(lake.place, storage_options=lake.storage())
    found = QueryBuilder().register("lake", table).execute(f"select {columns} from lake")
    return [row for batch in found for row in _dicts(batch)]


def _dicts(batch: Any) -> list[dict[str, Any]]:
    import pyarrow as pa

    return pa.table(batch).to_pylist() if hasattr(batch, "__arrow_c_stream__") else pa.record_batch(batch).to_pylist()


def numbers(lake: Lake) -> Counter[int]:
    """How often each number of an event is in a lake."""
    return Counter(row["seq"] for row in rows(lake, "seq") if row["seq"] is not None)


def modes(folder: Path) -> set[tuple[bool, str]]:
    """The modes of all folders and files."""
    return {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in [folder, *folder.rglob("*")]}
