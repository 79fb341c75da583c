"""The lake's Delta table: opened or made, and committed to, each segment of a capture once."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from ...client.redaction.redactor import Redactor
from ...client.redaction.shapes import is_secret_name
from ...errors import BadArgumentError, CaptureError, one_line, printable
from .columns import PARTITION, SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, WriterProperties

FORMAT = "gateway_nb.format"
VERSION = 1
"""Of the columns; a newer version adds some."""
KEPT_DAYS = 7
_NEEDED = "a lake needs Delta Lake; run: pip install 'gateway-nb[fleet]'"
_CONFIGURATION = {
    FORMAT: str(VERSION),
    "delta.logRetentionDuration": f"interval {KEPT_DAYS} days",
    "delta.deletedFileRetentionDuration": f"interval {KEPT_DAYS} days",
    # Of payloads there are none: they would be copied into the log, and sort nothing.
    "delta.dataSkippingStatsColumns": "gateway,time,epoch,seq,event,kind,capture,line",
}
_PATIENCE = {"timeout": "20s", "connect_timeout": "5s", "max_retries": "3", "retry_timeout": "20s"}
"""How long one request to a store may take; whoever writes tries again, and says so."""
_STORES = ("AWS_", "AZURE_", "GOOGLE_")
"""How the variables are called like from which a store's options come."""
_ATTEMPTS = 20
ROW_GROUP = 131_072
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|↳")


