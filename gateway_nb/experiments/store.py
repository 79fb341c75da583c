"""An experiment's folder: what is run, and what became of each cell, written before and after every run.

``manifest.json`` and ``data.parquet`` say what is run, ``cells.jsonl`` has a line for each change of a cell,
``events.jsonl`` is the capture of the runs' events.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..capture.files import partial_name
from ..errors import BadArgumentError, ExperimentError
from .plan import Plan

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
_NESTED = (dict, list, tuple, set, frozenset)


class Limits(msgspec.Struct, frozen=True):
    """How an experiment is run; it may be continued with others.

    Attributes:
        parallel: runs in flight.
        timeout: seconds for each run.
        max_seconds: for each call of ``run``.
        max_cost: USD for the experiment.
        max_run_cost: USD for each run.
        cleanup: delete the sessions at the end.
    """

    parallel: int = 4
    timeout: float | None = None
    max_seconds: float | None = None
    max_cost: float | None = None
    max_run_cost: float | None = None
    cleanup: bool = False


class Manifest(msgspec.Struct, frozen=True):
    """What is run, beside the data.

    Attributes:
        id: in the keys of the experiment's sessions, and of no others.
        name: of the experiment.
        nested: the data's columns that are kept as JSON.
    """

    version: int
    id: str
    name: str
    templates: dict[str, str]
    agents: tuple[str, ...]
    models: tuple[str | None, ...]
    repeats: int
    thinking: str | None
    seed: int
    limits: Limits
    nested: tuple[str, ...] = ()


class Record(msgspec.Struct, omit_defaults=True):
    """What is known of a cell; each change is a line of the journal, and the last line counts.

    Attributes:
        cell: its number.
        status: running, ok, failed, timeout; what was aborted or lost runs again, in another session.
        attempt: which run it is, from 1.
        run: the run's id.
        session: the session's key.
        model: ``provider/model``, as the gateway tells it.
        started: when it was asked for, in seconds since 1970.
        seconds: until its end.
        answer: the agent's.
        input_tokens: of all attempts, like the other figures; those that were in no cache.
        output_tokens: tokens out.
        cost: in USD.
        error: why it failed, or which scorers did.
        scores: by column.
        mark: that somebody gave by hand.
        deleted: its sessions were, at the end.
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
    mark: int | None = None
    deleted: bool = False


_records = msgspec.json.Decoder(Record)
_manifests = msgspec.json.Decoder(Manifest)


class Store:
    """An experiment's folder.

    Args:
        folder: where it is; it need not exist before something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal: FileIO | None = None

    @property
    def events(self) -> Path:
        """The capture of the runs' events."""
        return self.folder / "events.jsonl"

    def read_manifest(self) -> Manifest | None:
        """Return what the folder's experiment runs, ``None`` where there is none yet.

        Raises:
            ExperimentError: the folder is of something else, or can't be read.
        """
        path = self.folder / "manifest.json"
        try:
            manifest = _manifests.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ExperimentError(f"{path} is not an experiment's, or damaged: {error}") from None
        if manifest.version != VERSION:
            raise ExperimentError(f"{path} was written by another version of gateway_nb ({manifest.version})")
        return manifest

    def read_plan(self, manifest: Manifest) -> Plan:
        """Return what is run, with its data.

        Raises:
            ExperimentError: the data can't be read.
        """
        path = self.folder / "data.parquet"
        try:
            data = restored(pq.read_table(path), manifest.nested)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise ExperimentError(f"{path} can't be read: {error}") from None
        return Plan(
            manifest.templates,
            data,
            manifest.agents,
            manifest.models,
            manifest.repeats,
            manifest.thinking,
            manifest.seed,
        )

    def write(self, manifest: Manifest, table: pa.Table) -> None:
        """Write what is run, the manifest last: with it the folder is an experiment's.

        Raises:
            ExperimentError: the disk does not take it.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        with self._failing():
            _replace(self.folder / "data.parquet", sink.getvalue().to_pybytes())
            _replace(self.folder / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest)))

    def read_records(self) -> dict[int, Record]:
        """Return what is known of cells, by number; a torn last line, of a writer that was killed, is none.

        Raises:
            ExperimentError: another line is damaged, or the file can't be read.
        """
        path = self.folder / "cells.jsonl"
        found: dict[int, Record] = {}
        try:
            lines = path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return found
        except OSError as error:
            raise ExperimentError(f"{path} can't be read: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            try:
                record = _records.decode(line)
            except ValueError as error:
                raise ExperimentError(f"{path}, line {number} is damaged: {error}") from None
            found[record.cell] = record
        return found

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing to the folder, which is made if need be.

        Raises:
            ExperimentError: another one writes to it, or it can't be written.
        """
        with self._failing():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        with self._failing():
            try:
                lock.acquire()
            except filelock.Timeout:
                why = f"another process runs the experiment in {self.folder}; wait for it, or stop it"
                raise ExperimentError(why) from None
        try:
            yield
        finally:
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            lock.release()

    def put(self, record: Record) -> None:
        """Write what became of a cell; within `locked`.

        Raises:
            ExperimentError: the disk does not take it.
        """
        with self._failing():
            if self._journal is None:
                self._journal = _opened(self.folder / "cells.jsonl")
            end = self._journal.seek(0, os.SEEK_END)
            line = msgspec.json.encode(record) + b"\n"
            try:
                while line:
                    line = line[self._journal.write(line) or 0 :]
            except OSError:
                self._journal.truncate(end)  # the next line must not be glued to a part of this one
                raise

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"{self.folder} can't be written: {error.strerror or error}"
            raise ExperimentError(f"{why}; what was written before is kept, and run() goes on from there") from None


def _opened(path: Path) -> FileIO:
    """Open a journal to append to, without a torn last line: the next would be glued to it."""
    journal = FileIO(path, "ab+", opener=lambda name, flags: os.open(name, flags, 0o600))
    try:
        journal.seek(0)
        text = journal.readall()
        journal.truncate(text.rfind(b"\n") + 1)
    except BaseException:
        journal.close()
        raise
    return journal


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is whole or as it was before."""
    part = partial_name(path)
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def storable(data: pd.DataFrame) -> tuple[pa.Table, tuple[str, ...]]:
    """Return data as a table as Parquet has it, which knows no seconds or float16, and the names of its columns that
    are JSON there: Parquet's own lists and objects come back as others.

    Raises:
        BadArgumentError: a column has values that can't be kept.
    """
    nested = tuple(name for name in data.columns if any(isinstance(value, _NESTED) for value in data[name]))
    try:
        flat = data.assign(**{name: list(map(_json, data[name])) for name in nested})
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pandas(flat, preserve_index=False), sink)
        return pq.read_table(pa.BufferReader(sink.getvalue())), nested
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise BadArgumentError(f"the data has values that can't be kept: {error}") from None


def _json(value: Any) -> str:
    missing = isinstance(value, float) and math.isnan(value)  # as pandas has it in rows that lack it
    return json.dumps(None if missing else value, allow_nan=False)


def restored(table: pa.Table, nested: tuple[str, ...]) -> pd.DataFrame:
    """Return data as it was, of what `storable` returned."""
    data: pd.DataFrame = table.to_pandas()
    return data.assign(**{name: [json.loads(value) for value in data[name]] for name in nested})
