"""Bodies of cells: JSON and YAML 1.2, where it goes wrong, and Python values put into them."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.notebook.magics.binding import bind, bind_text
from gateway_nb.notebook.magics.body import CommandError, parse_body
from gateway_nb.protocol.frames import encode

BODIES: list[tuple[str, Any]] = [
    ("", None),
    (" \n\t\n", None),
    ("# nothing but a comment", None),
    ('{"limit": 5}', {"limit": 5}),
    ('  {"a": [1, 2.5, true, null, "x"]}\n', {"a": [1, 2.5, True, None, "x"]}),
    ("limit: 5", {"limit": 5}),
    ("limit: 5  # how many\nactive: yes", {"limit": 5, "active": "yes"}),
    ("a: no\nb: off\nc: on\nd: No", {"a": "no", "b": "off", "c": "on", "d": "No"}),
    ("a: true\nb: False\nc: ~\nd: null\ne:", {"a": True, "b": False, "c": None, "d": None, "e": None}),
    ("a: 010\nb: 0o17\nc: 0xff\nd: -3\ne: +4", {"a": 10, "b": 15, "c": 255, "d": -3, "e": 4}),
    ("a: 1.5\nb: 1e3\nc: .5\nd: 2.", {"a": 1.5, "b": 1000.0, "c": 0.5, "d": 2.0}),
    ("a: 1_000\nb: 0b11\nc: 12:30:45\nd: 2026-11-23", {"a": "1_000", "b": "0b11", "c": "12:30:45", "d": "2026-11-23"}),
    ("a: '5'\nb: \"no\"", {"a": "5", "b": "no"}),
    ("message: |\n  two\n  lines\nrest: >-\n  one\n  line", {"message": "two\nlines\n", "rest": "one line"}),
    ("list:\n  - a\n  - b: 1\nflow: [1, {x: y}]", {"list": ["a", {"b": 1}], "flow": [1, {"x": "y"}]}),
    ("1: a\ntrue: b", {"1": "a", "true": "b"}),
    ("<<: x", {"<<": "x"}),
    ("a: &x {n: 1}\nb: *x", {"a": {"n": 1}, "b": {"n": 1}}),
    ("!!str 5: !!str 5", {"5": "5"}),
    ("$params", "$params"),
    ("${dict(a=1)}", "${dict(a=1)}"),
    (' ${ {"a": 1} } ', '${ {"a": 1} }'),
]
MISTAKES: list[tuple[str, str, str]] = [
    ('{"a" 1}', "line 1, column 6", '    {"a" 1}\n         ^'),
    (
        '{"a": $n, "b": ${n + 1} "c": 1}',
        "delimiter (line 1, column 25)",
        '    {"a": $n, "b": ${n + 1} "c": 1}\n' + " " * 28 + "^",
    ),
    ('{"a": ${n', "${ is not closed; write $$ for a dollar sign (line 1, column 7)", '    {"a": ${n\n          ^'),
    ('{"a": 1,}', "line 1, column ", '    {"a": 1,}\n           '),  # at the comma, or behind it in Python 3.12
    ("{a: 1}", "without the braces the body may be YAML", "    {a: 1}\n     ^"),
    ('{"a": 1, "a": 2}', "says 'a' twice (line 1, column 10)", '    {"a": 1, "a": 2}\n             ^'),
    (
        f'{{"n": [{"1, " * 30_000}1],\n "a": 1, "a": 2}}',
        "says 'a' twice (line 2, column 10)",
        '     "a": 1, "a": 2}\n             ^',
    ),
    ("a: 1\nb: 2\na: 3", "says 'a' twice (line 3, column 1)", "    a: 3\n    ^"),
    ('{"a": NaN}', "says NaN, which JSON does not have (line 1, column 7)", '    {"a": NaN}\n          ^'),
    ("a: .inf", "says .inf, which JSON does not have (line 1, column 4)", "    a: .inf\n       ^"),
    ("a: b: c", "line 1, column 5", "    a: b: c\n        ^"),
    ("x: 1\n\ty: 2", "line 2, column 1", "     y: 2\n    ^"),
    ("a: *nobody", "undefined alias", "    a: *nobody\n       ^"),
    ("a: &x [*x]", "repeats itself", ""),
    ("a: !!python/object:os.system x", "has the tag", "    a: !!python/object:os.system x\n       ^"),
    ("? [a]\n: 1", "a key must be a name", "    ? [a]\n      ^"),
    ("a: 1\n---\nb: 2", "another document", ""),
    ("- 1\n- 2", "is a list; params are a mapping", "    - 1\n    ^"),
    ("just words", "is a text; params are a mapping", ""),
    ("text with $name", "is a text; params are a mapping", ""),
    ("a: \x00", "is not valid YAML", ""),
    ('{"a": "\x01"}', "is not valid JSON", ""),
    ('{"a": ' + "9" * 5000 + "}", "is not valid JSON", ""),
    ("a: " + "9" * 5000, "is not valid YAML", ""),
]


TAGGED = [
    "a: !!python/object/apply:os.system ['id']",
    "a: !!python/object/new:dict {b: 1}",
    "a: !!python/tuple [1]",
    "a: !!python/name:os.system ''",
    "!!python/dict {a: 1}",
    "!foo\na: 1",
    "a: !foo {b: 1}",
    "a: !foo [1]",
    "a: [1, {b: !foo [2]}]",
    "a: !!set {b}",
    "a: !!omap [b: 1]",
    "a: !!binary aGk=",
    "!!python/name:os.system a: 1",
    "? !!python/object:os.x k\n: 1",
    "!foo k: 1",
    "%TAG ! tag:python.org,2002:\n---\na: !python/x [1]",
]


@pytest.mark.parametrize("text", TAGGED)
def test_tags(text: str) -> None:
    """A tag that JSON has no word for is refused wherever it stands: on values, lists, mappings and keys."""
    with pytest.raises(
        CommandError, match=r"the body has the tag .*, which JSON does not have \(line \d+, column \d+\)"
    ):
        parse_body(text)


def test_tags_of_json() -> None:
    """A tag of the core schema is allowed."""
    text = "a: !!str 5\nb: !!int '5'\nc: !!map {d: !!seq [1]}\n!!str 6: 7"
    assert parse_body(text).value == {"a": "5", "b": 5, "c": {"d": [1]}, "6": 7}


@pytest.mark.long
@pytest.mark.parametrize("text", ["a: " + "[ " * 3000 + "]" * 3000, "\n".join("  " * n + "a:" for n in range(3000))])
def test_a_body_nested_too_deeply(text: str) -> None:
    """A body that is nested too deeply is our error."""
    with pytest.raises(CommandError, match="nested too deeply"):
        parse_body(text)


@pytest.mark.parametrize(("text", "value"), BODIES)
def test_bodies(text: str, value: Any) -> None:
    """JSON is JSON, anything else is YAML 1.2: `no` is a word, 010 is ten, and a date is a text."""
    assert parse_body(text).value == value


@pytest.mark.parametrize(("text", "message", "excerpt"), MISTAKES)
def test_mistakes(text: str, message: str, excerpt: str) -> None:
    """A mistake is named with line and column, and shown with a caret."""
    with pytest.raises(CommandError) as caught:
        parse_body(text)
    assert message in str(caught.value)
    assert caught.value.excerpt.startswith(excerpt)
    assert "\n" not in str(caught.value)


def test_a_billion_laughs() -> None:
    """Aliases of aliases of aliases end early, not in the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(CommandError, match="repeats itself"):
        parse_body("\n".join(lines))


