"""``gateway-nb export``: a recording in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click

from ..capture.files import new_file
from ..capture.loading import load
from ..client.redaction.redactor import Redactor
from ..events.traces import export as traces
from .output import say

_WRITERS = {
    ("otlp", ".json"): traces.write_otlp_json,
    ("otlp", ".pb"): traces.write_otlp_protobuf,
    ("perfetto", ".json"): traces.write_perfetto,
    ("atif", ".jsonl"): traces.write_atif,
}


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--to", "form", required=True, type=click.Choice(["otlp", "perfetto", "atif", "parquet"]))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new file; of Parquet a folder.")
@click.option("--content", is_flag=True, help="With messages, arguments and results of tools.")
def export(recording: Path, form: str, output: Path, content: bool) -> None:
    """Write the traces of a recording for other tools, or its events as Parquet.

    OTLP is JSON or protobuf: the name ends in .json or .pb. Perfetto is .json; ATIF is .jsonl, a trajectory on each
    line. Memory does not grow with the recording. Exit codes: 0 written, 1 it could not be, 2 wrong usage.
    """
    found = load(recording)
    if form == "parquet":
        if content:
            raise click.UsageError("--content is for traces; Parquet has the events whole")
        found.to_parquet(output)
        return
    write = _WRITERS.get((form, output.suffix))
    if write is None:
        suffixes = " or ".join(suffix for name, suffix in _WRITERS if name == form)
        raise click.UsageError(f"-o {output}: the name must end in {suffixes}")
    stream = traces.TraceStream(Redactor())
    try:
        with new_file(output) as file:
            write(stream.read(found.batches()), file, content=content)
    except ImportError as error:
        raise click.UsageError(str(error)) from None
    if stream.late:
        say(f"{stream.late:,} events came after their run was written, and are left out", err=True)
