"""What a terminal is shown of others' texts: no escape sequence, no C1 control, nothing that turns a line around."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import gateway_nb as gnb
from gateway_nb.capture.detached import Account, DetachedCapture
from gateway_nb.capture.journal import Capture
from gateway_nb.cli.main import main
from gateway_nb.client.event import Event
from gateway_nb.diagnosis.report import Finding, Report
from gateway_nb.errors import GatewayError, PairingRequiredError, one_line, printable
from gateway_nb.events.log import EventLog
from gateway_nb.faces.method_path import MethodPath
from gateway_nb.notebook.display.pairing import PairingCard
from gateway_nb.notebook.widgets.event_table import EventTable
from gateway_nb.protocol.frames import encode

HOSTILE = "a\x1b[31m\x07\x9b2J\x85\u061c\u200e\u200f\u202e\u2066\u2028b"


class Named:
    methods = (HOSTILE,)

    def request(self, *_: object) -> None:
        """Nothing is asked."""


def _log() -> EventLog:
    log = EventLog()
    log.extend([Event(1.0, 1, HOSTILE, 1, msgspec.Raw(encode(HOSTILE)))])
    return log


def _recording(folder: Path) -> gnb.Recording:
    path = folder / f"{HOSTILE}.jsonl"
    Capture(path).stop()
    return gnb.load(path)


VIEWS: dict[str, Callable[[Path], object]] = {
    "event log": lambda folder: _log(),
    "event": lambda folder: Event(1.0, 1, HOSTILE, 1, msgspec.Raw(encode(HOSTILE))),
    "recording": _recording,
    "recording's table": lambda folder: _recording(folder).table(),
    "recording's stats": lambda folder: _recording(folder).stats,
    "log's stats": lambda folder: _log().stats,
    "table": lambda folder: EventTable(_log(), HOSTILE),
    "capture": lambda folder: Capture(folder / HOSTILE, attach=lambda capture: capture.stop),
    "detached capture": lambda folder: DetachedCapture(folder / "1.json", Account(1, HOSTILE, "", 1.0, error=HOSTILE)),
    "method": lambda folder: MethodPath(Named(), HOSTILE),
    "near method": lambda folder: MethodPath(Named(), HOSTILE[:-1]),
    "report": lambda folder: Report((Finding(HOSTILE, "fail", HOSTILE, HOSTILE),)),
    "pairing": lambda folder: PairingCard(PairingRequiredError(HOSTILE)),
}


@pytest.mark.parametrize("view", [pytest.param(view, id=name) for name, view in VIEWS.items()])
def test_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: Callable[[Path], object]) -> None:
    """Whatever shows itself in a terminal shows itself in printable characters."""
    monkeypatch.chdir(tmp_path)
    shown = view(tmp_path)
    assert repr(shown).replace("\n", "").isprintable()
    if isinstance(shown, Capture):
        shown.stop()


@given(st.text(st.characters(), max_size=30))
def test_any_text(text: str) -> None:
    """A text made printable, and an error, can be written to any terminal."""
    for shown in (printable(text).replace("\n", ""), one_line(text), str(GatewayError(text))):
        assert not any(character in HOSTILE[1:-1] and character not in "[31m2J" for character in shown)
        shown.encode()


@pytest.mark.parametrize("arguments", [["call", HOSTILE], ["replay", HOSTILE], ["schema", "show", HOSTILE]])
def test_commands_with_hostile_arguments(arguments: list[str]) -> None:
    """What the command prints of a mistake is printable, whatever the mistake repeats."""
    done = CliRunner().invoke(main, arguments)
    assert done.output
    assert done.output.replace("\n", "").isprintable()


def test_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command prints of an answer is printable, and stays the JSON it is."""
    params = encode({"enabled": True, "phase": HOSTILE}).decode()
    with gnb.LocalGateway() as local:
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
        monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
        answer = CliRunner().invoke(main, ["call", "talk.mode", params])
    assert answer.output.replace("\n", "").isprintable()
    assert msgspec.json.decode(answer.stdout)["phase"] == HOSTILE


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is shown, too."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl"))
    Capture(path).stop()
    assert repr(gnb.load(path)).startswith("<Recording \\udcff.jsonl: ")
