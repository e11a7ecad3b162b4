"""HTML by selectolax (Lexbor): the main content with its headings, tables and code, without scripts, styles and navigation.

It does not run scripts, and what a page loads later it does not see.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput
from bowerbird.ingest.document import Document, Draft
from bowerbird.ingest.passages import DocumentFormat
from bowerbird.ingest.sources.text import decode

__all__ = ["Html"]

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_:.\-]{2,40})", re.IGNORECASE)
_DROPPED_WORDS = "script style noscript template svg nav footer aside iframe object canvas head title button select dialog "
_DROPPED = frozenset(_DROPPED_WORDS.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BROKEN_WORDS = (  # elements that begin and end a paragraph
    "address article blockquote body center dd details div dl dt fieldset figcaption figure form header hr html legend li "
    "main ol p section summary ul caption "
)
_BROKEN = frozenset(_BROKEN_WORDS.split())


_PERMALINK = re.compile(r"\s*[#¶§🔗]\s*\Z")  # what documentation tools put behind a heading to link to it
_DEEPEST = 5_000
_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")
_ENDLESS_WORDS = (
    b"area base br col embed hr img input link meta param source track wbr "
    b"p li dt dd td th tr thead tbody tfoot colgroup caption option optgroup rt rp html head body path rect circle line use"
)
_ENDLESS = frozenset(_ENDLESS_WORDS.split())


class Html(DocumentFormat):
    """HTML. The title is the page's; the content is `main`, a single `article` or the body, in this order."""

    suffixes = (".html", ".htm", ".xhtml")

    def extract(self, path: Path, data: bytes) -> Document:
        """The visible text; if `main` holds less than a tenth of the words of the body it is not believed."""
        from selectolax.lexbor import LexborHTMLParser

        if _depth(data) > _DEEPEST:
            raise InvalidInput(
                f"{str(path)!r} nests more than {_DEEPEST:,} elements: it is damaged or made to slow readers. Leave it out (.bowerignore)."
            )
        stated = _CHARSET.search(data[:4096])
        tree = LexborHTMLParser(decode(data, path, stated[1].decode("ascii") if stated else None))
        draft = Draft()
        named = tree.css_first("title")
        draft.title = " ".join(named.text().split()) if named is not None else ""
        body = tree.body
        if body is None:
            return draft.document()
        articles = tree.css("article")
        main = tree.css_first("main, [role=main]") or (articles[0] if len(articles) == 1 else None)
        if main is not None and len(main.text()) * 10 < len(body.text()):
            main = None
        _write(main or body, draft)
        document = draft.document()
        if not document.text and main is not None:
            draft = Draft()
            _write(body, draft)
            document = draft.document()
        return document


def _depth(data: bytes) -> int:
    """How deep elements may nest in `data` at most, those aside that need no end tag. (The parser's time grows with its square.)"""
    if data.count(b"<") <= _DEEPEST:
        return 0
    depth = deepest = 0
    for tag in _TAG.finditer(data):
        if tag[2].lower() not in _ENDLESS:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _write(root: Any, draft: Draft) -> None:
    """Walks the tree without recursion: pages nest deeper than Python's stack."""
    held: list[str] = []

    def flush(item: bool = False) -> None:
        text = " ".join("".join(held).split())
        held.clear()
        if item:
            draft.item(text)
        else:
            draft.paragraph(text)

    bullet = False
    # (node, whether it is being left); text nodes are gathered until an element that breaks the paragraph
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        node, leaving = waiting.pop()
        tag = node.tag
        if leaving:
            flush(bullet)
            bullet = False
        elif tag == "-text":
            held.append(node.text_content or "")
        elif tag == "br":
            held.append(" ")
        elif tag is None or tag in _DROPPED or tag.startswith(("-", "_", "!")):
            continue
        elif tag in _HEADINGS:
            flush()
            draft.heading(_HEADINGS[tag], _PERMALINK.sub("", node.text()))
        elif tag in ("pre", "textarea"):
            flush()
            draft.block(node.text())
        elif tag == "table" and node.css_first("table table") is None and _is_data(node):
            flush()
            draft.block(_table(node))
        else:
            breaks = tag in _BROKEN or tag in ("tr", "td", "th", "table")
            if breaks:
                flush(bullet)
                bullet = tag == "li"
                waiting.append((node, True))
            child = node.last_child
            while child is not None:
                waiting.append((child, False))
                child = child.prev
    flush()


def _is_data(table: Any) -> bool:
    """Whether a table holds data and not a page's layout: no headings, paragraphs of prose or lists inside."""
    return table.css_first("h1, h2, h3, h4, h5, h6, pre, ul, ol, p ~ p") is None


def _table(table: Any) -> str:
    rows = []
    for row in table.css("tr"):
        cells = [" ".join(cell.text().split()) for cell in row.css("td, th")]
        if any(cells):
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
