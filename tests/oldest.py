"""Print pip constraints that pin every requirement of pyproject.toml to the oldest version it allows.

python -m tests.oldest > constraints.txt && pip install -c constraints.txt -e ".[test]"
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
TOOLS = "dev"
"""The extra whose versions nobody depends on."""


def constraints(pyproject: str) -> list[str]:
    """Return one ``name==version`` line per requirement.

    Args:
        pyproject: the text of pyproject.toml.

    Raises:
        ValueError: a requirement has no lower bound, or two that differ.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(one for name in extras if name != TOOLS for one in extras[name])]
    oldest: dict[str, str] = {}
    for requirement in requirements:
        parsed = Requirement(requirement)
        bounds = [bound.version for bound in parsed.specifier if bound.operator == ">="]
        if len(bounds) != 1 or oldest.setdefault(parsed.name, bounds[0]) != bounds[0]:
            raise ValueError(f"{requirement}: it needs one lower bound, the same wherever it stands")
    return [f"{name}=={version}" for name, version in sorted(oldest.items())]


if __name__ == "__main__":
    print("\n".join(constraints(PYPROJECT.read_text())))
