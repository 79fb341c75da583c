"""Text that somebody is to allow, so that it looks like what it is: what hides, reorders or imitates is marked."""

from __future__ import annotations

import json
import re
import unicodedata

Runs = list[tuple[str, str]]
"""Pieces of a text, each with what is unusual about it: ``""`` for plain ASCII."""
_UNUSUAL = re.compile(r"[^\x20-\x7e\n]+")
_MOST_RUNS = 500
_NAMED = 3


def marked(text: str) -> Runs:
    """Return a text in runs: plain ASCII as it is, all else with its Unicode names; what can't be seen is written out.

    Control characters, direction marks, blanks other than the space, and accents that combine are written as
    ``[U+202E]``. Letters of other scripts stay, and are marked: a Cyrillic a looks like a Latin one. Where that would
    be very many runs, the whole is one run, written as JSON in ASCII.

    Args:
        text: any.

    Example:
        >>> marked("rm \\u202e-rf")
        [('rm ', ''), ('[U+202E]', 'U+202E RIGHT-TO-LEFT OVERRIDE'), ('-rf', '')]
    """
    runs: Runs = []
    end = 0
    for found in _UNUSUAL.finditer(text):
        if len(runs) > _MOST_RUNS:
            return [(json.dumps(text), "written as JSON: it has very many characters that are not ASCII")]
        if found.start() > end:
            runs.append((text[end : found.start()], ""))
        runs.append(("".join(map(_visible, found.group())), _names(found.group())))
        end = found.end()
    return [*runs, (text[end:], "")] if end < len(text) else runs


def _visible(character: str) -> str:
    kind = unicodedata.category(character)[0]
    return f"[U+{ord(character):04X}]" if kind in "CMZ" else character


def _names(characters: str) -> str:
    kinds = dict.fromkeys(characters)
    names = [f"U+{ord(each):04X} {unicodedata.name(each, '')}".strip() for each in list(kinds)[:_NAMED]]
    more = len(kinds) - _NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
