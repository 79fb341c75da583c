"""Figures, not pass or fail: ``python -m tests.bench NAME [--json]``. Always beside a floor in the same run."""

from __future__ import annotations

import importlib
import json
import sys

NAMES = (
    *("roundtrip", "capture", "magic", "large", "soak", "table", "hostile", "tools", "data", "analyse", "fleet"),
    *("experiment", "killed"),
)


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    if not arguments or arguments[0] not in NAMES:
        sys.exit(f"usage: python -m tests.bench {' | '.join(NAMES)} [--json]")
    figures = importlib.import_module(f"tests.bench.{arguments[0]}").measure()
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:{width}}  {value}")


if __name__ == "__main__":
    main()
