"""Pictures of events: valid SVG, whatever the events say."""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.events.log import EventLog
from gateway_nb.events.plots import _counts
from gateway_nb.protocol.frames import encode

HOSTILE = "<script>alert('x')</script>&\"]]>"
PLOTS = ("rate", "timeline", "latency")


def log_of_a_run(name: str = "tick", tool: str = "look", session: str = "s") -> EventLog:
    log = EventLog()

    def agent(second: float, stream: str, **data: Any) -> None:
        payload = {"runId": "r", "sessionKey": session, "stream": stream, "data": data}
        log.extend([Event(1.7e9 + second, 1, "agent", None, msgspec.Raw(encode(payload)))])

    agent(0, "lifecycle", phase="start")
    agent(1, "tool", phase="start", toolCallId="t", name=tool)
    agent(2, "tool", phase="result", toolCallId="t", name=tool)
    agent(2.5, "assistant", delta="x")
    agent(3, "lifecycle", phase="end")
    log.extend([Event(1.7e9 + 4, 1, name, None, msgspec.Raw(b"{}"))])
    return log


def texts(svg: str) -> list[str]:
    """Every text of a picture; fails if it is no XML, or holds anything that could be run or fetched."""
    root = ElementTree.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a", "iframe"}
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


@pytest.mark.long
@pytest.mark.parametrize("plot", PLOTS)
def test_an_empty_log(plot: str) -> None:
    """Without events there is an empty picture, and no error."""
    drawn = getattr(EventLog().plot, plot)()
    assert texts(drawn.svg)
    bundle = drawn._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "image/png", "text/plain"}
    assert b64decode(bundle["image/png"]).startswith(b"\x89PNG")


@pytest.mark.long
@pytest.mark.parametrize(("plot", "shown"), [("rate", "tick"), ("timeline", "r s"), ("latency", "first token")])
def test_what_is_drawn(plot: str, shown: str) -> None:
    """Names of events, runs and what was measured stand in the picture."""
    assert shown in texts(getattr(log_of_a_run().plot, plot)().svg)


@pytest.mark.parametrize(
    ("plot", "title"),
    [
        ("rate", "<Plot 6 events, per 50ms>"),
        ("timeline", "<Plot runs: 1, tool calls: 1>"),
        ("latency", "<Plot runs: 1>"),
    ],
)
def test_titles(plot: str, title: str) -> None:
    """The text form says what a picture shows, the same each time."""
    assert repr(getattr(log_of_a_run().plot, plot)()) == title


@pytest.mark.long
@pytest.mark.parametrize("plot", PLOTS)
def test_hostile_text(plot: str) -> None:
    """What an event says is text in the picture, never markup."""
    texts(getattr(log_of_a_run(HOSTILE, HOSTILE, HOSTILE).plot, plot)().svg)


@pytest.mark.long
def test_hostile_names_are_shown_as_they_are() -> None:
    """A name with markup in it is read as it came."""
    assert HOSTILE in texts(log_of_a_run(HOSTILE).plot.rate().svg)


@pytest.mark.long
@pytest.mark.parametrize("plot", ["rate", "timeline"])
def test_secrets_in_names(plot: str) -> None:
    """A picture, which is saved in the notebook, and its data hold no secret of a connection."""
    secret = "secret-token-1234"
    redactor = Redactor([secret])
    drawn = getattr(log_of_a_run(f"e.{secret}", secret, f"s {secret}").plot, plot)()
    assert redactor.text(str(drawn.chart.to_dict())) == str(drawn.chart.to_dict())
    assert secret not in drawn.svg
    assert "[secret]" in drawn.svg


def test_counts() -> None:
    """Events are counted per bar and name; rare names beyond nine are counted together."""
    log = EventLog()
    for number in range(12):
        for _ in range(20 - number):
            log.extend([Event(1.7e9 + number / 100, 1, f"e{number:02}", None)])
    counts = _counts(log.df, "1s")
    assert dict(zip(counts["event"], counts["events"], strict=True)) == {
        **{f"e{number:02}": 20 - number for number in range(9)},
        "other": 11 + 10 + 9,
    }
    assert set(counts["until"] - counts["time"]) == {1000.0}


@pytest.mark.long
@pytest.mark.parametrize(
    ("seconds", "per", "first_label", "labels"),
    [
        (0, "1ms", "13:20.000", 1),
        (0.0004, "1ms", "13:20.000", 1),
        (0.4, "5ms", "13:20.000", 9),
        (4, "50ms", "13:20.000", 9),
        (90, "1s", "22:13:30", 6),
        (5400, "1min", "11-14 22:15", 6),
        (1e6, "6h", "2023-11-15", 6),
        (3e8, "29D", "2024-10-14", 8),
    ],
)
def test_labels(seconds: float, per: str, first_label: str, labels: int) -> None:
    """From less than a millisecond to ten years, a time axis has a few labels, each another."""
    log = EventLog()
    log.extend([Event(1.7e9 + seconds * part / 10, 1, "tick", None) for part in range(11)])
    plot = log.plot.rate()
    found = [text for text in texts(plot.svg) if re.fullmatch(r"[\d: -]+[:-][\d.: -]+", text)]
    assert (repr(plot), found[0], len(set(found))) == (f"<Plot 11 events, per {per}>", first_label, labels)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Altair the error says what to install."""
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(ImportError, match=r"pip install 'gateway-nb\[plot\]'"):
        log_of_a_run().plot.rate()


@pytest.mark.parametrize("every", ["banana", "", "-1s", "0s", 5, "1x"])
def test_a_width_that_is_none(every: Any) -> None:
    """A width that pandas does not know is a ValueError that says how to write one."""
    with pytest.raises(ValueError, match="every must be a width like '1s', '5min' or '1h', not "):
        EventLog().plot.rate(every=every)


@pytest.mark.long
def test_either_theme() -> None:
    """A picture has no background, and its texts are readable on that of a light and of a dark notebook."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for plot in ("rate", "timeline", "latency"):
        root = ElementTree.fromstring(getattr(log_of_a_run().plot, plot)().svg)
        inks = {node.attrib["fill"] for node in root.iter() if node.tag.endswith("text")}
        assert len(inks) == 1
        for background in ("#ffffff", "#111111"):
            dark, bright = sorted((light(inks.copy().pop()), light(background)))
            assert (bright + 0.05) / (dark + 0.05) > 4
        width, height = root.attrib["width"], root.attrib["height"]
        whole = [node for node in root.iter() if (node.get("width"), node.get("height")) == (width, height)]
        assert {node.get("fill", "none") for node in whole if node is not root} <= {"none", "transparent"}
