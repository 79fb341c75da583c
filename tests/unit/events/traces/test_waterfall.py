"""The picture of a trace: what it shows, that nothing in it acts, and its size."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway_nb.events.traces.waterfall import COLOURS, MAX_BYTES, bounds, duration
from tests.helpers.runs import agent, log_of, tool, whole_run

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    "</text><image href='http://x/y'/>",
    "\u202egnp.exe",
    "\x00\x1b[31m\x07",
    "\ufffe\uffff&&&",
    "n" * 10_000,
    "a\nb",
]


def picture(trace: Any) -> ElementTree.Element:
    return ElementTree.fromstring(trace.svg)


def test_a_picture() -> None:
    """Each span is a row with its name, a bar to scale and what it took; a notebook has it as SVG and as text."""
    trace = log_of(whole_run()).trace("r")
    rows = picture(trace).findall(f"{SVG}g")
    assert [row.findtext(f"{SVG}text") for row in rows] == ["agent main", "mock-1", "read", "mock-1"]
    bars = [row.find(f"{SVG}rect") for row in rows]
    widths = [float(bar.attrib["width"]) for bar in bars if bar is not None]
    assert widths[1] / widths[0] == pytest.approx(0.1 / 1.32, rel=0.02)
    assert bars[0] is not None
    assert (bars[0].attrib["x"], bars[0].attrib["width"]) == ("290.0", "378.0")  # between the tree and the figures
    bundle = trace._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert re.search(r"^agent main +1\.32 s  █{30}$", bundle["text/plain"], re.MULTILINE)
    assert "5 output tokens" in trace.svg
    legend = [text.text for text in picture(trace).findall(f"{SVG}text")]
    assert legend[1:6] == ["run", "model", "tool", "error", "no end"]
    assert picture(trace).attrib["aria-label"] == legend[0] == "Trace of run r: ok, 1.32 s, 4 spans"


def test_without_styles() -> None:
    """Every bar has its colour in an attribute of its own: a site that takes styles away shows the same picture."""
    rects = list(picture(log_of(whole_run()).trace("r")).iter(f"{SVG}rect"))
    assert {rect.attrib["fill"] for rect in rects} == set(COLOURS.values())
    assert not [rect for rect in rects if {"class", "style"} & set(rect.attrib)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    """Whatever a tool is called, the picture is well-formed, and has no element or address that the name brought."""
    trace = log_of([agent("r", 0, "lifecycle", phase="start"), *tool("r", 1, 5, "c", name)]).trace("r")
    kinds = {element.tag.removeprefix(SVG) for element in picture(trace).iter()}
    assert kinds <= {"svg", "text", "rect", "line", "g", "title"}
    assert all("href" not in element.attrib for element in picture(trace).iter())
    assert len(trace.text.splitlines()) == 3
    assert not set(trace.text + trace.svg) & set("\u202e\x00\x1b\x07")


def test_long_texts_are_cut() -> None:
    """A title has 160 characters, a name 34; the last of a cut one says so."""
    trace = log_of([agent("r" * 900, 0, "lifecycle", phase="start"), *tool("r" * 900, 1, 5, "c", "n" * 34)]).trace(
        "r" * 900
    )
    texts = [text.text or "" for text in picture(trace).iter(f"{SVG}text")]
    assert (len(texts[0]), texts[0][-1]) == (160, "…")
    assert "n" * 34 in texts
    cut = log_of([agent("r", 0, "lifecycle", phase="start"), *tool("r", 1, 5, "c", "n" * 35)]).trace("r")
    assert f"{'n' * 33}…" in [text.text for text in picture(cut).iter(f"{SVG}text")]


def test_what_is_wrong_is_seen() -> None:
    """A failed call, a span without an end and one with a problem are marked by more than a colour."""
    payloads = [*list(whole_run())[:3], *tool("r", 300, 400, "c", isError=True), "reconnect"]
    trace = log_of(payloads).trace("r")
    rows = picture(trace).findall(f"{SVG}g")
    assert [row.findtext(f"{SVG}text") for row in rows] == ["? ⚠ agent main", "mock-1", "✕ read"]
    bar = rows[0].find(f"{SVG}rect")
    assert bar is not None
    assert bar.attrib["stroke-dasharray"] == "3"
    failed = rows[2].find(f"{SVG}rect")
    assert failed is not None
    assert failed.attrib["stroke"] == "#d9534f"


@pytest.mark.parametrize("calls", [499, 2500])
def test_size(calls: int) -> None:
    """A picture of 1,000 spans has at most 300 KB, and one of more says what it does not show."""
    trace = log_of(whole_run(calls=calls)).trace("r")
    assert len(trace.svg.encode()) <= 300_000 <= MAX_BYTES + 10_000
    shown = len(picture(trace).findall(f"{SVG}g"))
    assert (shown == len(trace)) == ("further spans" not in trace.svg) == (calls == 499)
    assert len(trace.text.splitlines()) <= 202


@pytest.mark.parametrize(
    ("milliseconds", "ticks"),
    [
        (0, []),
        (1, ["0 s", "0.0005 s", "0.001 s"]),
        (4, ["0 s", "0.001 s", "0.002 s", "0.003 s", "0.004 s"]),
        (1000, ["0 s", "0.5 s", "1 s"]),
        (1320, ["0 s", "0.5 s", "1 s"]),
        (8100, ["0 s", "5 s"]),
        (40_000, ["0 s", "10 s", "20 s", "30 s", "40 s"]),
    ],
)
def test_ticks(milliseconds: int, ticks: list[str]) -> None:
    """The axis has round numbers of seconds, at most five of them."""
    ends = [agent("r", 0, "lifecycle", 0, phase="start"), agent("r", milliseconds, "lifecycle", 1, phase="end")]
    texts = [text.text or "" for text in picture(log_of(ends).trace("r")).findall(f"{SVG}text")]
    assert texts[6:] == ticks


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0 ms"),
        (0.0004, "0 ms"),
        (0.25, "250 ms"),
        (1.0, "1.00 s"),
        (61.5, "61.50 s"),
        (3600, "3,600.00 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """A short time is in milliseconds, a longer one in seconds; one that is not known is nothing."""
    assert duration(seconds) == text


def test_no_times() -> None:
    """A trace of which no time is known has a picture: an instant at its beginning."""
    assert bounds([]) == (0, 0)
    trace = log_of([agent("r", 5, "thinking", text="x")]).trace("r")
    assert trace.tree[0].start is trace.tree[0].end is None
    assert "agent main" in trace.text
    assert len(picture(trace).findall(f"{SVG}g")) == 1


@pytest.mark.parametrize("seconds", [0, 1, 20, 3_600_000, 10**12])
def test_any_length(seconds: int) -> None:
    """A trace of no time, of an hour or of years has a picture with few ticks."""
    ends = [agent("r", 0, "lifecycle", 0, phase="start"), agent("r", seconds, "lifecycle", 1, phase="end")]
    assert len(picture(log_of(ends).trace("r")).findall(f"{SVG}line")) <= 12
