"""Faults that change nothing that anybody could notice, with the proof."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
"""A mutant's name -> why no test can tell it from the code as it is."""
