"""From a function's value to an agent's answer: texts and images, within bounds."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import sys
import types
from typing import Any

import altair
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest

from gateway_nb.tools.answers import LARGEST_IMAGE, LONGEST_TEXT, of_error, of_value


@dataclasses.dataclass
class Shop:
    name: str
    opened: dt.date


class Item(pydantic.BaseModel):
    price: float


class Size(enum.Enum):
    SMALL = "s"


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8

TEXTS: list[Any] = [
    ("a\nb", "a\nb"),
    ("", ""),
    (3, "3"),
    (2.5, "2.5"),
    (True, "True"),
    (None, "None"),
    (float("nan"), "nan"),
    pytest.param(10**5000, "a whole number of 16,610 bits", id="huge"),
    ({"a": [1, None]}, '{"a": [1, null]}'),
    ({1: "a"}, '{"1": "a"}'),
    ({"a": float("nan")}, '{"a": NaN}'),
    ([1, "ä"], '[1, "ä"]'),
    ((1, 2), "[1, 2]"),
    (Shop("A", dt.date(2026, 3, 1)), '{"name": "A", "opened": "2026-03-01"}'),
    ({"item": Item(price=1)}, '{"item": {"price": 1.0}}'),
    (Size.SMALL, '"s"'),
    (np.float64(1.5), "1.5"),
    (np.arange(3), "[0, 1, 2]"),
    ({"n": np.int64(3)}, '{"n": 3}'),
    ({(1, 2): 3}, "{(1, 2): 3}"),
    (CYCLE, "[[...]]"),
    (b"abc", "3 bytes that are no image: b'abc'"),
    (object, "\"<class 'object'>\""),
    ("\ud800", "?"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_values_as_texts(value: Any, text: str) -> None:
    """A text and a number are as they are, what JSON can carry is JSON, anything else its repr."""
    assert of_value(value).payload() == {"content": [{"type": "text", "text": text}]}


def test_frames_are_tables_with_their_shape() -> None:
    """A DataFrame is a Markdown table, whatever its cells contain, with its shape; a Series likewise."""
    frame = pd.DataFrame({"shop": ["A|B", "C\nD"], "sum": [1.5, None]}, index=pd.Index([3, 4], name="id"))
    assert of_value(frame).text == (
        "| id | shop | sum |\n| --- | --- | --- |\n| 3 | A\\|B | 1.5 |\n| 4 | C D | nan |\n\n[2 rows x 2 columns]"
    )
    series = pd.Series([1, 2], name="n")
    assert of_value(series).text == "|  | n |\n| --- | --- |\n| 0 | 1 |\n| 1 | 2 |\n\n[2 values]"
    assert of_value(pd.DataFrame()).text.endswith("[0 rows x 0 columns]")


@pytest.mark.parametrize(
    ("frame", "note"),
    [
        (pd.DataFrame({"n": range(1000)}), "[1,000 rows x 1 columns; the first 100 rows are shown: ask for less"),
        (pd.DataFrame({"n": ["x" * 10**6] * 3}), "[3 rows x 1 columns]"),
        (
            pd.DataFrame([["x" * 190] * 60] * 10),
            "[10 rows x 60 columns; the first 2 rows and the first 50 columns are shown",
        ),
    ],
)
def test_large_frames_are_cut(frame: pd.DataFrame, note: str) -> None:
    """Of a large DataFrame whole rows are shown, as many as fit, and what is missing is said."""
    text = of_value(frame).text
    assert len(text) <= LONGEST_TEXT
    assert note in text.splitlines()[-1]


@pytest.mark.long
@pytest.mark.parametrize("value", ["x" * 10**6, ["x"] * 10**6, {n: n for n in range(10**6)}], ids=type)
def test_long_answers_are_cut(value: Any) -> None:
    """A long answer is cut below what a gateway keeps, with its length and how to get less."""
    text = of_value(value).text
    assert len(text) < 32_000
    assert text.endswith("are shown; ask for less, such as fewer rows or columns]")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (bytearray(PNG), "image/png"),
        (memoryview(PNG), "image/png"),
    ],
)
def test_bytes_of_images_are_images(data: bytes, kind: str) -> None:
    """Bytes that begin as an image's are an image."""
    (part,) = of_value(data).content
    assert (part["type"], part["mimeType"], base64.b64decode(part["data"])) == ("image", kind, bytes(data))


def test_images_that_are_too_large() -> None:
    """An image beyond what a gateway takes is not sent, and the agent learns why."""
    (part,) = of_value(PNG + b"\0" * LARGEST_IMAGE).content
    assert part["text"] == "[an image of 9.0 MB, and a gateway takes 9.0 MB: ask for a smaller one]"


@pytest.mark.long
def test_altair_charts_are_images() -> None:
    """A chart of Altair's is drawn."""
    chart = altair.Chart(pd.DataFrame({"x": [1, 2]})).mark_point().encode(x="x:Q")
    (part,) = of_value(chart).content
    assert base64.b64decode(part["data"]).startswith(b"\x89PNG")


class Figure:
    def savefig(self, file: Any, **options: Any) -> None:
        assert options["format"] == "png"
        file.write(PNG)


class Image:
    def save(self, file: Any, **options: Any) -> None:
        assert options["format"] == "PNG"
        file.write(PNG)


@pytest.mark.parametrize(("module", "kind"), [("matplotlib.figure", Figure), ("PIL.Image", Image)])
def test_figures_are_images(module: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure of matplotlib's and an image of PIL's are drawn, through the method that each of them has for that."""
    stand_in = types.ModuleType(module)
    setattr(stand_in, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, module, stand_in)
    (part,) = of_value(kind()).content
    assert (part["mimeType"], base64.b64decode(part["data"])) == ("image/png", PNG)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no\nsuch month"), "ValueError: no such month"),
        (KeyError("a"), "KeyError: 'a'"),
        (SystemExit(3), "SystemExit: 3"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (msgspec.ValidationError("x\x1b[31m"), "ValidationError: x [31m"),
    ],
)
def test_exceptions_are_answers(error: BaseException, text: str) -> None:
    """An exception is an answer that says so, with its type and message in one line, and no traceback."""
    assert of_error(error).payload() == {"content": [{"type": "text", "text": text}], "isError": True}
    assert len(of_error(ValueError("x" * 10**6)).text) < 2100


def test_a_value_that_cannot_be_shown() -> None:
    """A value whose repr raises is an answer, too, with what it raised."""
    assert of_value(Rude()).payload()["content"] == [{"type": "text", "text": "RuntimeError: no repr"}]
