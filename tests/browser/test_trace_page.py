"""A trace on a bare page: hover, click, keyboard, search, zoom, and that it grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_nb.events.log import EventLog
from gateway_nb.notebook.widgets.trace_view import TraceView
from tests.helpers.runs import events_of, log_of, tool, whole_run
from tests.helpers.stub import Stub, stub

HOSTILE = "<img src=x onerror=alert(1)>"
WHOLE = list(whole_run(calls=3))
CALL = list(tool("r", 2600, 2700, "bad", HOSTILE, text=f"{HOSTILE}\u202eevil", isError=True))


@pytest.fixture
def log() -> EventLog:
    """A run that has not ended: four model calls, three tool calls, and one that failed."""
    return log_of([*WHOLE[:-8], *CALL])


@pytest.fixture
def shown(browser: Any, log: EventLog, tmp_path: Path) -> Iterator[Stub]:
    folder = tmp_path / "page"
    folder.mkdir()
    with stub(browser, TraceView(log.trace("r")), folder) as page:
        page.open()
        page.until("document.querySelectorAll('[role=treeitem]').length === 8")
        yield page


def selected(shown: Stub) -> str:
    (row,) = shown.page.locator("[aria-selected=true] .gnb-step").all_inner_texts()
    tree = shown.page.get_by_role("tree")
    assert tree.get_attribute("aria-activedescendant") == shown.page.locator("[aria-selected=true]").get_attribute("id")
    return str(row)


def fact(shown: Stub, name: str) -> str:
    return str(shown.page.locator(f".gnb-details dt:text-is('{name}') + dd").inner_text())


def bar(shown: Stub, number: int) -> dict[str, float]:
    """Return where a row's bar is, and how wide, as parts of what is in sight."""
    lane = shown.page.locator("[role=treeitem] .gnb-lane").nth(number).bounding_box()
    box = shown.page.locator("[role=treeitem] .gnb-span").nth(number).bounding_box()
    return {"left": (box["x"] - lane["x"]) / lane["width"], "width": box["width"] / lane["width"]}


def test_bars_to_scale(shown: Stub) -> None:
    """Bars lie where their times are; a row says on hover, and to a screen reader, what it is and what is wrong."""
    for number, left, width in ((1, 0.1, 0.1), (2, 0.3, 0.2), (7, 2.6, 0.1)):
        assert bar(shown, number)["left"] == pytest.approx(left / 2.7, abs=0.01)
        assert bar(shown, number)["width"] == pytest.approx(width / 2.7, abs=0.01)
    row = shown.page.get_by_role("treeitem", name=f"✕ {HOSTILE}, tool error · 100 ms")
    assert row.get_attribute("aria-level") == "3"
    assert row.get_attribute("title") == f"✕ {HOSTILE}\ntool error · 100 ms"
    ticks = shown.page.locator(".gnb-times .gnb-tick").all_inner_texts()
    assert ticks == ["0 s", "1 s", "2 s"]
    assert shown.page.locator("img").count() == 0


def test_a_click(shown: Stub) -> None:
    """A click opens everything that is known of a span, as text; another one that of the next; a button closes it."""
    page = shown.page
    page.get_by_role("treeitem", name=HOSTILE).click()
    shown.until("!document.querySelector('.gnb-details').hidden")
    assert fact(shown, "tool_call") == "bad"
    assert f'"text": "{HOSTILE}\\u202eevil"' in fact(shown, "result")
    page.get_by_role("treeitem").first.click()
    shown.until("document.querySelector('.gnb-details h4').textContent === 'agent main'")
    page.get_by_role("button", name="Close the details").click()
    assert page.locator(".gnb-details").is_hidden()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "tree"
    page.keyboard.press("Enter")
    shown.until("!document.querySelector('.gnb-details').hidden")
    page.get_by_role("button", name="Close the details").press("Escape")
    assert page.locator(".gnb-details").is_hidden()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "tree"
    assert page.locator("img").count() == 0


def test_keys(shown: Stub) -> None:
    """All of it is reached by keys: rows, the tree's levels, details, zoom, and the search."""
    page = shown.page
    page.get_by_role("tree").focus()
    keys = page.keyboard
    for key, name in (
        ("ArrowDown", "… ⚠ agent main"),
        ("ArrowRight", "mock-1"),
        ("ArrowRight", "read"),
        ("ArrowRight", "read"),
        ("ArrowLeft", "mock-1"),
        ("ArrowLeft", "… ⚠ agent main"),
        ("End", f"✕ {HOSTILE}"),
        ("PageUp", "… ⚠ agent main"),
        ("PageDown", f"✕ {HOSTILE}"),
        ("Home", "… ⚠ agent main"),
        ("ArrowUp", "… ⚠ agent main"),
        ("ArrowDown", "mock-1"),
        ("ArrowDown", "read"),
    ):
        keys.press(key)
        assert selected(shown) == name
    keys.press("Enter")
    shown.until("!document.querySelector('.gnb-details').hidden")
    assert fact(shown, "tool_call") == "call_1"
    keys.press("ArrowUp")  # details follow
    shown.until("document.querySelector('.gnb-details h4').textContent === 'mock-1'")
    keys.press("Escape")
    assert page.locator(".gnb-details").is_hidden()
    keys.press("/")
    assert page.evaluate("document.activeElement === document.querySelector('input[type=search]')")
    keys.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "tree"


