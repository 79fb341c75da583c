"""Ctrl-C at a random moment of what begins something: it has begun and somebody holds it, or nothing is left."""

from __future__ import annotations

import os
from pathlib import Path

from tests.helpers.scripts import running

TRIALS = int(os.environ.get("GATEWAY_NB_TRIALS", "400"))
_STRIKE = """
import os, pathlib, random, signal, sys, tempfile, threading, time
import gateway_nb as gnb
folder, trials = pathlib.Path(tempfile.mkdtemp()), int(os.environ["TRIALS"])

# A Ctrl-C that comes in a weak reference's callback is the interpreter's loss, and it says so.
sys.unraisablehook = lambda _: None

def strike(seconds):
    time.sleep(random.uniform(0, seconds))
    os.kill(os.getpid(), signal.SIGINT)

window = 0.02

def struck(begin):
    "Return what begin() returned, or None where Ctrl-C came before; each about every second time, on any machine."
    global window
    striker, begun = threading.Thread(target=strike, args=[window]), None
    try:
        try:
            striker.start()
            begun = begin()
            time.sleep(1)  # the strike is still to come
        finally:
            striker.join()
    except KeyboardInterrupt as error:
        sys.last_value = error  # as IPython does: what its frames hold is not collected
    window *= 0.9 if begun is not None else 1.1
    return begun

def until(condition):
    end = time.monotonic() + 5
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True
"""


def test_a_capture_that_begins() -> None:
    """Ctrl-C inside capture() leaves no writer that nobody holds, and no file of it."""
    code = """
    server = gnb.LocalGateway().start()
    gw = gnb.connect(server.url, token=server.token, device_identity=None)
    writers = lambda: sum(thread.name == "gateway_nb-capture" for thread in threading.enumerate())
    left = held = 0
    for number in range(trials):
        path = folder / f"{number}.jsonl"
        capture = struck(lambda: gw.capture(path))
        if capture is not None:
            held += 1
            capture.stop()
        elif not until(lambda: not writers() and not path.exists()):
            left += 1
            gw.close(), gw.connect()
    print(left, 0 < held < trials, len(gw.core.feed._keepers.items))
    gw.close(), server.stop()
    """
    with running(_STRIKE + _dedented(code), TRIALS=str(TRIALS)) as script:
        assert script.rest(300) == ["0 True 1"]


def test_a_connection_that_begins() -> None:
    """Ctrl-C inside connect() leaves no connection that has no name."""
    code = """
    server = gnb.LocalGateway().start()
    left = named = 0
    connect = lambda: gnb.connect(server.url, token=server.token, device_identity=None)
    for number in range(trials // 4):
        struck(connect)
        open_ones = gnb.faces.connections.connections()
        named += len(open_ones)
        left += not until(lambda: len(server.peers) == len(open_ones))
        for gateway in open_ones.values():
            gateway.close()
        until(lambda: not server.peers)
    print(left, 0 < named < trials // 4)
    server.stop()
    """
    with running("import gateway_nb.faces.connections\n" + _STRIKE + _dedented(code), TRIALS=str(TRIALS)) as script:
        assert script.rest(300) == ["0 True"]


def test_a_replay_that_begins(tmp_path: Path) -> None:
    """Ctrl-C while a replay begins leaves no server that nobody can stop."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"t":1,"epoch":1,"event":"x","payload":1}\n')
    code = """
    recording = gnb.load(os.environ["JOURNAL"])
    servers = lambda: sum(thread.name == "gateway_nb-local" for thread in threading.enumerate())
    left = begun = 0
    for number in range(trials // 4):
        replay = struck(lambda: recording.replay().start())
        if replay is not None:
            begun += 1
            replay.stop()
        left += not until(lambda: not servers())
        if left:
            break  # it stays, and each later trial would wait for it
    print(left, 0 < begun < trials // 4)
    """
    with running(_STRIKE + _dedented(code), TRIALS=str(TRIALS), JOURNAL=str(path)) as script:
        assert script.rest(300) == ["0 True"]


def test_a_query_that_runs(tmp_path: Path) -> None:
    """Ctrl-C ends a query, also one that would take for ever."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"t":1,"epoch":1,"event":"x","payload":1}\n' * 1000)
    code = """
    import os
    import gateway_nb as gnb
    recording = gnb.load(os.environ["JOURNAL"])
    try:
        print(len(recording.query("from events")))
        recording.query("select count(*) from events a, events b, events c, events d where a.payload > d.payload")
    except KeyboardInterrupt:
        print("interrupted")
    print(len(recording.query("from events")))
    """
    with running(_dedented(code), JOURNAL=str(path)) as script:
        script.wait_for("1000")
        script.interrupt()
        assert script.rest(20) == ["interrupted", "1000"]


def test_an_experiment_that_is_stopped() -> None:
    """Ctrl-C at any moment of an experiment keeps what is done; in the end each cell has run to its end once."""
    code = """
    import contextlib, io
    import pandas, pyarrow.parquet, tqdm.auto  # Ctrl-C within an import is the interpreter's loss
    server = gnb.LocalGateway().start()
    gw = gnb.connect(server.url, token=server.token, device_identity=None)
    rows = [{"n": n} for n in range(trials // 4)]
    window = 0.3

    def run():
        with contextlib.redirect_stdout(io.StringIO()):
            return gnb.experiment(gw, {"t": "count:3:20"}, data=rows, parallel=8, path=folder / "stopped").run()

    stopped = sum(struck(run) is None for _ in range(trials // 20))
    frame = run().df
    messages = gw.data.messages("agent:main:experiment-stopped-*")
    well = (messages["stop"] == "stop") & (messages["provider"] == "local")  # not what aborted runs had said
    ended = messages[well]["session"].str.extract(r"-(\\d+)(?:-\\d+)?$", expand=False)
    print(set(frame["status"]), len(ended) == ended.nunique() == len(rows), stopped > 3)
    gw.close(), server.stop()
    """
    with running(_STRIKE + _dedented(code), TRIALS=str(TRIALS)) as script:
        assert script.rest(300) == ["{'ok'} True True"]


def _dedented(code: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in code.splitlines())
