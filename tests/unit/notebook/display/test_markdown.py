"""An agent's Markdown as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.errors import printable
from gateway_nb.notebook.display.markdown import _HIGHLIGHTED, STYLE, rendered

TAGS = {"div", "p", "em", "strong", "s", "code", "pre", "span", "ul", "ol", "li", "blockquote", "a", "br", "hr"}
TAGS |= {"h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
PIECES = [
    "<script>",
    "<b/onclick=x>",
    "![a](http://x/y.png)",
    "[l](javascript:a)",
    "[l](https://x)",
    "`",
    "*",
    "|",
    "<",
]
PIECES += ["<https://x>", "&lt;", "|-|", '"', "<!--", "[x]:data:text/html,<b>", "[x]", "\u202e", "&#x202e;", "\x1b[31m"]
PIECES += ["\n", "```js\n"]


class Checked(HTMLParser):
    """Fails on a tag or an attribute that is more than text."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in {"class", "href", "title", "start"}
            assert name != "href" or not str(value).lower().startswith(("javascript:", "vbscript:", "data:", "file:"))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*so* **much**", "<p><em>so</em> <strong>much</strong></p>"),
        ("| a |\n|---|\n| 1 |", "<table>\n<thead>\n<tr>\n<th>a</th>"),
        ("~~no~~", "<s>no</s>"),
        ("```python\nif x: 1\n```", '<span class="k">if</span>'),
        ("```Python\nif x: 1\n```", '<span class="k">if</span>'),
        ("```nonsense\n<b>\n```", "&lt;b&gt;"),
        ("```python\n" + "# <b>\n" * 4000 + "```", "# &lt;b&gt;\n"),
        ("<b onclick=x>hi</b>", "&lt;b onclick=x&gt;hi&lt;/b&gt;"),
        ("[a](https://b.c)", '<a href="https://b.c">a</a>'),
        ("[a](javascript:x)", "[a](javascript:x)"),
        ("![pixel](https://evil/?q=1)", '!<a href="https://evil/?q=1">pixel</a>'),
        ("\u202eabc\x1b[31m&#x202e;", "\\u202eabc\\u001b[31m\\u202e"),
        ("$5 and $6", 'mathjax_ignore tex2jax_ignore"><p>$5 and $6'),
    ],
)
def test_what_becomes_of_it(text: str, expected: str) -> None:
    """Markdown is rendered and code coloured; HTML, scripts, images, control characters and dollars stay text."""
    assert expected in rendered(text)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join))
def test_hostile_texts(text: str) -> None:
    """Whatever an agent writes, the HTML has no other tags than those of text, no handler and nothing to load."""
    shown = rendered(text)
    Checked().feed(shown)
    assert printable(shown) == shown


@pytest.mark.long
def test_languages() -> None:
    """Each language that is coloured is one that the library knows."""
    for language in _HIGHLIGHTED:
        assert "<span" in rendered(f'```{language}\n-"x": 1 # <b>\n```')


def test_colours() -> None:
    """Colours of code are the notebook's own, in its dark theme, too."""
    assert "span[class^=k]{color:var(--jp-mirror-editor-keyword-color,#008000)}" in STYLE