def test_zoom(shown: Stub) -> None:
    """Keys, buttons and the wheel zoom around what is selected or pointed at; the ticks say what is in sight."""
    page = shown.page
    before = bar(shown, 2)
    page.get_by_role("treeitem").nth(2).click()
    page.get_by_role("tree").focus()
    page.keyboard.press("+")
    page.get_by_role("button", name="Zoom in").click()
    assert bar(shown, 2)["width"] == pytest.approx(4 * before["width"], rel=0.02)
    assert page.locator(".gnb-times .gnb-tick").all_inner_texts() == ["400 ms", "600 ms", "800 ms"]
    page.get_by_role("tree").focus()
    at = bar(shown, 2)["left"]
    page.keyboard.press("Shift+ArrowRight")
    assert bar(shown, 2)["left"] == pytest.approx(at - 0.25, abs=0.01)
    page.keyboard.press("End")  # what is selected comes in sight
    assert 0 <= bar(shown, 7)["left"] < 1
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert bar(shown, 2) == pytest.approx(before, abs=0.01)
    assert page.get_by_role("button", name="Show all of the time").is_disabled()
    lane = page.locator("[role=treeitem] .gnb-lane").nth(7).bounding_box()
    page.mouse.move(lane["x"] + lane["width"] * 2.65 / 2.7, lane["y"] + 5)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    shown.until("!document.querySelector('[aria-label=\"Zoom out\"]').disabled")
    assert bar(shown, 7)["left"] + bar(shown, 7)["width"] / 2 == pytest.approx(2.65 / 2.7, abs=0.01)


def test_search(shown: Stub) -> None:
    """What is searched for leaves its spans and those above them; emptied, all are there again."""
    page = shown.page
    find = page.get_by_label("Find spans")
    find.fill("onerror")
    shown.until("document.querySelectorAll('[role=treeitem]').length === 3")
    assert "1 of 8 spans contain it" in shown.text(".gnb-note")
    assert page.locator(".gnb-faint .gnb-step").all_inner_texts() == ["… ⚠ agent main", "mock-1"]
    find.press("Escape")
    shown.until("document.querySelectorAll('[role=treeitem]').length === 8")


def test_it_grows(shown: Stub, log: EventLog) -> None:
    """While the run goes on rows come, what is selected, opened and zoomed stays; at its end it says so."""
    page = shown.page
    assert "live" in shown.text(".gnb-note")
    page.get_by_role("treeitem", name=HOSTILE).click()
    shown.until("!document.querySelector('.gnb-details').hidden")
    page.get_by_role("tree").focus()
    page.keyboard.press("+")
    width = bar(shown, 2)["width"]
    log.extend(events_of(WHOLE[-8:]))
    shown.until("document.querySelectorAll('[role=treeitem]').length === 9")
    assert "Trace of run r: ok, 3.32 s, 9 spans" in shown.text(".gnb-title")
    assert selected(shown) == f"✕ {HOSTILE}"
    assert bar(shown, 2)["width"] == pytest.approx(width, abs=0.01)
    assert fact(shown, "tool_call") == "bad"
    assert "live" not in shown.text(".gnb-note")


def test_another_trace(shown: Stub) -> None:
    """Another trace takes the place of the first, and begins as one does."""
    shown.page.get_by_role("treeitem").nth(2).click()
    shown.until("!document.querySelector('.gnb-details').hidden")
    shown.widget.show(log_of(whole_run("other")).trace("other"))
    shown.until("document.querySelectorAll('[role=treeitem]').length === 4")
    assert shown.page.locator(".gnb-details").is_hidden()
    assert shown.page.locator("[aria-selected=true]").count() == 0


@pytest.mark.parametrize("light", [True, False])
def test_contrast(browser: Any, log: EventLog, tmp_path: Path, light: bool) -> None:
    """Bars stand out from the page by 3 : 1 in either theme, and more than colour tells a failure and a missing end."""
    folder = tmp_path / "page"
    folder.mkdir()
    rules = {"textContent": "" if light else _DARK}
    with stub(browser, TraceView(log.trace("r")), folder, light=light) as shown:
        shown.page.evaluate(_ADD_STYLE, rules)
        shown.open()
        shown.until("document.querySelectorAll('[role=treeitem]').length === 8")
        (tmp_path / "trace.png").write_bytes(shown.page.screenshot())
        colours = shown.page.locator(".gnb-legend .gnb-span").evaluate_all(
            "bars => bars.slice(0, 3).map((bar) => getComputedStyle(bar).backgroundColor)"
        )
        paper = (255, 255, 255) if light else (17, 17, 17)
        for colour in colours:
            rgb = tuple(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
            assert contrast(rgb, paper) >= 3, colour
        assert shown.page.locator(".gnb-failed").last.evaluate("bar => getComputedStyle(bar).borderWidth") == "2px"


_ADD_STYLE = "rules => document.head.append(Object.assign(document.createElement('style'), rules))"
_DARK = (
    ":root { --jp-ui-font-color1: #fff; --jp-ui-font-color2: #bdbdbd; --jp-layout-color0: #111;"
    " --jp-layout-color2: #424242; --jp-border-color1: #616161; --jp-brand-color1: #90caf9; } body { background: #111 }"
)


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return the ratio of two colours' luminances, as the Web Content Accessibility Guidelines have it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb: tuple[int, ...]) -> float:
    parts = [value / 255 for value in rgb]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
