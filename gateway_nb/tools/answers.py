"""From what a function returns, or raises, to what an agent gets: texts and images within bounds."""

from __future__ import annotations

import base64
import io
import json
import reprlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd

from ..errors import one_line
from ..protocol.units import size

LONGEST_TEXT = 30_000
"""Characters of one answer; a gateway keeps 32,000 of it for the model."""
LARGEST_IMAGE = 9_000_000
"""Bytes; a gateway takes frames of up to 12.9 MB, and base64 makes three bytes four."""
MOST_ROWS = 100
_LONGEST_CELL = 200
_MOST_COLUMNS = 50
_MOST_ITEMS = 100_000
_LONGEST_ERROR = 2000
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True)
class Answer:
    """What a call is answered with.

    Attributes:
        content: parts as in the Model Context Protocol: ``{"type": "text", "text"}`` or ``{"type": "image", "data",
            "mimeType"}``.
        is_error: the call failed; the agent learns why from the text.
    """

    content: tuple[dict[str, Any], ...]
    is_error: bool = False

    @property
    def text(self) -> str:
        """The parts that are texts; of an image its type."""
        return "\n".join(part.get("text", f"[{part.get('mimeType')}]") for part in self.content)

    def payload(self) -> dict[str, Any]:
        """Return it as a node sends it."""
        return {"content": list(self.content), **({"isError": True} if self.is_error else {})}


def failure(text: str) -> Answer:
    """Return the answer of a call that failed."""
    return Answer((_text(text, _LONGEST_ERROR),), is_error=True)


def of_error(error: BaseException) -> Answer:
    """Return the answer of a function that raised: type and message, without a traceback."""
    message = one_line(str(error), _LONGEST_ERROR)
    return failure(f"{type(error).__name__}: {message}" if message else type(error).__name__)


def of_value(value: Any) -> Answer:
    """Return the answer of a function that returned.

    Args:
        value: a text or a number as it is; dict, list, dataclass and the like as JSON; DataFrame and Series as a
            Markdown table of up to 100 rows with the shape; a figure of matplotlib or Altair, an image of PIL and the
            bytes of an image as an image; anything else as its repr.
    """
    try:
        return Answer((_image(value) or _text(as_text(value), LONGEST_TEXT),))
    except Exception as error:  # noqa: BLE001 - a repr, or a figure's drawing, is the user's code
        return of_error(error)


def _text(text: str, longest: int) -> dict[str, Any]:
    text = text.encode("utf-8", "replace").decode()
    if len(text) > longest:
        note = (
            f"\n[cut: {longest:,} of {len(text):,} characters are shown; ask for less, such as fewer rows or columns]"
        )
        text = text[:longest] + note
    return {"type": "text", "text": text}


def as_text(value: Any) -> str:
    """Return a value as an agent reads it: as `of_value` does but for images, and however long it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, pd.Series):
        return _table(value.to_frame(), f"{len(value):,} values")
    if isinstance(value, pd.DataFrame):
        return _table(value, f"{len(value):,} rows x {len(value.columns):,} columns")
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes that are no image: {reprlib.repr(bytes(value[:100]))}"
    if value is None or isinstance(value, bool | int | float):
        return _number(value)
    try:
        plain = msgspec.to_builtins(_bounded(value), str_keys=True, enc_hook=_plain)
        return json.dumps(plain, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # what refers to itself, for example: a repr can say that
        return repr(value)


def _number(value: float | None) -> str:
    if isinstance(value, int) and value.bit_length() > 10_000:  # str() refuses it, or takes long
        return f"a whole number of {value.bit_length():,} bits"
    return str(value)


def _bounded(value: Any) -> Any:
    """Return a list or dict that is far too long to be shown cut, so that the rest need not be written out."""
    if isinstance(value, list | tuple | set | frozenset) and len(value) > _MOST_ITEMS:
        items = list(_first(value, _MOST_ITEMS))
        return [*items, f"... {len(value) - _MOST_ITEMS:,} more"]
    if isinstance(value, dict) and len(value) > _MOST_ITEMS:
        return {**dict(_first(value.items(), _MOST_ITEMS)), "...": f"{len(value) - _MOST_ITEMS:,} more"}
    return value


def _first(values: Iterable[Any], count: int) -> Iterator[Any]:
    return (value for _, value in zip(range(count), values, strict=False))


def _plain(value: Any) -> Any:
    """Return what of a value that msgspec does not know: numpy's are lists and numbers, pydantic's are dicts."""
    for method in ("tolist", "model_dump"):
        if callable(convert := getattr(value, method, None)):
            return convert()
    return repr(value)


def _table(frame: pd.DataFrame, shape: str) -> str:
    """Return a Markdown table of the first rows and columns, as many as fit whole, with the shape."""
    columns = min(len(frame.columns), _MOST_COLUMNS)
    shown = frame.iloc[:MOST_ROWS, :columns]
    head = [str(frame.index.name or ""), *map(str, shown.columns)]
    lines = [_row(head), "|" + " --- |" * len(head)]
    left = LONGEST_TEXT - 500 - sum(map(len, lines))
    rows = 0
    for index, *values in shown.itertuples(name=None):
        line = _row([index, *values])
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
        rows += 1
    missing = [f"the first {rows:,} rows"] if rows < len(frame) else []
    missing += [f"the first {columns:,} columns"] if columns < len(frame.columns) else []
    note = f"; {' and '.join(missing)} are shown: ask for less, or for a summary" if missing else ""
    return "\n".join([*lines, "", f"[{shape}{note}]"])


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(one_line(cell, _LONGEST_CELL).replace("|", "\\|") for cell in cells) + " |"


def _image(value: Any) -> dict[str, Any] | None:
    """Return an image as a part, or ``None`` if the value is none. The libraries of figures are not imported."""
    kind, data = _drawn(value)
    if kind is None:
        return None
    if len(data) > LARGEST_IMAGE:
        limit = size(LARGEST_IMAGE)
        return _text(f"[an image of {size(len(data))}, and a gateway takes {limit}: ask for a smaller one]", 1000)
    return {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": kind}


def _drawn(value: Any) -> tuple[str | None, bytes]:
    if isinstance(value, bytes | bytearray | memoryview):
        return _image_type(bytes(value[:12])), bytes(value)
    buffer = io.BytesIO()
    if _is_of(value, "matplotlib.figure", "Figure"):
        value.savefig(buffer, format="png", bbox_inches="tight")
    elif _is_of(value, "altair", "TopLevelMixin"):
        value.save(buffer, format="png")
    elif _is_of(value, "PIL.Image", "Image"):
        value.save(buffer, format="PNG")
    else:
        return None, b""
    return "image/png", buffer.getvalue()


def _is_of(value: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _image_type(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _IMAGES.items() if head.startswith(start)), None)