def test_places() -> None:
    """Where each value stands is known, for errors that come later; of what is missing, where it would be."""
    body = parse_body("limit: 5\nfilter:\n  names: [a, b]\n")
    assert body.at("/filter/names/1") == (2, 13)
    assert body.at("/filter/nothing/there") == body.at("/filter") == (2, 2)
    assert body.at("/other") == (0, 0)
    assert parse_body('{"a":\n  {"b/c": 1}}').at("/a/b~1c") == (1, 10)


NAMES: dict[str, Any] = {
    "n": 5,
    "name": "Ada",
    "items": [1, {"a": None}],
    "job": {"deep": {"er": [1]}},
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None], "t": pd.to_datetime(["2026-01-01", None], utc=True)}),
    "series": pd.Series([1.5, np.nan]),
    "array": np.array([1, 2]),
    "nasty": '"}, "admin": true, {"$n ${n} $$',
}
BOUND: list[tuple[str, Any]] = [
    ("a: $n", {"a": 5}),
    ('{"a": "$n"}', {"a": 5}),
    ("a: hello $name, $n", {"a": "hello Ada, 5"}),
    ('{"a": $n, "b": [$items, "$name"]}', {"a": 5, "b": [[1, {"a": None}], "Ada"]}),
    ('{"a": ${"}" + name}, "b": ${ {"x": n}["x"] }}', {"a": "}Ada", "b": 5}),
    ("a: ${n * 2}", {"a": 10}),
    ('a: "${[x + n for x in (1, 2)]}"', {"a": [6, 7]}),
    ("a: ${name}${name}", {"a": "AdaAda"}),
    ("a: ${'}' + name}", {"a": "}Ada"}),
    ("a: \"${ {'x': n}['x'] }\"", {"a": 5}),
    ("a: $items\nb: ${job['deep']}", {"a": [1, {"a": None}], "b": {"er": [1]}}),
    ("a: is $items", {"a": 'is [1, {"a": null}]'}),
    ("a: $$n\nb: $$$n\nc: $5\nd: 5$\ne: $", {"a": "$n", "b": "$5", "c": "$5", "d": "5$", "e": "$"}),
    ("$n: 1", {"$n": 1}),
    ("a: $series", {"a": [1.5, None]}),
    (
        "a: $frame",
        {
            "a": [
                {"a": 1, "b": "x", "t": "2026-01-01T00:00:00+00:00"},
                {"a": 2, "b": None, "t": None},
            ]
        },
    ),
    ("a: $nasty", {"a": '"}, "admin": true, {"$n ${n} $$'}),
    ("a: x $nasty", {"a": 'x "}, "admin": true, {"$n ${n} $$'}),
    ("$job", {"deep": {"er": [1]}}),
    ("${dict(job, n=n)}", {"deep": {"er": [1]}, "n": 5}),
    ("a: {b: [$n, {c: $n}]}", {"a": {"b": [5, {"c": 5}]}}),
    ("message: |\n  $name\n", {"message": "Ada\n"}),
]
DIGITS = [1e-12, 0.12345678901234567, 1 / 3]


