"""Changes that change nothing that anybody could notice, with the reason."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
"""(file, old code, new code) -> why no test can tell them apart."""