class Lake:
    """A Delta table of events, here or in a store.

    Args:
        place: a folder, or the URL of a store such as ``s3://bucket/lake``.
        storage_options: of the store, as `deltalake.DeltaTable` takes them; what is missing comes from the environment.

    Raises:
        BadArgumentError: the URL holds a secret; or these are no place and no options.
        ImportError: Delta Lake is not installed.

    Attributes:
        place: the folder, absolute, or the URL.
        folder: the folder, or ``None``.
        redactor: takes the store's secrets out of errors.
    """

    def __init__(self, place: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        _deltalake()
        _check_arguments(place, storage_options)
        self.folder = _folder(place)
        self.place = str(place) if self.folder is None else str(self.folder)
        self._given = dict(storage_options or {})
        self._options = {**({} if self.folder else _PATIENCE), **self._given}
        settings = {**os.environ, **self._options}
        self.redactor = Redactor(
            value for name, value in settings.items() if name.upper().startswith(_STORES) and is_secret_name(name)
        )
        self.redactor.keep(value for name, value in self._options.items() if is_secret_name(name))

    def open(self, version: int | None = None) -> DeltaTable:
        """Return the table that is there.

        Args:
            version: of the table; ``None`` for the newest.

        Raises:
            CaptureError: there is none, or no such version; or it is of another schema or a newer format, or can't be
                read.
        """
        table = self._found(
            "can't be read" if version is None else f"has no version {version} that can be read", version
        )
        if table is None:
            raise CaptureError(f"there is no lake {self.place}; a capture of a fleet makes one")
        return table

    def open_or_make(self) -> DeltaTable:
        """Return the table, a new one where there is none; other users can't read its folder.

        Raises:
            CaptureError: as for `open`; or the folder holds something else, or can't be written.
        """
        if self.folder is not None:
            with self.errors("can't be written"):
                _make_folder(self.folder)
        table = self._found("can't be written")
        if table is not None:
            return table
        with self.errors("can't be written"):
            _deltalake().DeltaTable.create(
                self.place,
                SCHEMA,
                mode="ignore",
                partition_by=[PARTITION],
                configuration=_CONFIGURATION,
                raise_if_key_not_exists=False,
                storage_options=self._options,
            )
            self.settle(0)
        return self.open()

    def _found(self, problem: str, version: int | None = None) -> DeltaTable | None:
        """Return the table, if there is one; `DeltaTable.is_deltatable` would let all threads wait for the store."""
        from deltalake.exceptions import TableNotFoundError

        with self.errors(problem):
            try:
                table: DeltaTable = _deltalake().DeltaTable(self.place, version, self._options)
            except TableNotFoundError:
                return None
        _check(table, self.place)
        return table

    def committed(self, table: DeltaTable, capture: str) -> int:
        """Return the number of a capture's last segment in the table; 0 before the first.

        Raises:
            CaptureError: the store can't be reached.
        """
        with self.errors("can't be read"):
            table.update_incremental()
            return table.transaction_version(capture) or 0

    def commit(self, table: DeltaTable, rows: pa.Table, capture: str, after: int, segment: int) -> bool:
        """Append rows as the segments of a capture up to one, unless the table has them; all of them, or none.

        Delta refuses the commit where another one of that capture came in between, but not where it came before: so
        each attempt asks first, on the state of the table from which it then commits.

        Args:
            table: where to.
            rows: of the segments.
            capture: the id.
            after: the last segment that is in the table already.
            segment: the last one of these.

        Returns:
            Whether the table has them; ``False`` where it has got some of them meanwhile, from a commit that was
            thought to have failed.

        Raises:
            CaptureError: the store can't be reached, or is full.
        """
        delta = _deltalake()
        from deltalake.exceptions import CommitFailedError

        for _ in range(_ATTEMPTS):
            if (committed := self.committed(table, capture)) != after:
                return committed >= segment
            with self.errors("can't be written"), contextlib.suppress(CommitFailedError):  # another's came first
                delta.write_deltalake(
                    table,
                    rows,
                    mode="append",
                    schema_mode="merge",
                    writer_properties=writer_properties(),
                    commit_properties=delta.CommitProperties(app_transactions=[delta.Transaction(capture, segment)]),
                )
                self.settle(table.version())
                return True
        raise CaptureError(f"the lake {self.place} is changed by others all the time; each attempt came too late")

    def settle(self, version: int) -> None:
        """Bring the files of a commit to a local disk, and keep other users from them; stores do that by themselves."""
        if self.folder is not None:
            for file in _files_of(self.folder, version):
                with contextlib.suppress(FileNotFoundError):  # a checkpoint took its place
                    _settle(file)

    def storage(self) -> dict[str, str]:
        """Return the store's options, secrets among them, for `deltalake`."""
        return dict(self._options)

    def portable(self) -> dict[str, str]:
        """Return the options that were given, for processes that are told them through a cluster's scheduler.

        Raises:
            BadArgumentError: a secret is among them.
        """
        for name in self._given:
            if is_secret_name(name):
                raise BadArgumentError(
                    f"storage_options: {one_line(name)} would go to the workers through the cluster's scheduler; set "
                    "it in their environment, and in this one, instead"
                )
        return dict(self._given)

    @contextlib.contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Say what a store says, in one line and without its secrets."""
        from deltalake.exceptions import CommitFailedError, DeltaError

        try:
            yield
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            why = " ".join(_DECORATION.sub(" ", str(getattr(error, "strerror", None) or error)).split())
            raise CaptureError(f"the lake {self.place} {what}: {one_line(self.redactor.text(why), 300)}") from None

    def __repr__(self) -> str:
        return printable(f"<Lake {self.place}>")


def writer_properties() -> WriterProperties:
    """Return how a file's rows are packed: groups small enough to skip those of other gateways."""
    properties: WriterProperties = _deltalake().WriterProperties(compression="ZSTD", max_row_group_size=ROW_GROUP)
    return properties


def _deltalake() -> Any:
    try:
        import deltalake
    except ImportError:
        raise ImportError(_NEEDED) from None
    return deltalake


def _check_arguments(place: Any, storage_options: Any) -> None:
    if not isinstance(place, str | Path) or not str(place).strip():
        raise BadArgumentError("a lake is a folder, or the URL of a store like s3://bucket/lake")
    if storage_options is None:
        return
    if not isinstance(storage_options, Mapping):
        raise BadArgumentError(f"storage_options must be a dict of texts, not a {type(storage_options).__name__}")
    for name, value in storage_options.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise BadArgumentError(
                f"storage_options: {one_line(name)} must be a text like 'true', not a {type(value).__name__}"
            )


def _folder(place: str | Path) -> Path | None:
    """Return the folder of a lake on this computer."""
    if isinstance(place, Path) or "://" not in place:
        return Path(place).expanduser().absolute()
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.username is not None or parts.query:
        raise BadArgumentError(
            "a lake's URL holds no secret; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
        )
    return None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        ours = any((folder / name).is_dir() for name in ("_delta_log", "_captures"))
        if not ours and any(folder.iterdir()):
            raise CaptureError(f"{folder} is not empty, and no lake; choose another folder") from None
    if os.name == "posix":
        folder.chmod(0o700)


def _check(table: DeltaTable, place: str) -> None:
    """Refuse a table that is no lake, or one of a version that this package does not know."""
    delta = _deltalake()
    there = {field.name: field.type for field in table.schema().fields}
    version = table.metadata().configuration.get(FORMAT, "")
    if version.isdecimal() and int(version) > VERSION:
        raise CaptureError(
            f"the lake {place} was made by a newer gateway_nb (its format is {version}, this one knows {VERSION}); "
            "run: pip install -U gateway-nb"
        )
    fields = delta.Schema.from_arrow(SCHEMA).fields
    odd = [
        f"{field.name} is {there[field.name]}" for field in fields if there.get(field.name, field.type) != field.type
    ]
    missing = [] if version else [f"{field.name} is missing" for field in fields if field.name not in there]
    if table.metadata().partition_columns != [PARTITION]:
        odd.append(f"it is not partitioned by {PARTITION} alone")
    if odd or missing:
        why = one_line("; ".join([*odd, *missing]), 200)
        raise CaptureError(f"{place} is a Delta table of another schema: {why}; choose another place")


def _files_of(folder: Path, version: int) -> Iterator[Path]:
    """Yield what a commit wrote, and the folders around it."""
    log = folder / "_delta_log"
    entry = log / f"{version:020}.json"
    yield entry
    with contextlib.suppress(FileNotFoundError):
        for line in entry.read_bytes().splitlines():
            if added := msgspec.json.decode(line).get("add"):
                file = folder / unquote(added["path"])
                yield from (file, file.parent)
    last = log / "_last_checkpoint"
    with contextlib.suppress(FileNotFoundError):
        yield log / f"{msgspec.json.decode(last.read_bytes())['version']:020}.checkpoint.parquet"
    yield from (last, log)


def _settle(path: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(descriptor, 0o700 if path.is_dir() else 0o600)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
