"""The README's table of magics, made from the code.

python -m tests.readme_tables     # writes it into README.md
"""

from __future__ import annotations

from pathlib import Path

from gateway_nb.notebook.magics.commands import markdown_table

README = Path(__file__).parents[1] / "README.md"
_START, _END = "<!-- magics -->\n", "<!-- /magics -->"


def with_tables(readme: str) -> str:
    """Return a README with its table as the code has it."""
    before, _, rest = readme.partition(_START)
    _, end, after = rest.partition(_END)
    assert end, "README.md has no place for the magics"
    return f"{before}{_START}{markdown_table()}{_END}{after}"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
