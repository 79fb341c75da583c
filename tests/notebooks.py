"""The example notebooks' saved outputs, made by running them.

python -m tests.notebooks     # runs every notebook, and saves what is new

What differs from the saved output only in times and ids stays as it was, so that a diff shows what has changed.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "notebooks"
PATIENCE = 60
_WIDGET = "application/vnd.jupyter.widget-view+json"
_LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"}
_PASSING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # ids
    r"|\b[0-9a-f]{8}\b|\b[0-9a-f]{32}\b|\b\d{13}\b"
    r"|\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d(\.\d+)?"  # dates and times
    r"|[\d.]+ m?s\b"  # durations
    r"|127\.0\.0\.1:\d+"
    r"|<tr><th[^>]*>round trip</th><td[^>]*>[^<]*</td></tr>"  # known a little after connecting, or not yet
)


def paths() -> list[Path]:
    """Return the notebooks, in the order of their names."""
    return sorted(FOLDER.glob("*.ipynb"))


def run(path: Path) -> dict[str, Any]:
    """Return a notebook with the outputs of a run in a kernel, a folder and a home of its own."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as own:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("OPENCLAW_")}
        surroundings |= {"GATEWAY_NB_HOME": own, "IPYTHONDIR": own}
        client = NotebookClient(
            notebook, timeout=PATIENCE, record_timing=False, store_widget_state=False, coalesce_streams=True
        )
        client.execute(env=surroundings, cwd=own)
    done: dict[str, Any] = json.loads(nbformat.writes(notebook))
    return done


def tidied(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook that was run, without what is of no use to a reader.

    Args:
        new: the notebook.
        old: as it was saved; what says the same stays as it is there.
    """
    before = {cell["id"]: cell.get("outputs", []) for cell in old["cells"]}
    for cell in new["cells"]:
        if cell["cell_type"] != "code":
            continue
        for output in cell["outputs"]:
            # A widget lives in its kernel: what a reader sees is the text/html beside it.
            output.get("data", {}).pop(_WIDGET, None)
            if "image/svg+xml" in output.get("data", {}):  # the same as PNG is of no use to git, nor to whoever runs it
                output["data"].pop("image/png", None)
        if _lasting(before.get(cell["id"])) == _lasting(cell["outputs"]):
            cell["outputs"] = before[cell["id"]]
    new["metadata"] = {"kernelspec": old["metadata"]["kernelspec"], "language_info": _LANGUAGE}
    return new


def _lasting(outputs: Any) -> str:
    """Return what is the same in every run; of a picture that is little."""
    text = _PASSING.sub("", json.dumps(outputs, sort_keys=True))
    return re.sub(r"\d[\d.,]*", "?", text) if "image/svg+xml" in text else text


def write(path: Path, notebook: dict[str, Any]) -> None:
    """Write a notebook as Jupyter does."""
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def main() -> None:
    """Run every notebook, and save it."""
    for path in paths():
        write(path, tidied(run(path), json.loads(path.read_text())))
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
