"""A document as a text with structure: what a file format gives to a chunker. Knows neither files nor records.

Every position is a character offset into `Document.text`, so that a chunk can always be cited as text[start:end].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["Document", "Draft", "Section"]

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the text under one path of headings. `body` is where its own heading line ends (= start without one)."""

    start: int
    end: int
    body: int
    path: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """An extracted text, its sections (ascending, together covering the text) and its blocks (ascending, disjoint).

    A block is a stretch whose line borders matter: a code block, a table, a function. Chunkers keep it whole if they can.
    `fields` go into the fields of every record made of this document.
    """

    text: str
    title: str = ""
    sections: tuple[Section, ...] = ()
    blocks: tuple[tuple[int, int], ...] = ()
    fields: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    @property
    def parts(self) -> tuple[Section, ...]:
        """The sections; a document without any is one section."""
        return self.sections or (Section(0, len(self.text), 0),)


class Draft:
    """Builds a document piece by piece, for formats whose text is not the file itself (HTML, PDF, DOCX).

    Paragraphs are parted by an empty line. Headings open sections; a page opens one as well and keeps the path.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[tuple[int, int]] = []
        self._starts: list[tuple[int, int, tuple[str, ...], int | None]] = []
        self._levels: list[tuple[int, str]] = []
        self._page: int | None = None
        self._listing = False
        self.title = ""

    def _write(self, text: str, apart: str = "\n\n") -> tuple[int, int]:
        self._listing = False
        if self._length:
            self._parts.append(apart)
            self._length += len(apart)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        return start, self._length

    def paragraph(self, text: str) -> None:
        """A paragraph or a quotation; blank ones are left out."""
        text = text.strip()
        if text:
            self._write(text)

    def item(self, text: str) -> None:
        """An item of a list, on a line of its own right below the item before it."""
        text = text.strip()
        if text:
            self._write(f"- {text}", "\n" if self._listing else "\n\n")
            self._listing = True

    def block(self, text: str) -> None:
        """A code block or a table: kept whole where possible, its lines as they are."""
        text = text.strip("\n").rstrip()
        if text.strip():
            self._blocks.append(self._write(text))

    def heading(self, level: int, text: str) -> None:
        """A heading of that level (1 = the highest)."""
        text = " ".join(text.split())
        if not text:
            return
        while self._levels and self._levels[-1][0] >= level:
            self._levels.pop()
        self._levels.append((level, text))
        start, end = self._write(text)
        self._starts.append((start, end, tuple(name for _, name in self._levels), self._page))

    def page(self, number: int) -> None:
        """The text that follows stands on this page (counted from 1)."""
        self._page, self._listing = number, False
        at = self._length + 2 if self._length else 0
        self._starts.append((at, at, tuple(name for _, name in self._levels), number))

    def document(self, fields: Mapping[str, Any] = _NONE) -> Document:
        """What has been written so far."""
        text = "".join(self._parts)
        opened = [start for start in self._starts if start[0] < len(text)]
        if not opened or opened[0][0] > 0:
            opened.insert(0, (0, 0, (), None))
        ends = [start[0] for start in opened[1:]] + [len(text)]
        sections = tuple(Section(start, end, body, path, page) for (start, body, path, page), end in zip(opened, ends, strict=True))
        return Document(text, self.title, sections, tuple(self._blocks), fields)
