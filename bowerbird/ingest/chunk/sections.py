"""Structure-aware chunks: never across headings, whole code blocks, whole sentences, borders that stay put when text is edited.

Does not know tokens: lengths are in words (`sentences.size`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from bowerbird.errors import InvalidInput
from bowerbird.ingest.chunk import Chunk
from bowerbird.ingest.document import Document, Section
from bowerbird.sentences import PARAGRAPH, SENTENCE, WORD, safe, sentences, size, too_long

__all__ = ["Sections"]


class _Item(NamedTuple):
    """A piece that is not cut further; `level` says what ends where it ends. (A frozen dataclass takes three times as long to make.)"""

    start: int
    end: int
    size: float
    level: int


@dataclass(frozen=True, slots=True)
class Sections:
    """Chunks of up to `words` words within one section of headings (or one page).

    A section that fits is one chunk. A longer one is cut in the second half of the window, at the end of a paragraph or
    block if there is one there, else of a sentence; among equals the border is taken whose following text has the
    smallest checksum. That choice depends on the text around it alone, so that an edit moves the borders near it and not
    all that follow (content-defined chunking; Muthitacharoen et al., SOSP 2001, section 3.1, there for bytes).
    A sentence or block of more than `words` is a chunk of its own, and is cut only beyond `most` words: code at lines,
    prose at spaces. `overlap`: a chunk also repeats whole sentences of up to that many words from the end of the one
    before it in the section, beyond `words`. Linear time; holds one chunk at a time.
    """

    words: int = 200
    overlap: int = 20
    most: int = 400

    def __post_init__(self) -> None:
        if self.words < 1 or self.most < self.words or not 0 <= self.overlap < self.words:
            raise InvalidInput(f"{self}: takes 1 <= words <= most and 0 <= overlap < words.")

    def cut(self, document: Document) -> Iterator[Chunk]:
        """The chunks of a document, in order; its sections must cover its text."""
        text, opened, blocks = document.text, None, _Blocks(document.blocks)
        for section in document.parts:
            start = section.start if opened is None else opened
            if _blank(text, section.body, section.end) and section.end < len(text):
                opened = start if not _blank(text, start, section.end) else None  # a bare heading goes with what follows it
                continue
            opened = None
            yield from self._pack(text, replace(section, start=start), blocks)

    def _pack(self, text: str, section: Section, blocks: _Blocks) -> Iterator[Chunk]:
        held: list[_Item] = []
        total, tail, first = 0.0, -1, True
        for item in self._items(text, section, blocks):
            held.append(item)
            total += item.size
            while total > self.words and len(held) > 1:
                cut = self._border(text, held)
                yield Chunk(tail if tail >= 0 else held[0].start, held[cut - 1].end, held[0].start, section, first)
                first, tail = False, self._tail(held[:cut])
                held = held[cut:]
                total = sum(piece.size for piece in held)
        if held:
            yield Chunk(tail if tail >= 0 else held[0].start, held[-1].end, held[0].start, section, first)

    def _border(self, text: str, held: list[_Item]) -> int:
        """After how many of the held items to cut; all but the last fit."""
        best, rank, total = len(held) - 1, (-1, 0), 0.0
        for count, item in enumerate(held[:-1], 1):
            total += item.size
            if total * 2 >= self.words and item.level >= rank[0]:
                following = held[count].start
                found = (item.level, -zlib.crc32(text[following : following + 48].encode("utf-8", "surrogatepass")))
                if found > rank:
                    best, rank = count, found
        return best

    def _tail(self, items: list[_Item]) -> int:
        """Where the overlap of the next chunk begins; -1 for none. Never the whole chunk."""
        left, start = float(self.overlap), -1
        for item in reversed(items[1:]):
            left -= item.size
            if left < 0 or item.level == WORD:
                break
            start = item.start
        return start

    def _items(self, text: str, section: Section, blocks: _Blocks) -> Iterator[_Item]:
        at = section.start
        for start, end in blocks.within(section.start, section.end):
            yield from self._prose(text, at, start)
            yield from self._block(text, start, end)
            at = end
        yield from self._prose(text, at, section.end)

    def _prose(self, text: str, start: int, end: int) -> Iterator[_Item]:
        for low, high, level in sentences(text, start, end):
            if too_long(low, high, self.most) or (length := size(text[low:high])) > self.most:
                yield from self._hard(text, low, high, level)
            else:
                yield _Item(low, high, length, level)

    def _block(self, text: str, start: int, end: int) -> Iterator[_Item]:
        while end > start and text[end - 1].isspace():
            end -= 1
        while start < end and text[start] == "\n":
            start += 1
        if start == end:
            return
        if not too_long(start, end, self.most) and (length := size(text[start:end])) <= self.most:
            while text[start].isspace():
                start += 1
            yield _Item(start, end, length, PARAGRAPH)
            return
        while start < end:
            stop = text.find("\n", start, end)
            stop = end if stop < 0 else stop
            following = stop
            while following < end and text[following].isspace():
                following += 1
            gap = text.count("\n", stop, following) > 1
            top = following == end or text[following - 1] == "\n"
            level = PARAGRAPH if gap and top else SENTENCE if gap else WORD
            line = _trim(text, start, stop)
            if line is not None:
                if too_long(*line, self.most) or (length := size(text[line[0] : line[1]])) > self.most:
                    yield from self._hard(text, *line, level)
                else:
                    yield _Item(*line, length, level)
            start = following if following > start else stop + 1

    def _hard(self, text: str, start: int, end: int, level: int) -> Iterator[_Item]:
        """Pieces of a sentence or line that is longer than a chunk may be: cut at spaces, else between characters."""
        sample = text[start : min(end, start + 4096)]
        width = max(1, int(self.words * len(sample) / size(sample)))
        while end - start > width or size(text[start:end]) > self.words:
            stop = min(end, start + width)
            while stop - start > 1 and size(text[start:stop]) > self.words:
                stop = start + (stop - start) // 2
            if stop < end:
                space = max(text.rfind(mark, start + (stop - start) // 2, stop) for mark in " \n\t\u3000")
                stop = space if space > start else safe(text, stop, start)
            span = _trim(text, start, stop)
            if span is not None:
                yield _Item(*span, size(text[span[0] : span[1]]), WORD)
            start = stop
            if start >= end:
                return
        span = _trim(text, start, end)
        if span is not None:
            yield _Item(*span, size(text[span[0] : span[1]]), level)


class _Blocks:
    """Hands out ascending blocks section by section, each once; a block that crosses a section's end is parted there."""

    def __init__(self, blocks: tuple[tuple[int, int], ...]) -> None:
        self._blocks, self._next = blocks, 0

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while self._next < len(self._blocks) and self._blocks[self._next][0] < end:
            low, high = self._blocks[self._next]
            if high > start:
                yield max(low, start), min(high, end)
            if high > end:
                return
            self._next += 1


def _blank(text: str, start: int, end: int) -> bool:
    return _trim(text, start, end) is None


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None
