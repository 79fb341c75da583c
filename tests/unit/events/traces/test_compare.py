"""Two traces side by side."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from gateway_nb.events.traces.compare import TraceDiff
from tests.helpers.runs import agent, log_of, tool, whole_run


def compared() -> TraceDiff:
    *most, finishing, nothing, end, final = whole_run("b")
    for payload in most:
        if payload.get("stream") == "tool" and payload["data"]["phase"] == "start":
            payload["data"]["args"] = {"path": "other"}
    more = tool("b", 1230, 1280, "more", "write")
    log = log_of([*whole_run("a"), *most, *more, finishing, nothing, end, final])
    return log.trace("a").diff(log.trace("b"))


def test_a_frame() -> None:
    """Steps are in pairs by their place in the tree, kind and name; arguments and tokens tell what has changed."""
    frame = compared().df
    assert frame["change"].tolist() == ["same", "same", "changed", "same", "only there"]
    assert frame["name"].tolist() == ["agent main", "mock-1", "read", "mock-1", "write"]
    assert frame["arguments"].tolist()[2] is False
    assert frame["arguments"].isna().tolist() == [True, True, False, True, True]
    assert frame["other_seconds"].tolist()[-1] == pytest.approx(0.05)
    assert {str(frame[name].dtype) for name in ("input_tokens", "other_output_tokens", "depth")} == {"Int64"}


def test_itself() -> None:
    """A trace is the same as itself, and a run without anything is compared, too."""
    trace = log_of(whole_run()).trace("r")
    assert set(trace.diff(trace).df["change"]) == {"same"}
    empty = log_of([agent("e", 0, "lifecycle", phase="start")]).trace("e")
    assert empty.diff(trace).df["change"].tolist() == ["changed", *["only there"] * 3]


def test_a_picture() -> None:
    """A notebook shows a row for each step, with a bar for each side, as SVG and as text."""
    bundle = compared()._repr_mimebundle_()
    rows = ElementTree.fromstring(bundle["image/svg+xml"]).findall("{http://www.w3.org/2000/svg}g")
    assert [len(row.findall("{http://www.w3.org/2000/svg}rect")) for row in rows] == [2, 2, 2, 2, 1]
    assert "≠ read" in bundle["text/plain"]
    assert "3 same, 1 changed, 1 only there" in bundle["text/plain"]


@pytest.mark.long
def test_long_traces() -> None:
    """Traces of thousands of spans are compared in their order, in seconds."""
    log = log_of([*whole_run("a", calls=1500), *whole_run("b", calls=1400)])
    assert len(log.trace("a").diff(log.trace("b")).df) == 3002
