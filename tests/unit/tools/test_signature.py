"""From a function to a tool: what the agent is told, how arguments are converted, and what can't be offered."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pandas as pd
import pydantic
import pytest

from gateway_nb.tools.signature import RESERVED, BadArguments, Signature


class Region(enum.Enum):
    NORTH = "north"
    SOUTH = "south"


@dataclasses.dataclass
class Shop:
    name: str
    region: Region = Region.NORTH


class Span(TypedDict):
    first: int
    last: NotRequired[int]


class Place(msgspec.Struct):
    x: float


class Item(pydantic.BaseModel):
    price: float


class Order(pydantic.BaseModel):
    count: int
    item: Item | None = None


def with_hint(hint: Any) -> Signature:
    def tool(value: Any) -> None:
        """Do it."""

    tool.__annotations__ = {"value": hint}
    return Signature.of(tool)


CONVERTED: list[tuple[Any, str, Any]] = [
    (str, '"a"', "a"),
    (int, "3", 3),
    (float, "3", 3.0),
    (bool, "true", True),
    (None, "null", None),
    (int | None, "null", None),
    (int | str, '"a"', "a"),
    (Literal["a", "b"], '"b"', "b"),
    (Region, '"south"', Region.SOUTH),
    (list[int], "[1, 2]", [1, 2]),
    (dict[str, float], '{"a": 1}', {"a": 1.0}),
    (dict[int, str], '{"1": "a"}', {1: "a"}),
    (tuple[int, str], '[1, "a"]', (1, "a")),
    (Shop, '{"name": "A", "region": "south"}', Shop("A", Region.SOUTH)),
    (list[Shop], '[{"name": "A"}]', [Shop("A")]),
    (Span, '{"first": 1}', {"first": 1}),
    (Place, '{"x": 1}', Place(1.0)),
    (Order, '{"count": 2, "item": {"price": 3}}', Order(count=2, item=Item(price=3))),
    (Order | None, "null", None),
    (dt.datetime, '"2026-03-01T12:00:00"', dt.datetime(2026, 3, 1, 12)),
    (dt.date, '"2026-03-01"', dt.date(2026, 3, 1)),
    (Annotated[int, msgspec.Meta(ge=1, le=12)], "12", 12),
    (Any, '{"a": [1]}', {"a": [1]}),
]


@pytest.mark.parametrize(("hint", "sent", "value"), CONVERTED)
def test_arguments_are_converted(hint: Any, sent: str, value: Any) -> None:
    """An argument arrives as its type hint says."""
    assert with_hint(hint).convert(f'{{"value": {sent}}}'.encode()) == {"value": value}


@pytest.mark.parametrize(
    ("hint", "sent", "words"),
    [
        (int, '"4"', "'value': Expected `int`, got `str`"),
        (int, "4.5", "'value': Expected `int`"),
        (Region, '"east"', "'value': Invalid enum value 'east'"),
        (list[Shop], '[{"name": 1}]', r"'value': Expected `str`, got `int` - at `\$\[0\].name`"),
        (Annotated[int, msgspec.Meta(ge=1, le=12)], "13", "'value': Expected `int` <= 12"),
        (Order, '{"count": "many"}', "'value': count: Input should be a valid integer"),
        (dt.date, '"yesterday"', "'value': Invalid RFC3339 encoded date"),
    ],
)
def test_wrong_arguments_are_explained(hint: Any, sent: str, words: str) -> None:
    """What is wrong with an argument is said so that an agent can mend it."""
    with pytest.raises(BadArguments, match=words):
        with_hint(hint).convert(f'{{"value": {sent}}}'.encode())


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("{}", "'month' is missing; it takes month, region"),
        ('{"month": 1, "year": 2}', "there is no 'year'"),
        ("[1]", "must be a JSON object"),
        ("{", "must be a JSON object"),
        ("[" * 100_000, "must be a JSON object"),
        ('{"month": ' + "[" * 100_000, "must be a JSON object"),
        ('{"month": 1, "region": "a\nb\x1b[31m"}', "must be a JSON object"),
        (json.dumps({"month": 1, **{f"x{n}": n for n in range(100)}}), "there is no 'x9'; it takes"),
    ],
)
def test_arguments_of_no_use(sent: str, words: str) -> None:
    """Missing, unknown and broken arguments are named in one line."""

    def sales(month: int, region: str = "all") -> None:
        """Sales."""

    with pytest.raises(BadArguments, match=words) as raised:
        Signature.of(sales).convert(sent.encode())
    assert len(str(raised.value).splitlines()) == 1


GOOGLE = """Sales of one month.

    With taxes.

    Args:
        month: 1 to 12.
        region: which shops.

    Returns:
        A table.
    """
NUMPY = """Sales of one month.

    With taxes.

    Parameters
    ----------
    month : int
        1 to 12.
    region : str
        which shops.

    Returns
    -------
    DataFrame
        A table.
    """
REST = """Sales of one month.

    With taxes.

    :param month: 1 to 12.
    :param region: which shops.
    :returns: A table.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_docstrings_describe_tool_and_parameters(docstring: str) -> None:
    """Name, description and schema come from the function, its hints, its defaults and its docstring's texts."""

    def sales(month: Annotated[int, msgspec.Meta(ge=1)], region: Literal["north", "all"] = "all") -> pd.DataFrame:
        return pd.DataFrame()

    sales.__doc__ = docstring
    signature = Signature.of(sales)
    assert (signature.name, signature.description) == ("sales", "Sales of one month.\n\nWith taxes.")
    assert signature.schema == {
        "type": "object",
        "properties": {
            "month": {"type": "integer", "minimum": 1, "description": "1 to 12."},
            "region": {"enum": ["all", "north"], "description": "which shops.", "default": "all"},
        },
        "additionalProperties": False,
        "required": ["month"],
    }


