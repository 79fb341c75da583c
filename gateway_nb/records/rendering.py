"""Entries as HTML, Markdown and text, in which nothing of what a gateway or an agent wrote acts. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from .entries import Call, Entry, arguments_text, shown

_VIEW_TEXT = 2000
_VIEW_BYTES = 900_000
_FENCE = re.compile("`{3,}")
_STYLE = """<style>
.gnb-transcript{max-width:60em;line-height:1.45}
.gnb-transcript article{border-left:3px solid #888a;padding:.1em 0 .1em .8em;margin:.7em 0}
.gnb-transcript article.user{border-color:#3274a1}
.gnb-transcript article.assistant{border-color:#3a923a}
.gnb-transcript header,.gnb-transcript summary,.gnb-transcript small{opacity:.75;font-size:.85em}
.gnb-transcript p,.gnb-transcript pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.25em 0}
.gnb-transcript pre{background:#8882;padding:.4em .6em;font-size:.85em}
</style>"""
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{font-family:system-ui,sans-serif;margin:2em}}</style></head>
<body>{body}</body></html>
"""


def view(title: str, entries: list[Entry]) -> str:
    """Return entries as HTML for a notebook: static, in the colours of its theme, at most 1 MB.

    Long texts are cut, and of more than fits the latest are shown; both is said in their place.
    """
    parts: list[str] = []
    size = 0
    for entry in reversed(entries):
        part = _article(entry, _VIEW_TEXT)
        size += len(part.encode("utf-8", "replace"))
        if size > _VIEW_BYTES:
            break
        parts.append(part)
    left = len(entries) - len(parts)
    cut = f"<p><em>{left:,} earlier messages are not shown; .to_html() has all</em></p>" if left else ""
    return _frame(title, [cut, *reversed(parts)])


def page(title: str, entries: Iterable[Entry]) -> str:
    """Return all entries, whole, as an HTML document that needs no network."""
    return _PAGE.format(
        title=html.escape(shown(title)), body=_frame(title, [_article(entry, None) for entry in entries])
    )


def _frame(title: str, parts: list[str]) -> str:
    return f'{_STYLE}<div class="gnb-transcript"><div><b>{_escaped(title)}</b></div>{"".join(parts)}</div>'


def _article(entry: Entry, most: int | None) -> str:
    kind = entry.role if entry.role in ("user", "assistant") else "other"
    text = f"<p>{_text(entry.text, most)}</p>" if entry.text else ""
    thinking = _folded("thinking", [_text(entry.thinking, most)]) if entry.thinking else ""
    calls = "".join(_call(call, most) for call in entry.calls)
    notes = f"<small>{_escaped(' · '.join(entry.notes))}</small>" if entry.notes else ""
    return f'<article class="{kind}"><header>{_escaped(entry.title)}</header>{thinking}{text}{calls}{notes}</article>'


def _call(call: Call, most: int | None) -> str:
    parts = [_text(arguments_text(call), most), *([] if call.result is None else [_text(call.result, most)])]
    cut = f"<small>a part of the result is missing: {_escaped(call.cut)}</small>" if call.cut else ""
    return _folded(_escaped(call.title), parts) + cut


def _folded(summary: str, parts: list[str]) -> str:
    return f"<details><summary>{summary}</summary>{''.join(f'<pre>{part}</pre>' for part in parts)}</details>"


def _text(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return _escaped(text)
    return f"{_escaped(text[:most])}… <em>{len(text) - most:,} more characters; .to_html() has all</em>"


def _escaped(text: str) -> str:
    return html.escape(shown(text))


def markdown(title: str, entries: Iterable[Entry]) -> str:
    """Return entries as Markdown. Texts stand in fences: no heading, link or HTML in them becomes one of the page."""
    parts = [f"# {_line(title)}"]
    for entry in entries:
        parts.append(f"## {_line(entry.title)}")
        parts += [_fenced(entry.thinking, "thinking")] if entry.thinking else []
        parts += [_fenced(entry.text, "markdown")] if entry.text else []
        for call in entry.calls:
            parts += [f"**{_line(call.title)}**", _fenced(arguments_text(call), "json")]
            parts += [_fenced(call.result, "text")] if call.result is not None else []
            parts += [f"*a part of the result is missing: {_line(call.cut)}*"] if call.cut else []
        parts += [f"*{_line(note)}*" for note in entry.notes]
    return "\n\n".join(parts) + "\n"


def _line(text: str) -> str:
    """Return a text as one line in which no character is Markdown's or HTML's."""
    return re.sub(r"([\\`*_{}\[\]()#!|~])", r"\\\1", html.escape(shown(text).replace("\n", " "), quote=False))


def _fenced(text: str, language: str) -> str:
    fence = max(["```", *(found + "`" for found in _FENCE.findall(text))], key=len)
    return f"{fence}{language}\n{shown(text)}\n{fence}"


def plain(title: str, entries: Iterable[Entry]) -> str:
    """Return entries as text for a terminal or a file."""
    parts = [shown(title)]
    for entry in entries:
        lines = [f"[{entry.title}]", *([f"(thinking) {entry.thinking}"] if entry.thinking else [])]
        lines += [entry.text] if entry.text else []
        for call in entry.calls:
            lines.append(f"-> {call.title}: {arguments_text(call)}")
            lines += [f"<- {call.result}"] if call.result is not None else []
            lines += [f"(a part of the result is missing: {call.cut})"] if call.cut else []
        lines += [f"({note})" for note in entry.notes]
        parts.append(shown("\n".join(lines)))
    return "\n\n".join(parts) + "\n"
