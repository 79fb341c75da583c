"""The forms in which secrets may stand in a text, and where they stand."""

from __future__ import annotations

import base64
import functools
import json
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from .shapes import MARK, NAME_HINT

if TYPE_CHECKING:
    from .sieve import Sieve

SHORTEST_SECRET = 8
"""Characters. Shorter ones may be ordinary words, and are hidden only in fields that are named like a secret."""
_HEAD = 12  # a secret that was cut short is recognized by as many of its first characters
_HEAD_OF_URL = 64  # others begin as this one
_NESTED = 3  # JSON in strings in JSON
LARGE = 16_384
# Printable ASCII that an encoder need not have escaped: there a secret can be seen only when it is decoded.
_ESCAPE = r"\\(?:/|u00[2-7])"
_AFTER_BASE64 = re.compile(r"[A-Za-z0-9+/_-]?={0,2}")


class Forms:
    """How a value may stand in a text.

    Attributes:
        plain: as it is, or encoded.
        inside: as a part of longer base64, by the bytes before it; the characters that it shares with others left out.
        head: characters by which a form is recognized, also where it was cut short.
    """

    def __init__(self, value: str) -> None:
        data = value.encode("utf-8", "surrogatepass")
        self.plain = {value}
        for _ in range(_NESTED):
            self.plain |= {json.dumps(text, ensure_ascii=ascii)[1:-1] for text in self.plain for ascii in (True, False)}
        self.plain |= {data.hex(), data.hex().upper()}
        for text in (quote_plus(data), *(quote(data, safe=safe) for safe in ("", "/", "!'()*", ";,/?:@&=+$!'()*#"))):
            self.plain |= {text, re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)}
        self.inside = set()
        for before, shared in ((0, 0), (1, 2), (2, 3)):
            text = base64.b64encode(bytes(before) + data)[shared : (before + len(data)) * 8 // 6].decode()
            self.inside |= {text, text.replace("+", "-").replace("/", "_")}
        self.head = _HEAD_OF_URL if "://" in value else _HEAD


class Needles:
    """What to look for. Never changed: any thread may use it.

    Args:
        values: secrets with their forms.

    Attributes:
        overlap: how much of a secret may stand unrecognized at the end of a text that was cut.
        short: values that are hidden by the name of their field only.
    """

    def __init__(self, values: dict[str, Forms]) -> None:
        self._forms: dict[str, list[str]] = {}
        self._inside: set[str] = set()
        self.short = frozenset(value for value in values if len(value) < SHORTEST_SECRET)
        for value, forms in values.items():
            if value not in self.short:
                for form in forms.plain | forms.inside:
                    self._forms.setdefault(form[: forms.head], []).append(form)
                self._inside |= {form[: forms.head] for form in forms.inside}
        self.overlap = max(map(len, self._forms), default=1) - 1
        hints = sorted({head[-_HEAD:] for head in self._forms})  # RE2 is quick as long as they are short
        self._hints = [hint.encode("utf-8", "surrogatepass") for hint in hints]
        odd = [_ESCAPE if all(map(str.isascii, values)) else r"\\[/u]"]
        odd += [rf'{NAME_HINT}[^"\\]*\\*"\s*:\s*\\*"{re.escape(json.dumps(value)[1:-1])}' for value in self.short]
        self._odd = "|".join(odd)

    def __bool__(self) -> bool:
        return bool(self._forms or self.short)

    @functools.cached_property
    def expression(self) -> str:
        """A regular expression of RE2 for JSON in which one of them may be."""
        return "|".join([self._odd, *(re.escape(hint.decode("utf-8", "surrogatepass")) for hint in self._hints)])

    @functools.cached_property
    def _sieve(self) -> Sieve:
        from .sieve import Sieve  # numpy is not imported before there is that much to look at

        return Sieve(self._hints)

    def suspects(self, data: bytes, large: int = LARGE) -> bool:
        """Return whether JSON may hold one of them, at the price of one look at it.

        Args:
            data: JSON.
            large: bytes from which numpy and pyarrow are imported for it.
        """
        if not self:
            return False
        if len(data) < large:
            return any(hint in data for hint in self._hints) or re.search(self._odd.encode(), data) is not None
        rest = [re.escape(hint.decode("utf-8", "surrogatepass")) for hint in self._sieve.too_short]
        return _matches(data, self.expression if self._sieve.suspects(data) else "|".join([self._odd, *rest]))

    def suspected(self, pieces: Sequence[bytes]) -> list[bool]:
        """Return which of many may hold one."""
        import pyarrow as pa
        import pyarrow.compute as compute

        found: list[bool] = compute.match_substring_regex(
            pa.array(pieces, pa.large_binary()), self.expression
        ).to_pylist()
        return found

    def present(self, text: str) -> list[str]:
        """Return the heads that stand in a text."""
        return [head for head in self._forms if head in text]

    def replace(self, text: str, heads: Iterable[str]) -> str:
        """Return a text without the values that begin with these heads, whole or cut short."""
        spans = sorted(span for head in heads for span in self._spans(text, head))
        pieces, at = [], 0
        for start, end in spans:
            if start >= at:
                pieces += [text[at:start], MARK]
            at = max(at, end)
        return "".join([*pieces, text[at:]])

    def _spans(self, text: str, head: str) -> Iterator[tuple[int, int]]:
        start = text.find(head)
        while start >= 0:
            end = start + max(_common(text, start, form) for form in self._forms[head])
            if head in self._inside:
                after = _AFTER_BASE64.match(text, end)
                shared = start > 0 and _AFTER_BASE64.fullmatch(text[start - 1]) is not None
                yield start - shared, after.end() if after else end
            else:
                yield start, end
            start = text.find(head, end)


def _matches(data: bytes, expression: str) -> bool:
    """Return whether RE2 finds it, without a copy; other threads go on meanwhile."""
    import pyarrow as pa
    import pyarrow.compute as compute

    ends = pa.py_buffer(struct.pack("2q", 0, len(data)))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(data)])
    return bool(compute.match_substring_regex(whole, expression)[0])


def _common(text: str, start: int, form: str) -> int:
    """Return how many characters of a form stand there."""
    if text.startswith(form, start):
        return len(form)
    there = text[start : start + len(form)]
    return next(
        (at for at, (found, wanted) in enumerate(zip(there, form, strict=False)) if found != wanted), len(there)
    )
