"""Record once, test for ever: what a notebook did against a gateway it does again against the recording."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

import gateway_nb as gnb
from gateway_nb.notebook.magics.records import BOOKS
from gateway_nb.records.usage import BYS
from tests.helpers.real import AnyGateway
from tests.helpers.support import until


def notebook(gw: gnb.Gateway) -> dict[str, Any]:
    """What a notebook might do; everything that comes out of it."""
    found: dict[str, Any] = {"methods": len(gw.request("sessions.list", {"limit": 3})) > 0}
    pieces = list(gw.run("count:4:60", session="agent:main:replayed"))
    found["answer"] = "".join(pieces)
    try:
        gw.request("sessions.list", {"limit": "x"})
    except gnb.GatewayRequestError as error:
        found["error"] = str(error)
    found["phases"] = [gw.request("talk.mode", {"enabled": True, "phase": phase})["phase"] for phase in "ab"]
    until(lambda: phases(gw) == ["a", "b"])
    found["events"] = phases(gw)
    return found


def phases(gw: gnb.Gateway) -> list[str]:
    return [json.loads(text)["phase"] for text in gw.events.where("talk.mode")["payload"]]


def test_the_same_again(gateway: AnyGateway, tmp_path: Path) -> None:
    """A recorded notebook gives the same outputs twice without the gateway, and no secret is in the file."""
    path = tmp_path / "run.jsonl"
    with gnb.connect(gateway.url, token=gateway.token) as gw, gw.capture(path, requests=True):
        first = notebook(gw)
    assert first["answer"] == "1 2 3 4"
    assert gateway.token not in path.read_text()
    for _ in range(2):
        with gnb.load(path).replay(speed=None) as replay, gnb.connect(replay.url, token=replay.token) as gw:
            assert notebook(gw) == first


def test_speed_and_gaps(tmp_path: Path) -> None:
    """Events come with their gaps in time, scaled, and a recorded hole is a hole again."""
    path = tmp_path / "run.jsonl"
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw, gw.capture(path):
        for number in range(3):
            local.emit("x", number)
            time.sleep(0.15)
        local.skip(4)
        local.emit("x", 3)
        until(lambda: gw.status.counters.events >= 4)
    recording = gnb.load(path)
    assert (recording.stats.gaps, recording.stats.missed) == (1, 4)
    with recording.replay(speed=1.0) as replay, gnb.connect(replay.url, token=replay.token) as gw:
        until(lambda: gw.status.counters.events >= 4)
        times = gw.events.where("x")["time"]
        assert (times.iloc[-1] - times.iloc[0]).total_seconds() == pytest.approx(0.45, abs=0.25)
        assert (gw.status.counters.gaps, gw.status.counters.missed) == (1, 4)


@pytest.mark.parametrize("requests", [True, False])
def test_what_was_not_recorded(tmp_path: Path, requests: bool) -> None:
    """A replay advertises what was recorded, and refuses anything else by name, instead of inventing an answer."""
    path = tmp_path / "run.jsonl"
    with (
        gnb.LocalGateway() as local,
        gnb.connect(local.url, token=local.token) as gw,
        gw.capture(path, requests=requests),
    ):
        gw.request("sessions.list", {"limit": 3})
        gw.request("talk.mode", {"enabled": True})
        until(lambda: len(gw.events.where("talk.mode")))
    with gnb.load(path).replay(speed=None) as replay, gnb.connect(replay.url, token=replay.token) as gw:
        assert gw.methods == (("sessions.list", "talk.mode") if requests else ())
        assert gw.event_names == ("talk.mode",)
        for method, params in (("health", None), ("sessions.list", {"limit": 4}), ("agent", {"message": "x"})):
            with pytest.raises(gnb.GatewayRequestError, match=f"{method} was not recorded") as caught:
                gw.request(method, params)
            assert caught.value.code == "UNAVAILABLE"


def test_an_answer_that_was_not_recorded(tmp_path: Path) -> None:
    """A request whose answer the recording does not have is refused, instead of waited for."""
    path = tmp_path / "run.jsonl"
    path.write_text('{"t":1.0,"epoch":1,"kind":"request","payload":{"id":"1","method":"health"}}\n')
    with gnb.load(path).replay(speed=None) as replay, gnb.connect(replay.url, token=replay.token) as gw:
        for _ in range(2):
            with pytest.raises(gnb.GatewayRequestError, match="the answer was not recorded"):
                gw.request("health", timeout=20)


@pytest.mark.parametrize(
    "line",
    [
        '"kind":"request"',
        '"kind":"request","payload":{"id":5,"method":"health"}',
        '"kind":"answer","payload":{"id":"1","ok":false,"answer":5}',
        '"kind":"gap","payload":{"expected":"x"}',
    ],
)
def test_lines_that_cannot_be_replayed(tmp_path: Path, line: str) -> None:
    """A line of a wrong shape is one line of error when the replay is made, not a replay that ends in the middle."""
    (tmp_path / "run.jsonl").write_text(f'{{"t":1.0,"epoch":1,{line}}}\n')
    with pytest.raises(gnb.CaptureError, match="line 1 is damaged"):
        gnb.load(tmp_path / "run.jsonl").replay()


@pytest.mark.parametrize("speed", [0, -1])
def test_speeds_that_are_none(tmp_path: Path, speed: float) -> None:
    """A speed must be above 0."""
    (tmp_path / "run.jsonl").write_text("")
    with pytest.raises(ValueError, match="speed must be above 0"):
        gnb.load(tmp_path / "run.jsonl").replay(speed)


def test_records(tmp_path: Path) -> None:
    """Books, transcripts and searches of a recording are those that were read, row by row."""
    key, today = "agent:main:one", f"{datetime.now(UTC):%Y-%m-%d}"

    def read(gw: gnb.Gateway) -> dict[str, Any]:
        usage = {f"usage by {by}": gw.data.usage(by, since=today, until=today) for by in BYS}
        frames = {name: getattr(gw.data, name)() for name in BOOKS if name != "usage"}
        transcript = gw.transcript(key)
        return {**usage, **frames, "search": gw.search("hello"), "transcript": transcript.df, "text": transcript.text}

    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        for name in ("one", "two", "three", "four", "five", "six"):
            gw.run(f"echo:hello {name}", session=f"agent:main:{name}").result()
        with gw.capture(tmp_path / "run.jsonl", requests=True):
            before = read(gw)
    with gnb.load(tmp_path / "run.jsonl").replay(None) as replay, gnb.connect(replay.url, token=replay.token) as gw:
        after = read(gw)
    assert before.pop("text") == after.pop("text")
    assert len(before["messages"]) == 12
    for name, frame in before.items():
        assert_frame_equal(frame, after[name])