def test_models_are_described_once() -> None:
    """Types with fields are definitions that the parameters refer to, those of pydantic's models, too."""

    def tool(shops: list[Shop], order: Order, region: Region = Region.SOUTH) -> None:
        """Do it."""

    schema = Signature.of(tool).schema
    assert schema["properties"]["shops"]["items"] == {"$ref": "#/$defs/Shop"}
    assert schema["properties"]["region"] == {"$ref": "#/$defs/Region", "default": "south"}
    assert set(schema["$defs"]) == {"Shop", "Region", "Item"}
    assert "$defs" not in schema["properties"]["order"]


def test_defaults_are_the_functions_own() -> None:
    """A parameter that is left out keeps its default, even one that JSON can't carry."""
    nothing = object()

    def tool(value: int = nothing) -> None:  # type: ignore[assignment]
        """Do it."""

    signature = Signature.of(tool)
    assert signature.convert(b"{}") == {}
    assert signature.schema["properties"]["value"] == {"type": "integer"}


def test_methods_and_names() -> None:
    """A bound method is a tool without its self; name and description can be given."""

    class Shops:
        def count(self, month: int) -> int:
            """Count."""
            return month

    assert list(Signature.of(Shops().count).schema["properties"]) == ["month"]
    given = Signature.of(lambda: None, "nothing", "Do nothing.")
    assert (given.name, given.description, given.convert(b"{}")) == ("nothing", "Do nothing.", {})


def several(*values: int) -> None:
    """Do it."""


def keywords(**values: int) -> None:
    """Do it."""


def by_position(value: int, /) -> None:
    """Do it."""


def no_hint(value) -> None:  # type: ignore[no-untyped-def]
    """Do it."""


def a_complex(value: complex) -> None:
    """Do it."""


def inside(value: list[pd.DataFrame]) -> None:
    """Do it."""


def two_models(value: Shop | Place) -> None:
    """Do it."""


def unknown(value: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Do it."""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (several, r"parameter \*values: int has no single value"),
        (keywords, r"parameter \*\*values: int has no single value"),
        (by_position, "parameter 'value' can't be passed by name"),
        (no_hint, "parameter 'value' has no type hint; write for example value: str"),
        (a_complex, "parameter 'value' has a type hint that JSON can't carry, complex"),
        (inside, "parameter 'value' has a type hint that JSON can't carry, .*DataFrame"),
        (two_models, "parameter 'value' has a type hint that JSON can't carry.*more than one dict-like"),
        (unknown, "its signature can't be read: name 'Nowhere' is not defined"),
        (3, "a tool must be a function, not int"),
    ],
)
def test_functions_that_cannot_be_offered(function: Any, words: str) -> None:
    """A function that can't be a tool is refused when it is defined: which parameter, and why."""
    with pytest.raises(TypeError, match=words):
        Signature.of(function)


@pytest.mark.parametrize(
    ("name", "description", "words"),
    [
        ("1st", "d", "not '1st'"),
        ("a b", "d", "not 'a b'"),
        ("a" * 65, "d", "up to 63 letters"),
        ("", "d", "not ''"),
        ("tool\n", "d", "a tool's name must be"),
        ("exec", "d", "would replace the gateway's own tool"),
        ("read", "d", "would replace the gateway's own tool"),
        ("tool", " ", "has no description"),
        ("tool", None, "has no description.*write a docstring"),
        ("tool", "x" * 1025, "1,025 characters, and a gateway keeps 1,024"),
        (None, "d", "not '<lambda>'; pass name="),
    ],
)
def test_names_and_descriptions_within_the_gateways_limits(name: Any, description: Any, words: str) -> None:
    """What a gateway would drop, cut or confuse without a word is refused here, with what to do."""
    with pytest.raises(ValueError, match=words):
        Signature.of(lambda: None, name, description)


def test_reserved_names_are_those_of_a_tool() -> None:
    """The names that are kept for the gateway are names that a tool could have."""
    assert "exec" in RESERVED
    for name in RESERVED:
        assert Signature.of(lambda: None, f"my_{name}", "d").name == f"my_{name}"
