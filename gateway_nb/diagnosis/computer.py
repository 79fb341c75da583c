"""What can be seen without a network: Python, packages, the kernel, variables. Needs the standard library alone,
so that a package that is missing can be named.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata

from .. import nesting
from .report import Finding

_VARIABLES = (
    "OPENCLAW_GATEWAY_URL",
    "OPENCLAW_GATEWAY_TOKEN",
    "OPENCLAW_GATEWAY_PASSWORD",
    "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS",
    "GATEWAY_NB_HOME",
    "GATEWAY_NB_TRANSPORT",
)
_DEVELOPERS = ("test", "dev")
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:[^;]*?>=(?P<least>[\w.]+))?[^;]*(?:;.*extra == ['\"](?P<extra>[\w-]+)['\"])?"
)
# When a widget's click is handled while a cell runs, by ipykernel's version (measured on 7.1 to 7.4).
_CLICKS = (
    ((7, 4), "a widget's click is handled after a busy cell, but at once during an await"),
    ((7, 0), "a widget's click is handled at once during a busy cell, on a thread of its own"),
    ((0,), "a widget's click is handled after a busy cell"),
)


def check() -> Iterator[Finding]:
    """Yield the findings about this computer and this process."""
    yield Finding("python", "ok", f"{platform.python_version()} on {sys.platform}, {sys.executable}")
    yield from packages(_requirements())
    yield kernel()
    yield nested()
    yield variables(os.environ)


def _requirements() -> list[str]:
    try:
        return metadata.requires("gateway-nb") or []
    except metadata.PackageNotFoundError:
        return []


def packages(requirements: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for the packages this one needs, and one for each extra that is not complete.

    Args:
        requirements: as a distribution states them, e.g. ``"altair>=5.5; extra == 'plot'"``.
    """
    wrong: list[str] = []
    needed, extras = 0, dict[str, list[str]]()
    for requirement in requirements:
        parts = _REQUIREMENT.match(requirement)
        if parts is None or parts["extra"] in _DEVELOPERS:
            continue
        problem = _problem(parts["name"], parts["least"])
        if parts["extra"] is not None:
            extras.setdefault(parts["extra"], []).extend([problem] if problem else [])
            continue
        needed += 1
        wrong += [problem] if problem else []
    if wrong:
        yield Finding("packages", "fail", ", ".join(wrong), "run: pip install --upgrade gateway-nb")
    elif needed:
        yield Finding("packages", "ok", f"all {needed} are installed, and new enough")
    else:
        yield Finding("packages", "warn", "gateway-nb is not installed", "run: pip install gateway-nb")
    for extra, problems in extras.items():
        if problems:
            yield Finding(
                f"extra {extra}", "skip", ", ".join(problems), f"if you want it: pip install 'gateway-nb[{extra}]'"
            )


def _problem(name: str, least: str | None) -> str | None:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    if least is not None and _numbers(found) < _numbers(least):
        return f"{name} {found} is older than {least}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in release.group().split(".")) if release else ()


def kernel() -> Finding:
    """Return what to expect of the kernel."""
    try:
        found = metadata.version("ipykernel")
    except metadata.PackageNotFoundError:
        return Finding(
            "ipykernel", "skip", "not installed here", "for notebooks in this environment: pip install ipykernel"
        )
    explanation = next(text for least, text in _CLICKS if _numbers(found) >= least)
    return Finding("ipykernel", "ok", f"{found}: {explanation}")


def nested() -> Finding:
    """Return whether something has patched asyncio so that loops may be nested."""
    status = nesting.status()
    if status.applied is None:
        return Finding("nest_asyncio", "ok", "asyncio is not patched")
    if status.loses is not None:
        advice = "restart the kernel without nest_asyncio.apply(); gateway_nb.nesting.enable() where it is needed"
        return Finding("nest_asyncio", "fail", str(status), advice)
    detail = f"{status}: every task takes about twice as long to make"
    return Finding("nest_asyncio", "warn", detail, "await at the top of a cell works without it")


def variables(environment: Mapping[str, str]) -> Finding:
    """Return which variables of the process are set; a value is never shown."""
    given = [name for name in _VARIABLES if environment.get(name, "").strip()]
    others = [name for name in _VARIABLES if name not in given]
    detail = f"set: {', '.join(given) or 'none'}; not set: {', '.join(others) or 'none'}"
    allowing = "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS"
    if allowing in given and environment[allowing] != "1":
        return Finding("environment", "warn", detail, f"{allowing} counts only when it is 1")
    return Finding("environment", "ok", detail)
