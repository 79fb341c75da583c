"""Put faults into the package, one at a time, and list those that no test notices.

``python -m tests.mutation contexts`` runs the tests once and writes down which test runs which line, and how long each
takes. After that ``python -m tests.mutation --seed 1`` draws 100 faults and runs, for each, the tests that run its
line: those of tests/unit first, then the others from the quickest on. A fault that no test notices is printed as
``SURVIVED``: a better test is due, or less code, or, if the fault is proven to change nothing, an entry in
``equivalent.py``. Everything runs in copies of the repository. A failure counts if it comes again when its test is
repeated; tests that hang count, too, and are marked.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import coverage

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.sites import Mutant, mutants

ROOT = Path(__file__).parents[2]
SOURCES = ("protocol", "client", "capture", "events", "identity", "sync", "errors.py")
_PICTURES = ("plots.py",)  # whose numbers are pixels
CONTEXTS = ROOT / ".coverage.contexts.json"
_TESTED = ("tests/unit", "tests/faults", "tests/contract", "tests/kernel")
# The real gateway takes minutes for its tests, most of which the embedded one has, too.
_WITHOUT = ("-k", "not openclaw", "--ignore=tests/contract/test_many_events.py")
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".coverage*", ".*_cache", ".hypothesis", "build", "dist")
_TESTS_AT_LEAST = 20
_PATIENCE = (60.0, 5.0)  # seconds, and how much longer than without a fault tests may take
_ATTEMPTS = 3
_PYTEST = (sys.executable, "-m", "pytest", "-q", "--no-header", "-m", "", "-p", "no:nbval")  # seconds to import
_NO_TESTS = 5
_COVERAGE = """
[run]
source = gateway_nb
parallel = true
sigterm = true
patch = subprocess
context = ${PYTEST_CURRENT_TEST-}
"""
Contexts = dict[str, dict[str, list[str]]]
"""File -> line -> tests that run it, in their own process or in one that they start."""


@dataclass(frozen=True)
class Outcome:
    """What the tests say of a mutant: ``noticed``, ``hung`` or ``SURVIVED``."""

    verdict: str
    tests: int
    seconds: float


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", nargs="?", choices=("sample", "contexts"), default="sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--only", nargs="+", default=[""], help="only mutants whose name contains one of these")
    parser.add_argument("--seconds", type=float, default=40, help="of tests per fault, of tests/unit and of the others")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.action == "contexts":
        write_contexts(arguments.jobs)
        return
    if not CONTEXTS.exists():
        sys.exit("first: python -m tests.mutation contexts")
    every = [mutant for mutant in all_mutants() if any(part in mutant.name for part in arguments.only)]
    random.Random(arguments.seed).shuffle(every)  # before any is left out: an entry more changes one draw, not all
    chosen = [mutant for mutant in every if mutant.name not in EQUIVALENT][: arguments.count]
    survivors = run(chosen, arguments.seconds, arguments.jobs)
    print(f"\nseed {arguments.seed}: {len(chosen) - len(survivors)} of {len(chosen)} noticed; survived:")
    for mutant in survivors:
        print(f"  {mutant.path}:{mutant.lines[0]}\n    {mutant.name}")


def all_mutants() -> list[Mutant]:
    """Return every mutant there is, in the order of the files."""
    roots = [ROOT / "gateway_nb" / name for name in SOURCES]
    files = [file for root in roots for file in (sorted(root.rglob("*.py")) if root.is_dir() else [root])]
    return [
        mutant
        for file in files
        if file.name not in _PICTURES
        for mutant in mutants(ROOT, file.relative_to(ROOT).as_posix())
    ]


def write_contexts(jobs: int) -> None:
    """Run the tests, and keep which test runs which line, and the seconds that each takes.

    Args:
        jobs: processes of tests.
    """
    with _copy() as folder:
        data, report, config = folder / ".coverage", folder / "report.xml", folder / "coverage.ini"
        config.write_text(_COVERAGE)
        options = ["--cov", "--cov-report=", "--cov-context=test", f"--cov-config={config}"]
        options += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        environment = {**os.environ, "PYTHONPATH": str(folder), "COVERAGE_FILE": str(data)}
        command = [*_PYTEST, *options, f"-n{jobs}", *_WITHOUT, *_TESTED]
        subprocess.run(command, cwd=folder, env=environment, check=False)  # a test that fails is left out below
        seconds = {
            _test(f"{case.get('file')}::{case.get('name')}"): float(case.get("time", 0))
            for case in ElementTree.parse(report).iter("testcase")
            if case.find("failure") is None and case.find("error") is None and case.find("skipped") is None
        }
        lines = _lines_run(data, folder, seconds.keys() & _collected())
    CONTEXTS.write_text(json.dumps({"seconds": seconds, "lines": lines}))


def _collected() -> set[str]:
    """Return the names that tests have in another copy: a name may say where its file is."""
    with _copy() as folder:
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        command = [*_PYTEST, "--collect-only", "-n0", *_TESTED]
        done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return {_test(line) for line in done.stdout.splitlines()}


def _lines_run(data: Path, folder: Path, passed: set[str]) -> Contexts:
    measured = coverage.CoverageData(str(data))
    measured.read()
    found: Contexts = {}
    for file in measured.measured_files():
        lines = measured.contexts_by_lineno(file)
        found[Path(file).relative_to(folder).as_posix()] = {
            str(line): sorted({test for context in contexts for test in _running(context, passed)})
            for line, contexts in lines.items()
        }
    return found


def _running(context: str, passed: set[str]) -> set[str]:
    """Return the tests of a context: of a process that a fixture started all tests of its file may use it."""
    if context.endswith(" (setup)"):
        file = context.partition("::")[0] + "::"
        return {test for test in passed if test.startswith(file)}
    return {_test(context)} & passed


def _test(context: str) -> str:
    """Return a test's name, without its phase and without the group that pytest-xdist adds to it."""
    name = re.sub(r"(\|(setup|run|teardown)| \((setup|call|teardown)\))\Z", "", context)
    return re.sub(r"@\w+\Z", "", name)


