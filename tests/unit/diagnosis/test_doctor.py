"""What the doctor says, without a network: packages, kernels, clocks, and how a report looks."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from gateway_nb.diagnosis import computer
from gateway_nb.diagnosis.reach import SKEW_LIMIT, clock
from gateway_nb.diagnosis.report import Finding, Report, failed
from gateway_nb.errors import GatewayConnectError


@pytest.mark.parametrize(
    ("requirements", "found"),
    [
        (["click>=8.1"], [("packages", "ok", "all 1 are installed")]),
        (["click"], [("packages", "ok", "all 1 are installed")]),
        (["click>=999.1"], [("packages", "fail", "is older than 999.1")]),
        (["no-such-package>=1"], [("packages", "fail", "no-such-package is missing")]),
        (["click>=8", "no-such>=1; extra == 'plot'"], [("packages", "ok", "1"), ("extra plot", "skip", "no-such")]),
        (["click>=8", "click>=8 ; extra == 'plot'"], [("packages", "ok", "1")]),
        (["click>=8", "no-such>=1; extra == 'test'"], [("packages", "ok", "1")]),
        ([], [("packages", "warn", "not installed")]),
    ],
)
def test_packages(requirements: list[str], found: list[tuple[str, str, str]]) -> None:
    """A package that is missing or too old is named, and so is an extra that is not complete."""
    findings = list(computer.packages(requirements))
    assert [(one.check, one.verdict) for one in findings] == [expected[:2] for expected in found]
    for finding, (_, _, text) in zip(findings, found, strict=True):
        assert text in finding.detail


@pytest.mark.parametrize("requirement", metadata.distribution("gateway-nb").requires)
def test_our_own_requirements_are_understood(requirement: str) -> None:
    """Every requirement of this distribution has a lower bound that the doctor reads."""
    parts = computer._REQUIREMENT.match(requirement)
    assert parts is not None
    assert (parts["least"] is not None) == (">=" in requirement)
    assert (parts["extra"] is not None) == ("extra" in requirement)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("7.4.0", "handled after a busy cell, but at once during an await"),
        ("7.3.1", "a thread of its own"),
        ("6.29.5", "handled after a busy cell"),
    ],
)
def test_kernel(version: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each generation of ipykernel has its own way with a click during a busy cell."""
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert says in computer.kernel().detail


@pytest.mark.parametrize(
    ("seconds", "verdict", "says"),
    [
        (0, "ok", "within 0.001 s"),
        (SKEW_LIMIT - 1, "ok", "within"),
        (45, "warn", "45 s ahead of"),
        (-90, "warn", "1.5 min behind"),
        (3600, "warn", "1.0 h ahead of"),
        (-86400 * 3, "warn", "3.0 days behind"),
    ],
)
def test_clock(seconds: float, verdict: str, says: str) -> None:
    """A clock that is off is told of with its side, in a unit that suits."""
    finding = clock(1_000_000_000_000, 1_000_000_000 + seconds)
    assert finding.verdict == verdict
    assert says in finding.detail


def test_a_gateway_without_a_clock() -> None:
    """A challenge without a time is no fault."""
    assert clock(None, 0.0).verdict == "ok"


def test_advice() -> None:
    """An error's advice becomes the finding's; behind a gateway's own words only the last part is ours."""
    ours = failed("tcp", GatewayConnectError("nothing there; start it; or not"), "-")
    assert (ours.detail, ours.advice) == ("nothing there", "start it; or not")
    theirs = failed("sign-in", GatewayConnectError("it said: no; never; pass token=", method="connect"), "-")
    assert (theirs.detail, theirs.advice) == ("it said: no; never", "pass token=")
    assert failed("tcp", "nothing", "look").advice == "look"


def test_looks() -> None:
    """A report is text, HTML with everything escaped, JSON, and coloured only where asked for."""
    report = Report((Finding("a", "ok", "fine"), Finding("b", "fail", "<script>", "do & be")))
    assert repr(report) == "✓ a  fine\n✗ b  <script>\n     → do & be\nwrong: b"
    assert "&lt;script&gt;" in report._repr_html_()
    assert "do &amp; be" in report._repr_html_()
    assert json.loads(report.to_json())["findings"][1]["advice"] == "do & be"
    assert not report.ok
    assert "\x1b" not in repr(report)
    assert "\x1b[31m✗\x1b[0m" in "\n".join(report.lines(colour=True))
