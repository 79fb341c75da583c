"""Text that somebody is to allow: what hides, reorders or imitates is marked."""

from __future__ import annotations

import time

import pytest

from gateway_nb.notebook.widgets.marks import marked

TEXTS = [
    ("", []),
    ("rm -rf /\n", [("rm -rf /\n", "")]),
    ("\x1b[2K", [("[U+001B]", "U+001B"), ("[2K", "")]),
    ("a\rb", [("a", ""), ("[U+000D]", "U+000D"), ("b", "")]),
    ("a\tb", [("a", ""), ("[U+0009]", "U+0009"), ("b", "")]),
    ("\u202egnp.exe", [("[U+202E]", "U+202E RIGHT-TO-LEFT OVERRIDE"), ("gnp.exe", "")]),
    ("l\u0430", [("l", ""), ("\u0430", "U+0430 CYRILLIC SMALL LETTER A")]),
    ("a\u200bb", [("a", ""), ("[U+200B]", "U+200B ZERO WIDTH SPACE"), ("b", "")]),
    ("a\u00a0b", [("a", ""), ("[U+00A0]", "U+00A0 NO-BREAK SPACE"), ("b", "")]),
    ("e\u0301", [("e", ""), ("[U+0301]", "U+0301 COMBINING ACUTE ACCENT")]),
    ("\ud800", [("[U+D800]", "U+D800")]),
    ("\U000e0041", [("[U+E0041]", "U+E0041 TAG LATIN CAPITAL LETTER A")]),
    ("ééàü", [("ééàü", "U+00E9 LATIN SMALL LETTER E WITH ACUTE, U+00E0 LATIN SMALL LETTER A WITH GRAVE, "
                        "U+00FC LATIN SMALL LETTER U WITH DIAERESIS")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "runs"), TEXTS)
def test_unusual_characters_are_marked(text: str, runs: list[tuple[str, str]]) -> None:
    """Plain ASCII stays as it is; all else has its names, and is written out where it can't be seen."""
    assert marked(text) == runs


@pytest.mark.long
@pytest.mark.parametrize("text", ["x" * 10**6, "a\u0430" * 500_000, "\u202e" * 10**6], ids=["plain", "mixed", "bidi"])
def test_a_megabyte(text: str) -> None:
    """A megabyte is shown whole, in few pieces, and soon."""
    began = time.monotonic()
    runs = marked(text)
    assert time.monotonic() - began < 5
    assert len(runs) <= 501
    assert "".join(piece for piece, _ in runs).isascii()
    assert len("".join(piece for piece, _ in runs)) >= len(text)
