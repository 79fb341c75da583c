"""``gateway-nb experiment run``: an experiment without a notebook, and whether it met its thresholds."""

from __future__ import annotations

import importlib
import inspect
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..experiments import scorers as shipped
from ..experiments.opening import experiment as open_experiment
from ..experiments.running import DONE
from ..experiments.statistics import KINDS
from ..faces.connections import connect
from ..faces.gateway import Gateway
from ..protocol.spelling import closest
from .output import password_env, say, secret, token_env

if TYPE_CHECKING:
    import pandas as pd

    from ..experiments.experiment import Experiment

NOT_MET = 3
_OWN = ("scorers", "thresholds", "data", "path")
_PASSED_ON = tuple(name for name in inspect.signature(open_experiment).parameters if name not in ("gateway", *_OWN))
_READERS = {".csv": "read_csv", ".parquet": "read_parquet", ".json": "read_json", ".jsonl": "read_json"}


@click.group()
def experiment() -> None:
    """Many runs of agents, compared."""


@experiment.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="Default: OPENCLAW_GATEWAY_URL, else this machine.")
@token_env
@password_env
def run(file: Path, url: str | None, token_env: str | None, password_env: str | None) -> None:
    """Run the experiment of a YAML file, or what is left of it, and print its summary.

    The file has the arguments of gateway_nb.experiment: templates, data (rows, or the name of a .csv, .parquet, .json
    or .jsonl file), models, repeats, ... Names of files are relative to it. Its folder (path) is by default beside it.

    scorers: a list of names (run_cost, or MODULE:FUNCTION, importable from here), or of {NAME: ARGUMENT}, such as
    {contains: Paris} or {exact: {column: expected}}.

    thresholds: {SCORE: LEAST}, or {SCORE: {least: A, most: B}}, for the mean of each template, model and agent; also
    failures, of which by default there may be none.

    Exit codes: 0 every threshold is met, 3 one is not, 1 it could not be run to its end, 2 wrong usage.
    """
    settings = _settings(file)
    thresholds = _thresholds(settings.get("thresholds"))
    options = {name: settings[name] for name in _PASSED_ON if name in settings}
    token, password = secret(token_env), secret(password_env, "password")
    with connect(url, token=token, password=password, name="experiment") as gateway:
        found = open_experiment(
            gateway,
            data=_data(file, settings.get("data")),
            scorers=_scorers(settings.get("scorers"), gateway),
            path=file.parent / str(settings.get("path", file.stem)),
            **options,
        )
        _check_scores(thresholds, found)
        found.run()
        left = int((~found.df["status"].isin(DONE)).sum())
        summaries = {name: found.summary(by=None if name == "failures" else name) for name in thresholds}
    say(summaries["failures"].to_string(index=False))
    missed = list(_missed(thresholds, summaries))
    for line in missed:
        say(line)
    if left:
        raise click.ClickException(f"{left:,} cells have not run; run this again to go on")
    if missed:
        sys.exit(NOT_MET)


def _settings(file: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        settings = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} is no YAML: {error}") from None
    if not isinstance(settings, dict):
        raise click.UsageError(f"{file} must be a mapping: templates, data, ...")
    for name in settings:
        if name not in (names := (*_PASSED_ON, *_OWN)):
            near = closest(str(name), names, 1) or names
            raise click.UsageError(f"{file}: there is no setting {name!r}; did you mean {' or '.join(near)}?")
    return settings


def _data(file: Path, data: Any) -> Any:
    if not isinstance(data, str):
        return data
    import pandas as pd

    path = file.parent / data
    if path.suffix not in _READERS:
        raise click.UsageError(f"data: {data} must end in {', '.join(_READERS)}, or be a list of rows")
    try:
        options = {"lines": True} if path.suffix == ".jsonl" else {}
        return getattr(pd, _READERS[path.suffix])(path, **options)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"data: {path} can't be read: {error}") from None


def _scorers(given: Any, gateway: Gateway) -> list[Any]:
    if not isinstance(given, list | None):
        raise click.UsageError("scorers: must be a list of names, and of {NAME: ARGUMENT}")
    return [_scorer(each, gateway) for each in given or ()]


def _scorer(given: Any, gateway: Gateway) -> Any:
    """Return the scorer that an entry of the file names."""
    name, argument = next(iter(given.items())) if isinstance(given, dict) and len(given) == 1 else (given, None)
    if not isinstance(name, str):
        raise click.UsageError(f"scorers: {given!r} is no name, and no {{NAME: ARGUMENT}}")
    module, colon, function = name.partition(":")
    if colon:
        sys.path.insert(0, os.getcwd())  # as python -m does
        try:
            return getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise click.UsageError(f"scorers: {name} can't be imported from here: {error}") from None
    public = [each for each, value in inspect.getmembers(shipped, inspect.isfunction) if _is_shipped(each, value)]
    if name not in public:
        near = closest(name, public, 1) or public
        raise click.UsageError(f"scorers: there is no {name!r}; did you mean {' or '.join(near)}, or MODULE:FUNCTION?")
    scorer: Any = getattr(shipped, name)
    if argument is None:
        return scorer
    options = argument if isinstance(argument, dict) else {}
    first = [gateway] if name == "judge" else []
    try:
        return scorer(*first, **options) if options else scorer(*first, argument)
    except TypeError as error:
        raise click.UsageError(f"scorers: {name}: {error}") from None


def _is_shipped(name: str, function: Any) -> bool:
    return not name.startswith("_") and function.__module__ == shipped.__name__


def _thresholds(given: Any) -> dict[str, dict[str, float]]:
    """Return the least and the most of each score."""
    thresholds: dict[str, dict[str, float]] = {"failures": {"most": 0}}
    if not isinstance(given, dict | None):
        given = {"": given}
    for name, value in (given or {}).items():
        bounds: dict[str, Any] = value if isinstance(value, dict) else {"least": value}
        numbers = all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds.values())
        if not name or not bounds or not bounds.keys() <= {"least", "most"} or not numbers:
            raise click.UsageError("thresholds: must be {SCORE: LEAST} or {SCORE: {least: A, most: B}}, with numbers")
        thresholds[str(name)] = bounds
    return thresholds


def _check_scores(thresholds: Iterable[str], found: Experiment) -> None:
    """Check that thresholds are of scores that there will be, before runs are paid for."""
    columns = ["failures", *found.scores, *found.plan.taken]
    for name in thresholds:
        if name not in columns and name.partition(".")[0] not in found.scorers:
            near = closest(name, columns, 1) or columns
            raise click.UsageError(f"thresholds: there is no score {name!r}; did you mean {' or '.join(near)}?")


def _missed(thresholds: Mapping[str, Mapping[str, float]], summaries: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Yield a line for each threshold and condition that does not meet it; a mean of nothing meets none."""
    for name, bounds in thresholds.items():
        for _, row in summaries[name].iterrows():
            value = float(row["failures" if name == "failures" else "mean"])
            if not bounds.get("least", -math.inf) <= value <= bounds.get("most", math.inf):
                condition = ", ".join(str(row[kind]) for kind in KINDS)
                wanted = " and ".join(f"{bound:g} at {word}" for word, bound in bounds.items())
                yield f"{name} of {condition}: {value:g}, should be {wanted}"
