"""The documentation's configuration: the notebooks as its guide, the docstrings as its reference, a page per error.

python -m sphinx -d build/doctrees notebooks build/html
"""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

from gateway_nb.notebook.magics.commands import markdown_table

project = "gateway_nb"
version = release = importlib.metadata.version("gateway-nb")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["errors.toml", "**.ipynb_checkpoints"]
html_theme = "furo"
html_title = "gateway_nb"
html_show_sphinx = html_show_copyright = html_copy_source = html_show_sourcelink = False
nb_execution_mode = "off"  # what a notebook shows was saved with it; its cells are run as tests
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "inherited-members": "Exception,tuple"}
default_role = "code"
_PARTS = {"what": "What happened", "why": "Why", "do": "What to do"}


def write_error_pages(app: Sphinx) -> None:
    """Make a page of each entry of errors.toml, and a list of them."""
    folder = Path(app.srcdir, "errors")
    folder.mkdir(exist_ok=True)
    pages = tomllib.loads(Path(app.srcdir, "errors.toml").read_text())
    for name, page in pages.items():
        parts = "\n\n".join(f"## {title}\n\n{page[part]}" for part, title in _PARTS.items())
        _write(folder / f"{name}.md", f"# {name}\n\n{parts}\n")
    classes = [name for name in pages if not name.isupper()]
    codes = [name for name in pages if name.isupper()]
    lists = "\n\n".join(
        f"## {title}\n\n```{{toctree}}\n" + "\n".join(f"errors/{name}" for name in names) + "\n```"
        for title, names in {"Classes": classes, "Codes": codes}.items()
    )
    _write(
        Path(app.srcdir, "errors.md"),
        "# Errors\n\nAn error's line begins with its class, and has the gateway's code in brackets. "
        f"`gateway-nb docs NAME` opens the page of either.\n\n{lists}\n",
    )


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text() != text:  # what is as it was is not read again
        path.write_text(text)


def write_magics(app: Sphinx) -> None:
    """Make the table of magics."""
    _write(Path(app.srcdir, "magics.md"), f"# Magics\n\n`%load_ext gateway_nb` registers them.\n\n{markdown_table()}")


def setup(app: Sphinx) -> None:
    """Say what is done before pages are read."""
    app.connect("builder-inited", write_error_pages)
    app.connect("builder-inited", write_magics)