def test_every_digit() -> None:
    """Numbers of a frame or a series are sent with all their digits."""
    names = {"frame": pd.DataFrame({"d": DIGITS}), "series": pd.Series(DIGITS)}
    params = bind(parse_body("a: $frame\nb: $series"), names)
    assert params == {"a": [{"d": digit} for digit in DIGITS], "b": DIGITS}


UNBOUND: list[tuple[str, str]] = [
    ("a: $nam\nb: $frme\nc: $zzz", "not defined: nam (did you mean name?), frme (did you mean frame?), zzz"),
    ("a: 1\nb: $nothing", "(line 2, column 4)"),
    ("a: ${1/0}", "${1/0} fails: ZeroDivisionError: division by zero (line 1, column 4)"),
    ("a: ${n +}", "${n +} fails: SyntaxError"),
    ("a: ${n", "${ is not closed"),
    ('{"a": 1,\n "b": $nam}', "not defined: nam (did you mean name?); write $$ for a dollar sign (line 2, column 7)"),
    ("a: ${frame[['a', 'a']]}", "the frame has two columns of one name"),
    ("$n", "$n is a int; params are a mapping"),
]


@pytest.mark.parametrize(("text", "value"), BOUND)
def test_binding(text: str, value: Any) -> None:
    """A reference alone becomes the value with its type, inside a text it becomes text, and $$ is a dollar."""
    assert bind(parse_body(text), NAMES) == value


def test_binding_an_array() -> None:
    """An array is sent as a list."""
    params = bind(parse_body("a: $array"), NAMES)
    assert json.loads(encode(params)) == {"a": [1, 2]}