def run(chosen: Sequence[Mutant], seconds: float, jobs: int) -> list[Mutant]:
    """Return the mutants that no test notices, and print what becomes of each.

    Args:
        chosen: the mutants to try.
        seconds: of tests for each, of tests/unit and again of the others.
        jobs: how many at a time.
    """
    contexts = json.loads(CONTEXTS.read_text())
    survivors = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_try, contexts, mutant, seconds): mutant for mutant in chosen}
        for done, future in enumerate(concurrent.futures.as_completed(running), 1):
            mutant, outcome = running[future], future.result()
            figures = f"{outcome.tests:4} tests {outcome.seconds:4.0f} s"
            print(f"{done:3} {outcome.verdict:8} {figures}  {mutant.name}", flush=True)
            if outcome.verdict == "SURVIVED":
                survivors.append(mutant)
    return survivors


def _stages(contexts: dict[str, Any], mutant: Mutant, seconds: float) -> list[list[str]]:
    """Return the tests that run a mutant's lines: those of tests/unit and then the others, the quickest of each."""
    price, lines = contexts["seconds"], contexts["lines"].get(mutant.path, {})
    changed = map(str, range(mutant.lines[0], mutant.lines[1] + 1))
    found = {test for line in changed for test in lines.get(line, ())}
    if mutant.at_import or not found:  # it runs for all of them, or in another process: whatever runs some of the file
        found = {test for tests in lines.values() for test in tests}
    stages: dict[bool, list[str]] = {True: [], False: []}
    left = dict.fromkeys(stages, seconds)
    for test in sorted(found, key=lambda test: (price[test], test)):
        is_unit = test.startswith("tests/unit/")
        if left[is_unit] > 0 or len(stages[is_unit]) < _TESTS_AT_LEAST:
            left[is_unit] -= price[test]
            stages[is_unit].append(test)
    return list(stages.values())


def _try(contexts: dict[str, Any], mutant: Mutant, seconds: float) -> Outcome:
    began, count, verdict = time.monotonic(), 0, "SURVIVED"
    with _copy() as folder:
        file = folder / mutant.path
        file.write_bytes(mutant.apply(file.read_bytes()))
        for tests in filter(None, _stages(contexts, mutant, seconds)):
            count += len(tests)
            patience = _PATIENCE[0] + _PATIENCE[1] * sum(contexts["seconds"][test] for test in tests)
            verdict = _verdict(folder, tests, patience)
            if verdict != "SURVIVED":
                break
    return Outcome(verdict, count, time.monotonic() - began)


def _verdict(folder: Path, tests: list[str], patience: float) -> str:
    names = folder / "names"
    names.write_text("\n".join(tests))
    for _ in range(_ATTEMPTS):
        try:
            if _passes(folder, [f"@{names}"], patience):
                break
            if not _passes(folder, ["--last-failed", f"@{names}"], patience):
                return "noticed"
        except subprocess.TimeoutExpired:
            return "hung"
    return "SURVIVED"


def _passes(folder: Path, arguments: list[str], patience: float) -> bool:
    """Run tests in a copy, and return whether all pass; what they leave running is ended with them."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*_PYTEST, "-x", "-n0", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(patience)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code == _NO_TESTS:
        raise RuntimeError(f"there were no tests to run:\n{(folder / 'output').read_text()}")
    return code == 0


@contextlib.contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        shutil.copytree(ROOT, folder, ignore=_NOT_COPIED, dirs_exist_ok=True)
        yield folder


if __name__ == "__main__":
    main()
