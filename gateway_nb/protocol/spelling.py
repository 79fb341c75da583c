"""Names that were meant, perhaps: spelling help within bounds, since a gateway may advertise anything."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable

_MOST_NAMES = 1000  # today's gateways advertise 466 methods
_LONGEST_NAME = 64


def closest(name: str, names: Iterable[str], count: int = 2, likeness: float = 0.6) -> list[str]:
    """Return the names that are most like one, best first.

    Comparing is quadratic in the names' length, so that long names, and those beyond the first thousand, are left out.

    Args:
        name: as it was written.
        names: those that exist.
        count: return no more than this many.
        likeness: from 0 to 1, at least.

    Example:
        >>> closest("session.list", ["sessions.list", "health"])
        ['sessions.list']
    """
    short = (other for other in itertools.islice(names, _MOST_NAMES) if len(other) <= _LONGEST_NAME)
    return difflib.get_close_matches(name[:_LONGEST_NAME], short, n=count, cutoff=likeness)
