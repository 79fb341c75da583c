"""Paths into payloads: one notion of them for tables, frames and magics."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.events.paths import follow, paths_in, pointer, steps_of, value_at


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("runId", ["runId"]),
        ("data.phase", ["data", "phase"]),
        ("$.data.phase", ["data", "phase"]),
        ("data.items[0].name", ["data", "items", "0", "name"]),
        ("$.a[0][1]", ["a", "0", "1"]),
        ("$[0].a", ["0", "a"]),
        ("a.0", ["a", "0"]),
        ('$["a.b"].c', ["a.b", "c"]),
        ('a["say \\"x\\""]', ["a", 'say "x"']),
        ("/data/items/0", ["data", "items", "0"]),
        ("/a~1b/m~0n", ["a/b", "m~n"]),
        ("/a//b", ["a", "", "b"]),
        ("a/b", ["a/b"]),
        ("$price", ["$price"]),
        ("with blank.b", ["with blank", "b"]),
    ],
)
def test_steps(path: str, steps: list[str]) -> None:
    """Dots, indices, a dollar in front and JSON pointers lead to the same names."""
    assert steps_of(path) == steps


@pytest.mark.parametrize(
    "path", ["", " ", ".", "/", "$", "$.", "...", "a..b", "a.", "a[", "a[x]", "a[0]b", "[]", None, 5]
)
def test_no_paths(path: Any) -> None:
    """What is no path is refused with examples of one."""
    with pytest.raises(ValueError, match="a path is a name, names with dots"):
        steps_of(path)


@pytest.mark.parametrize(
    ("steps", "value", "left"),
    [
        (["a", "b"], [1, {"c": None}], []),
        (["a", "b", "1", "c"], None, []),
        (["a", "b", "2"], [1, {"c": None}], ["2"]),
        (["a", "x", "y"], {"b": [1, {"c": None}]}, ["x", "y"]),
        (["a", "b", "0", "d"], 1, ["d"]),
        (["a", "b", "-1"], [1, {"c": None}], ["-1"]),
        ([], {"a": {"b": [1, {"c": None}]}}, []),
    ],
)
def test_follow(steps: list[str], value: Any, left: list[str]) -> None:
    """A path leads to a value, or as far as it does, with the steps that are left."""
    found, rest = follow({"a": {"b": [1, {"c": None}]}}, steps)
    assert (found, list(rest)) == (value, left)


def test_values() -> None:
    """What is null and what is missing have no value."""
    payload = {"a": {"b": 0, "c": None}}
    assert [value_at(payload, steps) for steps in (["a", "b"], ["a", "c"], ["a", "d"], ["b"])] == [0, None, None, None]


@given(st.lists(st.text(), min_size=1))
def test_pointers(steps: list[str]) -> None:
    """A pointer leads back to the steps that it was written of, whatever the names hold."""
    if steps != [""]:
        assert steps_of(pointer(steps)) == steps


@pytest.mark.long
@given(
    st.recursive(
        st.integers(), lambda inner: st.dictionaries(st.text(), inner, min_size=1) | st.lists(inner, min_size=1)
    )
)
def test_paths_in(payload: Any) -> None:
    """Every path that is offered leads to a plain value of the payload, and none is deeper than asked for."""
    for path in paths_in(payload, 3):
        steps = steps_of(path)
        assert len(steps) <= 3
        assert isinstance(value_at(payload, steps), int)


@pytest.mark.parametrize(
    ("depth", "paths"),
    [
        (1, ["plain"]),
        (2, ["plain", "one.a", 'one["b c"]', "list[0]"]),
        (3, ["plain", "one.a", 'one["b c"]', "one.two.deep", "list[0]"]),
        (4, ["plain", "one.a", 'one["b c"]', "one.two.deep", "one.two.three[0]", "list[0]"]),
    ],
)
def test_every_path_is_offered(depth: int, paths: list[str]) -> None:
    """Every plain value has its path, down to the depth that is asked for; of a list the first item has."""
    payload = {
        "plain": 1,
        "one": {"a": None, "b c": 2, "two": {"deep": 3, "three": [4, 5]}},
        "list": [6, 7],
        "none": [],
    }
    assert list(paths_in(payload, depth)) == paths
