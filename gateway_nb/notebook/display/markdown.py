"""An agent's Markdown as HTML. What it writes is hostile text: it loads nothing, runs nothing and hides nothing."""

from __future__ import annotations

import functools
import html
from typing import TYPE_CHECKING

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from ...errors import printable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_LONGEST_HIGHLIGHTED = 20_000  # characters of one block: a lexer may take long
_COLOURS = {
    "[class^=c]": "comment-color,#408080",
    "[class^=k]": "keyword-color,#008000",
    "[class^=m]": "number-color,#008800",
    "[class^=o]": "operator-color,#7800c2",
    "[class^=s]": "string-color,#ba2121",
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
    """Return code with its parts in spans; as it is, escaped, where its language is none that is known."""
    if len(code) > _LONGEST_HIGHLIGHTED:
        return html.escape(code)
    try:
        return str(highlight(code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)))
    except ClassNotFound:
        return html.escape(code)