@pytest.mark.parametrize(("text", "message"), UNBOUND)
def test_binding_mistakes(text: str, message: str) -> None:
    """Every name that is missing is listed, with near ones; an expression that fails is named with its place."""
    with pytest.raises(CommandError) as caught:
        bind(parse_body(text), NAMES)
    assert message in str(caught.value)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.long
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_json_is_json(value: dict[str, Any]) -> None:
    """Whatever JSON can say, a body says; with dollars doubled it comes through binding as it was."""
    text = json.dumps(value)
    assert parse_body(text).value == value
    assert bind(parse_body(json.dumps(_doubled(value))), {}) == value


@pytest.mark.long
@given(JSON_VALUES, st.dictionaries(st.text("ab"), JSON_VALUES, max_size=3))
def test_a_value_changes_nothing_around_it(value: Any, around: dict[str, Any]) -> None:
    """Binding puts the value in its place, and leaves all else alone, whatever the value holds."""
    template = {**_doubled(copy.deepcopy(around)), "here": "$x", "list": [1, "$x"]}
    assert bind(parse_body(json.dumps(template)), {"x": value}) == {**around, "here": value, "list": [1, value]}


@pytest.mark.long
@given(st.text(), st.dictionaries(st.text("ab", min_size=1), JSON_VALUES, max_size=2))
def test_nothing_but_its_own_error(text: str, names: dict[str, Any]) -> None:
    """Whatever is typed, there is a value or our own error."""
    with contextlib.suppress(CommandError):
        bind(parse_body(text), names)


def _doubled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _doubled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


TEXTS: list[tuple[str, str]] = [
    ("no reference", "no reference"),
    ("$n apples at $5", "3 apples at $5"),
    ("$$n ${n + 1}", "$n 4"),
    ("$text", "a $n b"),
    ("$object", '{"a": [1, null]}'),
    ("$frame", "|  | x |\n| --- | --- |\n| 0 | a\\|b |\n\n[1 rows x 1 columns]"),
    ("${'}'}", "}"),
]
TEXT_MISTAKES: list[tuple[str, str, str]] = [
    (
        "a\n$mising",
        r"not defined: mising \(did you mean missing\?\); write \$\$ for .* \(line 2, column 1\)",
        "$mising",
    ),
    ("say ${1/0}", r"\$\{1/0\} fails: ZeroDivisionError: division by zero \(line 1, column 5\)", "${1/0}"),
    ("${open", r"\$\{ is not closed", "${open"),
]


@pytest.mark.parametrize("before", ["sum of $x?", "sum of $x?\n", "sum of $x?\n\n"])
@pytest.mark.parametrize("after", ["", "and now?", "\nand now?"])
def test_a_table_in_a_prompt(before: str, after: str) -> None:
    """A table stands apart from the text around it, wherever its reference stands in that."""
    frame = pd.DataFrame({"x": [1]})
    table = bind_text("$frame", {"frame": frame})
    expected = f"sum of $x?\n\n{table}" + (f"\n\n{after.strip()}" if after else "")
    assert bind_text(f"{before.replace('$', '$$')}${{frame}}{after}", {"frame": frame}) == expected


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_binding_a_prompt(text: str, expected: str) -> None:
    """In a prompt a value is what an agent reads best: a table as Markdown, an object as JSON; it is looked at once."""
    names = {"n": 3, "text": "a $n b", "object": {"a": [1, None]}, "frame": pd.DataFrame({"x": ["a|b"]})}
    assert bind_text(text, names) == expected


@pytest.mark.parametrize(("text", "message", "excerpt"), TEXT_MISTAKES)
def test_binding_mistakes_in_a_prompt(text: str, message: str, excerpt: str) -> None:
    """What can't be put in is named, with its place."""
    with pytest.raises(CommandError, match=message) as caught:
        bind_text(text, {"missing": 1})
    assert excerpt in caught.value.excerpt


def test_a_large_frame_in_a_prompt() -> None:
    """A large DataFrame is a bounded table that says its shape and how much of it is shown."""
    bound = bind_text("$frame", {"frame": pd.DataFrame({"x": range(10_000)})})
    assert bound.endswith("[10,000 rows x 1 columns; the first 100 rows are shown: ask for less, or for a summary]")
    assert len(bound) < 2_000
