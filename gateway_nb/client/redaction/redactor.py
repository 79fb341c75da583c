"""Text and JSON in which no secret can appear, by value."""

from __future__ import annotations

import json
import re
import threading
import weakref
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from .needles import SHORTEST_SECRET, Forms, Needles
from .shapes import MARK, is_secret_name, is_secret_option, without_shapes

EXAMINED = 16_384
"""Characters of a message that are looked at; what comes after them is dropped."""
_RECENT = 32
_MOST_AT_ONCE = 8
_LONGEST_RECENT = 1024  # no token, nonce or URL of a gateway is that long
_NESTED = 3  # JSON in strings in JSON
_NAMES_OF_NAMES = ("name", "Name", "key", "Key")
_LARGE_LINES = 1024  # bytes; whoever writes many lines has numpy and pyarrow already
_JSON_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)(?:(")(\s*:)?|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


_live: weakref.WeakValueDictionary[int, Redactor] = weakref.WeakValueDictionary()


class Redactor:
    """Takes secrets out of what is shown, logged, written or exported: by value, in every form that is usual.

    Pure, but for what it was told to hide. Any thread may use it.

    Args:
        values: secrets that it never forgets: the user's.

    Attributes:
        changes: how often what it hides has changed.

    Example:
        >>> redactor = Redactor(["correct horse"])
        >>> redactor.text("is it correct horse, correct%20horse or Y29ycmVjdCBob3JzZQ==?")
        'is it [secret], [secret] or [secret]?'
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, Forms] = {}
        self._recent: dict[str, Forms] = {}
        self._needles = Needles({})
        self.changes = 0
        self.keep(values)
        _live[id(self)] = self

    @classmethod
    def of(cls, others: Iterable[Redactor]) -> Redactor:
        """Return one that hides what each of several hides now."""
        joined = cls()
        for other in others:
            with other._lock:
                joined._own |= other._own | other._recent
        joined._renew()
        return joined

    def keep(self, values: Iterable[str]) -> None:
        """Hide the user's own secrets from now on, and never forget them."""
        with self._lock:
            self._own |= {value: Forms(value) for value in values if value and value not in self._own}
            self._renew()

    def hide(self, values: Iterable[str]) -> None:
        """Hide these from now on, the newest 32 of those that came this way.

        Args:
            values: what a gateway gave: a device token, a nonce. At most 8 of them, of 8 to 1,024 characters.
        """
        usable = (value for value in islice(values, _MOST_AT_ONCE) if SHORTEST_SECRET <= len(value) <= _LONGEST_RECENT)
        with self._lock:
            for value in usable:
                self._recent[value] = self._recent.pop(value) if value in self._recent else Forms(value)
            self._renew()

    def _renew(self) -> None:
        self._recent = dict(list(self._recent.items())[-_RECENT:])
        self._needles = Needles(self._recent | self._own)
        self.changes += 1

    def keep_also(self, other: Redactor) -> None:
        """Hide what another one hides, too: the same log goes on with another connection."""
        with other._lock:
            own, recent = other._own.copy(), other._recent.copy()
        with self._lock:
            self._own, self._recent = own | self._own, recent | self._recent
            self._renew()

    @property
    def expression(self) -> str | None:
        """A regular expression of RE2 for JSON in which a secret may be; ``None`` where there is nothing to hide."""
        return self._needles.expression if self._needles else None

    @property
    def overlap(self) -> int:
        """How many characters beyond the wanted ones `start` has to see."""
        return self._needles.overlap

    def text(self, text: str) -> str:
        """Return a text without the secrets.

        Args:
            text: any; that of JSON is better given to `json`, which decodes it.
        """
        needles = self._needles
        heads = needles.present(text)
        return needles.replace(text, heads) if heads else text

    def start(self, text: str, limit: int, *, json: bool = False) -> str:
        """Return the beginning of a text without the secrets, and without a part of one at its end.

        Args:
            text: any; of a longer one, at least its first `limit` and `overlap` characters and one more.
            limit: characters to look at; what comes after them is left out.
            json: it is the beginning of JSON.
        """
        overlap = self._needles.overlap
        window = text[: limit + overlap]
        window = self.json_text(window) if json else self.text(window)
        return window if len(text) <= limit + overlap else window[: max(len(window) - overlap, 0)] + "…"

    def starts(self, texts: Sequence[str], limit: int, *, json: bool = False) -> Sequence[str]:
        """Return what `start` does of many texts; the texts as they are where none of them holds a secret."""
        if self._needles.suspects("\n".join(texts).encode("utf-8", "surrogatepass")):
            return [self.start(text, limit, json=json) for text in texts]
        return texts

    def json(self, data: bytes, *, guess: bool = False) -> bytes:
        """Return JSON without the secrets: only strings change, it stays the JSON that it was.

        Args:
            data: JSON, or its beginning.
            guess: hide what looks like a secret, too, by a field's name or by its shape.
        """
        needles = self._needles
        if not guess and not needles.suspects(data):
            return data
        text = data.decode("utf-8", "surrogateescape")
        return _JsonPass(needles, needles.present(text), guess).run(text).encode("utf-8", "surrogateescape")

    def json_text(self, text: str) -> str:
        """Return JSON, as text, without the secrets."""
        return self.json(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def lines(self, data: bytes) -> bytes:
        """Return whole lines of JSON without the secrets."""
        needles = self._needles
        if not needles.suspects(data, large=_LARGE_LINES):
            return data
        lines = data.splitlines(keepends=True)
        return b"".join(
            self.json(line) if found else line for line, found in zip(lines, needles.suspected(lines), strict=True)
        )

    def value(self, value: Any, *, guess: bool = False) -> Any:
        """Return decoded JSON without the secrets, the same object where there are none.

        Args:
            value: dict, list, str, number, bool or ``None``; what can't be looked at is not shown.
            guess: as for `json`.
        """
        try:
            data = json.dumps(value).encode()
            cleaned = self.json(data, guess=guess)
            return value if cleaned == data else json.loads(cleaned)
        except (TypeError, ValueError, RecursionError):
            return MARK

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._own) + len(self._recent)} secrets>"


class _JsonPass:
    """One pass over the tokens of JSON, however deep; what is not a string stays as it was written."""

    def __init__(self, needles: Needles, heads: list[str], guess: bool, nested: int = 0) -> None:
        self._needles = needles
        self._heads = heads
        self._guess = guess
        self._nested = nested
        self._named = False  # the name before this value is a secret's
        self._key: str | None = None
        self._pair = False  # this object is a pair whose name is a secret's: {"name":"API_KEY","value":"x"}
        self._depth = 0
        self._hidden: int | None = None  # the depth of the object or list that is hidden whole

    def run(self, text: str) -> str:
        return _JSON_TOKEN.sub(self._token, text)

    def _token(self, found: re.Match[str]) -> str:
        body: str | None = found[1]
        if body is None:
            return self._bracket(found[0])
        text = _decoded(body, whole=found[2] is not None)
        if found[3] is not None:
            self._key = text
            self._named = (self._guess or bool(self._needles.short)) and text is not None and self._names_secret(text)
            cleaned = text if text is None else self._values(text, body)
        else:
            cleaned = self._string(text, body)
        if cleaned is not None and cleaned == text:
            return found[0]
        shown = MARK if cleaned is None else cleaned
        return f'"{_encoded(shown)}{found[2] or ""}{found[3] or ""}'

    def _bracket(self, bracket: str) -> str:
        if bracket in "[{":
            if self._named and self._guess and self._hidden is None:
                self._hidden = self._depth
            self._depth += 1
        else:
            self._depth -= 1
            if self._hidden is not None and self._depth <= self._hidden:
                self._hidden = None
        self._named = self._pair = False
        return bracket

    def _names_secret(self, name: str) -> bool:
        return is_secret_name(name) or (self._pair and name.lower() == "value")

    def _string(self, text: str | None, body: str) -> str | None:
        """Return what is shown of a string that is a value; ``None`` for nothing."""
        named, self._named = self._named, False
        if text is None or self._hidden is not None:
            return None
        if named and (self._guess or text in self._needles.short):
            return None
        if self._guess:
            self._named = is_secret_option(text)
            if self._key in _NAMES_OF_NAMES:
                self._pair = is_secret_name(text)
        if self._nested < _NESTED and (self._guess or "\\" in body) and text.lstrip()[:1] in ("{", "["):
            heads = self._needles.present(text)
            text = _JsonPass(self._needles, heads, self._guess, self._nested + 1).run(text)
        return self._values(without_shapes(text) if self._guess else text, body)

    def _values(self, text: str, body: str) -> str:
        heads = self._needles.present(text) if "\\" in body else [head for head in self._heads if head in text]
        return self._needles.replace(text, heads) if heads else text


def _decoded(body: str, *, whole: bool) -> str | None:
    """Return what a string of JSON says, ``None`` where it is broken."""
    if "\\" not in body:
        return body
    if not whole:
        body = re.sub(r"\\(?:u[0-9a-fA-F]{0,3})?\Z", "", body)
    try:
        return str(json.loads(f'"{body}"', strict=False))
    except ValueError:
        return None


def _encoded(text: str) -> str:
    """Return the inside of a string of JSON; half a character, which UTF-8 does not have, stays an escape."""
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def hidden(text: str, limit: int) -> str:
    """Return the first `limit` characters of a text without the secrets of every connection there is.

    For what does not know its connection: an event's repr, a traceback in the log.
    """
    redactors = [redactor for reference in _live.valuerefs() if (redactor := reference()) is not None]
    overlap = max((redactor.overlap for redactor in redactors), default=0)
    window = text[: limit + overlap]
    for redactor in redactors:
        window = redactor.text(window)
    return window if len(text) <= limit else window[: max(len(window) - overlap, 0)][: limit - 1] + "…"
