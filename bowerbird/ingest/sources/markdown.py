"""Markdown by markdown-it-py (CommonMark with tables): headings become sections, code blocks and tables blocks.

The text is the file itself, so that positions count in the source. It does not know inline HTML or MDX components.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bowerbird.ingest.document import Document, Section
from bowerbird.ingest.passages import DocumentFormat
from bowerbird.ingest.sources.text import decode

__all__ = ["Markdown"]

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)?(---|\.\.\.)[ \t]*(\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE)
_BLOCKS = frozenset({"fence", "code_block", "table_open", "html_block"})


class Markdown(DocumentFormat):
    """Markdown. The title is the front matter's, else the first heading of level 1."""

    suffixes = (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd")

    def extract(self, path: Path, data: bytes) -> Document:
        """Sections by headings that stand at the outermost level; those in lists and quotations are text."""
        from markdown_it import MarkdownIt

        text = decode(data, path)
        front = _FRONT.match(text)
        skipped = front.end() if front else 0
        lines = [skipped]
        at = text.find("\n", skipped)
        while at >= 0:
            lines.append(at + 1)
            at = text.find("\n", at + 1)
        lines.append(len(text))

        def where(line: int) -> int:
            return lines[min(line, len(lines) - 1)]

        stated = _TITLE.search(front[0]) if front else None
        title = stated[1].strip().strip("\"'") if stated else ""
        opened: list[tuple[int, int, tuple[str, ...]]] = []
        blocks: list[tuple[int, int]] = [(0, skipped)] if skipped else []
        levels: list[tuple[int, str]] = []
        tokens: list[Any] = MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"]).parse(text[skipped:])
        for token, following in zip(tokens, [*tokens[1:], None], strict=False):
            if token.map is None:
                continue
            start, end = where(token.map[0]), where(token.map[1])
            if token.type == "heading_open" and token.level == 0 and following is not None:
                level, name = int(token.tag[1:]), _plain(following.content)
                if not name:
                    continue
                while levels and levels[-1][0] >= level:
                    levels.pop()
                levels.append((level, name))
                if level == 1 and not title:
                    title = name
                opened.append((start, end, tuple(heading for _, heading in levels)))
            elif token.type in _BLOCKS and (not blocks or start >= blocks[-1][1]):
                blocks.append((start, end))
        if not opened or opened[0][0] > 0:
            opened.insert(0, (0, 0, ()))
        ends = [start for start, _, _ in opened[1:]] + [len(text)]
        sections = tuple(Section(start, end, body, names) for (start, body, names), end in zip(opened, ends, strict=True))
        return Document(text, title, sections, tuple(blocks))


_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*\)|\[[^\[\]]*\])")
_MARKUP = re.compile(r"\*+|(?<!\w)_+|_+(?!\w)|\s\{#[^{}]*\}$")
_SPAN = re.compile(r"(?<!`)(`{1,8})(?!`)([^`]+)\1(?!`)")


def _plain(heading: str) -> str:
    """A heading without links, emphasis and anchors; what stands between backticks is left as it is."""
    heading = _LINK.sub(r"\1", heading)
    out, at = [], 0
    for span in _SPAN.finditer(heading):
        out += [_MARKUP.sub("", heading[at : span.start()]), span[2]]
        at = span.end()
    return " ".join("".join([*out, _MARKUP.sub("", heading[at:])]).split())
