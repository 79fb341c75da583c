"""An experiment as a log of Inspect (inspect.aisi.org.uk), which ``inspect view`` and ``inspect_ai.analysis`` read.

The format is that of its ``.eval`` files: a ZIP of JSON, with a header, a file for each sample, and their summaries.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..errors import BadArgumentError
from ..protocol.frames import encode
from .plan import CONDITIONS, ERROR, RESULTS
from .statistics import KINDS, NOT_ENDED

if TYPE_CHECKING:
    import pandas as pd

SUFFIX = ".eval"
_SUMMARISED = 1024  # characters of a prompt
_LONGEST_SLUG = 40
_ABOUT = ("template", "row", "model", "agent", "run", "session", "status", "cost", ERROR)


def write(path: Path, header: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> None:
    """Write a log as a new file; where that fails, there is none.

    Raises:
        BadArgumentError: the path does not end in ``.eval``.
        FileExistsError: there is such a file.
        OSError: it can't be written.
    """
    if path.suffix != SUFFIX:
        raise BadArgumentError(f"to_inspect: {path.name} must end in {SUFFIX}, by which Inspect knows its logs")
    with open(path, "xb") as file:
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for sample in samples:
                    archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", encode(sample))
                archive.writestr("summaries.json", encode([_summary(sample) for sample in samples]))
                archive.writestr("header.json", encode(header))
        except BaseException:
            path.unlink()
            raise


def log_of(
    name: str,
    key: str,
    frame: pd.DataFrame,
    scores: Sequence[str],
    prompts: Sequence[str],
    clean: Callable[[Any], Any] = lambda value: value,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the header and the samples of a log: a sample for each run that ended, an epoch for each repeat.

    Args:
        name: of the experiment, which becomes the task.
        key: what no other experiment has.
        frame: as `Experiment.df`.
        scores: its columns of scores.
        prompts: what was said, in the frame's order.
        clean: takes secrets out of decoded JSON.
    """
    conditions = frame.groupby(list(KINDS), dropna=False, sort=False, observed=True).ngroup().to_numpy()
    own = [column for column in frame.columns if column not in {*CONDITIONS, *RESULTS, *scores, ERROR}]
    rows = [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]
    samples = [
        clean(_sample(row, int(condition) + 1, prompt, scores, own))
        for row, condition, prompt in zip(rows, conditions, prompts, strict=True)
        if row["status"] not in NOT_ENDED
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    models = dict.fromkeys(str(row["model"] or "default") for row in rows)
    ids = list(dict.fromkeys(sample["id"] for sample in samples))
    complete = len(samples) == len(rows)
    header = {
        "version": 2,
        "status": "success" if complete else "cancelled",
        "eval": {
            "eval_id": key,
            "run_id": key,
            "created": now,
            "task": name,
            "task_id": key,
            "model": ", ".join(models),
            "dataset": {"name": name, "samples": len(ids), "sample_ids": ids, "shuffled": True},
            "config": {"epochs": int(frame["repeat"].max()) + 1 if len(frame) else 1},
        },
        "plan": {},
        "results": {
            "total_samples": len(rows),
            "completed_samples": sum(sample["error"] is None for sample in samples),
            "scores": list(_results(frame, scores)),
        },
        "stats": {"started_at": now, "completed_at": now},
    }
    return clean(header), samples


def _sample(
    row: Mapping[str, Any], condition: int, prompt: str, scores: Sequence[str], own: Sequence[str]
) -> dict[str, Any]:
    answer, model = row["answer"] or "", str(row["model"] or "default")
    ok = row["status"] == "ok"
    run = row["run"] or f"{condition}-{row['row']}-{row['repeat']}"
    user = {"id": f"{run}-prompt", "role": "user", "content": prompt}
    assistant = {"id": f"{run}-answer", "role": "assistant", "content": answer, "model": model, "source": "generate"}
    tokens = {name: row[name] or 0 for name in ("input_tokens", "output_tokens")}
    error = {"message": row[ERROR] or row["status"], "traceback": "", "traceback_ansi": ""}
    return {
        "id": f"{condition}-{_slug(row['template'])}-row-{row['row']}",
        "uuid": run,
        "epoch": row["repeat"] + 1,
        "input": prompt,
        "target": "",
        "messages": [user, assistant] if ok else [user],
        "output": {
            "model": model,
            "choices": [{"message": assistant, "stop_reason": "stop"}] if ok else [],
            "completion": answer,
            "time": row["seconds"],
        },
        "scores": {name: {"value": row[name], "answer": answer} for name in scores if row[name] is not None},
        "metadata": {**{name: row[name] for name in own}, **{name: row[name] for name in _ABOUT}},
        "model_usage": {model: {**tokens, "total_tokens": sum(tokens.values())}},
        "total_time": row["seconds"],
        "error": None if ok else error,
    }


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "uuid", "epoch", "target", "metadata", "scores", "model_usage", "total_time")
    kept = {name: sample[name] for name in names}
    error = sample["error"] and sample["error"]["message"]
    more = {"input": sample["input"][:_SUMMARISED], "error": error, "completed": True}
    return {**kept, **more, "message_count": len(sample["messages"])}


def _results(frame: pd.DataFrame, scores: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the mean of each scorer that gives numbers, by condition where there are several."""
    groups = list(frame.groupby(list(KINDS), dropna=False, sort=False, observed=True))
    for name in scores:
        for key, rows in groups:
            values = [_plain(value) for value in rows[name].dropna()]
            if not values or not all(isinstance(value, int | float) for value in values):
                continue
            condition = {kind: _plain(value) for kind, value in zip(KINDS, key, strict=True)}
            label = " · ".join(str(value) for value in condition.values() if value is not None)
            yield {
                "name": name if len(groups) == 1 else f"{name} ({label})",
                "scorer": name,
                "params": condition,
                "scored_samples": len(values),
                "metrics": {"mean": {"name": "mean", "value": fmean(values)}},
            }


def _plain(value: Any) -> Any:
    """Return a cell of a DataFrame as JSON has it; what JSON has not becomes text."""
    import pandas as pd

    if isinstance(value, bool | int | str):
        return value
    if pd.api.types.is_scalar(value):
        if pd.isna(value):
            return None
        value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, bool | int | float | str) else str(value)


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)[:_LONGEST_SLUG] or "_"
