"""`load`: a capture, many as one, or a lake, as a recording."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadArgumentError, CaptureError
from .reading import not_regular
from .recording import Recording

if TYPE_CHECKING:
    import distributed


def load(
    path: str | Path,
    *,
    errors: str = "raise",
    version: int | None = None,
    storage_options: Mapping[str, str] | None = None,
    client: distributed.Client | None = None,
) -> Recording:
    """Open a capture, many as one, or a lake.

    Args:
        path: a journal (``.jsonl``, ``.jsonl.zst``), a folder of them, a glob pattern, or a lake: the folder of a
            Delta table, or its address in a store (``s3://...``).
        errors: ``"raise"`` refuses a damaged line, ``"skip"`` leaves it out and counts it. A torn last line is what
            a crash leaves: it is left out with a warning either way.
        version: of a lake, the newest by default. Those of the last seven days can be read.
        storage_options: how to reach a lake's store, as delta-rs takes them; what is not given is read from the
            environment (``AWS_ACCESS_KEY_ID``, ...).
        client: of a Dask cluster whose workers read the lake for `runs`, `tool_calls`, `usage` and `traces`.

    Returns:
        A `Recording`, of a lake a `LakeRecording`; nothing is read until it is asked.

    Raises:
        CaptureError: there is no such file, lake or version.
        BadArgumentError: `errors` is neither; or these are options of a lake, and it is none; or `storage_options`
            holds a secret, which would go to the workers through the cluster's scheduler.
        ImportError: a lake needs the extra ``fleet``.

    Example:
        >>> frame = gnb.load("run.jsonl").df
    """
    if errors not in ("raise", "skip"):
        raise BadArgumentError(f"errors must be 'raise' or 'skip', not {errors!r}")
    address = str(path)
    if "://" in address or os.path.isdir(os.path.join(os.path.expanduser(path), "_delta_log")):
        from .lake.recording import open_lake

        return open_lake(address, version, storage_options, client)
    if not (version is None and storage_options is None and client is None):
        raise BadArgumentError(f"version, storage_options and client are of a lake, which {path} is not")
    return Recording(_files(Path(path)), skip=errors == "skip")


def _files(path: Path) -> list[Path]:
    try:
        if path.suffix == ".parquet" and path.exists():
            raise CaptureError(f"{path} is Parquet, not a capture; read it with pandas.read_parquet({str(path)!r})")
        if path.is_dir():
            found = [*path.glob("*.jsonl"), *path.glob("*.jsonl.zst")]
        elif path.exists():
            found = [path]
        else:
            found = [Path(name) for name in glob.glob(str(path), recursive=True)]
        files = sorted(file for file in found if not file.is_dir())
        irregular = next((file for file in files if not file.is_file()), None)
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}") from None
    if not files:
        raise CaptureError(f"there is no capture {path}; give a .jsonl file, a folder of them, or a pattern")
    if irregular is not None:
        raise not_regular(irregular)
    return files
