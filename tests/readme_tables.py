"""The README's tables of options and of magics, made from the code.

python -m tests.readme_tables     # writes them into README.md
"""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

from gateway_nb.client import options
from gateway_nb.notebook.magics.commands import markdown_table
from gateway_nb.protocol.auth import DEFAULT_SCOPES

README = Path(__file__).parents[1] / "README.md"
_OTHER_NAMES = {"client_name": "id", "client_display_name": "display_name", "client_version": "version"}
_OF_THIS_PLACE = {"client_version": "this package's", "platform": "this computer's"}


def _options() -> str:
    """Return the table of options: option, default, what it is."""
    rows = ["| option | default | what it is |", "|---|---|---|"]
    defaults = options.resolve("ws://127.0.0.1:18789", options={})
    for name, what in _described():
        shown = _OF_THIS_PLACE.get(name) or f"`{_default(defaults, name)!r}`"
        rows.append(f"| `{name}` | {shown} | {what.replace('``', '`')} |")
    return "\n".join(rows) + "\n"


def _described() -> list[tuple[str, str]]:
    """Name and docstring of each field of `ConnectOptions`."""
    tree = ast.parse(Path(options.__file__).read_text())
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ConnectOptions")
    found = []
    for field, doc in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(doc, ast.Expr), f"{field.target.id} has no docstring"
            found.append((field.target.id, str(ast.literal_eval(doc.value))))
    return found


def _default(defaults: options.Settings, name: str) -> Any:
    if name == "scopes":
        return list(DEFAULT_SCOPES)
    value = getattr(defaults.client, _OTHER_NAMES.get(name, name), None)
    if value is None:
        value = getattr(defaults, name, None)
    return list(value) if isinstance(value, tuple) else value


TABLES = {"options": _options, "magics": markdown_table}
"""What stands in the README between ``<!-- NAME -->`` and ``<!-- /NAME -->``."""


def with_tables(readme: str) -> str:
    """Return a README with its tables as the code has them."""
    for name, table in TABLES.items():
        before, start, rest = readme.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert end, f"README.md has no place for the {name}"
        readme = f"{before}{start}{table()}{end}{after}"
    return readme


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
