"""An agent's Markdown as HTML. What it writes is hostile text: it loads nothing, runs nothing and hides nothing."""

from __future__ import annotations

import functools
import html
from typing import TYPE_CHECKING

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from ...errors import printable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_LONGEST_HIGHLIGHTED = 5_000  # characters of a block: the time of some lexers grows with the square
_HIGHLIGHTED: tuple[str, ...] = ("bash", "c", "cpp", "css", "diff", "go", "html", "java", "javascript", "js", "json")
_HIGHLIGHTED += ("julia", "py", "python", "r", "rust", "sh", "shell", "sql", "toml", "ts", "typescript", "xml", "yaml")
"""Languages whose lexers were tried with hostile code; the agent names the language."""
_COLOURS = {
    "[class^=c]": "comment-color,#408080",
    "[class^=k]": "keyword-color,#008000",
    ":is([class^=m],.gi)": "number-color,#008800",
    "[class^=o]": "operator-color,#7800c2",
    ":is([class^=s],.gd)": "string-color,#ba2121",
    ":is(.nb,.bp)": "builtin-color,#008000",
    ":is(.nc,.nf,.fm)": "def-color,#0000ff",
}
STYLE = (  # the colours of the notebook's editor, light or dark; where there is none, those behind the comma
    "<style>"
    + "".join(
        f".gnb-markdown code span{kind}{{color:var(--jp-mirror-editor-{colour})}}" for kind, colour in _COLOURS.items()
    )
    + "</style>"
)


def rendered(text: str) -> str:
    """Return Markdown as HTML; `STYLE` has the colours of its code.

    HTML in it is shown as text, and an image as a link: loading it would tell its server what the agent knows. Dollars
    stay dollars: no mathematics is typeset.

    Args:
        text: CommonMark with tables and strikethrough.

    Example:
        >>> print(rendered("*so* <b>"))
        <div class="gnb-markdown mathjax_ignore tex2jax_ignore"><p><em>so</em> &lt;b&gt;</p>
        </div>
    """
    shown = printable(_parser().render(text))  # here: an entity may have become a direction mark
    return f'<div class="gnb-markdown mathjax_ignore tex2jax_ignore">{shown}</div>'


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    options = {"html": False, "highlight": _highlighted}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("image")


def _highlighted(code: str, language: str, _: str) -> str:
    """Return code with its parts in spans; as it is, escaped, where it is long or its language is not one of those."""
    if len(code) > _LONGEST_HIGHLIGHTED or language.lower() not in _HIGHLIGHTED:
        return html.escape(code)
    return str(highlight(code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)))
