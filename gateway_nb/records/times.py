"""Points in time as users write them: ``"7d"``, ``"2026-11-26"``, a date, a datetime, a pandas Timestamp. Pure."""

from __future__ import annotations

import datetime as dt
import re
from typing import TypeAlias

from ..errors import BadArgumentError

When: TypeAlias = str | dt.date | dt.datetime | None
_AGO = re.compile(r"(\d{1,6})\s*(s|min|h|d|w)\Z")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(when: str | dt.date | dt.datetime, name: str) -> dt.datetime:
    """Return a point in time, in UTC.

    Args:
        when: so long ago (``"90s"``, ``"15min"``, ``"24h"``, ``"7d"``, ``"4w"``), or a date or time, as ISO text or as
            an object; without a time zone it is in UTC.
        name: of the argument, for the error.

    Raises:
        BadArgumentError: it is none of these.
    """
    try:
        if isinstance(when, str) and (ago := _AGO.match(when.strip())):
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if isinstance(when, str):
            when = dt.datetime.fromisoformat(when.strip())
        if isinstance(when, dt.date) and not isinstance(when, dt.datetime):
            when = dt.datetime.combine(when, dt.time())
        if isinstance(when, dt.datetime):
            return when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise BadArgumentError(f"{name} must be like '24h', '7d' or '2026-11-26', a date or a datetime, not {when!r}")


def milliseconds(when: When, name: str) -> int | None:
    """Return a point in time in milliseconds since 1970, ``None`` for ``None``; see `moment`."""
    return None if when is None else max(int(moment(when, name).timestamp() * 1000), 0)
