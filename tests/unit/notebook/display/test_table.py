"""Lists of objects as tables for people."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway_nb.errors import printable
from gateway_nb.notebook.display.table import Column, Table, fields, line

WHEN = 1_700_000_000_000


def session(number: int, **more: Any) -> dict[str, Any]:
    """A row as the real gateway lists sessions: much that is the same, and little that tells them apart."""
    return {
        "visibility": "shared",
        "createdAt": WHEN + number,
        "sessionId": f"d975c4da-01d7-4fe3-b604-{number:012d}",
        "participants": [{"id": number}],
        "totalTokens": number * 1000,
        "label": f"Work item {number}",
        "displayName": f"Work item {number}",
        "activeRunIds": [],
        "updatedAt": WHEN + number * 1_000_000,
        "model": "mock-1",
        "note": None,
        "key": f"agent:main:{number}",
        **more,
    }


SESSIONS = Table([session(number) for number in range(27)])


def test_columns_by_worth() -> None:
    """What a person looks for comes first; ids that say nothing and nested values come last."""
    assert [column.name for column in SESSIONS.columns] == [
        "key", "label", "displayName", "updatedAt", "totalTokens", "createdAt", "sessionId", "participants",
    ]  # fmt: skip
    assert [column.name for column in SESSIONS.constant] == ["model", "visibility"]
    assert SESSIONS.empty == ["activeRunIds", "note"]


def test_what_fits() -> None:
    """Columns go side by side as far as the width reaches; a label that repeats another is not among them."""
    assert [column.name for column, _ in SESSIONS.fitting(70)] == ["key", "label", "updatedAt", "totalTokens"]
    assert [column.name for column, _ in SESSIONS.fitting(1)] == ["key"]


def test_in_a_terminal() -> None:
    """A terminal is shown rows that fit, and in words what is left out and what all rows have in common."""
    shown = SESSIONS.text(70).splitlines()
    assert all(len(row) <= 70 for row in shown[:21])
    assert shown[0].split() == ["key", "label", "updatedAt", "totalTokens"]
    assert shown[1].split() == ["agent:main:0", "Work", "item", "0", "2023-11-14", "22:13:20", "0"]
    assert shown[-2] == "… of all 27 rows (20 shown), 8 columns (4 shown); -f df -o NAME keeps all"
    assert shown[-1] == "the same in every row: model mock-1 · visibility shared"


def test_everything_is_a_click_away() -> None:
    """The page holds every value without a script: what varies, what is the same, and names of what is empty."""
    page = SESSIONS.html()
    assert page.count("<details>") == 3
    assert "all 27 rows (20 shown), 8 columns (5 shown)" in page
    for text in (
        "agent:main:26",
        "d975c4da-01d7-4fe3-b604-000000000026",
        "[{&quot;id&quot;:26}]",
        "activeRunIds, note",
    ):
        assert text in page
    assert "<script" not in page


@pytest.mark.long
def test_what_is_left_out_is_counted() -> None:
    """Of a list without end the page holds a part, and says how much."""
    page = Table([session(number) for number in range(10_000)]).html()
    assert "the first 250 of them here, -o NAME keeps all" in page
    assert len(page) < 150_000


def test_a_single_row() -> None:
    """One object is shown as its fields, one below the other."""
    table = Table([session(1)])
    assert table.text(80).splitlines()[:2] == ["key: agent:main:1", "label: Work item 1"]
    assert "<tr><th>key</th><td>agent:main:1</td></tr>" in table.html()


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("updatedAt", [WHEN, None], "time"),
        ("durationMs", [WHEN], "number"),
        ("ts", [5], "number"),
        ("n", [1, 2.5, None], "number"),
        ("n", [True, False], "text"),
        ("n", [1, "x"], "text"),
        ("n", [{}, None], "nested"),
        ("n", [], "text"),
    ],
)
def test_kinds(name: str, values: list[Any], kind: str) -> None:
    """A number is a time if its name says so and it can be one."""
    assert Column(name, values).kind == kind


def test_cells_are_cut() -> None:
    """A long cell ends with an ellipsis, however long it is; line breaks and escapes do not get out of it."""
    values = [
        "x" * 1_000_000,
        "a\nb\x1b[31m",
        {"deep": ["x" * 100]},
        None,
        1.5,
        False,
        "y" * 20 + " z",
        " " * 1000 + "w",
    ]
    texts = Column("text", values).texts(20)
    cut = ["x" * 19 + "…", "a b [31m", '{"deep":["xxxxxxxxx…', "", "1.5", "false", "y" * 19 + "…", "…"]
    assert texts == cut


def test_hostile_names_and_cells() -> None:
    """Names and values of fields are escaped in a page, and printable in a terminal."""
    rows = [{"<b>\x1b[31m": "<script>", "n": number, "same\u202e": "\x9b"} for number in range(3)]
    table = Table(rows)
    assert "<script" not in table.html()
    assert "<b>" not in table.html()
    assert printable(table.text(80)) == table.text(80)


def test_fields() -> None:
    """The plain values beside a list are a line, `ok` first; null and nested ones are not in it."""
    payload = {"ts": WHEN, "plugins": {}, "durationMs": 5, "ok": True, "next": None}
    assert fields(payload) == "ok: true · durationMs: 5 · ts: 2023-11-14 22:13:20"


def test_a_line() -> None:
    """A line holds what fits, and counts the rest."""
    assert line(["aaaa", "bbbb", "cccc"], 12) == "aaaa · 2 more"
    assert re.fullmatch(r"x{600}|x{599}…", line(["x" * 10_000], 10))
