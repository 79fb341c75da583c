"""``gateway-nb lake``: what a lake needs now and then, from a shell or a timer."""

from __future__ import annotations

import click

from ..capture.lake.delta import Lake
from ..capture.lake.upkeep import compact as compact_lake
from ..capture.lake.uploading import resume as resume_lake
from .output import say


@click.group()
def lake() -> None:
    """Look after a lake: a folder, or the URL of a store."""


@lake.command()
@click.argument("place", metavar="LAKE")
def compact(place: str) -> None:
    """Make few sorted files of each day that is over, and remove what no version of the last seven days needs."""
    for day in compact_lake(Lake(place)):
        say(f"{day.day}: {day.before:,} files are {day.after:,} now")


@lake.command()
@click.argument("place", metavar="LAKE")
def resume(place: str) -> None:
    """Commit what captures left on this computer that were killed, or that could not reach the lake."""
    for capture, done in resume_lake(Lake(place)):
        damaged = f", {done.damaged:,} damaged lines left out" if done.damaged else ""
        say(f"{capture}: {done.rows:,} rows of {done.segments:,} files{damaged}")
